// ops_bench.cpp: operators that are no products, in float32 and on 16-bit codes.
//
// Each pair of rows is one operator on one shape; their ratio says what exact integers cost. items_per_second counts
// output elements. HALFSTEP_ISA picks the instruction set.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "encoding/encoding_set.hpp"
#include "ops/fixed_form.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

/// One node: operand 0 in shape `x`, constants behind it.
struct BenchNode {
  graph::Node node;
  Shape x;
  std::vector<Tensor> constants;
  double scale_x = 0.0003;
  double scale_y = 0.0003;
};

Tensor filled(const Shape& shape, float low, float high) {
  std::mt19937 rng(1);
  std::uniform_real_distribution<float> any(low, high);
  Tensor tensor(TensorType{DType::kFloat32, shape});
  for (std::int64_t i = 0; i < tensor.num_elements(); ++i) tensor.mutable_data<float>()[i] = any(rng);
  return tensor;
}

BenchNode node_on(const std::string& type, Shape x) {
  BenchNode bench;
  bench.node.op_type = type;
  bench.node.inputs = {0};
  bench.node.outputs = {1};
  bench.x = std::move(x);
  return bench;
}

BenchNode softmax_on(Shape x, std::int64_t axis = -1) {
  BenchNode bench = node_on("Softmax", std::move(x));
  bench.node.attributes.set("axis", axis);
  bench.scale_y = 1.0 / 65535.0;
  return bench;
}

BenchNode layer_normalization_on(Shape x) {
  BenchNode bench = node_on("LayerNormalization", std::move(x));
  const Shape columns{bench.x[bench.x.rank() - 1]};
  bench.constants = {filled(columns, 0.5F, 1.5F), filled(columns, -0.5F, 0.5F)};
  bench.node.inputs = {0, 2, 3};
  return bench;
}

BenchNode resize_on(Shape x, std::int64_t h, std::int64_t w, const std::string& coordinates) {
  BenchNode bench = node_on("Resize", x);
  const std::vector<std::int64_t> sizes = {x[0], x[1], h, w};
  bench.constants = {Tensor::of<std::int64_t>({4}, std::span<const std::int64_t>(sizes))};
  bench.node.inputs = {0, graph::kNoValue, graph::kNoValue, 2};
  bench.node.attributes.set("mode", std::string("linear"));
  bench.node.attributes.set("coordinate_transformation_mode", coordinates);
  return bench;
}

/// Operands in the order of the node's inputs; operand 0 has no known value.
struct BenchOperands {
  std::vector<const TensorType*> types;
  std::vector<const Tensor*> values;
};

BenchOperands operands_of(const BenchNode& bench, const Tensor& x) {
  BenchOperands operands;
  std::size_t next = 0;
  for (std::size_t i = 0; i < bench.node.inputs.size(); ++i) {
    const bool absent = bench.node.inputs[i] == graph::kNoValue;
    const Tensor* constant = i == 0 || absent ? nullptr : &bench.constants[next++];
    operands.types.push_back(i == 0 ? &x.type() : (absent ? nullptr : &constant->type()));
    operands.values.push_back(constant);
  }
  return operands;
}

void time_kernel(benchmark::State& state, const Prepared& prepared, const std::vector<ConstView>& inputs,
                 const TensorType& output) {
  Tensor y(output);
  Tensor scratch(TensorType{DType::kUint8, {static_cast<std::int64_t>(prepared.scratch_bytes)}});
  const std::vector<MutableView> outputs{y.mutable_view()};
  for (auto _ : state) {
    if (!prepared.run({inputs, outputs, {scratch.mutable_bytes(), prepared.scratch_bytes}}).ok()) {
      state.SkipWithError("the kernel failed");
      return;
    }
  }
  state.SetItemsProcessed(state.iterations() * y.num_elements());
}

void run_float(benchmark::State& state, const BenchNode& bench) {
  const Tensor x = filled(bench.x, -8.0F, 8.0F);
  const BenchOperands operands = operands_of(bench, x);
  const OpDef& op = *find_op(bench.node);
  const Result<Inferred> inferred = op.infer(NodeArgs{bench.node, operands.types, operands.values});
  if (!inferred.ok()) return state.SkipWithError(inferred.error().message.c_str());
  const auto prepared = op.lower_float(LowerArgs{{bench.node, operands.types, operands.values}, inferred->outputs});
  if (!prepared.ok()) return state.SkipWithError(prepared.error().message.c_str());
  std::vector<ConstView> inputs{x.view()};
  for (std::size_t i = 1; i < operands.values.size(); ++i) {
    inputs.push_back(operands.values[i] == nullptr ? ConstView{} : operands.values[i]->view());
  }
  time_kernel(state, *prepared, inputs, inferred->outputs[0]);
}

void run_fixed(benchmark::State& state, const BenchNode& bench) {
  const Tensor x = filled(bench.x, -8.0F, 8.0F);
  const BenchOperands operands = operands_of(bench, x);
  const OpDef& op = *find_op(bench.node);
  const Result<Inferred> inferred = op.infer(NodeArgs{bench.node, operands.types, operands.values});
  if (!inferred.ok()) return state.SkipWithError(inferred.error().message.c_str());
  const Encoding in = *Encoding::per_tensor(unsigned_grid(16), {bench.scale_x, 32768});
  const Encoding out = *Encoding::per_tensor(unsigned_grid(16), {bench.scale_y, bench.scale_y < 2e-5 ? 0 : 32768});
  std::vector<const Encoding*> encodings(operands.types.size(), nullptr);
  encodings[0] = &in;
  const std::vector<const Encoding*> output_encodings{&out};
  const std::vector<const Tensor*> codes(operands.types.size(), nullptr);
  const auto form = op.lower_fixed(FixedArgs{{bench.node, operands.types, operands.values},
                                             inferred->outputs,
                                             encodings,
                                             codes,
                                             output_encodings,
                                             {.arithmetic = Arithmetic::kQ31Single}});
  if (!form.ok()) return state.SkipWithError(form.error().message.c_str());
  const Tensor q = quantize(x, in);
  time_kernel(state, form->prepared, {q.view()}, {DType::kUint16, inferred->outputs[0].shape});
}

int register_pairs() {
  const std::pair<const char*, BenchNode> nodes[] = {
      {"softmax/12x197x197", softmax_on({1, 12, 197, 197})},
      {"softmax/1000", softmax_on({1, 1000})},
      {"softmax/21x4225_axis_1", softmax_on({1, 21, 4225}, 1)},
      {"layer_normalization/197x768", layer_normalization_on({1, 197, 768})},
      {"resize/32x80x80_to_160x160", resize_on({1, 32, 80, 80}, 160, 160, "half_pixel")},
      {"resize/21x65x65_to_513x513", resize_on({1, 21, 65, 65}, 513, 513, "align_corners")},
  };
  for (const auto& [name, bench] : nodes) {
    benchmark::RegisterBenchmark((std::string(name) + "/float").c_str(),
                                 [bench](benchmark::State& state) { run_float(state, bench); });
    benchmark::RegisterBenchmark((std::string(name) + "/codes16").c_str(),
                                 [bench](benchmark::State& state) { run_fixed(state, bench); });
  }
  return 0;
}

[[maybe_unused]] const int kRegistered = register_pairs();

}  // namespace
}  // namespace halfstep::ops
