// executor.hpp: runs a Program over inputs.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/tensor.hpp"
#include "encoding/encoding.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "lower/program.hpp"

namespace halfstep::exec {

/// A tensor that is complete.
struct Tapped {
  graph::ValueId value = graph::kNoValue;
  ConstView view;
  /// Set in a fixed-point Program: `view` holds codes on this grid. Else real numbers, or plain integers.
  const Encoding* encoding = nullptr;
  /// The same storage. A tap may overwrite it: later steps then read what it wrote. Absent if the type is decided
  /// while running.
  MutableView content;
};

/// Sees each tensor once, when its value is final and before its storage is
/// reused: graph inputs first, then step outputs in order. Not called for constants.
using Tap = std::function<Result<void>(const Tapped&)>;

/// Owns the arena for one run at a time. One Executor a thread; the Program is shared.
class Executor {
 public:
  explicit Executor(std::shared_ptr<const lower::Program> program);
  ~Executor();
  Executor(Executor&&) noexcept;
  Executor& operator=(Executor&&) noexcept;

  /// Runs every step. `inputs` in the order of Graph::inputs.
  /// Errors: kInvalidInput if an input's type is not the Program's, or on data
  /// errors of a step (named); the tap's error.
  Result<void> run(std::span<const Tensor> inputs, const Tap& tap = {});

  /// run() in pieces, so that runs of several Programs can go on in step. Reads the inputs; nothing has run yet.
  /// Errors: as run().
  Result<void> start(std::span<const Tensor> inputs);

  /// Runs on to the next tensor that a tap of run() would see, and stops there: its storage stays as it is until the
  /// next call. Empty: all steps have run.
  /// Requires: start() was called, and no call since has failed. Errors: as run().
  Result<std::optional<Tapped>> advance();

  /// Whether a tap sees this value.
  bool completes(graph::ValueId value) const;

  /// True if the type of output `index` is decided by the inputs' shapes, not by their values.
  bool output_is_static(std::size_t index) const;

  /// Output `index` of the last run; valid until the next.
  ConstView output(std::size_t index) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace halfstep::exec
