// resize_taps.cpp: filters of both libraries.
#include "io/samples/resize_taps.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace halfstep::io {
namespace {

/// Keys' cubic convolution (1981), with his parameter: -0.5 in Pillow, -0.75 in OpenCV.
double cubic(double distance, double a) {
  const double x = std::abs(distance);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

/// Half the width of a filter, in pixels of the larger grid.
double support_of(PhotoFilter filter) {
  if (filter == PhotoFilter::kArea) return 0.5;
  return filter == PhotoFilter::kBicubic ? 2.0 : 1.0;
}

double pillow_weight(PhotoFilter filter, double x) {
  if (filter == PhotoFilter::kArea) return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
  if (filter == PhotoFilter::kBicubic) return cubic(x, -0.5);
  return std::max(0.0, 1.0 - std::abs(x));
}

/// The taps at `first` ... of pixels that may lie outside: those count for the pixel at the border.
Taps replicated(std::int64_t first, const std::vector<double>& weights, std::int64_t extent) {
  const auto clamped = [extent](std::int64_t i) { return std::clamp<std::int64_t>(i, 0, extent - 1); };
  const std::int64_t last = first + static_cast<std::int64_t>(weights.size()) - 1;
  Taps taps{clamped(first), {}};
  taps.weights.resize(static_cast<std::size_t>(clamped(last) - taps.first + 1));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    taps.weights[static_cast<std::size_t>(clamped(first + static_cast<std::int64_t>(i)) - taps.first)] += weights[i];
  }
  return taps;
}

/// The pixels that [start, start + scale) covers, by how much of each.
Taps covered(double start, double scale, std::int64_t extent) {
  const double end = std::min(start + scale, static_cast<double>(extent));
  const auto first = static_cast<std::int64_t>(std::floor(start));
  Taps taps{std::min(first, extent - 1), {}};
  for (std::int64_t i = taps.first; i < extent && (static_cast<double>(i) < end || taps.weights.empty()); ++i) {
    const double from = std::max(start, static_cast<double>(i));
    const double to = std::min(end, static_cast<double>(i + 1));
    taps.weights.push_back(std::max(0.0, to - from) / (end - start));
  }
  return taps;
}

}  // namespace

std::vector<Taps> pillow_taps(const ResizedAxis& axis, PhotoFilter filter) {
  const double scale = static_cast<double>(axis.from) / static_cast<double>(axis.to);
  const double stretch = std::max(scale, 1.0);  // Antialiasing: the filter spans what one pixel after covers.
  const double support = support_of(filter) * stretch;
  std::vector<Taps> all;
  for (std::int64_t i = axis.first; i < axis.first + axis.count; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const auto begin = std::max<std::int64_t>(static_cast<std::int64_t>(center - support + 0.5), 0);
    const auto end = std::min(static_cast<std::int64_t>(center + support + 0.5), axis.from);
    Taps taps{begin, {}};
    double sum = 0.0;
    for (std::int64_t x = begin; x < end; ++x) {
      taps.weights.push_back(pillow_weight(filter, (static_cast<double>(x) - center + 0.5) * (1.0 / stretch)));
      sum += taps.weights.back();
    }
    for (double& weight : taps.weights) weight = sum != 0.0 ? weight / sum : weight;
    all.push_back(std::move(taps));
  }
  return all;
}

std::vector<Taps> opencv_taps(const ResizedAxis& axis, PhotoFilter filter, bool shrinks) {
  const double scale = static_cast<double>(axis.from) / static_cast<double>(axis.to);
  std::vector<Taps> all;
  for (std::int64_t i = axis.first; i < axis.first + axis.count; ++i) {
    const double start = static_cast<double>(i) * scale;
    if (filter == PhotoFilter::kArea && shrinks) {
      all.push_back(covered(start, scale, axis.from));
      continue;
    }
    double position = start + 0.5 * scale - 0.5;
    auto before = static_cast<std::int64_t>(std::floor(position));
    double part = position - static_cast<double>(before);
    if (filter == PhotoFilter::kArea) {
      before = static_cast<std::int64_t>(std::floor(start));
      part = std::max(0.0, static_cast<double>(i + 1) - static_cast<double>(before + 1) / scale);
      part -= std::floor(part);
    }
    if (filter == PhotoFilter::kBicubic) {
      std::vector<double> weights;
      for (int k = -1; k <= 2; ++k) weights.push_back(cubic(part - k, -0.75));
      all.push_back(replicated(before - 1, weights, axis.from));
    } else {
      all.push_back(replicated(before, {1.0 - part, part}, axis.from));
    }
  }
  return all;
}

std::vector<std::int64_t> nearest_pixels(const ResizedAxis& axis, Resampling resampling) {
  const double scale = static_cast<double>(axis.from) / static_cast<double>(axis.to);
  const double shift = resampling == Resampling::kPillow ? 0.5 : 0.0;  // Pillow asks at the pixel's centre.
  std::vector<std::int64_t> pixels;
  for (std::int64_t i = axis.first; i < axis.first + axis.count; ++i) {
    const auto at = static_cast<std::int64_t>(std::floor((static_cast<double>(i) + shift) * scale));
    pixels.push_back(std::min(at, axis.from - 1));
  }
  return pixels;
}

}  // namespace halfstep::io
