// judge.cpp: squared errors of outputs, sample by sample, added in order.
#include "tune/judge.hpp"

#include <algorithm>

#include "compare/metrics.hpp"
#include "core/ordered_parallel.hpp"
#include "exec/session.hpp"
#include "lower/lower.hpp"

namespace halfstep::tune {
namespace {

constexpr double kMaxDb = 200.0;
constexpr std::size_t kMaxOutputBytes = std::size_t{64} << 20;

/// What one sample tells.
struct SampleErrors {
  std::vector<compare::ErrorSums> outputs;
  bool agrees = true;
};

/// Finite for all outputs, those with NaN or infinities included, so that scores can be compared.
double db_of(const compare::ErrorSums& errors) { return std::clamp(errors.sqnr_db(), -kMaxDb, kMaxDb); }

std::size_t largest_at(std::span<const float> values) {
  return static_cast<std::size_t>(std::ranges::max_element(values) - values.begin());
}

Result<SampleErrors> compare(const std::vector<Tensor>& reference, const std::vector<std::size_t>& indices,
                             const exec::Executor& executor) {
  SampleErrors errors;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const ConstView view = executor.output(indices[i]);
    if (*view.type != reference[i].type()) {
      return Error{ErrorCode::kUnsupported, "an output's shape depends on its values, so it cannot be compared"};
    }
    const std::span<const float> expected = reference[i].values<float>();
    const std::span<const float> actual = view.values<float>();
    errors.outputs.emplace_back().add(expected, actual);
    if (i == 0 && !expected.empty()) errors.agrees = largest_at(expected) == largest_at(actual);
  }
  return errors;
}

exec::Session::Lowering float_lowering(const graph::Graph& graph) {
  return [&graph](const ops::InputShapes& shapes) { return lower::float_program(graph, shapes); };
}

/// Runs the samples in order of consumption; `use` is called one at a time.
Result<void> run_all(exec::Session& session, const exec::SampleSource& samples, std::int64_t count, int num_threads,
                     const std::function<Result<void>(std::int64_t, const exec::Executor&)>& use) {
  std::vector<exec::Executor*> executors(static_cast<std::size_t>(num_threads), nullptr);
  return ordered_parallel_for(
      count, num_threads,
      [&](std::int64_t sample, int worker) -> Result<void> {
        const Result<std::vector<Tensor>> inputs = samples.load(sample);
        if (!inputs.ok()) return inputs.error();
        const Result<exec::Executor*> executor = session.executor(worker, *inputs);
        if (!executor.ok()) return executor.error();
        executors[static_cast<std::size_t>(worker)] = *executor;
        return (*executor)->run(*inputs);
      },
      [&](std::int64_t sample, int worker) { return use(sample, *executors[static_cast<std::size_t>(worker)]); });
}

Result<Score> score_with(exec::Session& session, const exec::SampleSource& samples, int num_threads,
                         const std::vector<std::vector<Tensor>>& reference, const std::vector<std::size_t>& indices) {
  std::vector<compare::ErrorSums> total(indices.size());
  std::int64_t agreeing = 0;
  const auto ran = run_all(session, samples, static_cast<std::int64_t>(reference.size()), num_threads,
                           [&](std::int64_t sample, const exec::Executor& executor) -> Result<void> {
                             const Result<SampleErrors> errors =
                                 compare(reference[static_cast<std::size_t>(sample)], indices, executor);
                             if (!errors.ok()) return errors.error();
                             for (std::size_t i = 0; i < total.size(); ++i) total[i].add(errors->outputs[i]);
                             agreeing += errors->agrees ? 1 : 0;
                             return {};
                           });
  if (!ran.ok()) return ran.error();
  Score score;
  for (const compare::ErrorSums& output : total) {
    score.sqnr_db.push_back(db_of(output));
    score.mean_db += score.sqnr_db.back() / static_cast<double>(total.size());
  }
  score.agreement =
      reference.empty() ? 0.0 : 100.0 * static_cast<double>(agreeing) / static_cast<double>(reference.size());
  return score;
}

}  // namespace

bool is_worse(const Score& before, const Score& after, double needed_db) {
  if (after.mean_db < before.mean_db + needed_db) return true;
  for (std::size_t i = 0; i < before.sqnr_db.size(); ++i) {
    if (after.sqnr_db[i] < before.sqnr_db[i] - kOneOutputDb) return true;
  }
  return false;
}

Result<Judge> Judge::make(const graph::Graph& reference, const exec::SampleSource& held_out, int num_threads) {
  Judge judge;
  judge.held_out_ = held_out;
  judge.num_threads_ = num_threads;
  exec::Session session(reference, float_lowering(reference), num_threads);
  const auto keep = [&](std::int64_t, const exec::Executor& executor) -> Result<void> {
    std::vector<Tensor> outputs;
    std::vector<std::size_t> indices;
    for (std::size_t i = 0; i < reference.outputs.size(); ++i) {
      const ConstView view = executor.output(i);
      if (view.dtype() != DType::kFloat32 || !executor.output_is_static(i)) continue;
      outputs.push_back(Tensor::copy_of(view));
      indices.push_back(i);
    }
    judge.outputs_.push_back(std::move(outputs));
    judge.indices_ = std::move(indices);
    return {};
  };
  // One to see how large they are.
  const std::int64_t first = std::min<std::int64_t>(held_out.count, 1);
  if (auto ran = run_all(session, held_out, first, 1, keep); !ran.ok()) return ran.error();
  std::size_t bytes = 1;
  for (const Tensor& output : judge.outputs_.empty() ? std::vector<Tensor>() : judge.outputs_.front()) {
    bytes += static_cast<std::size_t>(output.num_bytes());
  }
  const auto room = static_cast<std::int64_t>(kMaxOutputBytes / bytes);
  exec::SampleSource rest = held_out;
  rest.load = [&held_out](std::int64_t i) { return held_out.load(i + 1); };
  const std::int64_t more = std::min(held_out.count, std::max<std::int64_t>(room, 1)) - first;
  if (auto ran = run_all(session, rest, more, num_threads, keep); !ran.ok()) return ran.error();
  return judge;
}

Result<Score> Judge::score(const QuantizedGraph& model, const FixedPointOptions& fixed) const {
  exec::Session session(
      model.graph,
      [&](const ops::InputShapes& shapes) { return lower::fixed_program(model.graph, shapes, model.encodings, fixed); },
      num_threads_);
  return score_with(session, held_out_, num_threads_, outputs_, indices_);
}

Result<Score> Judge::score_float(const graph::Graph& graph) const {
  exec::Session session(graph, float_lowering(graph), num_threads_);
  return score_with(session, held_out_, num_threads_, outputs_, indices_);
}

}  // namespace halfstep::tune
