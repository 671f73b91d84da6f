// known_functions.cpp: guesses the parameters of each operator from a few values, then compares many.
#include "passes/known_functions.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>

namespace halfstep::passes {
namespace {

using graph::Node;
using Function = std::function<double(double)>;

constexpr double kNoBound = std::numeric_limits<double>::infinity();

/// Both signs of each are tried. Bends of the usual activations lie at 0, 1, 3 and 6, and between points.
constexpr std::array kPoints = {0.0, 1e-3, 0.01, 0.1, 0.25, 0.5, 0.75, 1.0, 1.3, 1.5,  2.0,  2.5,  2.9,  3.0,
                                3.1, 3.5,  4.0,  5.0, 5.9,  6.0, 6.1,  7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 30.0};

bool near(double a, double b) { return std::fabs(a - b) <= 1e-6 * std::max(std::fabs(b), 0.01); }

bool agree(const Function& f, const Function& g) {
  return std::ranges::all_of(kPoints, [&](double x) { return near(f(x), g(x)) && near(f(-x), g(-x)); });
}

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }
double gelu_tanh(double x) {
  return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

/// Functions without parameters.
struct Plain {
  const char* op_type;
  double (*function)(double);
};
constexpr std::array<Plain, 7> kPlain = {{
    {"Sigmoid", sigmoid},
    {"Tanh", [](double x) { return std::tanh(x); }},
    {"Softplus", softplus},
    {"Softsign", [](double x) { return x / (1.0 + std::fabs(x)); }},
    {"HardSwish", [](double x) { return x * std::clamp(x / 6.0 + 0.5, 0.0, 1.0); }},
    {"Gelu", [](double x) { return 0.5 * x * (1.0 + std::erf(x / std::numbers::sqrt2)); }},
    {"Mish", [](double x) { return x * std::tanh(softplus(x)); }},
}};

Node named(const char* op_type) {
  Node node;
  node.op_type = op_type;
  return node;
}

Node with(Node node, const char* attribute, double value) {
  node.attributes.set(attribute, static_cast<float>(value));
  return node;
}

/// f(x) = min(max(x, low), high); a bound beyond 1e9 is none.
std::optional<Node> clip_of(const Function& f) {
  constexpr double kFar = 1e9;
  const double low = near(f(-kFar), -kFar) ? -kNoBound : f(-kFar);
  const double high = near(f(kFar), kFar) ? kNoBound : f(kFar);
  if (!(low <= high) || (low == -kNoBound && high == kNoBound) || low == kNoBound) return std::nullopt;
  if (!agree(f, [=](double x) { return std::min(std::max(x, low), high); })) return std::nullopt;
  if (low == 0.0 && high == kNoBound) return named("Relu");
  Node clip = named("Clip");
  if (low > -kNoBound) clip = with(std::move(clip), "min", low);
  return high < kNoBound ? with(std::move(clip), "max", high) : clip;
}

std::optional<Node> leaky_relu_of(const Function& f) {
  const double alpha = -f(-1.0);
  if (!agree(f, [=](double x) { return x < 0.0 ? alpha * x : x; })) return std::nullopt;
  // x itself, and |x|, which Abs says better.
  if (near(std::fabs(alpha), 1.0)) return std::nullopt;
  return with(named("LeakyRelu"), "alpha", alpha);
}

std::optional<Node> hard_sigmoid_of(const Function& f) {
  constexpr double kStep = 1e-3;
  const double beta = f(0.0);
  const double alpha = (f(kStep) - beta) / kStep;
  if (!(beta > 0.0 && beta < 1.0 && alpha > 0.0)) return std::nullopt;
  if (!agree(f, [=](double x) { return std::clamp(alpha * x + beta, 0.0, 1.0); })) return std::nullopt;
  return with(with(named("HardSigmoid"), "alpha", alpha), "beta", beta);
}

std::optional<Node> swish_of(const Function& f) {
  const double gate = f(1.0);
  if (!(gate > 1e-6 && gate < 1.0 - 1e-6)) return std::nullopt;
  const double alpha = std::log(gate / (1.0 - gate));
  if (alpha == 0.0 || !agree(f, [=](double x) { return x * sigmoid(alpha * x); })) return std::nullopt;
  return with(named("Swish"), "alpha", alpha);
}

std::optional<Node> elu_of(const Function& f) {
  const double alpha = f(-1.0) / std::expm1(-1.0);
  if (!(alpha > 0.0) || !agree(f, [=](double x) { return x < 0.0 ? alpha * std::expm1(x) : x; })) return std::nullopt;
  return with(named("Elu"), "alpha", alpha);
}

}  // namespace

std::optional<Node> known_function(const Function& f) {
  for (const Plain& plain : kPlain) {
    if (agree(f, plain.function)) return named(plain.op_type);
  }
  if (agree(f, gelu_tanh)) {
    Node gelu = named("Gelu");
    gelu.attributes.set("approximate", std::string("tanh"));
    return gelu;
  }
  for (const auto match : {clip_of, leaky_relu_of, hard_sigmoid_of, swish_of, elu_of}) {
    if (std::optional<Node> node = match(f)) return node;
  }
  return std::nullopt;
}

std::optional<double> prelu_factor(const std::function<double(double, double)>& f) {
  for (const double k : {1.0, -1.0}) {
    const bool matches = std::ranges::all_of(std::array{0.25, -0.6, 1.5}, [&](double slope) {
      return agree([&](double x) { return f(x, slope); }, [&](double x) { return x < 0.0 ? k * slope * x : x; });
    });
    if (matches) return k;
  }
  return std::nullopt;
}

}  // namespace halfstep::passes
