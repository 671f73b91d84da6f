// unary_real.cpp: the formulas of the unary operators, as the ONNX operator reference defines them.
#include "ops/elementwise/unary_real.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "numerics/rounding.hpp"

namespace halfstep::ops {
namespace {

using Function = std::function<double(double)>;
using numerics::to_float32;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Comparisons below are written so that NaN stays NaN.

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
double softplus(double x) { return (x > 0.0 ? x : 0.0) + std::log1p(std::exp(-std::fabs(x))); }
// erfc keeps the digits of the left tail, which 1 + erf loses.
double gelu(double x) { return 0.5 * x * std::erfc(-x * 0.70710678118654752440); }
double gelu_tanh(double x) { return 0.5 * x * (1.0 + std::tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x))); }
double mish(double x) { return x * std::tanh(softplus(x)); }
double hard_swish(double x) { return x * std::clamp(x + 3.0, 0.0, 6.0) / 6.0; }
double softsign(double x) { return x / (1.0 + std::fabs(x)); }
double relu(double x) { return x < 0.0 ? 0.0 : x; }
double negative(double x) { return -x; }
double reciprocal(double x) { return 1.0 / x; }
double sign(double x) { return x > 0.0 ? 1.0 : (x < 0.0 ? -1.0 : x); }
double round_down(double x) { return std::floor(to_float32(x)); }
double round_up(double x) { return std::ceil(to_float32(x)); }

/// Halves to even, whatever the rounding mode of the processor.
double round_half_even(double x) {
  const double near = to_float32(x);
  return std::fabs(near) < 0x1p23 ? numerics::round_half_even(near) : near;
}

struct NamedFunction {
  std::string_view type;
  double (*function)(double);
};

/// Functions without parameters. Sorted.
constexpr std::array<NamedFunction, 29> kPlainFunctions = {{
    {"Abs", [](double x) { return std::fabs(x); }},
    {"Acos", [](double x) { return std::acos(x); }},
    {"Acosh", [](double x) { return std::acosh(x); }},
    {"Asin", [](double x) { return std::asin(x); }},
    {"Asinh", [](double x) { return std::asinh(x); }},
    {"Atan", [](double x) { return std::atan(x); }},
    {"Atanh", [](double x) { return std::atanh(x); }},
    {"Ceil", round_up},
    {"Cos", [](double x) { return std::cos(x); }},
    {"Cosh", [](double x) { return std::cosh(x); }},
    {"Erf", [](double x) { return std::erf(x); }},
    {"Exp", [](double x) { return std::exp(x); }},
    {"Floor", round_down},
    {"HardSwish", hard_swish},
    {"Log", [](double x) { return std::log(x); }},
    {"Mish", mish},
    {"Neg", negative},
    {"Reciprocal", reciprocal},
    {"Relu", relu},
    {"Round", round_half_even},
    {"Sigmoid", sigmoid},
    {"Sign", sign},
    {"Sin", [](double x) { return std::sin(x); }},
    {"Sinh", [](double x) { return std::sinh(x); }},
    {"Softplus", softplus},
    {"Softsign", softsign},
    {"Sqrt", [](double x) { return std::sqrt(x); }},
    {"Tan", [](double x) { return std::tan(x); }},
    {"Tanh", [](double x) { return std::tanh(x); }},
}};

/// The functions of the next table have attributes or operands.
using Maker = Result<Function> (*)(const NodeArgs&);

double attribute(const NodeArgs& args, std::string_view name, float fallback) {
  return static_cast<double>(args.attributes().get_float(name, fallback));
}

Result<Function> make_celu(const NodeArgs& args) {
  const double alpha = attribute(args, "alpha", 1.0F);
  return Function([alpha](double x) {
    const double below = alpha * std::expm1(x / alpha);
    return (x < 0.0 ? 0.0 : x) + (below > 0.0 ? 0.0 : below);
  });
}

/// Operand `i` as a number; `fallback` if it is absent.
Result<double> scalar_operand(const NodeArgs& args, std::size_t i, double fallback) {
  if (!args.has(i)) return fallback;
  const Tensor* value = args.value(i);
  if (value == nullptr || value->num_elements() != 1) {
    return Error{ErrorCode::kUnsupported, "operand " + std::to_string(i) + " is no constant scalar"};
  }
  return static_cast<double>(to_floats(value->view())[0]);
}

