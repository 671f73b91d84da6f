// vision_nms.cpp: NonMaxSuppression.
#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "core/errors.hpp"
#include "ops/shared/node_check.hpp"
#include "ops/vision/vision_ops.hpp"

namespace halfstep::ops {
namespace {

/// Corners, with low <= high on both axes unless an extent is negative.
struct Box {
  float x_low, x_high, y_low, y_high;
};

enum class BoxFormat { kCorners, kCenter };

Box box_of(const float* values, BoxFormat format) {
  if (format == BoxFormat::kCorners) {  // [y1, x1, y2, x2], any two opposite corners.
    return {std::min(values[1], values[3]), std::max(values[1], values[3]), std::min(values[0], values[2]),
            std::max(values[0], values[2])};
  }
  const float half_width = values[2] / 2.0F;
  const float half_height = values[3] / 2.0F;
  return {values[0] - half_width, values[0] + half_width, values[1] - half_height, values[1] + half_height};
}

/// Whether intersection over union exceeds the threshold.
bool overlaps(const Box& a, const Box& b, float threshold) {
  const float width = std::min(a.x_high, b.x_high) - std::max(a.x_low, b.x_low);
  const float height = std::min(a.y_high, b.y_high) - std::max(a.y_low, b.y_low);
  if (!(width > 0.0F) || !(height > 0.0F)) return false;
  const float shared = width * height;
  const float area_a = (a.x_high - a.x_low) * (a.y_high - a.y_low);
  const float area_b = (b.x_high - b.x_low) * (b.y_high - b.y_low);
  const float united = area_a + area_b - shared;
  if (!(area_a > 0.0F) || !(area_b > 0.0F) || !(united > 0.0F)) return false;
  return shared / united > threshold;
}

struct Limits {
  std::int64_t max_per_class = 0;
  float iou_threshold = 0.0F;
  std::optional<float> score_threshold;
};

/// The first element of optional operand `i`; empty when absent. Requires its value where it is given.
template <class T>
std::optional<T> scalar(const NodeArgs& args, std::size_t i) {
  if (!args.has(i) || args.value(i)->num_elements() == 0) return std::nullopt;
  return args.value(i)->data<T>()[0];
}

/// Boxes of one class, best score first, equal scores by index; those below
/// the threshold and those without a score (NaN) left out.
std::vector<std::int64_t> ranked_boxes(std::span<const float> scores, const std::optional<float>& threshold) {
  std::vector<std::int64_t> order;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const bool counts = threshold.has_value() ? scores[i] > *threshold : scores[i] == scores[i];
    if (counts) order.push_back(static_cast<std::int64_t>(i));
  }
  std::ranges::stable_sort(order, [&](std::int64_t a, std::int64_t b) {
    return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)];
  });
  return order;
}

std::vector<std::int64_t> select_class(const float* boxes, BoxFormat format, std::span<const float> scores,
                                       const Limits& limits) {
  std::vector<std::int64_t> selected;
  std::vector<Box> kept;
  for (const std::int64_t index : ranked_boxes(scores, limits.score_threshold)) {
    if (static_cast<std::int64_t>(selected.size()) >= limits.max_per_class) break;
    const Box box = box_of(boxes + 4 * index, format);
    const auto hides = [&](const Box& better) { return overlaps(better, box, limits.iou_threshold); };
    if (std::ranges::any_of(kept, hides)) continue;
    kept.push_back(box);
    selected.push_back(index);
  }
  return selected;
}

/// Triples (batch, class, box). Requires every operand's value.
std::vector<std::int64_t> select_boxes(const NodeArgs& args) {
  const Tensor& boxes = *args.value(0);
  const Tensor& scores = *args.value(1);
  const BoxFormat format =
      args.attributes().get_int("center_point_box", 0) == 0 ? BoxFormat::kCorners : BoxFormat::kCenter;
  Limits limits;
  limits.max_per_class = scalar<std::int64_t>(args, 2).value_or(0);
  limits.iou_threshold = scalar<float>(args, 3).value_or(0.0F);
  limits.score_threshold = scalar<float>(args, 4);
  const std::int64_t classes = scores.shape()[1];
  const std::int64_t count = scores.shape()[2];
  std::vector<std::int64_t> triples;
  for (std::int64_t n = 0; n < scores.shape()[0]; ++n) {
    for (std::int64_t c = 0; c < classes; ++c) {
      const std::span<const float> of_class(scores.data<float>() + (n * classes + c) * count,
                                            static_cast<std::size_t>(count));
      for (const std::int64_t index : select_class(boxes.data<float>() + n * count * 4, format, of_class, limits)) {
        triples.insert(triples.end(), {n, c, index});
      }
    }
  }
  return triples;
}

Result<void> check_scalar(const NodeArgs& args, std::size_t i, DType dtype, const char* name) {
  if (!args.has(i)) return {};
  if (args.type(i).dtype != dtype || args.shape(i).num_elements() > 1) {
    return invalid(std::string(name) + " is " + to_string(args.type(i)) + ", expected one " +
                   std::string(name_of(dtype)));
  }
  return {};
}

}  // namespace

Result<Inferred> infer_non_max_suppression(const NodeArgs& args) {
  if (auto is_float = vision::require_float(args, 0, "boxes"); !is_float.ok()) return is_float.error();
  if (auto is_float = vision::require_float(args, 1, "scores"); !is_float.ok()) return is_float.error();
  if (auto ranked = vision::require_rank(args, 0, 3, "boxes"); !ranked.ok()) return ranked.error();
  if (auto ranked = vision::require_rank(args, 1, 3, "scores"); !ranked.ok()) return ranked.error();
  const Shape& boxes = args.shape(0);
  const Shape& scores = args.shape(1);
  if (boxes[2] != 4 || boxes[0] != scores[0] || boxes[1] != scores[2]) {
    return invalid("boxes of shape " + to_string(boxes) + " and scores of shape " + to_string(scores) +
                   " do not fit, expected [batch, boxes, 4] and [batch, classes, boxes]");
  }
  if (auto fits = check_scalar(args, 2, DType::kInt64, "max_output_boxes_per_class"); !fits.ok()) return fits.error();
  if (auto fits = check_scalar(args, 3, DType::kFloat32, "iou_threshold"); !fits.ok()) return fits.error();
  if (auto fits = check_scalar(args, 4, DType::kFloat32, "score_threshold"); !fits.ok()) return fits.error();
  for (std::size_t i = 0; i < args.num_inputs(); ++i) {
    if (args.has(i) && args.value(i) == nullptr) return Inferred::unknown();
  }
  const auto count = static_cast<std::int64_t>(select_boxes(args).size() / 3);
  return vision::one_output({DType::kInt64, {count, 3}});
}

Result<Prepared> lower_non_max_suppression(const LowerArgs& args) {
  // infer() needed every value, so all are here and the answer is a constant.
  const auto selected = std::make_shared<const std::vector<std::int64_t>>(select_boxes(args));
  const auto run = [selected](const KernelIo& io) -> Result<void> {
    std::ranges::copy(*selected, io.outputs[0].data<std::int64_t>());
    return {};
  };
  return Prepared{.run = run, .scratch_bytes = 0, .clamps = false};
}

}  // namespace halfstep::ops
