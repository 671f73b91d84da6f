// scores.cpp: counts hits of classifiers and segmentations.
#include "compare/scores.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "compare/metrics.hpp"

namespace halfstep::compare {
namespace {

constexpr int kTopFive = 5;
constexpr std::size_t kNumClasses = 256;  // Index kIgnoredClass: no class at all.

void add_all(std::vector<std::int64_t>& sums, const std::vector<std::int64_t>& more) {
  if (sums.empty()) sums.resize(more.size());
  for (std::size_t i = 0; i < more.size(); ++i) sums[i] += more[i];
}

/// The class of every pixel. What is no class from 0 to 254 becomes kIgnoredClass, which hits nothing.
struct ClassMap {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t num_classes = kIgnoredClass;  ///< A mask may name fewer, not more.
  std::vector<std::uint8_t> classes;
};

std::vector<std::uint8_t> best_classes(std::span<const float> scores, std::size_t num_classes, std::size_t pixels) {
  std::vector<std::uint8_t> best(pixels, 0);
  std::vector<float> highest(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(pixels));
  for (std::size_t c = 1; c < num_classes; ++c) {
    const std::span<const float> plane = scores.subspan(c * pixels, pixels);
    for (std::size_t i = 0; i < pixels; ++i) {
      const bool better = plane[i] > highest[i] || (std::isnan(highest[i]) && !std::isnan(plane[i]));
      if (!better) continue;
      highest[i] = plane[i];
      best[i] = static_cast<std::uint8_t>(c);
    }
  }
  return best;
}

Result<ClassMap> class_map_of(const ConstView& output) {
  const Shape& shape = output.shape();
  const int rank = shape.rank();
  ClassMap map;
  if (rank == 4 && shape[0] == 1 && shape[1] >= 2 && output.dtype() == DType::kFloat32) {
    if (shape[1] > kIgnoredClass) {
      return Error{ErrorCode::kInvalidInput,
                   "metric miou counts up to 255 classes, the first output has " + std::to_string(shape[1])};
    }
    map.height = shape[2];
    map.width = shape[3];
    map.num_classes = shape[1];
    map.classes = best_classes(output.values<float>(), static_cast<std::size_t>(shape[1]),
                               static_cast<std::size_t>(shape[2] * shape[3]));
    return map;
  }
  const bool is_map = rank >= 2 && rank <= 4 && shape.num_elements(0, rank - 2) == 1;
  if (!is_map) {
    return Error{ErrorCode::kInvalidInput,
                 "metric miou needs a first output of scores [1, C, H, W] or of classes [1, H, W], this model's is " +
                     to_string(*output.type)};
  }
  map.height = shape[rank - 2];
  map.width = shape[rank - 1];
  for (const float value : to_floats(output)) {
    const bool is_class = value > -0.5F && value < static_cast<float>(kIgnoredClass) - 0.5F;
    map.classes.push_back(is_class ? static_cast<std::uint8_t>(std::lround(value)) : kIgnoredClass);
  }
  return map;
}

double mean_iou_percent(const ScoreTally& tally, const std::vector<std::int64_t>& predicted,
                        const std::vector<std::int64_t>& hit) {
  double sum = 0.0;
  int num_classes = 0;
  for (std::size_t c = 0; c < kIgnoredClass; ++c) {
    if (tally.labelled[c] == 0) continue;
    sum += static_cast<double>(hit[c]) / static_cast<double>(tally.labelled[c] + predicted[c] - hit[c]);
    ++num_classes;
  }
  return num_classes == 0 ? 0.0 : 100.0 * sum / num_classes;
}

}  // namespace

void ScoreTally::add(const ScoreTally& more) {
  scored += more.scored;
  agree += more.agree;
  reference_top1 += more.reference_top1;
  other_top1 += more.other_top1;
  reference_top5 += more.reference_top5;
  other_top5 += more.other_top5;
  add_all(labelled, more.labelled);
  add_all(reference_predicted, more.reference_predicted);
  add_all(other_predicted, more.other_predicted);
  add_all(reference_hit, more.reference_hit);
  add_all(other_hit, more.other_hit);
}

std::optional<double> ScoreTally::agreement_percent() const {
  if (scored == 0) return std::nullopt;
  return 100.0 * static_cast<double>(agree) / static_cast<double>(scored);
}

std::optional<TopK> ScoreTally::top1() const {
  if (scored == 0) return std::nullopt;
  const auto all = static_cast<double>(scored);
  return TopK{100.0 * static_cast<double>(reference_top1) / all, 100.0 * static_cast<double>(other_top1) / all};
}

std::optional<TopK> ScoreTally::top5() const {
  if (scored == 0) return std::nullopt;
  const auto all = static_cast<double>(scored);
  return TopK{100.0 * static_cast<double>(reference_top5) / all, 100.0 * static_cast<double>(other_top5) / all};
}

std::optional<TopK> ScoreTally::miou() const {
  if (labelled.empty()) return std::nullopt;
  return TopK{mean_iou_percent(*this, reference_predicted, reference_hit),
              mean_iou_percent(*this, other_predicted, other_hit)};
}

bool is_score_row(const ConstView& view) {
  return view.present() && view.dtype() == DType::kFloat32 && view.num_elements() >= 2 &&
         std::ranges::count_if(view.shape(), [](std::int64_t d) { return d != 1; }) == 1;
}

bool is_class_scores(const ConstView& view) {
  if (!is_score_row(view)) return false;
  const int rank = view.shape().rank();
  return rank == 1 || ((rank == 2 || rank == 4) && view.shape()[1] >= 2);
}

Result<void> count_classes(const ConstView& reference, const ConstView& other, std::optional<std::int64_t> label,
                           ScoreTally& tally) {
  if (!is_score_row(reference) || !is_score_row(other)) {
    if (!label) return {};
    return Error{ErrorCode::kInvalidInput,
                 "labels need a first output of one float32 row of scores, this model's is " +
                     (reference.present() ? to_string(*reference.type) : std::string("absent"))};
  }
  if (label && *label >= reference.num_elements()) {
    return Error{ErrorCode::kInvalidInput, "label " + std::to_string(*label) + " is out of range, the model has " +
                                               std::to_string(reference.num_elements()) + " classes"};
  }
  const std::vector<std::int64_t> reference_best = top_k(reference.values<float>(), kTopFive);
  const std::vector<std::int64_t> other_best = top_k(other.values<float>(), kTopFive);
  const auto best_is = [](const std::vector<std::int64_t>& best, std::int64_t wanted) {
    return !best.empty() && best[0] == wanted ? 1 : 0;
  };
  const auto among = [](const std::vector<std::int64_t>& best, std::int64_t wanted) {
    return std::ranges::find(best, wanted) != best.end() ? 1 : 0;
  };
  ++tally.scored;
  if (!reference_best.empty()) tally.agree += best_is(other_best, reference_best[0]);
  if (!label) return {};
  tally.reference_top1 += best_is(reference_best, *label);
  tally.other_top1 += best_is(other_best, *label);
  tally.reference_top5 += among(reference_best, *label);
  tally.other_top5 += among(other_best, *label);
  return {};
}

Result<void> count_pixels(const ConstView& reference, const ConstView& other, std::int64_t sample,
                          const MaskSource& masks, ScoreTally& tally) {
  if (!reference.present()) return Error{ErrorCode::kInvalidInput, "metric miou needs an output"};
  const Result<ClassMap> ours = class_map_of(reference);
  if (!ours.ok()) return ours.error();
  const Result<ClassMap> theirs = class_map_of(other);
  if (!theirs.ok()) return theirs.error();
  if (ours->classes.size() != theirs->classes.size()) {
    return Error{ErrorCode::kInvalidInput, "metric miou needs maps of one size, the float model's is " +
                                               to_string(*reference.type) + ", the quantized one's " +
                                               to_string(*other.type)};
  }
  const Result<std::vector<std::uint8_t>> mask = masks(sample, ours->height, ours->width);
  if (!mask.ok()) return mask.error();
  for (std::vector<std::int64_t>* counts :
       {&tally.labelled, &tally.reference_predicted, &tally.other_predicted, &tally.reference_hit, &tally.other_hit}) {
    counts->resize(kNumClasses);
  }
  for (std::size_t i = 0; i < mask->size(); ++i) {
    const std::uint8_t label = (*mask)[i];
    if (label == kIgnoredClass) continue;
    if (label >= ours->num_classes) {
      return Error{ErrorCode::kInvalidInput, "the mask names class " + std::to_string(label) + ", the model has " +
                                                 std::to_string(ours->num_classes) + " classes (255: ignored)"};
    }
    ++tally.labelled[label];
    ++tally.reference_predicted[ours->classes[i]];
    ++tally.other_predicted[theirs->classes[i]];
    if (ours->classes[i] == label) ++tally.reference_hit[label];
    if (theirs->classes[i] == label) ++tally.other_hit[label];
  }
  return {};
}

}  // namespace halfstep::compare