Result<Function> make_clip(const NodeArgs& args) {
  const Result<double> low = scalar_operand(args, 1, -kInfinity);
  const Result<double> high = scalar_operand(args, 2, kInfinity);
  if (!low.ok()) return low.error();
  if (!high.ok()) return high.error();
  // The lower bound first: where they cross, the upper one wins.
  return Function([low = *low, high = *high](double x) {
    const double raised = x < low ? low : x;
    return raised > high ? high : raised;
  });
}

Result<Function> make_elu(const NodeArgs& args) {
  const double alpha = attribute(args, "alpha", 1.0F);
  return Function([alpha](double x) { return x < 0.0 ? alpha * std::expm1(x) : x; });
}

Result<Function> make_gelu(const NodeArgs& args) {
  return Function(args.attributes().get_string("approximate", "none") == "tanh" ? gelu_tanh : gelu);
}

Result<Function> make_hard_sigmoid(const NodeArgs& args) {
  const double alpha = attribute(args, "alpha", 0.2F);
  const double beta = attribute(args, "beta", 0.5F);
  return Function([alpha, beta](double x) { return std::clamp(alpha * x + beta, 0.0, 1.0); });
}

Result<Function> make_leaky_relu(const NodeArgs& args) {
  const double alpha = attribute(args, "alpha", 0.01F);
  return Function([alpha](double x) { return x < 0.0 ? alpha * x : x; });
}

Result<Function> make_pow(const NodeArgs& args) {
  if (!args.has(1)) return Error{ErrorCode::kUnsupported, "the exponent is absent"};
  const Result<double> exponent = scalar_operand(args, 1, 1.0);
  if (!exponent.ok()) return exponent.error();
  if (*exponent == 2.0) return Function([](double x) { return x * x; });
  return Function([n = *exponent](double x) { return std::pow(x, n); });
}

Result<Function> make_selu(const NodeArgs& args) {
  const double alpha = attribute(args, "alpha", 1.67326319217681884765625F);
  const double gamma = attribute(args, "gamma", 1.05070102214813232421875F);
  return Function([alpha, gamma](double x) { return gamma * (x > 0.0 ? x : alpha * std::expm1(x)); });
}

Result<Function> make_shrink(const NodeArgs& args) {
  const double bias = attribute(args, "bias", 0.0F);
  const double lambd = attribute(args, "lambd", 0.5F);
  return Function([bias, lambd](double x) {
    const double near = to_float32(x);
    if (near < -lambd) return x + bias;
    return near > lambd ? x - bias : 0.0;
  });
}

Result<Function> make_swish(const NodeArgs& args) {
  const double alpha = attribute(args, "alpha", 1.0F);
  return Function([alpha](double x) { return x * sigmoid(alpha * x); });
}

Result<Function> make_thresholded_relu(const NodeArgs& args) {
  const double alpha = attribute(args, "alpha", 1.0F);
  return Function([alpha](double x) { return to_float32(x) > alpha ? x : 0.0; });
}

struct NamedMaker {
  std::string_view type;
  Maker make;
};

/// Sorted.
constexpr std::array<NamedMaker, 11> kMakers = {{
    {"Celu", make_celu},
    {"Clip", make_clip},
    {"Elu", make_elu},
    {"Gelu", make_gelu},
    {"HardSigmoid", make_hard_sigmoid},
    {"LeakyRelu", make_leaky_relu},
    {"Pow", make_pow},
    {"Selu", make_selu},
    {"Shrink", make_shrink},
    {"Swish", make_swish},
    {"ThresholdedRelu", make_thresholded_relu},
}};

template <class Table>
auto found(const Table& table, std::string_view type) -> decltype(table.data()) {
  const auto at = std::ranges::lower_bound(table, type, {}, [](const auto& entry) { return entry.type; });
  return at != table.end() && at->type == type ? &*at : nullptr;
}

}  // namespace

Result<Function> real_function(const NodeArgs& args) {
  if (const NamedFunction* plain = found(kPlainFunctions, args.node.op_type)) return Function(plain->function);
  if (const NamedMaker* maker = found(kMakers, args.node.op_type)) return maker->make(args);
  return Error{ErrorCode::kUnsupported, args.node.op_type + " is no function of one real number"};
}

}  // namespace halfstep::ops
