// round_layer.cpp: weights to rows, codes back to where the weights were.
#include "tune/round_layer.hpp"

#include <string>
#include <utility>
#include <vector>

#include "core/errors.hpp"
#include "encoding/encoding_set.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "tune/linear_rows.hpp"

namespace halfstep::tune {
namespace {

std::vector<WeightGroup> weight_groups(const LayerRequest& request, const LinearRows& layout) {
  const float* weight = request.weight.data<float>();
  std::vector<WeightGroup> groups;
  for (std::int64_t g = 0; g < layout.groups; ++g) {
    Eigen::MatrixXd weights(layout.rows_of_group(), layout.k);
    for (std::int64_t i = 0; i < weights.rows(); ++i) {
      for (std::int64_t j = 0; j < layout.k; ++j) {
        weights(i, j) = static_cast<double>(weight[layout.element(g * weights.rows() + i, j)]);
      }
    }
    groups.push_back({std::move(weights), &request.moments[static_cast<std::size_t>(g)]});
  }
  return groups;
}

Tensor tensor_of_codes(const LayerRequest& request, const LinearRows& layout,
                       const std::vector<Eigen::MatrixXi>& codes) {
  Tensor tensor(TensorType{storage_dtype(request.start.grid()), request.weight.shape()});
  visit_dtype(tensor.dtype(), [&]<class T>() {
    T* to = tensor.mutable_data<T>();
    for (std::int64_t row = 0; row < layout.rows; ++row) {
      const Eigen::MatrixXi& group = codes[static_cast<std::size_t>(row / layout.rows_of_group())];
      for (std::int64_t i = 0; i < layout.k; ++i) {
        to[layout.element(row, i)] = static_cast<T>(group(row % layout.rows_of_group(), i));
      }
    }
  });
  return tensor;
}

Result<void> check_layer(const LayerRequest& request, const LinearRows& layout) {
  const Encoding& start = request.start;
  if (request.weight.dtype() != DType::kFloat32) return invalid("the weight is not float32");
  if (static_cast<std::int64_t>(request.moments.size()) != layout.groups || layout.rows % layout.groups != 0) {
    return invalid("moments of " + std::to_string(request.moments.size()) + " groups, the weight has " +
                   std::to_string(layout.groups));
  }
  if (storage_bits(start.grid()) > 16) return unsupported("the weight has codes of more than 16 bits");
  if (auto fits = check_fits(start, request.weight.shape()); !fits.ok()) return fits.error();
  const auto axis = ops::weight_channel_axis(*ops::find_op(request.node), request.node, request.weight.shape());
  if (start.block_axis()) return unsupported("the weight has a grid for each block");
  if (start.axis() && start.axis() != axis) return unsupported("the weight's grids are not along its output channels");
  return {};
}

}  // namespace

Result<RoundedLayer> round_layer(const LayerRequest& request) {
  const Result<LinearRows> layout = linear_rows(request.node, request.weight.shape());
  if (!layout.ok()) return layout.error();
  if (auto checked = check_layer(request, *layout); !checked.ok()) return checked.error();
  const std::vector<WeightGroup> groups = weight_groups(request, *layout);
  const Encoding& start = request.start;
  Result<RoundedWeights> rounded = round_weights({.groups = groups,
                                                  .grid = start.grid(),
                                                  .start = start.params(),
                                                  .lowest_scales = request.lowest_scales,
                                                  .scale = request.scale,
                                                  .settings = request.settings,
                                                  .num_threads = request.num_threads});
  if (!rounded.ok()) return rounded.error();
  Result<Encoding> encoding = start.axis()
                                  ? Encoding::per_channel(start.grid(), *start.axis(), std::move(rounded->params))
                                  : Encoding::per_tensor(start.grid(), rounded->params[0]);
  if (!encoding.ok()) return encoding.error();
  return RoundedLayer{*std::move(encoding), tensor_of_codes(request, *layout, rounded->codes), rounded->error_before,
                      rounded->error_after};
}

}  // namespace halfstep::tune
