// normalization_layer.cpp: LayerNormalization and RMSNormalization.
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/errors.hpp"
#include "ops/reduce/normalization_ops.hpp"
#include "ops/shared/node_check.hpp"

namespace halfstep::ops {
namespace {

/// An operand that broadcasts to the input seen as [rows, columns]: the element
/// for (r, c) is rows[r] + columns[c].
struct Broadcast {
  std::vector<std::int64_t> rows;
  std::vector<std::int64_t> columns;
  bool plain = false;  ///< columns[c] == c and rows[r] == 0.
};

/// Offsets into `operand` for axes [first, last) of `shape`, in row-major order.
std::vector<std::int64_t> offsets_of(const Shape& shape, const Shape& operand, int first, int last) {
  const auto strides = strides_of(operand);
  const int missing = shape.rank() - operand.rank();
  std::vector<std::int64_t> offsets{0};
  for (int axis = first; axis < last; ++axis) {
    const int own = axis - missing;
    const std::int64_t stride = own >= 0 && operand[own] != 1 ? strides[static_cast<std::size_t>(own)] : 0;
    std::vector<std::int64_t> next;
    next.reserve(offsets.size() * static_cast<std::size_t>(shape[axis]));
    for (const std::int64_t offset : offsets) {
      for (std::int64_t i = 0; i < shape[axis]; ++i) next.push_back(offset + i * stride);
    }
    offsets = std::move(next);
  }
  return offsets;
}

bool broadcasts_to(const Shape& operand, const Shape& shape) {
  const auto common = broadcast(operand, shape);
  return common.ok() && *common == shape;
}

Broadcast broadcast_of(const Shape& shape, const Shape& operand, int axis) {
  const int missing = shape.rank() - operand.rank();
  Broadcast result;
  result.plain = operand.num_elements() == shape.num_elements(axis, shape.rank());
  for (int i = 0; i < operand.rank(); ++i) {
    result.plain = result.plain && operand[i] == (i + missing < axis ? 1 : shape[i + missing]);
  }
  if (result.plain) return result;
  result.rows = offsets_of(shape, operand, 0, axis);
  result.columns = offsets_of(shape, operand, axis, shape.rank());
  return result;
}

enum class Centering { kMean, kNone };

struct LayerPlan {
  Centering centering = Centering::kMean;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  double epsilon = 1e-5;
  Broadcast scale;
  Broadcast bias;
};

void multiply(const Broadcast& operand, const float* values, std::int64_t row, std::int64_t columns, float* y) {
  if (operand.plain) {
    for (std::int64_t c = 0; c < columns; ++c) y[c] *= values[c];
    return;
  }
  values += operand.rows[static_cast<std::size_t>(row)];
  for (std::int64_t c = 0; c < columns; ++c) y[c] *= values[operand.columns[static_cast<std::size_t>(c)]];
}

void add(const Broadcast& operand, const float* values, std::int64_t row, std::int64_t columns, float* y) {
  if (operand.plain) {
    for (std::int64_t c = 0; c < columns; ++c) y[c] += values[c];
    return;
  }
  values += operand.rows[static_cast<std::size_t>(row)];
  for (std::int64_t c = 0; c < columns; ++c) y[c] += values[operand.columns[static_cast<std::size_t>(c)]];
}

void normalize_rows(const LayerPlan& plan, const KernelIo& io) {
  const float* x = io.inputs[0].data<float>();
  const float* scale = io.inputs[1].data<float>();
  const float* bias = vision::given(io, 2) ? io.inputs[2].data<float>() : nullptr;
  float* y = vision::wanted(io, 0) ? io.outputs[0].data<float>() : nullptr;
  float* means = vision::wanted(io, 1) ? io.outputs[1].data<float>() : nullptr;
  float* inverses = vision::wanted(io, 2) ? io.outputs[2].data<float>() : nullptr;
  const double count = static_cast<double>(plan.columns);
  for (std::int64_t r = 0; r < plan.rows; ++r, x += plan.columns) {
    const double mean = plan.centering == Centering::kMean ? vision::sum_of(x, plan.columns) / count : 0.0;
    const double variance = vision::sum_of_squares(x, plan.columns, mean) / count;
    const float inverse = static_cast<float>(1.0 / std::sqrt(variance + plan.epsilon));
    if (means != nullptr) means[r] = static_cast<float>(mean);
    if (inverses != nullptr) inverses[r] = inverse;
    if (y == nullptr) continue;
    const float center = static_cast<float>(mean);
    for (std::int64_t c = 0; c < plan.columns; ++c) y[c] = (x[c] - center) * inverse;
    multiply(plan.scale, scale, r, plan.columns, y);
    if (bias != nullptr) add(plan.bias, bias, r, plan.columns, y);
    y += plan.columns;
  }
}

Result<Inferred> infer_rows(const NodeArgs& args, bool takes_bias) {
  if (auto is_float = vision::require_float(args, 0, "input"); !is_float.ok()) return is_float.error();
  if (auto is_float = vision::require_float(args, 1, "scale"); !is_float.ok()) return is_float.error();
  const Shape& shape = args.shape(0);
  const auto axis = normalize_axis(args.attributes().get_int("axis", -1), shape.rank());
  if (!axis.ok()) return axis.error();
  if (!broadcasts_to(args.shape(1), shape)) {
    return invalid("scale has shape " + to_string(args.shape(1)) + ", which does not broadcast to " + to_string(shape));
  }
  if (takes_bias && args.has(2)) {
    if (auto is_float = vision::require_float(args, 2, "bias"); !is_float.ok()) return is_float.error();
    if (!broadcasts_to(args.shape(2), shape)) {
      return invalid("bias has shape " + to_string(args.shape(2)) + ", which does not broadcast to " +
                     to_string(shape));
    }
  }
  auto inferred = vision::one_output(args.type(0));
  if (!inferred.ok()) return inferred;
  Shape reduced = shape;
  for (int i = *axis; i < reduced.rank(); ++i) reduced[i] = 1;
  inferred->outputs.push_back({DType::kFloat32, reduced});
  inferred->outputs.push_back({DType::kFloat32, reduced});
  return inferred;
}

Result<Prepared> lower_rows(const LowerArgs& args, Centering centering) {
  const Shape& shape = args.shape(0);
  const auto axis = normalize_axis(args.attributes().get_int("axis", -1), shape.rank());
  if (!axis.ok()) return axis.error();
  auto plan = std::make_shared<LayerPlan>();
  plan->centering = centering;
  plan->rows = shape.num_elements(0, *axis);
  plan->columns = shape.num_elements(*axis, shape.rank());
  plan->epsilon = static_cast<double>(args.attributes().get_float("epsilon", 1e-5F));
  plan->scale = broadcast_of(shape, args.shape(1), *axis);
  if (centering == Centering::kMean && args.has(2)) plan->bias = broadcast_of(shape, args.shape(2), *axis);
  const auto run = [plan = std::shared_ptr<const LayerPlan>(plan)](const KernelIo& io) -> Result<void> {
    normalize_rows(*plan, io);
    return {};
  };
  return Prepared{.run = run, .scratch_bytes = 0, .clamps = false};
}

}  // namespace

Result<Inferred> infer_layer_normalization(const NodeArgs& args) { return infer_rows(args, true); }

Result<Prepared> lower_layer_normalization(const LowerArgs& args) { return lower_rows(args, Centering::kMean); }

Result<Inferred> infer_rms_normalization(const NodeArgs& args) {
  if (args.wants_output(1)) return invalid("expected one output");
  return infer_rows(args, false);
}

Result<Prepared> lower_rms_normalization(const LowerArgs& args) { return lower_rows(args, Centering::kNone); }

}  // namespace halfstep::ops
