// product_draw.hpp: draws the operands and grids of convolutions and matrix products on codes.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "product_oracle.hpp"

namespace halfstep::ops::product_testing {

inline std::int64_t draw(std::mt19937& rng, std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(rng);
}

struct Draw {
  std::mt19937& rng;
  bool power_of_two = false;

  double scale() {
    if (power_of_two) return std::ldexp(1.0, static_cast<int>(draw(rng, -9, 3)));
    return static_cast<double>(static_cast<float>(std::exp(std::uniform_real_distribution<double>(-7.0, 2.0)(rng))));
  }

  IntGrid activation_grid() {
    switch (draw(rng, 0, 7)) {
      case 0:
        return unsigned_grid(16);
      case 1:
        return signed_grid(16);
      case 2:
        return unsigned_grid(draw(rng, 0, 1) == 0 ? 4 : 10);
      case 3:
      case 4:
        return signed_grid(8);
      default:
        return unsigned_grid(8);
    }
  }

  IntGrid weight_grid() {
    constexpr std::array kBits = {4, 8, 8, 8, 16};
    const int bits = kBits[static_cast<std::size_t>(draw(rng, 0, 4))];
    switch (draw(rng, 0, 3)) {
      case 0:
        return unsigned_grid(bits);
      case 1:
        return signed_grid(bits);
      default:
        return narrow_signed_grid(bits);
    }
  }

  std::int32_t zero_point(IntGrid grid, bool symmetric) {
    if (symmetric && grid.q_min < 0) return 0;
    switch (draw(rng, 0, 4)) {
      case 0:
        return grid.q_min;
      case 1:
        return grid.q_max;
      case 2:
        return std::clamp(0, grid.q_min, grid.q_max);
      default:
        return static_cast<std::int32_t>(draw(rng, grid.q_min, grid.q_max));
    }
  }

  Encoding encoding(IntGrid grid, bool symmetric) {
    return *Encoding::per_tensor(grid, {scale(), zero_point(grid, symmetric)});
  }

  Encoding encoding(IntGrid grid, bool symmetric, int axis, std::int64_t extent) {
    std::vector<QuantParams> params;
    const double base = scale();
    for (std::int64_t i = 0; i < extent; ++i) {
      const double factor = power_of_two ? std::ldexp(1.0, static_cast<int>(draw(rng, 0, 2)))
                                         : std::uniform_real_distribution<double>(0.5, 2.0)(rng);
      params.push_back({base * factor, zero_point(grid, symmetric)});
    }
    return *Encoding::per_channel(grid, axis, std::move(params));
  }

  /// Codes on the grid: uniform, with the ends of the grid now and then.
  Tensor codes(const Shape& shape, IntGrid grid) {
    Tensor tensor(TensorType{storage_dtype(grid), shape});
    const bool extreme = draw(rng, 0, 5) == 0;
    visit_dtype(tensor.dtype(), [&]<class T>() {
      if constexpr (std::is_integral_v<T>) {
        for (std::int64_t i = 0; i < tensor.num_elements(); ++i) {
          const std::int64_t end = draw(rng, 0, 1) == 0 ? grid.q_min : grid.q_max;
          tensor.mutable_data<T>()[i] = static_cast<T>(extreme ? end : draw(rng, grid.q_min, grid.q_max));
        }
      }
    });
    return tensor;
  }

  Operand activation(const Shape& shape, Encoding encoding) {
    const IntGrid grid = encoding.grid();
    return {shape, std::move(encoding), codes(shape, grid), std::nullopt};
  }

  Operand weight(const Shape& shape, Encoding encoding) {
    const IntGrid grid = encoding.grid();
    Operand w{shape, std::move(encoding), codes(shape, grid), Tensor(TensorType{DType::kFloat32, shape})};
    const std::vector<std::int64_t> q = to_int64s(*w.codes);
    for (std::size_t i = 0; i < q.size(); ++i) {
      const QuantParams& e = entry_of(*w.encoding, slice_of(*w.encoding, shape, static_cast<std::int64_t>(i)));
      w.real->mutable_data<float>()[i] = static_cast<float>(e.scale * static_cast<double>(q[i] - e.zero_point));
    }
    return w;
  }

