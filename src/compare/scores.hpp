// scores.hpp: how well the first output does: classification and segmentation.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/tensor.hpp"
#include "halfstep/result.hpp"

namespace halfstep::compare {

/// How often the label is among the best k, in percent of the samples; or another measure of both sides in percent.
struct TopK {
  double reference_percent = 0.0;
  double other_percent = 0.0;
  double drop() const { return reference_percent - other_percent; }
};

/// In masks: a pixel that does not count. Classes go from 0 to 254.
inline constexpr std::uint8_t kIgnoredClass = 255;

/// The class of every pixel of sample i, row by row; exactly height * width of them. Thread-safe.
using MaskSource =
    std::function<Result<std::vector<std::uint8_t>>(std::int64_t sample, std::int64_t height, std::int64_t width)>;

/// Hits of both sides over some samples; adding two tallies is the same as counting all samples in one.
struct ScoreTally {
  std::int64_t scored = 0;  ///< Samples whose first output is one row of scores in both.
  std::int64_t agree = 0;   ///< Of these: the same best class.
  std::int64_t reference_top1 = 0, other_top1 = 0, reference_top5 = 0, other_top5 = 0;
  /// By class, empty without masks: pixels labelled, predicted (where labelled), and both at once.
  std::vector<std::int64_t> labelled, reference_predicted, other_predicted, reference_hit, other_hit;

  void add(const ScoreTally& more);

  /// Percent; empty where nothing was counted.
  std::optional<double> agreement_percent() const;
  std::optional<TopK> top1() const;
  std::optional<TopK> top5() const;
  /// Mean over the classes that occur in the masks of hits / (labelled + predicted - hits). Empty without masks.
  std::optional<TopK> miou() const;
};

/// True for one row of scores: float32, all extents 1 but one, which is at least 2. What labels can be held against.
bool is_score_row(const ConstView& view);

/// True for what only a classifier gives: a score row of shape [C], [1, C] or [1, C, 1, 1].
bool is_class_scores(const ConstView& view);

/// Counts one sample of a classifier; does nothing if an output is no score row. `label` may be empty.
/// Errors: kInvalidInput if the label is out of range, or there is a label but no score row.
Result<void> count_classes(const ConstView& reference, const ConstView& other, std::optional<std::int64_t> label,
                           ScoreTally& tally);

/// Counts one sample of a segmentation. Both outputs are scores [1, C, H, W] in float32 with C from 2 to 255, of
/// which the highest wins (ties: the lower class), or class maps [H, W], [1, H, W] or [1, 1, H, W] of any type.
/// Errors: kInvalidInput for other outputs or a mask with a class the model does not have; those of `masks`.
Result<void> count_pixels(const ConstView& reference, const ConstView& other, std::int64_t sample,
                          const MaskSource& masks, ScoreTally& tally);

}  // namespace halfstep::compare
