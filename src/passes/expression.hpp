// expression.hpp: arithmetic spread over nodes, brought to a normal form for matching.
#pragma once

#include <optional>
#include <vector>

#include "passes/edit.hpp"

namespace halfstep::passes {

/// coefficient * factors[0] * factors[1] * ..., computed by `nodes`, inner ones first.
struct Product {
  double coefficient = 1.0;
  std::vector<graph::ValueId> factors;
  std::vector<graph::NodeId> nodes;
};

/// Takes `root` apart along Mul, Div by a scalar constant and Pow with exponent 2 or 3.
/// Goes into private values only, so what it names may be replaced together.
Product product_at(const Edit& edit, graph::ValueId root);

/// constant + product, from Add or Sub with a scalar constant, in either order.
struct Sum {
  double constant = 0.0;
  Product product;
};

/// Empty if the producer of `root` is no such Add or Sub. `root` must be private.
std::optional<Sum> sum_at(const Edit& edit, graph::ValueId root);

/// The node of this type that computes `id`, which must be private; kNoNode otherwise.
graph::NodeId private_producer(const Edit& edit, graph::ValueId id, std::string_view op_type);

/// Appends `more` to `nodes`.
void append(std::vector<graph::NodeId>& nodes, const std::vector<graph::NodeId>& more);

}  // namespace halfstep::passes