  /// A bias of channels whose accumulators have the scales `acc_scales`: in float, on 32 bits at those scales, or
  /// on a grid of its own.
  Operand bias(const Shape& shape, const std::vector<double>& acc_scales) {
    const auto count = static_cast<std::size_t>(shape.num_elements());
    Operand b{shape, std::nullopt, std::nullopt, Tensor(TensorType{DType::kFloat32, shape})};
    const std::int64_t kind = draw(rng, 0, 2);
    if (kind == 0) {
      for (std::size_t i = 0; i < count; ++i) {
        b.real->mutable_data<float>()[i] =
            static_cast<float>(acc_scales[i % acc_scales.size()] * static_cast<double>(draw(rng, -4001, 4001)) / 2.0);
      }
      return b;
    }
    if (kind == 1) {
      std::vector<QuantParams> params;
      for (std::size_t i = 0; i < count; ++i) params.push_back({acc_scales[i % acc_scales.size()], 0});
      b.encoding = count == 1 ? *Encoding::per_tensor(signed_grid(32), params[0])
                              : *Encoding::per_channel(signed_grid(32), shape.rank() - 1, std::move(params));
      b.codes = Tensor(TensorType{DType::kInt32, shape});
      for (std::size_t i = 0; i < count; ++i) {
        b.codes->mutable_data<std::int32_t>()[i] = static_cast<std::int32_t>(draw(rng, -3000, 3000));
      }
      return b;
    }
    const IntGrid grid = draw(rng, 0, 1) == 0 ? signed_grid(8) : unsigned_grid(8);
    b.encoding = encoding(grid, false);
    b.codes = codes(shape, grid);
    return b;
  }

  /// An output grid on which most accumulators land, at scales that give powers of two where those are asked for;
  /// in every third problem factors of 1/2 to 1/16, so that ties abound.
  void output(Problem& p, int channel_axis) {
    const IntGrid grid = activation_grid();
    const bool many_ties = power_of_two && draw(rng, 0, 2) == 0;
    const std::int32_t z = many_ties && grid.q_min < 0 ? 0 : zero_point(grid, false);
    p.y = *Encoding::per_tensor(grid, {1.0, z});
    const Oracle oracle(p);
    double largest = 1.0;
    for (std::int64_t out = 0; out < p.y_shape.num_elements(); ++out) {
      largest = std::max(largest, std::fabs(static_cast<double>(oracle.acc(out))) * oracle.acc_scale(out));
    }
    double scale = largest / (0.7 * (static_cast<double>(grid.q_max) - grid.q_min));
    if (power_of_two) scale = std::ldexp(1.0, static_cast<int>(std::floor(std::log2(scale))));
    if (many_ties) scale = oracle.acc_scale(0) * std::ldexp(1.0, static_cast<int>(draw(rng, 1, 4)));
    const std::int64_t extent = channel_axis < 0 ? 0 : p.y_shape[channel_axis];
    if (extent > 0 && draw(rng, 0, 3) == 0) {
      std::vector<QuantParams> params;
      for (std::int64_t i = 0; i < extent; ++i) {
        params.push_back({scale * static_cast<double>(1 << draw(rng, 0, 2)), zero_point(grid, false)});
      }
      p.y = *Encoding::per_channel(grid, channel_axis, std::move(params));
    } else {
      p.y = *Encoding::per_tensor(grid, {scale, z});
    }
    if (draw(rng, 0, 2) == 0) {
      const double reach = scale * (static_cast<double>(grid.q_max) - grid.q_min);
      p.node.clamp = graph::FusedClamp{draw(rng, 0, 1) == 0 ? 0.0F : -std::numeric_limits<float>::infinity(),
                                       static_cast<float>(reach * 0.3), "clip", "pre"};
      if (extent > 0 && draw(rng, 0, 1) == 0) {
        graph::ChannelBounds bounds;
        bounds.inner_axes = p.y_shape.rank() - 1 - channel_axis;
        for (std::int64_t c = 0; c < extent; ++c) {
          bounds.min.push_back(static_cast<float>(-reach * 0.01 * static_cast<double>(draw(rng, 0, 20))));
          bounds.max.push_back(static_cast<float>(reach * 0.01 * static_cast<double>(draw(rng, 0, 40))));
        }
        p.node.clamp->channels = std::move(bounds);
      }
    }
  }
};

}  // namespace halfstep::ops::product_testing
