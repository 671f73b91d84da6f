// movement_copy.cpp: copying between strided layouts.
#include <algorithm>
#include <cstring>

#include "ops/movement/movement_support.hpp"

namespace halfstep::ops {
namespace {

constexpr std::int64_t kTile = 32;

template <class Unit>
void copy_line(const CopyAxis& axis, Unit unit, const std::byte* source, std::byte* target) {
  for (std::int64_t i = 0; i < axis.extent; ++i) {
    unit(target + i * axis.target_stride, source + i * axis.source_stride);
  }
}

// `across` is contiguous in the source and `inner` in the target: tiles keep
// the lines of both in the cache.
template <class Unit>
void copy_tiles(const CopyAxis& across, const CopyAxis& inner, Unit unit, const std::byte* source, std::byte* target) {
  for (std::int64_t a = 0; a < across.extent; a += kTile) {
    const std::int64_t a_end = std::min(a + kTile, across.extent);
    for (std::int64_t b = 0; b < inner.extent; b += kTile) {
      CopyAxis line = inner;
      line.extent = std::min(kTile, inner.extent - b);
      for (std::int64_t i = a; i < a_end; ++i) {
        copy_line(line, unit, source + i * across.source_stride + b * inner.source_stride,
                  target + i * across.target_stride + b * inner.target_stride);
      }
    }
  }
}

template <class Unit>
void copy_inner(const CopyAxis& inner, const std::optional<CopyAxis>& across, Unit unit, const std::byte* source,
                std::byte* target) {
  if (!across) {
    copy_line(inner, unit, source, target);
  } else if (inner.extent >= across->extent) {
    copy_tiles(*across, inner, unit, source, target);
  } else {
    copy_tiles(inner, *across, unit, source, target);
  }
}

}  // namespace

StridedCopy::StridedCopy(const std::vector<CopyAxis>& axes, std::int64_t element_bytes)
    : unit_bytes_(element_bytes), empty_(false) {
  for (const CopyAxis& axis : axes) {
    if (axis.extent == 0) empty_ = true;
    if (axis.extent == 1) continue;
    if (!outer_.empty() && outer_.back().source_stride == axis.source_stride * axis.extent &&
        outer_.back().target_stride == axis.target_stride * axis.extent) {
      outer_.back() = {outer_.back().extent * axis.extent, axis.source_stride, axis.target_stride};
    } else {
      outer_.push_back(axis);
    }
  }
  if (empty_) return;
  if (!outer_.empty() && outer_.back().source_stride == unit_bytes_ && outer_.back().target_stride == unit_bytes_) {
    unit_bytes_ *= outer_.back().extent;
    outer_.pop_back();
  }
  if (outer_.empty()) return;
  inner_ = outer_.back();
  outer_.pop_back();
  if (inner_->target_stride != unit_bytes_) return;
  const auto contiguous = std::ranges::find(outer_, unit_bytes_, &CopyAxis::source_stride);
  if (contiguous != outer_.end()) {
    across_ = *contiguous;
    outer_.erase(contiguous);
  }
}

void StridedCopy::run(const std::byte* source, std::byte* target) const {
  if (empty_) return;
  if (!inner_) {
    std::memcpy(target, source, static_cast<std::size_t>(unit_bytes_));
    return;
  }
  std::vector<std::int64_t> index(outer_.size(), 0);
  while (true) {
    with_unit(unit_bytes_, [&](auto unit) { copy_inner(*inner_, across_, unit, source, target); });
    std::size_t axis = outer_.size();
    while (axis > 0) {
      const CopyAxis& loop = outer_[--axis];
      source += loop.source_stride;
      target += loop.target_stride;
      if (++index[axis] < loop.extent) break;
      source -= loop.source_stride * loop.extent;
      target -= loop.target_stride * loop.extent;
      index[axis] = 0;
      if (axis == 0) return;
    }
    if (outer_.empty()) return;
  }
}

}  // namespace halfstep::ops
