// border_steps.cpp: borders of integer arithmetic; the last place that sees their scales.
#include "lower/border_steps.hpp"

#include <algorithm>

#include "encoding/encoding_set.hpp"
#include "encoding/grid_runs.hpp"
#include "kernels/quantize.hpp"
#include "numerics/factor.hpp"
#include "ops/shared/fixed_codes.hpp"
#include "ops/shared/fixed_support.hpp"

namespace halfstep::lower {
namespace {

/// How channel c of a tensor [outer, channels, inner] is requantized.
struct ChannelBorder {
  std::int32_t from_zero_point = 0;
  numerics::Requantizer requantizer;
};

template <class From, class To>
void requantize_run(const From* from, To* to, std::int64_t count, const ChannelBorder& border) {
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int32_t centred = static_cast<std::int32_t>(from[i]) - border.from_zero_point;
    to[i] = static_cast<To>(numerics::requantize(centred, border.requantizer));
  }
}

/// Calls f(offset, count, params) for the runs of elements on one grid, as far as they are this part's.
template <class F>
void for_each_run_of_part(const ops::KernelIo& io, const Encoding& encoding, F&& f) {
  constexpr std::int64_t kGranule = 4096;
  const Shape& shape = io.inputs[0].shape();
  const ops::Share mine = ops::share_of(io, shape.num_elements(), kGranule);
  for_each_grid_run(shape, encoding, [&](std::int64_t offset, std::int64_t count, std::size_t i) {
    const std::int64_t begin = std::max(offset, mine.begin);
    const std::int64_t end = std::min(offset + count, mine.end);
    if (begin < end) f(begin, end - begin, encoding.params()[i]);
  });
}

bool has_short_codes(const Encoding& encoding) { return size_in_bytes(storage_dtype(encoding.grid())) <= 2; }

struct Runs {
  std::int64_t outer = 1;
  std::int64_t channels = 1;
  std::int64_t inner = 1;
};

Runs runs_of(const Shape& shape, std::optional<int> axis) {
  if (!axis) return {1, 1, shape.num_elements()};
  return {shape.num_elements(0, *axis), shape[*axis], shape.num_elements(*axis + 1, shape.rank())};
}

}  // namespace

Result<ops::FixedForm> quantize_step(const Encoding& encoding, const Shape& shape) {
  if (Result<void> fits = check_fits(encoding, shape); !fits.ok()) return fits.error();
  ops::FixedForm form;
  form.facts.kernel = "quantize";
  form.prepared.splits = has_short_codes(encoding);
  form.prepared.run = [encoding](const ops::KernelIo& io) -> Result<void> {
    if (!has_short_codes(encoding)) {
      quantize_into(io.inputs[0], encoding, io.outputs[0]);
      return {};
    }
    const DType dtype = io.outputs[0].dtype();
    const kernels::GridBounds bounds{encoding.grid().q_min, encoding.grid().q_max};
    for_each_run_of_part(io, encoding, [&](std::int64_t offset, std::int64_t count, const QuantParams& p) {
      kernels::quantize_codes(io.inputs[0].data<float>() + offset, count, static_cast<float>(p.scale), p.zero_point,
                              bounds, dtype,
                              io.outputs[0].bytes + offset * static_cast<std::int64_t>(size_in_bytes(dtype)));
    });
    return {};
  };
  return form;
}

Result<ops::FixedForm> dequantize_step(const Encoding& encoding, const Shape& shape) {
  if (Result<void> fits = check_fits(encoding, shape); !fits.ok()) return fits.error();
  ops::FixedForm form;
  form.facts.kernel = "dequantize";
  form.prepared.splits = has_short_codes(encoding);
  form.prepared.run = [encoding](const ops::KernelIo& io) -> Result<void> {
    if (!has_short_codes(encoding)) {
      dequantize_into(io.inputs[0], encoding, io.outputs[0]);
      return {};
    }
    const DType dtype = io.inputs[0].dtype();
    for_each_run_of_part(io, encoding, [&](std::int64_t offset, std::int64_t count, const QuantParams& p) {
      kernels::dequantize_codes(io.inputs[0].bytes + offset * static_cast<std::int64_t>(size_in_bytes(dtype)), dtype,
                                count, static_cast<float>(p.scale), p.zero_point, io.outputs[0].data<float>() + offset);
    });
    return {};
  };
  return form;
}

Result<ops::FixedForm> requantize_step(const Encoding& from, const Encoding& to, const Shape& shape,
                                       Arithmetic arithmetic) {
  for (const Encoding* encoding : {&from, &to}) {
    if (Result<void> fits = check_fits(*encoding, shape); !fits.ok()) return fits.error();
    if (Result<void> fits = ops::require_short_codes(*encoding, "a tensor between two grids"); !fits.ok()) {
      return fits.error();
    }
  }
  if (from.axis() && to.axis() && *from.axis() != *to.axis()) {
    return Error{ErrorCode::kUnsupported, "two grids, one along axis " + std::to_string(*from.axis()) +
                                              " and one along axis " + std::to_string(*to.axis()) +
                                              ", meet in one tensor"};
  }
  ops::FixedForm form;
  std::vector<ChannelBorder> borders;
  const std::size_t num_channels = std::max(from.params().size(), to.params().size());
  for (std::size_t c = 0; c < num_channels; ++c) {
    const QuantParams& x = ops::params_of(from, c);
    const QuantParams& y = ops::params_of(to, c);
    Result<numerics::FixedPoint> factor = numerics::scale_factor(x.scale / y.scale, arithmetic);
    if (!factor.ok()) return factor.error();
    form.facts.factors.push_back(*factor);
    borders.push_back({.from_zero_point = x.zero_point,
                       .requantizer = {.factor = *factor,
                                       .zero_point = y.zero_point,
                                       .q_min = to.grid().q_min,
                                       .q_max = to.grid().q_max,
                                       .rounding = numerics::rounding_of(arithmetic)}});
  }
  form.facts.kernel = "requantize";
  const Runs runs = runs_of(shape, from.axis() ? from.axis() : to.axis());
  form.prepared.run = [borders, runs](const ops::KernelIo& io) -> Result<void> {
    visit_code_type(io.inputs[0].dtype(), [&]<class From>() {
      visit_code_type(io.outputs[0].dtype(), [&]<class To>() {
        const From* x = io.inputs[0].data<From>();
        To* y = io.outputs[0].data<To>();
        for (std::int64_t o = 0; o < runs.outer; ++o) {
          for (std::int64_t c = 0; c < runs.channels; ++c, x += runs.inner, y += runs.inner) {
            requantize_run(x, y, runs.inner, borders[static_cast<std::size_t>(c)]);
          }
        }
      });
    });
    return {};
  };
  return form;
}

}  // namespace halfstep::lower
