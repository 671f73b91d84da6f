// op_table.cpp: every operator, collected from its family.
#include <algorithm>
#include <string_view>
#include <tuple>
#include <vector>

#include "ops/families.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

auto key_of(const OpDef& op) { return std::tuple(op.domain, op.type); }

// Explicit on purpose: nothing registers itself before main(), and a diff of a
// family's list is the list of operators that came or went.
std::vector<OpDef> collect() {
  std::vector<OpDef> table;
  for (const auto family : {
           conv_ops(),          matmul_ops(),          pool_ops(),     resize_ops(), vision_ops(),
           normalization_ops(), softmax_ops(),         reduce_ops(),   scan_ops(),   einsum_ops(),
           attention_ops(),     recurrent_ops(),       unary_ops(),    binary_ops(), logic_ops(),
           cast_ops(),          quantize_linear_ops(), movement_ops(), index_ops(),  shape_ops(),
       }) {
    table.insert(table.end(), family.begin(), family.end());
  }
  for (const auto family :
       {conv_ops(), matmul_ops(), einsum_ops(), pool_ops(), vision_ops(), attention_ops(), recurrent_ops()}) {
    for (const OpDef& op : family) std::ranges::find(table, key_of(op), key_of)->multiplies_work = true;
  }
  std::ranges::sort(table, {}, key_of);
  return table;
}

const std::vector<OpDef>& table() {
  static const std::vector<OpDef> sorted = collect();
  return sorted;
}

}  // namespace

std::span<const OpDef> all_ops() { return table(); }

const OpDef* find_op(std::string_view domain, std::string_view type) {
  const std::tuple key(domain, type);
  const auto at = std::ranges::lower_bound(table(), key, {}, key_of);
  return at != table().end() && key_of(*at) == key ? &*at : nullptr;
}

const OpDef* find_op(const graph::Node& node) { return find_op(node.domain, node.op_type); }

}  // namespace halfstep::ops
