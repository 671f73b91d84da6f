// recurrent_activation.cpp: names, constants and loops of recurrent activations.
#include "ops/sequence/recurrent_activation.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <limits>
#include <span>
#include <string_view>

#include "core/text.hpp"
#include "ops/shared/vector_math.hpp"

namespace halfstep::ops {
namespace {

using Kind = Activation::Kind;

struct Known {
  std::string_view name;  ///< Lower case: the file's case does not matter.
  Kind kind;
  bool has_alpha;
  bool has_beta;
  float alpha;
  float beta;
};

// Defaults are those of the ONNX operators of the same name; for Affine and
// ScaledTanh, which are none any more, the constants that change nothing.
constexpr std::array kKnown = {
    Known{"relu", Kind::kRelu, false, false, 0.0F, 0.0F},
    Known{"tanh", Kind::kTanh, false, false, 0.0F, 0.0F},
    Known{"sigmoid", Kind::kSigmoid, false, false, 0.0F, 0.0F},
    Known{"affine", Kind::kAffine, true, true, 1.0F, 0.0F},
    Known{"leakyrelu", Kind::kLeakyRelu, true, false, 0.01F, 0.0F},
    Known{"thresholdedrelu", Kind::kThresholdedRelu, true, false, 1.0F, 0.0F},
    Known{"scaledtanh", Kind::kScaledTanh, true, true, 1.0F, 1.0F},
    Known{"hardsigmoid", Kind::kHardSigmoid, true, true, 0.2F, 0.5F},
    Known{"elu", Kind::kElu, true, false, 1.0F, 0.0F},
    Known{"softsign", Kind::kSoftsign, false, false, 0.0F, 0.0F},
    Known{"softplus", Kind::kSoftplus, false, false, 0.0F, 0.0F},
};

const Known* find_known(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  const auto at = std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& known) { return known.name == name; });
  return at == kKnown.end() ? nullptr : &*at;
}

/// Hands out the values of one attribute in order.
class Feed {
 public:
  explicit Feed(std::vector<float> values) : values_(std::move(values)) {}
  float next(bool wanted, float fallback) { return wanted && at_ < values_.size() ? values_[at_++] : fallback; }

 private:
  std::vector<float> values_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::vector<Activation>> activations_of(const graph::Attributes& attributes, std::size_t count,
                                               const std::vector<std::string>& defaults) {
  const auto* given = attributes.find<std::vector<std::string>>("activations");
  const bool named = given != nullptr && !given->empty();
  if (named && given->size() < count) {
    return Error{ErrorCode::kInvalidInput,
                 std::to_string(given->size()) + " activations are named, expected " + std::to_string(count)};
  }
  Feed alphas(attributes.get_floats("activation_alpha"));
  Feed betas(attributes.get_floats("activation_beta"));
  std::vector<Activation> activations;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = named ? (*given)[i] : defaults[i % defaults.size()];
    const Known* known = find_known(name);
    if (known == nullptr) {
      return Error{ErrorCode::kInvalidInput, "activation " + quoted(name) + " is unknown"};
    }
    activations.push_back({.kind = known->kind,
                           .alpha = alphas.next(known->has_alpha, known->alpha),
                           .beta = betas.next(known->has_beta, known->beta)});
  }
  return activations;
}

void activate(const Activation& activation, float clip, float* x, std::int64_t count) {
  if (clip < std::numeric_limits<float>::infinity()) {
    for (std::int64_t i = 0; i < count; ++i) x[i] = std::min(std::max(x[i], -clip), clip);
  }
  const float alpha = activation.alpha;
  const float beta = activation.beta;
  const std::span<float> values(x, static_cast<std::size_t>(count));
  switch (activation.kind) {
    case Kind::kRelu:
      for (float& v : values) v = v < 0.0F ? 0.0F : v;
      break;
    case Kind::kTanh:
      vector_math::tanh(x, x, count);
      break;
    case Kind::kSigmoid:
      vector_math::sigmoid(x, x, count);
      break;
    case Kind::kAffine:
      for (float& v : values) v = alpha * v + beta;
      break;
    case Kind::kLeakyRelu:
      for (float& v : values) v = v < 0.0F ? alpha * v : v;
      break;
    case Kind::kThresholdedRelu:
      for (float& v : values) v = v < alpha ? 0.0F : v;
      break;
    case Kind::kScaledTanh:
      for (float& v : values) v = alpha * std::tanh(beta * v);
      break;
    case Kind::kHardSigmoid:
      for (float& v : values) v = std::min(std::max(alpha * v + beta, 0.0F), 1.0F);
      break;
    case Kind::kElu:
      for (float& v : values) v = v < 0.0F ? alpha * std::expm1(v) : v;
      break;
    case Kind::kSoftsign:
      for (float& v : values) v = v / (1.0F + std::abs(v));
      break;
    case Kind::kSoftplus:
      for (float& v : values) v = vector_math::softplus(v);
      break;
  }
}

}  // namespace halfstep::ops
