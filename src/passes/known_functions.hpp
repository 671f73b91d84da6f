// known_functions.hpp: which operator computes a given function of one real number.
#pragma once

#include <functional>
#include <optional>

#include "graph/graph.hpp"

namespace halfstep::passes {

/// The operator, without operands, whose function agrees with `f` at points from -30 to 30 to within 1e-6, relative
/// above 0.01: Sigmoid, Tanh, Softplus, Softsign, Swish, Mish, Gelu, HardSigmoid, HardSwish, Relu, Clip (its bounds as
/// attributes "min" and "max", where there are any), LeakyRelu, Elu. Empty if there is none.
std::optional<graph::Node> known_function(const std::function<double(double)>& f);

/// The factor k for which `f` is PRelu: f(x, s) = x for x >= 0, k s x below; 1 or -1. Empty if it is none.
std::optional<double> prelu_factor(const std::function<double(double, double)>& f);

}  // namespace halfstep::passes
