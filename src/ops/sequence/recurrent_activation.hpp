// recurrent_activation.hpp: the activation functions that RNN, GRU and LSTM nodes name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/attributes.hpp"
#include "halfstep/result.hpp"

namespace halfstep::ops {

/// One activation with its constants.
struct Activation {
  enum class Kind {
    kRelu,
    kTanh,
    kSigmoid,
    kAffine,
    kLeakyRelu,
    kThresholdedRelu,
    kScaledTanh,
    kHardSigmoid,
    kElu,
    kSoftsign,
    kSoftplus,
  };
  Kind kind = Kind::kTanh;
  float alpha = 0.0F;
  float beta = 0.0F;
};

/// The activations of a node: `count` of them, `defaults` where the node names
/// none. activation_alpha and activation_beta are handed out in order to those
/// functions that have such a constant; what is left over stays at its default.
/// Errors: kInvalidInput for an unknown name or too few names.
Result<std::vector<Activation>> activations_of(const graph::Attributes& attributes, std::size_t count,
                                               const std::vector<std::string>& defaults);

/// x = f(clamp(x, -clip, clip)) in place; clip is > 0, infinity for none.
void activate(const Activation& activation, float clip, float* x, std::int64_t count);

}  // namespace halfstep::ops
