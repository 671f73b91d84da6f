// weight_causes.cpp: what is seen of weights.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>

#include "core/text.hpp"
#include "encoding/grid_runs.hpp"
#include "sensitivity/cause_words.hpp"
#include "sensitivity/causes.hpp"

namespace halfstep::sensitivity {
namespace {

/// The magnitudes of one grid or of one channel, and what became of them.
struct Values {
  std::vector<double> magnitudes;  ///< Of those that are not 0.
  std::int64_t num_codes = 0;      ///< Of codes that are not the zero point.
  double grid_reach = 0.0;
  double step = 0.0;
  double largest = 0.0;
};

double reach(const Encoding& encoding, std::size_t i) {
  return std::max(std::abs(encoding.real_min(i)), std::abs(encoding.real_max(i)));
}

class WeightJudge {
 public:
  WeightJudge(const std::string& name, const Tensor& real, const TensorEncoding& entry, std::optional<int> channel_axis)
      : name_(name), real_(real), encoding_(entry.encoding), codes_(codes_of(real, entry)) {
    axis_ = encoding_.axis() ? encoding_.axis() : channel_axis;
  }

  std::vector<Cause> run() {
    if (real_.num_elements() == 0) return {};
    sort_by_channels();
    if (2 * num_foreign_ > num_inside_) {
      add(CauseKind::kOtherWeights,
          "most of its codes lie more than " + words::number(kForeignSteps) + " steps from the float model's values");
      return std::move(causes_);  // What follows compares grid and values.
    }
    find_saturation();
    find_wide_grids();
    find_outliers();
    find_dead_channels();
    find_channels_apart();
    return std::move(causes_);
  }

 private:
  static Tensor codes_of(const Tensor& real, const TensorEncoding& entry) {
    if (entry.codes && entry.codes->shape() == real.shape()) return *entry.codes;
    return quantize(real, entry.encoding);
  }

  void add(CauseKind kind, const std::string& sentence) {
    causes_.push_back({kind, name_, "weight " + quoted(name_) + ": " + sentence});
  }

  /// By channel of the axis, one for the whole where there is none. What clips is added up on the way.
  void sort_by_channels() {
    const Shape& shape = real_.shape();
    const std::int64_t extent = axis_ ? shape[*axis_] : 1;
    const std::int64_t inner = axis_ ? shape.num_elements(*axis_ + 1, shape.rank()) : shape.num_elements();
    channels_.resize(static_cast<std::size_t>(extent));
    const std::span<const float> reals = real_.values<float>();
    const Tensor kept = dequantize(codes_, encoding_);
    const std::span<const float> rounded = kept.values<float>();
    for_each_grid_run(shape, encoding_, [&](std::int64_t offset, std::int64_t count, std::size_t g) {
      const double step = encoding_.params()[g].scale;
      const double low = encoding_.real_min(g) - step / 2.0;
      const double high = encoding_.real_max(g) + step / 2.0;
      for (std::int64_t i = offset; i < offset + count; ++i) {
        Values& channel = channels_[static_cast<std::size_t>(i / inner % extent)];
        channel.step = std::max(channel.step, step);
        channel.grid_reach = std::max(channel.grid_reach, reach(encoding_, g));
        const double value = reals[static_cast<std::size_t>(i)];
        if (value == 0.0) continue;
        channel.magnitudes.push_back(std::abs(value));
        channel.largest = std::max(channel.largest, std::abs(value));
        if (rounded[static_cast<std::size_t>(i)] != 0.0F) ++channel.num_codes;
        squares_ += value * value;
        const double beyond = std::max(value - high, low - value);
        if (beyond <= 0.0) {
          ++num_inside_;
          if (std::abs(rounded[static_cast<std::size_t>(i)] - value) > kForeignSteps * step) ++num_foreign_;
          continue;
        }
        ++num_clipped_;
        clipped_squares_ += (beyond + step / 2.0) * (beyond + step / 2.0);
      }
    });
  }

  void find_saturation() {
    if (squares_ == 0.0 || clipped_squares_ < kClipNoise * squares_) return;
    add(CauseKind::kSaturation,
        "its grid cuts off " +
            words::percent(static_cast<double>(num_clipped_) / static_cast<double>(real_.num_elements())) +
            " of the values");
  }

  double largest_of_all() const { return std::ranges::max_element(channels_, {}, &Values::largest)->largest; }

