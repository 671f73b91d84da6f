// small_run.hpp: models that are small enough to be run on every input of a fuzz target.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "core/tensor.hpp"
#include "halfstep/result.hpp"
#include "lower/program.hpp"
#include "ops/infer_graph.hpp"
#include "pipeline/load_model.hpp"

namespace halfstep::fuzz {

/// A prepared model whose tensors together are small, and one sample for it.
struct SmallModel {
  pipeline::PreparedModel model;
  ops::InputShapes shapes;
  std::vector<Tensor> inputs;
};

/// What samples hold.
enum class Values {
  kPlain,    ///< Real numbers between -2 and 2, integers from 0 to 3.
  kExtreme,  ///< Also NaN, infinities and what is nearly as large.
};

/// Reads and prepares the model in `bytes`; extents that it leaves open are 2. Empty: it has an error or is large.
std::optional<SmallModel> small_model(std::span<const std::byte> bytes, Values values);

/// Values from a fixed seed.
Tensor drawn_input(const TensorType& type, unsigned seed, Values values);

/// Runs the program, if there is one, over the sample.
void run_small(Result<lower::Program> program, std::span<const Tensor> inputs);

}  // namespace halfstep::fuzz
