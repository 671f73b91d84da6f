// index_support.hpp: how indices address a tensor, shared by the gathering and the scattering operators.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/movement/movement_support.hpp"

namespace halfstep::ops {

/// Calls f with the indices of `view`, int32 or int64, as a pointer.
template <class F>
decltype(auto) visit_indices(ConstView view, F&& f) {
  return view.dtype() == DType::kInt32 ? f(view.data<std::int32_t>()) : f(view.data<std::int64_t>());
}

/// Errors: kInvalidInput unless `type` holds int32 or int64.
Result<void> check_index_type(const TensorType& type);

/// The error of an index outside [-extent, extent).
Error out_of_range(std::int64_t index, int axis, std::int64_t extent);

/// Maps an index in [-extent, extent) to [0, extent); -1 if it lies outside.
inline std::int64_t wrap_index(std::int64_t index, std::int64_t extent) {
  if (index < 0) index += extent;
  return index >= 0 && index < extent ? index : -1;
}

/// Addresses one element of a tensor for each element of an indices tensor of
/// the same rank: at the same position, but along `axis` at the index.
class ElementAddresses {
 public:
  /// Errors: kInvalidInput if the shapes do not fit: ranks differ, or the
  /// indices reach beyond the data along another axis.
  static Result<ElementAddresses> make(const Shape& data, const Shape& indices, std::int64_t axis);

  /// Calls visit(position in indices, offset in data), both in elements, in order.
  /// Errors: kInvalidInput for an index outside the axis.
  template <class Index, class Visit>
  Result<void> for_each(const Index* indices, Visit&& visit) const {
    if (count_ == 0) return {};
    std::vector<std::int64_t> at(outer_.size(), 0);
    std::int64_t position = 0;
    std::int64_t base = 0;
    while (true) {
      for (std::int64_t i = 0; i < row_extent_; ++i, ++position) {
        const std::int64_t index = wrap_index(indices[position], axis_extent_);
        if (index < 0) return out_of_range(indices[position], axis_, axis_extent_);
        visit(position, base + index * axis_stride_ + i * row_stride_);
      }
      std::size_t loop = outer_.size();
      while (loop > 0) {
        --loop;
        base += outer_[loop].stride;
        if (++at[loop] < outer_[loop].extent) break;
        base -= outer_[loop].stride * outer_[loop].extent;
        at[loop] = 0;
        if (loop == 0) return {};
      }
      if (outer_.empty()) return {};
    }
  }

 private:
  struct Loop {
    std::int64_t extent;
    std::int64_t stride;  // 0 along the indexed axis.
  };
  int axis_ = 0;
  std::int64_t axis_extent_ = 0;
  std::int64_t axis_stride_ = 0;
  std::int64_t row_extent_ = 0;
  std::int64_t row_stride_ = 0;
  std::int64_t count_ = 0;
  std::vector<Loop> outer_;
};

/// Addresses one slice of a tensor for each tuple of an indices tensor of shape
/// [b0, ..., tuples, ..., k]: axes [batch_dims, batch_dims + k) of the data are
/// indexed, those before are iterated over in step, those after make the slice.
class TupleAddresses {
 public:
  /// Errors: kInvalidInput if the shapes do not fit.
  static Result<TupleAddresses> make(const Shape& data, const Shape& indices, std::int64_t batch_dims);

  std::int64_t slice_elements() const { return slice_elements_; }

  /// Extents of what a tuple selects, all tuples together: indices.shape[:-1] + data.shape[batch_dims + k:].
  const Shape& result_shape() const { return result_shape_; }

  /// Calls visit(number of the tuple, offset of its slice in data, in elements), in order.
  /// Errors: kInvalidInput for an index outside its axis.
  template <class Index, class Visit>
  Result<void> for_each(const Index* indices, Visit&& visit) const {
    const auto tuple_size = static_cast<std::int64_t>(extents_.size());
    for (std::int64_t tuple = 0; tuple < num_tuples_; ++tuple) {
      std::int64_t offset = tuple / tuples_per_batch_ * batch_stride_;
      for (std::int64_t i = 0; i < tuple_size; ++i) {
        const auto k = static_cast<std::size_t>(i);
        const std::int64_t index = wrap_index(indices[tuple * tuple_size + i], extents_[k]);
        if (index < 0) {
          return out_of_range(indices[tuple * tuple_size + i], batch_dims_ + static_cast<int>(i), extents_[k]);
        }
        offset += index * strides_[k];
      }
      visit(tuple, offset);
    }
    return {};
  }

 private:
  int batch_dims_ = 0;
  std::int64_t num_tuples_ = 0;
  std::int64_t tuples_per_batch_ = 1;
  std::int64_t batch_stride_ = 0;
  std::int64_t slice_elements_ = 1;
  Shape result_shape_;
  std::vector<std::int64_t> extents_;
  std::vector<std::int64_t> strides_;
};

}  // namespace halfstep::ops
