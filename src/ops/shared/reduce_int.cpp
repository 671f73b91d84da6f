// reduce_int.cpp: sums of codes along axes, and what finishes them.
#include "ops/shared/reduce_int.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "core/code_types.hpp"
#include "kernels/requantize.hpp"

namespace halfstep::ops {
namespace {

/// Counts through nested extents as Odometer does, without allocating.
class Steps {
 public:
  explicit Steps(const std::vector<Odometer::Wheel>& wheels) : wheels_(wheels) {}

  std::int64_t offset() const { return offset_; }

  /// False after the last position, when it is back at the first one.
  bool advance() {
    for (std::size_t i = wheels_.size(); i-- > 0;) {
      offset_ += wheels_[i].stride;
      if (++index_[i] < wheels_[i].extent) return true;
      offset_ -= wheels_[i].stride * wheels_[i].extent;
      index_[i] = 0;
    }
    return false;
  }

 private:
  const std::vector<Odometer::Wheel>& wheels_;
  std::array<std::int64_t, kMaxIntWheels> index_ = {};
  std::int64_t offset_ = 0;
};

/// The sum of contiguous codes. A block of 2^15 16-bit codes stays below 2^31.
template <class T>
std::int64_t sum_of_codes(const T* x, std::int64_t count) {
  constexpr std::int64_t kBlock = std::int64_t{1} << 15;
  std::int64_t total = 0;
  for (std::int64_t first = 0; first < count; first += kBlock) {
    const std::int64_t width = std::min(kBlock, count - first);
    std::int32_t sum = 0;
    for (std::int64_t i = 0; i < width; ++i) sum += x[first + i];
    total += sum;
  }
  return total;
}

std::int32_t finish(std::int64_t acc, const numerics::Requantizer& r, bool wide) {
  return wide ? numerics::requantize_wide(acc, r) : numerics::requantize(static_cast<std::int32_t>(acc), r);
}

/// One output for each position of the kept axes; its elements lie in contiguous runs.
template <class T, class Y>
void mean_of_runs(const ReducePlan& plan, const MeanRules& rules, const T* x, Y* y) {
  Steps outer(plan.kept);
  Steps inner(plan.reduced);
  std::int64_t channel = 0;
  for (std::int64_t o = 0; o < plan.num_outputs; ++o, outer.advance()) {
    std::int64_t acc = -plan.count * rules.zero_point(channel);
    do {
      acc += sum_of_codes(x + outer.offset() + inner.offset(), plan.run);
    } while (inner.advance());
    y[o] = static_cast<Y>(finish(acc, rules.requantizer(channel, 0), rules.wide));
    if (++channel == rules.channels) channel = 0;
  }
}

void finish_columns(const std::int32_t* acc, std::int64_t width, std::int64_t zero, const MeanRules& rules, void* q) {
  kernels::requantize_row(acc, width, static_cast<std::int32_t>(-zero), rules.requantizer(0, 0), rules.y_dtype, q);
}

void finish_columns(const std::int64_t* acc, std::int64_t width, std::int64_t zero, const MeanRules& rules, void* q) {
  kernels::requantize_row_wide(acc, width, -zero, rules.requantizer(0, 0), rules.y_dtype, q);
}

/// Runs of outputs side by side: rows are added up element by element.
template <class Acc, class T, class Y>
void mean_of_columns(const ReducePlan& plan, const MeanRules& rules, const T* x, Y* y) {
  constexpr std::int64_t kBlock = 1024;
  const std::int64_t zero = plan.count * rules.zero_point(0);
  Steps outer(plan.kept);
  Steps inner(plan.reduced);
  std::array<Acc, kBlock> acc;
  do {
    for (std::int64_t first = 0; first < plan.run; first += kBlock) {
      const std::int64_t width = std::min(kBlock, plan.run - first);
      std::fill_n(acc.begin(), width, Acc{0});
      do {
        const T* row = x + outer.offset() + inner.offset() + first;
        Acc* sums = acc.data();
        for (std::int64_t i = 0; i < width; ++i) sums[i] += row[i];
      } while (inner.advance());
      finish_columns(acc.data(), width, zero, rules, y);
      y += width;
    }
  } while (outer.advance());
}

template <class T, class Y>
void mean(const ReducePlan& plan, const MeanRules& rules, const T* x, Y* y) {
  if (plan.num_outputs == 0) return;
  if (plan.run_is_reduced) {
    mean_of_runs(plan, rules, x, y);
  } else if (rules.wide) {
    mean_of_columns<std::int64_t>(plan, rules, x, y);
  } else {
    mean_of_columns<std::int32_t>(plan, rules, x, y);
  }
}

}  // namespace

Prepared prepare_int_mean(ReducePlan plan, MeanRules rules) {
  struct Reduction {
    ReducePlan plan;
    MeanRules rules;
  };
  const auto shared = std::make_shared<const Reduction>(Reduction{std::move(plan), std::move(rules)});
  const auto run = [shared](const KernelIo& io) -> Result<void> {
    visit_code_type(shared->rules.x_dtype, [&]<class T>() {
      visit_code_type(shared->rules.y_dtype, [&]<class Y>() {
        mean(shared->plan, shared->rules, io.inputs[0].data<T>(), io.outputs[0].data<Y>());
      });
    });
    return {};
  };
  return {.run = run, .scratch_bytes = 0, .clamps = true};
}

}  // namespace halfstep::ops
