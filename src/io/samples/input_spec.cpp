// input_spec.cpp: what a sample's files must fit.
#include "io/samples/input_spec.hpp"

#include <cmath>
#include <utility>

#include "core/text.hpp"

namespace halfstep::io {
namespace {

// The extents to go by; -1 where unknown.
std::vector<std::int64_t> extents_of(const InputSpec& spec) {
  std::vector<std::int64_t> extents;
  if (spec.fixed) return {spec.fixed->begin(), spec.fixed->end()};
  for (const DeclaredDim& dim : *spec.dims) extents.push_back(dim.extent < 0 ? -1 : dim.extent);
  return extents;
}

bool has_rank(const InputSpec& spec) { return spec.fixed || spec.dims; }

// Product of the known extents, and where the others are.
struct Known {
  std::int64_t elements = 1;
  std::vector<std::size_t> unknown_axes;
};

Result<Known> known_part(const InputSpec& spec, const std::vector<std::int64_t>& extents) {
  Known known;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    if (extents[i] < 0) {
      known.unknown_axes.push_back(i);
    } else if (__builtin_mul_overflow(known.elements, extents[i], &known.elements) ||
               known.elements > kMaxTensorBytes) {
      return Error{ErrorCode::kInvalidInput, "cannot fit the declared type " + describe(spec) + ", which is too large"};
    }
  }
  return known;
}

std::string symbol_of(const DeclaredDim& dim) { return dim.symbol.empty() ? "?" : printable(dim.symbol); }

// "--input_dim data 1,3,H,W", in the words of the declaration.
std::string option_for(const InputSpec& spec, const std::vector<std::int64_t>& extents) {
  std::string text = "--input_dim " + printable(spec.name) + " ";
  for (std::size_t i = 0; i < extents.size(); ++i) {
    if (i > 0) text += ",";
    text += extents[i] >= 0 ? std::to_string(extents[i]) : symbol_of((*spec.dims)[i]);
  }
  return text;
}

Error rank_unknown(const InputSpec& spec) {
  return {ErrorCode::kUsage,
          "has no declared shape to fit: give --input_dim " + printable(spec.name) + " and the extents"};
}

Error several_unknown(const InputSpec& spec, const std::vector<std::int64_t>& extents) {
  return {ErrorCode::kUsage,
          "leaves several extents of " + describe(spec) + " open: give " + option_for(spec, extents) + " with numbers"};
}

// Integer square root if `value` is a square of at least 1, else 0.
std::int64_t exact_root(std::int64_t value) {
  const auto root = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(value))));
  return root > 0 && root * root == value ? root : 0;
}

// "; shapes that would fit: ..." for a file of `elements` elements, or "".
// Candidates: all unknown extents 1 but the last, or but the last two, which
// are then equal; or another batch, where every extent is known.
std::string fitting_shapes(std::vector<std::int64_t> extents, const Known& known, std::int64_t elements) {
  std::vector<Shape> candidates;
  const auto& unknown = known.unknown_axes;
  if (known.elements > 0 && elements > 0 && elements % known.elements == 0 && !unknown.empty()) {
    const std::int64_t rest = elements / known.elements;
    for (std::size_t axis : unknown) extents[axis] = 1;
    if (const std::int64_t root = exact_root(rest); root > 0 && unknown.size() >= 2) {
      extents[unknown[unknown.size() - 1]] = extents[unknown[unknown.size() - 2]] = root;
      candidates.emplace_back(extents);
      extents[unknown[unknown.size() - 2]] = 1;
    }
    extents[unknown.back()] = rest;
    candidates.emplace_back(extents);
  } else if (unknown.empty() && !extents.empty() && known.elements > 0 && extents[0] > 0) {
    const std::int64_t per_batch = known.elements / extents[0];
    if (elements > 0 && elements % per_batch == 0) {
      extents[0] = elements / per_batch;
      candidates.emplace_back(extents);
    }
  }
  std::string text;
  for (const Shape& shape : candidates) text += (text.empty() ? "; shapes that would fit: " : ", ") + to_string(shape);
  return text;
}

