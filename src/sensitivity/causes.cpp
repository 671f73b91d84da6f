// causes.cpp: names and sentences of causes, and what is seen of activations.
#include "sensitivity/causes.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/text.hpp"
#include "sensitivity/cause_words.hpp"

namespace halfstep::sensitivity {
namespace {

struct Spelling {
  const char* name;
  const char* words;
};

Spelling spelling_of(CauseKind kind) {
  switch (kind) {
    case CauseKind::kWeightOutlier:
      return {"weight-outlier", "a weight outlier"};
    case CauseKind::kChannelsApart:
      return {"channels-apart", "channels far apart on one grid"};
    case CauseKind::kDeadChannels:
      return {"dead-channels", "channels that become 0"};
    case CauseKind::kWideGrid:
      return {"wide-grid", "a grid far wider than its values"};
    case CauseKind::kSaturation:
      return {"saturation", "values cut off by the grid"};
    case CauseKind::kActivationOutliers:
      return {"activation-outliers", "few values that stretch the grid of all others"};
    case CauseKind::kJointGrid:
      return {"joint-grid", "a joint grid that one of its tensors cannot afford"};
    case CauseKind::kOtherWeights:
      return {"other-weights", "weights that are not the float model's"};
    case CauseKind::kExponentials:
      break;
  }
  return {"exponentials", "exponentials that need the range of floating point"};
}

double magnitude(const Spread& values) { return std::max(std::abs(values.min), std::abs(values.max)); }
bool is_empty(const Spread& values) { return values.min > values.max || magnitude(values) == 0.0; }
/// Of the values and 0, which every grid has.
double extent(const Spread& values) { return std::max(values.max, 0.0) - std::min(values.min, 0.0); }

double grid_extent(const Encoding& encoding) { return encoding.real_max() - encoding.real_min(); }
double reach(const Encoding& encoding) {
  return std::max(std::abs(encoding.real_min()), std::abs(encoding.real_max()));
}

std::string range_words(const Spread& values) { return words::number(values.min) + " to " + words::number(values.max); }
std::string grid_words(const Encoding& encoding) {
  return words::number(encoding.real_min()) + " to " + words::number(encoding.real_max());
}
std::string name_words(const ActivationFacts& tensor) { return "activation " + quoted(tensor.name); }

/// One tensor on one grid.
class TensorJudge {
 public:
  TensorJudge(const ActivationFacts& tensor, std::vector<Cause>& causes)
      : tensor_(tensor), encoding_(*tensor.encoding), causes_(causes) {}

  /// `widest`: the tensor of the widest values on the same grid; empty: there is none wider. `has_narrow`: one of those
  /// that share the grid cannot afford it, which is told there.
  void judge(const std::string& widest, bool has_narrow) {
    find_saturation();
    if (find_exponentials()) return;
    const double share = extent(tensor_.whole) / grid_extent(encoding_);
    if (share <= kSmallShare) {
      const std::string seen = name_words(tensor_) + ": its values, " + range_words(tensor_.whole) + ", use " +
                               words::codes(share, encoding_.grid()) + " codes of ";
      if (!widest.empty()) {
        add(CauseKind::kJointGrid,
            seen + "the grid that it shares with " + quoted(widest) + ", " + grid_words(encoding_));
      } else {
        add(CauseKind::kWideGrid, seen + "its grid, " + grid_words(encoding_));
      }
      return;  // What follows measures values by a grid made for them.
    }
    find_outliers();
    if (!has_narrow) find_channels();
  }

 private:
  void add(CauseKind kind, std::string sentence) { causes_.push_back({kind, tensor_.name, std::move(sentence)}); }

  void find_saturation() {
    if (tensor_.whole.clip_noise < kClipNoise) return;
    add(CauseKind::kSaturation, name_words(tensor_) + ": its grid, " + grid_words(encoding_) + ", cuts off " +
                                    words::percent(tensor_.whole.clipped_share) + " of its values, which run from " +
                                    range_words(tensor_.whole));
  }

  bool find_exponentials() {
    const double step = encoding_.params()[0].scale;
    if (tensor_.feeds_exponential && step >= kExponentStep) {
      add(CauseKind::kExponentials,
          name_words(tensor_) + ": exponentials are taken of it, and a step of its grid, " + words::number(step) +
              ", changes them " + (step > 20.0 ? "beyond all bounds" : words::number(std::exp(step)) + " times") +
              "; its values run from " + range_words(tensor_.whole) +
              (tensor_.whole.min < -1000.0 ? ", and a mask needs no more than about -30" : ""));
      return true;
    }
    if (tensor_.is_exponential && is_stretched()) {
      add(CauseKind::kExponentials, name_words(tensor_) + ": exponentials that run up to " +
                                        words::number(tensor_.whole.max) + ", where 99.9 % stay below " +
                                        words::number(tensor_.whole.usual));
      return true;
    }
    return false;
  }

