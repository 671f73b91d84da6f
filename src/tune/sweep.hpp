// sweep.hpp: the layers of a quantized model one after the other, each with the codes that reach it.
//
// An algorithm that changes a layer wants to see it as it will be used: fed by everything upstream, quantized and
// changed already. Running the model from its inputs for every layer would cost a pass a layer. The sweep costs one
// in all: it keeps, for every sample, the tensors between what is done and what is not (the frontier).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "encoding/quantized_graph.hpp"
#include "exec/samples.hpp"
#include "halfstep/arithmetic.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::tune {

/// Sees one tensor of one sample: codes on `grid`, or real numbers if that is nullptr. Called by several threads, for
/// different samples; worker in [0, num_threads).
using SeeTensor = std::function<Result<void>(std::int64_t sample, int worker, ConstView view, const Encoding* grid)>;

/// The layer a sweep stands at: one linear node with a constant weight. Valid during the visit.
class SweptLayer {
 public:
  virtual ~SweptLayer() = default;

  virtual graph::NodeId node() const = 0;
  /// The node that writes what the layer hands on: the layer itself, or the activation behind it
  /// (ops::activation_behind()).
  virtual graph::NodeId last() const = 0;
  /// The grid of input 0 as codes; nullptr: it is read as real numbers.
  virtual const Encoding* input_grid() const = 0;
  /// Input 0 of the first `num_samples` samples.
  virtual Result<void> for_each_input(std::int64_t num_samples, const SeeTensor& see) const = 0;
  /// Output 0 of last(): runs the layer, its clamp and activation included, with its weight, bias and grids as the
  /// model has them now, on the first `num_samples` samples.
  virtual Result<void> for_each_output(std::int64_t num_samples, const SeeTensor& see) const = 0;
};

struct SweepRequest {
  exec::SampleSource samples;  ///< All of one shape.
  ops::InputShapes shapes;     ///< Of the graph's inputs.
  FixedPointOptions fixed;     ///< The arithmetic of the model: a rule's own bias is seen.
  int num_threads = 1;
  std::size_t memory_bytes = std::size_t{160} << 20;  ///< Of the frontier; what is beyond goes to a file.
  /// Called after each layer: done, total. May be empty.
  std::function<void(std::int64_t, std::int64_t)> progress;
};

struct SweepOutcome {
  std::int64_t num_layers = 0;    ///< Visited.
  std::string stopped;            ///< Not empty: why the sweep did not reach the last layer.
  std::size_t spilled_bytes = 0;  ///< Of the frontier's file.
  std::size_t peak_bytes = 0;     ///< Of the frontier in memory, at most; depends on how threads took turns.
  std::size_t num_left = 0;       ///< Tensors still in the frontier: 0, unless `stopped`.
};

/// Visits every linear node with a constant weight, an integer form and an input 0 that is not constant, in the order
/// of `model`'s graph. `visit` may change weight, bias and their encodings in `model` (change_constant(),
/// change_encoding()), nothing else; the layers behind see the result. What the layers compute is what
/// lower::fixed_program() of the whole model computes, to the bit. The same for every number of threads if `visit` is.
/// Errors: those of lowering and of `visit`; loading a sample; the store's.
Result<SweepOutcome> sweep(const QuantizedGraph& model, const SweepRequest& request,
                           const std::function<Result<void>(const SweptLayer&)>& visit);

}  // namespace halfstep::tune
