// small_run.cpp: reading, limits, one run.
#include "small_run.hpp"

#include <array>
#include <limits>
#include <memory>
#include <random>
#include <utility>

#include "exec/executor.hpp"
#include "fuzz_target.hpp"
#include "io/onnx/reader.hpp"
#include "ops/operand_count.hpp"

namespace halfstep::fuzz {
namespace {

constexpr std::int64_t kMaxInputElements = 1 << 14;
constexpr std::int64_t kMaxBytes = 4 << 20;  ///< Of all tensors of a model.

/// Empty: too large.
std::optional<Shape> small_shape(const io::InputSpec& spec) {
  Shape shape;
  if (!spec.dims) return Shape{1, 2, 4, 4};
  for (const io::DeclaredDim& dim : *spec.dims) shape.push_back(dim.extent < 0 ? 2 : dim.extent);
  if (!succeeded(check_shape(shape, spec.dtype)) || shape.num_elements() > kMaxInputElements) return std::nullopt;
  return shape;
}

bool is_small(const graph::Graph& graph, const ops::Facts& facts) {
  std::int64_t bytes = 0;
  for (std::size_t v = 0; v < facts.size(); ++v) {
    if (!facts[v].type) continue;
    bytes += facts[v].type->num_bytes();
    if (bytes > kMaxBytes) return false;
  }
  return graph.nodes.size() < 1000;
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::array kExtremes = {
    kInfinity, -kInfinity, 3e38F, -3e38F, 1e-45F, -0.0F, std::numeric_limits<float>::quiet_NaN()};

template <class T>
void fill(Tensor& tensor, std::mt19937& rng, Values values) {
  for (std::int64_t i = 0; i < tensor.num_elements(); ++i) {
    if constexpr (std::is_same_v<T, float>) {
      float& value = tensor.mutable_data<float>()[i];
      value = static_cast<float>(rng() % 4001) / 1000.0F - 2.0F;
      if (values == Values::kExtreme && rng() % 4 == 0) value = kExtremes[rng() % kExtremes.size()];
    } else if constexpr (std::is_same_v<T, bool>) {
      tensor.mutable_data<bool>()[i] = rng() % 2 == 1;
    } else {
      tensor.mutable_data<T>()[i] = static_cast<T>(rng() % 4);
    }
  }
}

}  // namespace

Tensor drawn_input(const TensorType& type, unsigned seed, Values values) {
  std::mt19937 rng(seed);
  Tensor tensor(type);
  visit_dtype(type.dtype, [&]<class T>() { fill<T>(tensor, rng, values); });
  return tensor;
}

std::optional<SmallModel> small_model(std::span<const std::byte> bytes, Values values) {
  Result<io::ReadModel> read = io::read_onnx(bytes);
  if (!succeeded(read) || !succeeded(ops::check_operand_counts(read->graph))) return std::nullopt;
  pipeline::RawModel raw;
  raw.graph = std::move(read->graph);
  raw.path = "model.onnx";
  SmallModel small;
  unsigned seed = 1;
  std::int64_t elements = 0;
  for (const io::InputSpec& spec : pipeline::input_specs(raw)) {
    (void)succeeded(io::default_shape(spec));
    (void)succeeded(io::shape_from_size(spec, bytes.size() * 8));
    std::optional<Shape> shape = small_shape(spec);
    if (!shape) return std::nullopt;
    elements += shape->num_elements();
    if (elements > kMaxInputElements) return std::nullopt;
    small.inputs.push_back(drawn_input({spec.dtype, *shape}, seed++, values));
    small.shapes.insert_or_assign(spec.name, *std::move(shape));
  }
  if (const Result<ops::Facts> facts = ops::infer_facts(raw.graph, small.shapes);
      facts.ok() && !is_small(raw.graph, *facts)) {
    return std::nullopt;
  }
  Result<pipeline::PreparedModel> prepared = pipeline::prepare_model(std::move(raw), small.shapes, {}, {});
  if (!succeeded(prepared)) return std::nullopt;
  const Result<ops::Facts> facts = ops::infer_facts(prepared->graph, small.shapes);
  if (!succeeded(facts) || !is_small(prepared->graph, *facts)) return std::nullopt;
  small.model = *std::move(prepared);
  return small;
}

void run_small(Result<lower::Program> program, std::span<const Tensor> inputs) {
  if (!succeeded(program)) return;
  exec::Executor executor(std::make_shared<const lower::Program>(*std::move(program)));
  const Result<void> ran = executor.run(inputs);
  (void)succeeded(ran);
}

}  // namespace halfstep::fuzz
