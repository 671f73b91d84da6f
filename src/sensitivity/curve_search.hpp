// curve_search.hpp: the cheapest point of a curve that is good enough, with few points measured.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>

#include "halfstep/mixed_precision_search.hpp"
#include "halfstep/result.hpp"

namespace halfstep::sensitivity {

struct FoundPoint {
  std::optional<std::size_t> index;     ///< Empty: not even the last one holds.
  std::map<std::size_t, double> drops;  ///< What was measured.
};

/// The first of `count` points, from the cheapest to the best, whose drop is at most `allowed`. `drop_of` is called
/// once a point. Where drops do not fall steadily, kBinary and kInterpolation may find a later one than the first; the
/// one found has been measured and holds. kBruteForce goes down from the best point to the last that holds, with
/// `reverse` up from the cheapest to the first that does.
/// Errors: those of `drop_of`.
Result<FoundPoint> find_point(std::size_t count, double allowed, CurveSearch method, bool reverse,
                              const std::function<Result<double>(std::size_t)>& drop_of);

}  // namespace halfstep::sensitivity
