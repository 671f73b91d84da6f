// nested_numbers.cpp: lists of lists to a shape and its elements, and these to a larger shape.
#include "io/json/nested_numbers.hpp"

#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/json/entry_fields.hpp"

namespace halfstep::io {
namespace {

using nlohmann::json;

constexpr int kMaxNesting = 8;

struct NestedNumbers {
  Shape shape;
  std::vector<double> values;
};

/// Goes down the first elements.
Result<Shape> nesting_of(const json& value, const char* key) {
  Shape shape;
  for (const json* at = &value; at->is_array(); at = &at->front()) {
    if (at->empty()) return invalid("field " + halfstep::quoted(key) + " is an empty list");
    if (shape.rank() == kMaxNesting) return invalid("field " + halfstep::quoted(key) + " is nested too deeply");
    shape.push_back(static_cast<std::int64_t>(at->size()));
  }
  return shape;
}

Result<void> collect(const json& value, int depth, const char* key, NestedNumbers& into) {
  if (depth == into.shape.rank()) {
    const Result<double> number = number_value(value, key);
    if (!number.ok()) return number.error();
    into.values.push_back(*number);
    return {};
  }
  if (!value.is_array() || static_cast<std::int64_t>(value.size()) != into.shape[depth]) {
    return invalid("field " + halfstep::quoted(key) + " has lists of unequal length");
  }
  for (const json& element : value) {
    if (Result<void> done = collect(element, depth + 1, key, into); !done.ok()) return done;
  }
  return {};
}

/// The shape with as many axes as `to`; a single list lies along `axis`.
Shape aligned(const Shape& shape, const Shape& to, int axis) {
  std::vector<std::int64_t> dims(static_cast<std::size_t>(to.rank()), 1);
  if (shape.rank() == 1) {
    dims[static_cast<std::size_t>(axis)] = shape[0];
  } else {
    for (int a = 0; a < shape.rank(); ++a) dims[static_cast<std::size_t>(a)] = shape[a];
  }
  return Shape(std::move(dims));
}

}  // namespace

Result<std::vector<double>> spread_numbers(const json& value, const Shape& shape, int axis, const char* key) {
  const Result<Shape> nesting = nesting_of(value, key);
  if (!nesting.ok()) return nesting.error();
  NestedNumbers numbers{*nesting, {}};
  if (Result<void> done = collect(value, 0, key, numbers); !done.ok()) return done.error();
  const Error misfit = invalid("field " + halfstep::quoted(key) + " has the shape " + to_string(*nesting) +
                               ", expected " + to_string(shape));
  if (nesting->rank() > shape.rank()) return misfit;
  const Shape from = aligned(*nesting, shape, axis);
  for (int a = 0; a < shape.rank(); ++a) {
    if (from[a] != 1 && from[a] != shape[a]) return misfit;
  }
  const std::vector<std::int64_t> strides = strides_of(from);
  std::vector<double> spread;
  for_each_index(shape, [&](std::span<const std::int64_t> index) {
    std::int64_t at = 0;
    for (std::size_t a = 0; a < index.size(); ++a) at += from[static_cast<int>(a)] == 1 ? 0 : index[a] * strides[a];
    spread.push_back(numbers.values[static_cast<std::size_t>(at)]);
  });
  return spread;
}

}  // namespace halfstep::io
