// reduce_plan.hpp: how a reduction walks its input.
#pragma once

#include <cstdint>
#include <vector>

#include "core/shape.hpp"

namespace halfstep::ops {

/// Counts through nested extents and keeps the offset that belongs to the
/// position: offset = sum(index[i] * stride[i]).
class Odometer {
 public:
  struct Wheel {
    std::int64_t extent;
    std::int64_t stride;
  };

  explicit Odometer(const std::vector<Wheel>& wheels) : wheels_(&wheels), index_(wheels.size(), 0) {}

  std::int64_t offset() const { return offset_; }

  /// Steps to the next position; false after the last one, when the odometer
  /// is back at its first position. Requires that no extent is 0.
  bool advance() {
    for (std::size_t i = wheels_->size(); i-- > 0;) {
      const Wheel& wheel = (*wheels_)[i];
      offset_ += wheel.stride;
      if (++index_[i] < wheel.extent) return true;
      offset_ -= wheel.stride * wheel.extent;
      index_[i] = 0;
    }
    return false;
  }

 private:
  const std::vector<Wheel>* wheels_;
  std::vector<std::int64_t> index_;
  std::int64_t offset_ = 0;
};

/// The input of a reduction with neighbouring axes of equal fate merged. The
/// innermost group is a contiguous run of `run` elements, either reduced or kept.
struct ReducePlan {
  std::vector<Odometer::Wheel> kept;     ///< Outer kept groups.
  std::vector<Odometer::Wheel> reduced;  ///< Outer reduced groups.
  std::int64_t run = 1;
  bool run_is_reduced = false;
  std::int64_t num_outputs = 1;
  std::int64_t count = 1;  ///< Input elements per output; 0 for an empty reduction.
};

/// Requires: is_reduced.size() == shape.rank().
ReducePlan plan_reduction(const Shape& shape, const std::vector<bool>& is_reduced);

}  // namespace halfstep::ops
