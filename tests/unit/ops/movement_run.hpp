// movement_run.hpp: runs one operator on given tensors.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ops/evaluate.hpp"
#include "unit/ops/table_access.hpp"

namespace halfstep::ops {

using Ints = std::vector<std::int64_t>;
using Attrs = std::vector<std::pair<std::string, graph::Attribute>>;
using Operands = std::vector<std::optional<Tensor>>;

inline Tensor floats(Shape shape, std::vector<float> values) {
  return Tensor::of<float>(std::move(shape), std::span<const float>(values));
}
inline Tensor ints(Shape shape, Ints values) {
  return Tensor::of<std::int64_t>(std::move(shape), std::span<const std::int64_t>(values));
}
inline Tensor ints(Ints values) { return ints({static_cast<std::int64_t>(values.size())}, values); }
inline Tensor bools(std::vector<int> values) {
  Tensor tensor(TensorType{DType::kBool, {static_cast<std::int64_t>(values.size())}});
  for (std::size_t i = 0; i < values.size(); ++i) tensor.mutable_data<bool>()[i] = values[i] != 0;
  return tensor;
}

/// 0, 1, 2, ... in the given shape.
template <class T = float>
Tensor counting(Shape shape) {
  Tensor tensor(TensorType{dtype_of<T>(), std::move(shape)});
  for (std::int64_t i = 0; i < tensor.num_elements(); ++i) tensor.mutable_data<T>()[i] = static_cast<T>(i);
  return tensor;
}

inline graph::Node node_of(const std::string& type, const Attrs& attrs, const Operands& operands,
                           std::size_t num_outputs) {
  graph::Node node;
  node.op_type = type;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    node.inputs.push_back(operands[i] ? static_cast<graph::ValueId>(i) : graph::kNoValue);
  }
  for (std::size_t i = 0; i < num_outputs; ++i) {
    node.outputs.push_back(static_cast<graph::ValueId>(operands.size() + i));
  }
  for (const auto& [name, value] : attrs) node.attributes.set(name, value);
  return node;
}

inline Result<std::vector<Tensor>> try_run(const std::string& type, const Attrs& attrs, const Operands& operands,
                                           std::size_t num_outputs = 1) {
  std::vector<const Tensor*> pointers;
  for (const auto& operand : operands) pointers.push_back(operand ? &*operand : nullptr);
  return evaluate(node_of(type, attrs, operands, num_outputs), pointers);
}

inline std::vector<Tensor> run_all(const std::string& type, const Attrs& attrs, const Operands& operands,
                                   std::size_t num_outputs) {
  auto outputs = try_run(type, attrs, operands, num_outputs);
  EXPECT_TRUE(outputs.ok()) << outputs.error().message;
  return outputs.ok() ? *std::move(outputs) : std::vector<Tensor>(num_outputs);
}

inline Tensor run(const std::string& type, const Attrs& attrs, const Operands& operands) {
  return run_all(type, attrs, operands, 1).front();
}

/// The error message, or "ok".
inline std::string error_of(const std::string& type, const Attrs& attrs, const Operands& operands,
                            std::size_t num_outputs = 1) {
  const auto outputs = try_run(type, attrs, operands, num_outputs);
  return outputs.ok() ? "ok" : outputs.error().message;
}

/// What infer says when operand values are not known.
inline Result<Inferred> infer_types(const std::string& type, const Attrs& attrs, const Operands& operands) {
  const graph::Node node = node_of(type, attrs, operands, 1);
  std::vector<const TensorType*> types;
  for (const auto& operand : operands) types.push_back(operand ? &operand->type() : nullptr);
  const std::vector<const Tensor*> values(operands.size(), nullptr);
  return infer_by_table(NodeArgs{node, types, values});
}

inline void expect_same(const Tensor& actual, const Tensor& expected) {
  EXPECT_EQ(to_string(actual.type()), to_string(expected.type()));
  if (actual.type() != expected.type()) return;
  EXPECT_EQ(to_floats(actual.view()), to_floats(expected.view()));
}

}  // namespace halfstep::ops
