// channel_means.cpp: one float pass.
#include "tune/channel_means.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <optional>

#include "core/memory_budget.hpp"
#include "core/ordered_parallel.hpp"
#include "exec/executor.hpp"
#include "exec/program_memory.hpp"
#include "lower/lower.hpp"

namespace halfstep::tune {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Sixteen partial sums, so that the loop may be vectorised; float32 for at most 256 numbers each.
double sum_of_run(const float* values, std::int64_t count, float low, float high) {
  constexpr std::int64_t kLanes = 16;
  constexpr std::int64_t kChunk = kLanes * 256;
  double total = 0.0;
  while (count > 0) {
    const std::int64_t chunk = std::min(count, kChunk);
    std::array<float, kLanes> lanes{};
    std::int64_t i = 0;
    for (; i + kLanes <= chunk; i += kLanes) {
      for (std::int64_t lane = 0; lane < kLanes; ++lane) {
        const float value = values[i + lane] < low ? low : values[i + lane];
        lanes[static_cast<std::size_t>(lane)] += value > high ? high : value;
      }
    }
    for (; i < chunk; ++i) total += static_cast<double>(std::clamp(values[i], low, high));
    for (const float lane : lanes) total += static_cast<double>(lane);
    values += chunk;
    count -= chunk;
  }
  return total;
}

}  // namespace

std::vector<double> channel_means(ConstView real, int axis, const Encoding* grid) {
  const Shape& shape = real.shape();
  const std::int64_t outer = shape.num_elements(0, axis);
  const std::int64_t inner = shape.num_elements(axis + 1, shape.rank());
  std::vector<double> means(static_cast<std::size_t>(shape[axis]));
  const float* values = real.data<float>();
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::size_t c = 0; c < means.size(); ++c) {
      const std::size_t channel = grid != nullptr && grid->axis() ? c : 0;
      const float low = grid == nullptr ? -kInfinity : static_cast<float>(grid->real_min(channel));
      const float high = grid == nullptr ? kInfinity : static_cast<float>(grid->real_max(channel));
      means[c] += sum_of_run(values, inner, low, high) / static_cast<double>(outer * inner);
      values += inner;
    }
  }
  return means;
}

std::vector<double> ChannelMeans::over(std::int64_t num_samples) const {
  const auto count = std::min(static_cast<std::size_t>(num_samples), by_sample.size());
  std::vector<double> mean(by_sample.empty() ? 0 : by_sample.front().size());
  for (std::size_t sample = 0; sample < count; ++sample) {
    for (std::size_t c = 0; c < mean.size(); ++c) mean[c] += by_sample[sample][c] / static_cast<double>(count);
  }
  return mean;
}

Result<ReferenceMeans> reference_means(const graph::Graph& graph, const exec::SampleSource& samples,
                                       const ops::InputShapes& shapes, const std::vector<WantedMeans>& tensors,
                                       int num_threads) {
  Result<lower::Program> lowered = lower::float_program(graph, shapes);
  if (!lowered.ok()) return lowered.error();
  const auto program = std::make_shared<const lower::Program>(*std::move(lowered));
  std::vector<const WantedMeans*> asked(graph.values.size(), nullptr);
  std::vector<ChannelMeans*> means_of(graph.values.size(), nullptr);
  ReferenceMeans means;
  for (const WantedMeans& tensor : tensors) {
    const auto v = static_cast<std::size_t>(tensor.value);
    asked[v] = &tensor;
    means_of[v] = &means[graph.values[v].name];
    means_of[v]->by_sample.resize(static_cast<std::size_t>(samples.count));
  }
  MemoryReservation memory;
  if (auto fits = exec::reserve_executors(*program, num_threads, memory); !fits.ok()) return fits.error();
  std::vector<std::optional<exec::Executor>> executors(static_cast<std::size_t>(num_threads));
  const auto ran = ordered_parallel_for(
      samples.count, num_threads,
      [&](std::int64_t sample, int worker) -> Result<void> {
        std::optional<exec::Executor>& executor = executors[static_cast<std::size_t>(worker)];
        if (!executor) executor.emplace(program);
        const Result<std::vector<Tensor>> inputs = samples.load(sample);
        if (!inputs.ok()) return inputs.error();
        const Result<void> done = executor->run(*inputs, [&](const exec::Tapped& tapped) -> Result<void> {
          ChannelMeans* target = means_of[static_cast<std::size_t>(tapped.value)];
          const ConstView& x = tapped.view;
          if (target == nullptr || x.dtype() != DType::kFloat32 || x.num_elements() == 0) return {};
          target->by_sample[static_cast<std::size_t>(sample)] =
              channel_means(x, asked[static_cast<std::size_t>(tapped.value)]->axis,
                            asked[static_cast<std::size_t>(tapped.value)]->grid);
          return {};
        });
        return done.ok() || !samples.place ? done : done.error().at(samples.place(sample));
      },
      [](std::int64_t, int) -> Result<void> { return {}; });
  if (!ran.ok()) return ran.error();
  std::erase_if(means, [](const auto& named) { return named.second.over(1).empty(); });
  return means;
}

}  // namespace halfstep::tune