// "; it would fit as uint8" and the like, or "".
std::string fitting_type(const InputSpec& spec, std::int64_t elements, std::int64_t num_bytes) {
  if (elements <= 0 || num_bytes % elements != 0) return "";
  const char* name = nullptr;
  switch (num_bytes / elements) {
    case 1:
      name = "uint8";
      break;
    case 2:
      name = spec.dtype == DType::kFloat32 ? "float16" : "int16";
      break;
    case 4:
      name = spec.dtype == DType::kInt64 ? "int32" : "float32";
      break;
    case 8:
      name = spec.dtype == DType::kFloat32 ? "float64" : "int64";
      break;
    default:
      return "";
  }
  return std::string("; it has the size of ") + name + " elements, expected " + std::string(name_of(spec.dtype));
}

}  // namespace

std::string describe(const InputSpec& spec) {
  std::string text(name_of(spec.dtype));
  if (spec.fixed) return text + to_string(*spec.fixed);
  if (!spec.dims) return text + " of unknown rank";
  text += "[";
  for (std::size_t i = 0; i < spec.dims->size(); ++i) {
    const DeclaredDim& dim = (*spec.dims)[i];
    if (i > 0) text += ", ";
    text += dim.extent >= 0 ? std::to_string(dim.extent) : symbol_of(dim);
  }
  return text + "]";
}

Result<Shape> default_shape(const InputSpec& spec) {
  if (!has_rank(spec)) return rank_unknown(spec);
  std::vector<std::int64_t> extents = extents_of(spec);
  for (std::size_t i = 1; i < extents.size(); ++i) {
    if (extents[i] < 0) {
      return Error{ErrorCode::kUsage, "has unknown extents in " + describe(spec) + ": give " +
                                          option_for(spec, extents) + " with numbers"};
    }
  }
  if (!extents.empty() && extents[0] < 0) extents[0] = 1;
  Shape shape(std::move(extents));
  if (auto checked = check_shape(shape, spec.dtype); !checked.ok()) return checked.error();
  return shape;
}

Result<Shape> shape_from_size(const InputSpec& spec, std::uint64_t num_bytes) {
  if (!has_rank(spec)) return rank_unknown(spec);
  if (num_bytes > static_cast<std::uint64_t>(kMaxTensorBytes)) {
    return Error{ErrorCode::kInvalidInput, "has " + std::to_string(num_bytes) + " bytes, more than a tensor may"};
  }
  const auto size = static_cast<std::int64_t>(num_bytes);
  const auto element = static_cast<std::int64_t>(size_in_bytes(spec.dtype));
  std::vector<std::int64_t> extents = extents_of(spec);
  const Result<Known> known = known_part(spec, extents);
  if (!known.ok()) return known.error();

  const std::size_t num_unknown = known->unknown_axes.size();
  const std::int64_t known_bytes = known->elements * element;
  const bool fits = num_unknown == 0 ? size == known_bytes : known_bytes > 0 && size > 0 && size % known_bytes == 0;
  if (!fits) {
    const std::string hint = size % element == 0 ? fitting_shapes(extents, *known, size / element) : "";
    return Error{ErrorCode::kInvalidInput, "has " + std::to_string(size) + " bytes, expected " +
                                               (num_unknown == 0 ? "" : "a multiple of ") +
                                               std::to_string(known_bytes) + " (" + describe(spec) + ")" +
                                               (hint.empty() ? fitting_type(spec, known->elements, size) : hint)};
  }
  if (num_unknown > 1) {
    Error error = several_unknown(spec, extents);
    error.message += fitting_shapes(extents, *known, size / element);
    return error;
  }
  if (num_unknown == 1) extents[known->unknown_axes[0]] = size / known_bytes;
  Shape shape(std::move(extents));
  // An extent of 0 hides how large the others are.
  if (auto checked = check_shape(shape, spec.dtype); !checked.ok()) return checked.error();
  return shape;
}

Result<void> check_fits(const InputSpec& spec, const Shape& shape) {
  if (!has_rank(spec)) return {};
  const std::vector<std::int64_t> extents = extents_of(spec);
  bool fits = extents.size() == static_cast<std::size_t>(shape.rank());
  for (int i = 0; fits && i < shape.rank(); ++i) {
    const std::int64_t extent = extents[static_cast<std::size_t>(i)];
    fits = extent < 0 || extent == shape[i];
  }
  if (fits) return {};
  return Error{ErrorCode::kInvalidInput, "has shape " + to_string(shape) + ", expected " + describe(spec)};
}

}  // namespace halfstep::io
