// session.hpp: executors for a model whose samples may differ in shape.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/memory_budget.hpp"
#include "core/tensor.hpp"
#include "exec/executor.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "lower/program.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::exec {

/// Gives each worker an Executor for the shapes of its sample, lowering the
/// model once per combination of shapes. Remembers a few combinations, so
/// memory stays bounded when every sample has its own.
class Session {
 public:
  using Lowering = std::function<Result<lower::Program>(const ops::InputShapes&)>;

  /// `graph` must outlive the Session; `lowering` is called under a lock.
  Session(const graph::Graph& graph, Lowering lowering, int num_workers);

  /// Saves the lowering for inputs of these shapes, by name: `program` is what it would give. Not while others use the
  /// Session. Without effect if an input has no shape here.
  void adopt(const ops::InputShapes& shapes, std::shared_ptr<const lower::Program> program);

  /// The Executor of `worker` for inputs of these shapes, in the order of
  /// Graph::inputs. Valid until the worker asks again. Thread-safe for
  /// different workers.
  /// Errors: those of the lowering and of reserve_executors(); kInvalidInput if the number of inputs is wrong.
  Result<Executor*> executor(int worker, std::span<const Tensor> inputs);

 private:
  struct CachedProgram {
    std::vector<Shape> shapes;
    std::shared_ptr<const lower::Program> program;
  };
  struct Worker {
    std::shared_ptr<const lower::Program> program;
    std::unique_ptr<Executor> executor;
  };

  Result<std::shared_ptr<const lower::Program>> program_for(std::span<const Tensor> inputs);

  std::vector<std::string> input_names_;
  Lowering lowering_;
  std::mutex mutex_;
  std::vector<CachedProgram> programs_;  // Most recent last; guarded by mutex_.
  MemoryReservation reserved_;           // Of all workers; guarded by mutex_.
  std::vector<Worker> workers_;
};

}  // namespace halfstep::exec
