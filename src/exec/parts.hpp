// parts.hpp: parts of a model, each of which runs alone from stored activations.
#pragma once

#include <span>
#include <string>

#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "halfstep/arithmetic.hpp"
#include "halfstep/result.hpp"
#include "lower/lower.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::exec {

/// A model from which parts are cut. A part is a Graph with all shapes fixed: lowered, held in a Session, run and
/// tapped as a whole model is, at the cost of its own nodes. Fed with what a tap saw of its inputs in a run of the
/// whole model, it computes the same bits, in float, simulated and in fixed point (with the inputs' grids as
/// CodeInputs). Immutable; thread-safe.
///
///   Result<Parts> parts = Parts::make(graph, shapes);                         // once
///   Result<graph::Graph> layer = parts->between({"conv1"}, {"conv2"});       // cheap, for each part
///   Result<lower::Program> program = lower::simulated_program(*layer, {}, encodings);
class Parts {
 public:
  /// `graph` as it is for inputs of these `shapes`: what is known before running, such as the shapes that a Reshape
  /// reads, becomes a constant, so that no part depends on it.
  /// Errors: those of infer_facts.
  static Result<Parts> make(graph::Graph graph, const ops::InputShapes& shapes);

  /// The part that computes `outputs` from `inputs`, by name.
  /// Errors: those of graph::cut; kUsage for an unknown name, with the nearest one; kUnsupported for an input whose
  /// type is decided while running.
  Result<graph::Graph> between(std::span<const std::string> inputs, std::span<const std::string> outputs) const;

  /// The grids on which a fixed-point run of the whole model has the codes of `names`, their own or the one they were
  /// moved on; tensors that it has as real numbers are left out. Lowers what computes them.
  /// Errors: those of between() and lower::fixed_program().
  Result<lower::CodeInputs> code_grids(std::span<const std::string> names, const EncodingSet& encodings,
                                       const FixedPointOptions& options) const;

 private:
  Parts(graph::Graph graph, ops::Facts facts) : graph_(std::move(graph)), facts_(std::move(facts)) {}
  Result<std::vector<graph::ValueId>> ids_of(std::span<const std::string> names) const;

  graph::Graph graph_;  // What facts_ know is constant.
  ops::Facts facts_;
};

}  // namespace halfstep::exec