  void find_wide_grids() {
    if (encoding_.is_per_tensor()) {
      const double largest = largest_of_all();
      const double ends = reach(encoding_, 0);
      if (largest == 0.0 || largest > kSmallShare * ends) return;
      add(CauseKind::kWideGrid,
          "its grid reaches " + words::number(ends) + ", its largest value is " + words::number(largest));
      is_wide_ = true;
      return;
    }
    std::vector<std::size_t> wide;
    for (std::size_t c = 0; c < channels_.size(); ++c) {
      const Values& channel = channels_[c];
      if (channel.largest > 0.0 && channel.largest <= kSmallShare * channel.grid_reach) wide.push_back(c);
    }
    // Channels that are nothing beside the others have grids above a floor, and cost nothing.
    std::erase_if(wide, [&](std::size_t c) { return channels_[c].largest < largest_of_all() / 4096.0; });
    if (wide.empty()) return;
    add(CauseKind::kWideGrid,
        words::of_channels(wide, channels_.size(), "lies", "lie") + " on an eighth of their grids or less");
    is_wide_ = true;
  }

  /// The one with the highest ratio, over all channels.
  void find_outliers() {
    double worst = 0.0;
    std::string sentence;
    for (std::size_t c = 0; c < channels_.size(); ++c) {
      Values& channel = channels_[c];
      if (channel.magnitudes.size() < 2 || channel.largest < channel.grid_reach / 2.0) continue;
      const double stretch = std::min(channel.largest, channel.grid_reach);
      const auto aside = std::max<std::ptrdiff_t>(
          1, static_cast<std::ptrdiff_t>(static_cast<double>(channel.magnitudes.size()) * kOutlierShare));
      std::ranges::nth_element(channel.magnitudes, channel.magnitudes.begin() + aside, std::greater<>());
      double squares = 0.0;
      for (auto at = channel.magnitudes.begin() + aside; at != channel.magnitudes.end(); ++at) squares += *at * *at;
      const double rms =
          std::sqrt(squares / static_cast<double>(channel.magnitudes.end() - channel.magnitudes.begin() - aside));
      const double ratio = stretch / rms;
      if (ratio < kOutlierRatio || ratio <= worst) continue;
      worst = ratio;
      sentence = "an outlier of " + words::number(channel.largest) +
                 (axis_ ? " in channel " + std::to_string(c) : std::string()) + " is " + words::number(ratio) +
                 " times the rms of the others of the channel, which is left " + words::number(rms / channel.step) +
                 " steps";
    }
    if (worst > 0.0) add(CauseKind::kWeightOutlier, sentence);
  }

  void find_dead_channels() {
    if (!axis_ || channels_.size() < 2) return;
    std::vector<std::size_t> dead;
    for (std::size_t c = 0; c < channels_.size(); ++c) {
      if (channels_[c].largest > 0.0 && channels_[c].num_codes == 0) dead.push_back(c);
    }
    if (!dead.empty()) {
      add(CauseKind::kDeadChannels,
          words::of_channels(dead, channels_.size(), "is", "are") + " dead: every weight rounds to 0");
    }
  }

  /// On one grid. The channel's magnitude is the one that nine in ten of its weights do not exceed, so that an outlier
  /// does not speak for it.
  void find_channels_apart() {
    if (!encoding_.is_per_tensor() || !axis_ || is_wide_) return;
    std::vector<double> usual;
    for (Values& channel : channels_) {
      if (channel.magnitudes.empty()) continue;
      const auto at =
          channel.magnitudes.begin() + static_cast<std::ptrdiff_t>((channel.magnitudes.size() - 1) * 9 / 10);
      std::ranges::nth_element(channel.magnitudes, at);
      usual.push_back(*at);
    }
    if (usual.size() < 2) return;
    const double median = words::median(usual);
    const double widest = std::ranges::max(usual);
    if (median > kSmallShare * widest) return;
    add(CauseKind::kChannelsApart, "the widest of its " + std::to_string(usual.size()) + " channels has weights of " +
                                       words::number(widest) + ", half of them " + words::number(median) +
                                       " or less, on one grid");
  }

  const std::string& name_;
  const Tensor& real_;
  const Encoding& encoding_;
  Tensor codes_;
  std::optional<int> axis_;
  std::vector<Values> channels_;
  double squares_ = 0.0;
  double clipped_squares_ = 0.0;
  std::int64_t num_clipped_ = 0;
  std::int64_t num_inside_ = 0;   // Within the ends of the grid, and not 0;
  std::int64_t num_foreign_ = 0;  // of these, with codes of another value.
  bool is_wide_ = false;
  std::vector<Cause> causes_;
};

}  // namespace

std::vector<Cause> weight_causes(const std::string& name, const Tensor& real, const TensorEncoding& entry,
                                 std::optional<int> channel_axis) {
  return WeightJudge(name, real, entry, channel_axis).run();
}

}  // namespace halfstep::sensitivity
