// output_judge.cpp: the float model's outputs, kept, and the scores of others against them.
#include "sensitivity/output_judge.hpp"

#include <algorithm>
#include <numeric>

#include "core/errors.hpp"
#include "core/ordered_parallel.hpp"
#include "lower/lower.hpp"

namespace halfstep::sensitivity {
namespace {

constexpr double kMaxDb = 200.0;
constexpr std::size_t kMemoryBytes = std::size_t{64} << 20;

std::optional<double> of_other(const std::optional<compare::TopK>& both) {
  return both ? std::optional(both->other_percent) : std::nullopt;
}

}  // namespace

OutputScore OutputJudge::score(const compare::Tally& tally, const compare::OutputMeasures& measures) {
  OutputScore score;
  int num_outputs = 0;
  for (const compare::TensorTally& output : tally.outputs) {
    if (output.sums.count == 0) continue;
    score.sqnr_db += std::clamp(output.sums.sqnr_db(), -kMaxDb, kMaxDb);
    ++num_outputs;
  }
  if (num_outputs > 0) score.sqnr_db /= num_outputs;
  score.agreement_percent = tally.scores.agreement_percent();
  score.miou_percent = of_other(tally.scores.miou());
  if (!measures.labels.empty()) {
    score.top1_percent = of_other(tally.scores.top1());
    score.top5_percent = of_other(tally.scores.top5());
  }
  return score;
}

Result<OutputJudge> OutputJudge::make(const graph::Graph& reference, const ops::InputShapes& shapes,
                                      const exec::SampleSource& samples, const compare::OutputMeasures& measures,
                                      int num_threads) {
  OutputJudge judge;
  judge.reference_ = &reference;
  judge.measures_ = measures;
  judge.store_ = std::make_unique<exec::ActivationStore>(kMemoryBytes);
  Result<lower::Program> lowered = lower::float_program(reference, shapes);
  if (!lowered.ok()) return lowered.error();
  const auto program = std::make_shared<const lower::Program>(*std::move(lowered));
  bool can_judge = !measures.labels.empty() || measures.masks;
  for (std::size_t o = 0; o < program->outputs.size(); ++o) {
    const lower::Slot& slot = program->slots[static_cast<std::size_t>(program->outputs[o])];
    judge.outputs_.push_back(reference.value(reference.outputs[o].value).name);
    judge.static_.push_back(slot.type.has_value());
    const bool is_real = slot.type && slot.type->dtype == DType::kFloat32;
    judge.elements_.push_back(is_real ? slot.type->shape.num_elements() : 0);
    can_judge = can_judge || is_real;
  }
  if (!can_judge) return unsupported("no output is float32 of a shape known before running: nothing can be measured");

  std::vector<std::optional<exec::Executor>> executors(static_cast<std::size_t>(num_threads));
  std::vector<compare::Tally> tallies(static_cast<std::size_t>(num_threads));
  compare::Tally all = judge.empty();
  const auto at_place = [&](const Error& error, std::int64_t i) {
    return samples.place ? error.at(samples.place(i)) : error;
  };
  const auto produce = [&](std::int64_t i, int worker) -> Result<void> {
    std::optional<exec::Executor>& executor = executors[static_cast<std::size_t>(worker)];
    if (!executor) executor.emplace(program);
    const Result<std::vector<Tensor>> inputs = samples.load(i);
    if (!inputs.ok()) return inputs.error();
    if (auto ran = executor->run(*inputs); !ran.ok()) return at_place(ran.error(), i);
    for (std::size_t o = 0; o < judge.outputs_.size(); ++o) {
      if (auto put = judge.store_->put(judge.outputs_[o], i, executor->output(o)); !put.ok()) return put;
    }
    compare::Tally& tally = tallies[static_cast<std::size_t>(worker)] = judge.empty();
    if (auto told = judge.tally(i, *executor, tally); !told.ok()) return at_place(told.error(), i);
    return {};
  };
  const auto consume = [&](std::int64_t, int worker) -> Result<void> {
    all.add(tallies[static_cast<std::size_t>(worker)]);
    return {};
  };
  if (auto ran = ordered_parallel_for(samples.count, num_threads, produce, consume); !ran.ok()) return ran.error();
  judge.reference_score_ = judge.score(all);
  for (std::size_t o = 0; o < judge.outputs_.size(); ++o) {
    if (judge.has_elements(o)) judge.mean_power_ += all.outputs[o].sums.reference_squared;
  }
  judge.mean_power_ /= static_cast<double>(std::max<std::int64_t>(samples.count, 1));
  return judge;
}

std::int64_t OutputJudge::num_elements() const {
  return std::accumulate(elements_.begin(), elements_.end(), std::int64_t{0});
}

Result<void> OutputJudge::tally(std::int64_t i, const exec::Executor& executor, compare::Tally& tally) const {
  std::vector<Tensor> kept;
  std::vector<compare::OutputPair> pairs;
  for (const std::string& name : outputs_) {
    Result<Tensor> tensor = store_->get(name, i);
    if (!tensor.ok()) return tensor.error();
    kept.push_back(*std::move(tensor));
  }
  for (std::size_t o = 0; o < outputs_.size(); ++o) {
    pairs.push_back({kept[o].view(), executor.output(o), static_[o] && executor.output_is_static(o)});
  }
  return compare::tally_outputs(measures_, *reference_, i, pairs, tally);
}

}  // namespace halfstep::sensitivity
