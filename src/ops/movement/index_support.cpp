// index_support.cpp: how indices address a tensor.
#include "ops/movement/index_support.hpp"

#include <algorithm>

#include "core/errors.hpp"

namespace halfstep::ops {

Result<void> check_index_type(const TensorType& type) {
  if (is_index_type(type.dtype)) return {};
  return invalid("indices are " + to_string(type) + ", expected int32 or int64");
}

Error out_of_range(std::int64_t index, int axis, std::int64_t extent) {
  return invalid("index " + std::to_string(index) + " is out of range for axis " + std::to_string(axis) +
                 " of extent " + std::to_string(extent));
}

Result<ElementAddresses> ElementAddresses::make(const Shape& data, const Shape& indices, std::int64_t axis) {
  const Result<int> indexed = normalize_axis(axis, data.rank());
  if (!indexed.ok()) return indexed.error();
  bool fits = indices.rank() == data.rank();
  for (int i = 0; fits && i < data.rank(); ++i) fits = i == *indexed || indices[i] <= data[i];
  if (!fits) {
    return invalid("indices of shape " + to_string(indices) + " do not fit data of shape " + to_string(data) +
                   " along axis " + std::to_string(*indexed));
  }
  const std::vector<std::int64_t> strides = strides_of(data);
  const int last = data.rank() - 1;
  ElementAddresses addresses;
  addresses.axis_ = *indexed;
  addresses.axis_extent_ = data[*indexed];
  addresses.axis_stride_ = strides[static_cast<std::size_t>(*indexed)];
  addresses.row_extent_ = indices[last];
  addresses.row_stride_ = last == *indexed ? 0 : 1;
  addresses.count_ = indices.num_elements();
  for (int i = 0; i < last; ++i) {
    addresses.outer_.push_back({indices[i], i == *indexed ? 0 : strides[static_cast<std::size_t>(i)]});
  }
  return addresses;
}

Result<TupleAddresses> TupleAddresses::make(const Shape& data, const Shape& indices, std::int64_t batch_dims) {
  const int last = indices.rank() - 1;
  if (last < 0 || data.rank() < 1) {
    return invalid("indices and data have ranks " + std::to_string(indices.rank()) + " and " +
                   std::to_string(data.rank()) + ", expected 1 or more");
  }
  if (batch_dims < 0 || batch_dims > last || batch_dims >= data.rank()) {
    return invalid("batch_dims " + std::to_string(batch_dims) + " is out of range for indices of shape " +
                   to_string(indices) + " and data of shape " + to_string(data));
  }
  const int batch_rank = static_cast<int>(batch_dims);
  if (indices[last] > data.rank() - batch_rank) {
    return invalid("index tuples have " + std::to_string(indices[last]) + " elements, the data has " +
                   std::to_string(data.rank() - batch_rank) + " axes for them");
  }
  for (int i = 0; i < batch_rank; ++i) {
    if (data[i] != indices[i]) {
      return invalid("indices of shape " + to_string(indices) + " and data of shape " + to_string(data) +
                     " differ in the first " + std::to_string(batch_rank) + " extents");
    }
  }
  const int slice_begin = batch_rank + static_cast<int>(indices[last]);
  const std::vector<std::int64_t> strides = strides_of(data);
  TupleAddresses addresses;
  addresses.batch_dims_ = batch_rank;
  addresses.num_tuples_ = indices.num_elements(0, last);
  addresses.tuples_per_batch_ = std::max<std::int64_t>(indices.num_elements(batch_rank, last), 1);
  addresses.batch_stride_ = data.num_elements(batch_rank, data.rank());
  addresses.slice_elements_ = data.num_elements(slice_begin, data.rank());
  for (int i = 0; i < last; ++i) addresses.result_shape_.push_back(indices[i]);
  for (int i = slice_begin; i < data.rank(); ++i) addresses.result_shape_.push_back(data[i]);
  for (int i = batch_rank; i < slice_begin; ++i) {
    addresses.extents_.push_back(data[i]);
    addresses.strides_.push_back(strides[static_cast<std::size_t>(i)]);
  }
  return addresses;
}

}  // namespace halfstep::ops
