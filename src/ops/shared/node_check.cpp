// node_check.cpp: operand checks and sums shared by several operator families.
#include "ops/shared/node_check.hpp"

#include <array>
#include <utility>

#include "core/errors.hpp"

namespace halfstep::ops::vision {
namespace {

// Eight independent partial sums: the compiler may vectorise them without
// reordering any addition.
constexpr std::int64_t kLanes = 8;

double total(const std::array<double, kLanes>& lanes) {
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

template <class Term>
double lane_sum(const float* values, std::int64_t count, Term term) {
  std::array<double, kLanes> lanes{};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      lanes[static_cast<std::size_t>(lane)] += term(values[i + lane]);
    }
  }
  for (std::int64_t lane = 0; i < count; ++i, ++lane) lanes[static_cast<std::size_t>(lane)] += term(values[i]);
  return total(lanes);
}

}  // namespace

Result<void> require_float(const NodeArgs& args, std::size_t i, std::string_view name) {
  if (args.type(i).dtype != DType::kFloat32) {
    return invalid(std::string(name) + " is " + std::string(name_of(args.type(i).dtype)) + ", expected float32");
  }
  return {};
}

Result<void> require_float_vector(const NodeArgs& args, std::size_t i, std::int64_t extent, std::string_view name) {
  if (auto is_float = require_float(args, i, name); !is_float.ok()) return is_float;
  if (args.shape(i) != Shape{extent}) {
    return invalid(std::string(name) + " has shape " + to_string(args.shape(i)) + ", expected " +
                   to_string(Shape{extent}));
  }
  return {};
}

Result<void> require_min_rank(const NodeArgs& args, std::size_t i, int rank, std::string_view name) {
  if (args.shape(i).rank() < rank) {
    return invalid(std::string(name) + " has shape " + to_string(args.shape(i)) + ", expected at least " +
                   std::to_string(rank) + " dimensions");
  }
  return {};
}

Result<void> require_rank(const NodeArgs& args, std::size_t i, int rank, std::string_view name) {
  if (args.shape(i).rank() != rank) {
    return invalid(std::string(name) + " has shape " + to_string(args.shape(i)) + ", expected " + std::to_string(rank) +
                   " dimensions");
  }
  return {};
}

Result<Inferred> one_output(TensorType type) {
  if (auto fits = check_shape(type.shape, type.dtype); !fits.ok()) return fits.error();
  return Inferred::one(std::move(type));
}

double sum_of(const float* values, std::int64_t count) {
  return lane_sum(values, count, [](float value) { return static_cast<double>(value); });
}

double sum_of_squares(const float* values, std::int64_t count, double center) {
  return lane_sum(values, count, [center](float value) {
    const double distance = static_cast<double>(value) - center;
    return distance * distance;
  });
}

}  // namespace halfstep::ops::vision
