// flat_ends.hpp: how far down a function of one number still changes.
#pragma once

#include <functional>

#include "encoding/range_to_encoding.hpp"

namespace halfstep::precision {

/// The largest x in [range.min, 0] such that f differs by at most `tolerance` between any two values of
/// [range.min, x]: Swish makes the same 0 of everything far below. range.min if there is no such stretch, or f is not
/// finite there. Within 1/1024 of the range. Requires: range.min < range.max.
double flat_below(const std::function<double(double)>& f, RealRange range, double tolerance);

}  // namespace halfstep::precision