  /// Few values take most of the grid.
  bool is_stretched() const {
    const double largest = std::min(magnitude(tensor_.whole), reach(encoding_));
    return tensor_.whole.usual <= kSmallShare * largest;
  }

  void find_outliers() {
    if (!is_stretched()) return;
    add(CauseKind::kActivationOutliers, name_words(tensor_) + ": 99.9 % of its values stay within " +
                                            words::number(tensor_.whole.usual) + ", the largest is " +
                                            words::number(magnitude(tensor_.whole)) + " and its grid reaches " +
                                            words::number(reach(encoding_)));
  }

  void find_channels() {
    std::vector<double> largest;
    std::vector<std::size_t> dead;
    for (std::size_t c = 0; c < tensor_.channels.size(); ++c) {
      if (is_empty(tensor_.channels[c])) continue;
      largest.push_back(magnitude(tensor_.channels[c]));
      if (largest.back() < encoding_.params()[0].scale / 2.0) dead.push_back(c);
    }
    if (largest.size() < 2) return;
    if (static_cast<double>(dead.size()) >= kDeadShare * static_cast<double>(largest.size())) {
      add(CauseKind::kDeadChannels, name_words(tensor_) + ": " +
                                        words::of_channels(dead, largest.size(), "lies", "lie") +
                                        " within half a step of 0, which is all that its grid leaves of them");
    }
    const double median = words::median(largest);
    if (median > kSmallShare * reach(encoding_)) return;
    add(CauseKind::kChannelsApart, name_words(tensor_) + ": half of its " + std::to_string(largest.size()) +
                                       " channels stay within " + words::number(median) +
                                       ", on one grid that reaches " + words::number(reach(encoding_)));
  }

  const ActivationFacts& tensor_;
  const Encoding& encoding_;
  std::vector<Cause>& causes_;
};

/// With a grid for each channel only what each of them does to its own values can be wrong.
void judge_channels(const ActivationFacts& tensor, std::vector<Cause>& causes) {
  const Encoding& encoding = *tensor.encoding;
  if (tensor.whole.clip_noise >= kClipNoise) {
    causes.push_back({CauseKind::kSaturation, tensor.name,
                      name_words(tensor) + ": the grids of its channels cut off " +
                          words::percent(tensor.whole.clipped_share) + " of its values"});
  }
  if (tensor.channels.size() != encoding.params().size()) return;
  std::vector<std::size_t> wide;
  for (std::size_t c = 0; c < tensor.channels.size(); ++c) {
    if (is_empty(tensor.channels[c])) continue;
    const double whole = encoding.real_max(c) - encoding.real_min(c);
    if (extent(tensor.channels[c]) <= kSmallShare * whole) wide.push_back(c);
  }
  if (static_cast<double>(wide.size()) < kDeadShare * static_cast<double>(tensor.channels.size()) || wide.empty())
    return;
  causes.push_back({CauseKind::kWideGrid, tensor.name,
                    name_words(tensor) + ": " + words::of_channels(wide, tensor.channels.size(), "lies", "lie") +
                        " on an eighth of their grids or less"});
}

}  // namespace

const char* name_of(CauseKind kind) { return spelling_of(kind).name; }
const char* words_of(CauseKind kind) { return spelling_of(kind).words; }

std::vector<Cause> activation_causes(std::span<const ActivationFacts> group) {
  std::vector<Cause> causes;
  for (const ActivationFacts& tensor : group) {
    if (is_empty(tensor.whole)) continue;
    if (!tensor.encoding->is_per_tensor()) {
      judge_channels(tensor, causes);
      continue;
    }
    const ActivationFacts* widest = &tensor;
    const double afforded = kSmallShare * grid_extent(*tensor.encoding);
    bool has_narrow = false;
    for (const ActivationFacts& other : group) {
      if (*other.encoding != *tensor.encoding || is_empty(other.whole)) continue;
      if (extent(other.whole) > extent(widest->whole)) widest = &other;
      has_narrow = has_narrow || extent(other.whole) <= afforded;
    }
    const bool shares = widest != &tensor && extent(widest->whole) > afforded;
    TensorJudge(tensor, causes).judge(shares ? widest->name : std::string(), has_narrow);
  }
  return causes;
}

}  // namespace halfstep::sensitivity
