// Contract under test: src/passes/prepare.hpp, on real models: float outputs
// stay, names of outputs stay, and twice is once.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <random>

#include "exec/executor.hpp"
#include "io/onnx/reader.hpp"
#include "lower/lower.hpp"
#include "passes/edit.hpp"
#include "passes/import_qdq.hpp"
#include "passes/prepare.hpp"

namespace halfstep {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> models_in(const fs::path& folder) {
  std::vector<fs::path> models;
  if (!fs::is_directory(folder)) return models;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".onnx") models.push_back(entry.path());
  }
  std::sort(models.begin(), models.end());
  return models;
}

/// 1 for batches; for other open extents something small that strides divide.
Shape shape_for(const graph::GraphInput& input, std::int64_t batch) {
  Shape shape;
  if (!input.declared.dims) return shape;
  for (std::size_t axis = 0; axis < input.declared.dims->size(); ++axis) {
    const graph::Dim& dim = (*input.declared.dims)[axis];
    shape.push_back(dim.fixed() ? dim.extent : axis == 0 ? batch : axis == 2 ? 64 : 192);
  }
  return shape;
}

Result<std::vector<Tensor>> run(const graph::Graph& graph, const ops::InputShapes& shapes,
                                const std::vector<Tensor>& inputs) {
  Result<lower::Program> program = lower::float_program(graph, shapes);
  if (!program.ok()) return program.error();
  exec::Executor executor(std::make_shared<const lower::Program>(*std::move(program)));
  if (Result<void> ran = executor.run(inputs); !ran.ok()) return ran.error();
  std::vector<Tensor> outputs;
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) outputs.push_back(Tensor::copy_of(executor.output(i)));
  return outputs;
}

double relative_difference(const Tensor& a, const Tensor& b) {
  if (a.type() != b.type()) return INFINITY;
  const std::vector<float> x = to_floats(a.view());
  const std::vector<float> y = to_floats(b.view());
  double largest = 1e-30;
  double worst = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(x[i]) || !std::isfinite(y[i])) return INFINITY;
    largest = std::max(largest, static_cast<double>(std::abs(x[i])));
    worst = std::max(worst, static_cast<double>(std::abs(x[i] - y[i])));
  }
  return worst / largest;
}

void check(const fs::path& path) {
  SCOPED_TRACE(path.filename().string());
  Result<io::ReadModel> model = io::read_onnx(path);
  ASSERT_TRUE(model.ok()) << model.error().message;
  const graph::Graph& before = model->graph;
  for (const std::int64_t batch : {1, 2}) {
    passes::PassContext context;
    std::vector<Tensor> inputs;
    std::mt19937 rng(20240601);
    std::uniform_real_distribution<float> draw(-1.0F, 1.0F);
    for (const graph::GraphInput& input : before.inputs) {
      const Shape shape = shape_for(input, batch);
      context.shapes[before.value(input.value).name] = shape;
      ASSERT_EQ(input.declared.dtype, DType::kFloat32);
      Tensor& tensor = inputs.emplace_back(TensorType{DType::kFloat32, shape});
      std::generate_n(tensor.mutable_data<float>(), tensor.num_elements(), [&] { return draw(rng); });
    }
    if (batch == 2 && inputs[0].shape()[0] != 2) continue;  // The batch is fixed.

    // Prepared for one batch, run for another: passes may rely on neither.
    passes::PassContext other = context;
    for (const graph::GraphInput& input : before.inputs) {
      other.shapes[before.value(input.value).name] = shape_for(input, 3 - batch);
    }
    const Result<graph::Graph> after = passes::prepare(before, other);
    ASSERT_TRUE(after.ok()) << after.error().message;
    const Result<graph::Graph> again = passes::prepare(*after, context);
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_TRUE(passes::same_graph(*after, *again));
    ASSERT_EQ(before.outputs.size(), after->outputs.size());

    const Result<std::vector<Tensor>> expected = run(before, context.shapes, inputs);
    const Result<std::vector<Tensor>> found = run(*after, context.shapes, inputs);
    ASSERT_TRUE(expected.ok()) << expected.error().message;
    ASSERT_TRUE(found.ok()) << found.error().message;
    double worst = 0.0;
    for (std::size_t i = 0; i < expected->size(); ++i) {
      EXPECT_EQ(before.value(before.outputs[i].value).name, after->value(after->outputs[i].value).name);
      worst = std::max(worst, relative_difference((*expected)[i], (*found)[i]));
    }
    EXPECT_LE(worst, 1e-4);
    std::map<std::string, int> counts;
    for (const graph::Node& node : after->nodes) ++counts[node.op_type];
    std::string kinds;
    for (const auto& [type, count] : counts) kinds += " " + type + ":" + std::to_string(count);
    std::printf("%-32s nodes %4zu -> %4zu, difference %.1e,%s\n", path.filename().c_str(), before.nodes.size(),
                after->nodes.size(), worst, kinds.c_str());
  }
}

TEST(PassesOnModels, BundledModels) {
  const std::vector<fs::path> models = models_in(fs::path(HALFSTEP_TEST_DATA) / "digits");
  ASSERT_FALSE(models.empty());
  for (const fs::path& path : models) check(path);
}

TEST(PassesOnModels, SharedModels) {
  std::vector<fs::path> models = models_in(fs::path(HALFSTEP_SHARED_DATA) / "models");
  for (const fs::path& path : models_in(fs::path(HALFSTEP_SHARED_DATA) / "digits")) models.push_back(path);
  if (models.empty()) GTEST_SKIP() << "no models in " HALFSTEP_SHARED_DATA "; the bundled ones were tested";
  for (const fs::path& path : models) check(path);
}

}  // namespace
}  // namespace halfstep
