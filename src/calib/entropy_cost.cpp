// entropy_cost.cpp: from sums over prefixes, so that a grid costs its codes and not the bins.
#include "calib/entropy_cost.hpp"

#include <algorithm>
#include <cmath>

namespace halfstep::calib {
namespace {

/// What Q says of a bin that only clipped values fill.
constexpr double kSmoothing = 1e-4;

double x_log_x(double x) { return x > 0.0 ? x * std::log(x) : 0.0; }

}  // namespace

EntropyCost::EntropyCost(const BinnedValues& values) : mass_{0.0}, occupied_{0.0}, entropy_{0.0} {
  for (const BinnedValues::Bin& bin : values.bins) {
    counts_.push_back(bin.count);
    mass_.push_back(mass_.back() + bin.count);
    occupied_.push_back(occupied_.back() + (bin.count > 0.0 ? 1.0 : 0.0));
    entropy_.push_back(entropy_.back() + x_log_x(bin.count));
  }
  // The outermost bins are cut at the extremes; those between are whole, and neighbours touch.
  for (std::size_t i = 0; i < values.bins.size(); ++i) {
    width_ =
        i == 0 ? values.bins[i].high - values.bins[i].low : std::max(width_, values.bins[i].high - values.bins[i].low);
  }
  if (width_ <= 0.0) width_ = 1.0;
  if (!values.bins.empty()) first_centre_ = values.bins.front().high - width_ / 2.0;
}

/// The first bin whose centre is not below x.
std::size_t EntropyCost::first_bin_from(double x) const {
  const double bin = std::ceil((x - first_centre_) / width_);
  return static_cast<std::size_t>(std::clamp(bin, 0.0, static_cast<double>(counts_.size())));
}

/// Of the bins from `begin` up to `end`, each told from the others as far as codes do.
EntropyCost::Codes EntropyCost::codes_of(double scale, double lowest, double highest, std::size_t begin,
                                         std::size_t end) const {
  Codes codes;
  const double beyond = first_centre_ + width_ * static_cast<double>(counts_.size());
  // No bin lies below this code.
  double code = std::max(lowest, std::nearbyint((first_centre_ - width_) / scale) - 1.0);
  for (; code <= highest && (code - 0.5) * scale <= beyond; code += 1.0) {
    const std::size_t from = std::clamp(first_bin_from((code - 0.5) * scale), begin, end);
    const std::size_t to = std::clamp(first_bin_from((code + 0.5) * scale), begin, end);
    const double occupied = occupied_[to] - occupied_[from];
    if (occupied == 0.0) continue;
    const double mass = mass_[to] - mass_[from];
    const double mean = mass / occupied;
    if (from == begin) codes.first_mean = mean;
    if (to == end) codes.last_mean = mean;
    codes.lost += entropy_[to] - entropy_[from] - mass * std::log(mean);
  }
  return codes;
}

double EntropyCost::divergence(const FittedGrid& grid) const {
  const double scale = grid.params.scale;
  const double lowest = static_cast<double>(grid.grid.q_min) - grid.params.zero_point;
  const double highest = static_cast<double>(grid.grid.q_max) - grid.params.zero_point;
  const std::size_t begin = first_bin_from((lowest - 0.5) * scale);
  const std::size_t end = first_bin_from((highest + 0.5) * scale);
  const double total = mass_.back();
  if (total <= 0.0) return 0.0;
  const double inside = mass_[end] - mass_[begin];
  const double worst = std::log(1.0 / kSmoothing);
  if (begin >= end || inside <= 0.0) return worst;
  if (scale <= width_) return inside < total ? worst : 0.0;

  const Codes codes = codes_of(scale, lowest, highest, begin, end);
  double divergence = codes.lost / total + inside / total * std::log(inside / total);
  // What lies outside is moved into the outermost bins: their share of P rises, that of Q does not.
  const auto move_into = [&](std::size_t bin, double mean, double outside) {
    if (outside <= 0.0) return;
    const double c = counts_[bin];
    const double q = c > 0.0 ? mean / inside : kSmoothing;
    const double before = c > 0.0 ? c / total * std::log(c / total / q) : 0.0;
    const double p = (c + outside) / total;
    divergence += p * std::log(p / q) - before;
  };
  if (end - begin == 1) {
    move_into(begin, codes.first_mean, total - inside);
  } else {
    move_into(begin, codes.first_mean, mass_[begin]);
    move_into(end - 1, codes.last_mean, total - mass_[end]);
  }
  return std::max(divergence, 0.0);
}

}  // namespace halfstep::calib
