// conv_run_node.hpp: infers, lowers and runs one node, for the convolution and matrix product tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "unit/ops/table_access.hpp"

namespace halfstep::ops::conv_testing {

using Ints = std::vector<std::int64_t>;

inline graph::Node make_node(std::string type, std::size_t num_inputs) {
  graph::Node node;
  node.op_type = std::move(type);
  for (std::size_t i = 0; i < num_inputs; ++i) node.inputs.push_back(static_cast<graph::ValueId>(i));
  node.outputs = {static_cast<graph::ValueId>(num_inputs)};
  return node;
}

/// The attributes of Conv and ConvTranspose that say where windows lie, and their groups.
inline void set_windows(graph::Node& node, const Ints& strides, const Ints& dilations, Ints pad_begin,
                        const Ints& pad_end, std::int64_t groups) {
  node.attributes.set("strides", strides);
  node.attributes.set("dilations", dilations);
  pad_begin.insert(pad_begin.end(), pad_end.begin(), pad_end.end());
  node.attributes.set("pads", std::move(pad_begin));
  node.attributes.set("group", groups);
}

/// Output 0 of `node`. The scratch and the output are filled with NaN bits first.
inline Result<Tensor> run_node(const graph::Node& node, const std::vector<Tensor>& operands) {
  std::vector<const TensorType*> types;
  std::vector<const Tensor*> values;
  std::vector<ConstView> views;
  for (const Tensor& operand : operands) {
    types.push_back(&operand.type());
    values.push_back(&operand);
    views.push_back(operand.view());
  }
  const NodeArgs args{node, types, values};
  Result<Inferred> inferred = infer_by_table(args);
  if (!inferred.ok()) return inferred.error();
  const Result<Prepared> prepared = lower_float_by_table(LowerArgs{args, inferred->outputs});
  if (!prepared.ok()) return prepared.error();
  Tensor output(inferred->outputs.at(0));
  std::fill_n(output.mutable_bytes(), output.num_bytes(), std::byte{0xff});
  // A Tensor's storage has the alignment that scratch is promised.
  Tensor scratch(TensorType{DType::kUint8, Shape{static_cast<std::int64_t>(prepared->scratch_bytes)}});
  std::fill_n(scratch.mutable_bytes(), scratch.num_bytes(), std::byte{0xff});
  const MutableView view = output.mutable_view();
  const KernelIo io{views, {&view, 1}, {scratch.mutable_bytes(), prepared->scratch_bytes}};
  if (auto ran = prepared->run(io); !ran.ok()) return ran.error();
  EXPECT_TRUE(!node.clamp.has_value() || prepared->clamps);
  return output;
}

inline std::string error_of(const graph::Node& node, const std::vector<Tensor>& operands) {
  const Result<Tensor> result = run_node(node, operands);
  return result.ok() ? "" : result.error().message;
}

inline Tensor random_tensor(std::mt19937& rng, const Shape& shape) {
  Tensor tensor(TensorType{DType::kFloat32, shape});
  std::uniform_real_distribution<float> any(-1.0F, 1.0F);
  std::generate_n(tensor.mutable_data<float>(), tensor.num_elements(), [&] { return any(rng); });
  return tensor;
}

inline void expect_near(const Tensor& actual, const Shape& shape, const std::vector<double>& expected,
                        const std::string& what) {
  ASSERT_EQ(actual.shape(), shape) << what;
  const std::span<const float> values = actual.values<float>();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(values[i], expected[i], 2e-5 * (1.0 + std::abs(expected[i]))) << what << " at " << i;
  }
}

}  // namespace halfstep::ops::conv_testing
