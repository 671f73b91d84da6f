// session.cpp: a small cache of Programs by input shapes.
#include "exec/session.hpp"

#include <algorithm>

#include "exec/program_memory.hpp"

namespace halfstep::exec {
namespace {

constexpr std::size_t kMaxPrograms = 4;

bool has_shapes(const std::vector<Shape>& shapes, std::span<const Tensor> inputs) {
  return std::ranges::equal(shapes, inputs, {}, {}, [](const Tensor& tensor) { return tensor.shape(); });
}

}  // namespace

Session::Session(const graph::Graph& graph, Lowering lowering, int num_workers)
    : lowering_(std::move(lowering)), workers_(static_cast<std::size_t>(num_workers)) {
  for (const graph::GraphInput& input : graph.inputs) input_names_.push_back(graph.value(input.value).name);
}

void Session::adopt(const ops::InputShapes& shapes, std::shared_ptr<const lower::Program> program) {
  CachedProgram known{{}, std::move(program)};
  for (const std::string& name : input_names_) {
    const auto at = shapes.find(name);
    if (at == shapes.end()) return;
    known.shapes.push_back(at->second);
  }
  if (programs_.size() == kMaxPrograms) programs_.erase(programs_.begin());
  programs_.push_back(std::move(known));
}

Result<std::shared_ptr<const lower::Program>> Session::program_for(std::span<const Tensor> inputs) {
  if (inputs.size() != input_names_.size()) {
    return Error{ErrorCode::kInvalidInput, "got " + std::to_string(inputs.size()) + " input tensors, the model has " +
                                               std::to_string(input_names_.size())};
  }
  std::lock_guard lock(mutex_);
  const auto with_memory =
      [&](const std::shared_ptr<const lower::Program>& program) -> Result<std::shared_ptr<const lower::Program>> {
    Result<void> reserved = reserve_executors(*program, static_cast<int>(workers_.size()), reserved_);
    if (!reserved.ok()) return reserved.error();
    return program;
  };
  const auto known =
      std::ranges::find_if(programs_, [&](const CachedProgram& cached) { return has_shapes(cached.shapes, inputs); });
  if (known != programs_.end()) {
    std::rotate(known, known + 1, programs_.end());
    return with_memory(programs_.back().program);
  }
  ops::InputShapes shapes;
  CachedProgram fresh;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    shapes.insert_or_assign(input_names_[i], inputs[i].shape());
    fresh.shapes.push_back(inputs[i].shape());
  }
  Result<lower::Program> program = lowering_(shapes);
  if (!program.ok()) return program.error();
  fresh.program = std::make_shared<const lower::Program>(*std::move(program));
  if (programs_.size() == kMaxPrograms) programs_.erase(programs_.begin());
  programs_.push_back(std::move(fresh));
  return with_memory(programs_.back().program);
}

Result<Executor*> Session::executor(int worker, std::span<const Tensor> inputs) {
  Result<std::shared_ptr<const lower::Program>> program = program_for(inputs);
  if (!program.ok()) return program.error();
  Worker& mine = workers_[static_cast<std::size_t>(worker)];
  if (mine.program != *program) {
    mine.program = *program;
    mine.executor = std::make_unique<Executor>(mine.program);
  }
  return mine.executor.get();
}

}  // namespace halfstep::exec
