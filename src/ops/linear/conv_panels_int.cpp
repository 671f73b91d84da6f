// conv_panels_int.cpp: Conv on codes as packed products, a panel of output columns at a time.
#include <algorithm>
#include <memory>
#include <utility>

#include "kernels/panels.hpp"
#include "ops/linear/conv_int.hpp"

namespace halfstep::ops {
namespace {

// A band of the image as groups: what fits a second-level cache beside the weights.
constexpr std::int64_t kGroupedBandBytes = 384 * 1024;

kernels::Windows windows_of(const ConvGeometry& g) {
  return {.image = g.in, .steps = g.out, .kernel = g.kernel, .stride = g.stride, .dilation = g.dilation, .pad = g.pad};
}

bool reads_one_position(const ConvGeometry& g) {
  constexpr std::array<std::int64_t, 3> kOnes = {1, 1, 1};
  return g.kernel == kOnes && g.stride == kOnes && g.in == g.out && g.pad == std::array<std::int64_t, 3>{};
}

// One group of channels of one image.
struct GroupPlace {
  const std::byte* x = nullptr;
  std::byte* y = nullptr;
  std::int64_t first_channel = 0;  // Of the output.
  Centre centre;
};

class PanelConv {
 public:
  PanelConv(IntConv conv, kernels::GroupedImage image) : conv_(std::move(conv)), image_(std::move(image)) {
    const ConvGeometry& g = conv_.geometry;
    is_pointwise_ = reads_one_position(g);
    group_out_ = g.out_channels / g.groups;
    y_bytes_ = static_cast<std::int64_t>(size_in_bytes(conv_.product.y_dtype));
  }

  std::size_t scratch_bytes() const {
    ScratchParts parts;
    take(parts);
    return parts.used() + multiply_panel_scratch_bytes();
  }

  void run(const KernelIo& io) const {
    ScratchParts parts(io.scratch.data());
    const Buffers buffers = take(parts);
    const std::span<std::byte> rest = io.scratch.subspan(parts.used());
    const ConvGeometry& g = conv_.geometry;
    const auto x_bytes = static_cast<std::int64_t>(size_in_bytes(conv_.x_dtype));
    const std::int64_t x_size = g.in_channels / g.groups * g.in_size() * x_bytes;
    for (std::int64_t n = 0; n < g.batch; ++n) {
      for (std::int64_t group = 0; group < g.groups; ++group) {
        const std::int64_t index = n * g.groups + group;
        const GroupPlace place{.x = io.inputs[0].bytes + index * x_size,
                               .y = io.outputs[0].bytes + index * group_out_ * g.out_size() * y_bytes_,
                               .first_channel = group * group_out_,
                               .centre = conv_.centre_of_group(group)};
        if (is_pointwise_) {
          run_pointwise(io, place, buffers, rest);
        } else {
          run_bands(io, place, buffers, rest);
        }
      }
    }
  }

 private:
  struct Buffers {
    std::int32_t* panel = nullptr;
    std::int32_t* image = nullptr;
  };

  Buffers take(ScratchParts& parts) const {
    const kernels::PanelShape shape = kernels::panel_shape();
    Buffers buffers;
    buffers.panel = parts.take<std::int32_t>(conv_.product.packed.k_groups * shape.columns + shape.lanes);
    if (!is_pointwise_) buffers.image = parts.take<std::int32_t>(image_.scratch_groups());
    return buffers;
  }

  // Few columns: parts take output channels instead, each with panels of its own.
  struct Work {
    Share columns;
    Share channels;
  };
  Work share(const KernelIo& io, std::int64_t num_columns, std::int64_t granule) const {
    if (num_columns / granule >= 4 * io.num_parts) return {share_of(io, num_columns, granule), {0, group_out_}};
    constexpr std::int64_t kRowGranule = 8;
    return {{0, num_columns}, share_of(io, group_out_, kRowGranule)};
  }

  void multiply_columns(const GroupPlace& place, const Share& channels, const Buffers& buffers, std::int64_t column,
                        std::int64_t n, std::span<std::byte> rest) const {
    const std::int64_t size = conv_.geometry.out_size();
    multiply_panel(conv_.product, place.first_channel + channels.begin, channels.end - channels.begin, buffers.panel, n,
                   {.codes = place.y + (channels.begin * size + column) * y_bytes_, .row_step = size}, rest);
  }

  void run_pointwise(const KernelIo& io, const GroupPlace& place, const Buffers& buffers,
                     std::span<std::byte> rest) const {
    const ConvGeometry& g = conv_.geometry;
    const kernels::PanelShape shape = kernels::panel_shape();
    const kernels::CodeMatrix codes{
        .codes = place.x, .dtype = conv_.x_dtype, .k_step = g.in_size(), .centre = place.centre.centre};
    const Work work = share(io, g.out_size(), shape.columns);
    for (std::int64_t column = work.columns.begin; column < work.columns.end; column += shape.columns) {
      const std::int64_t n = std::min(shape.columns, work.columns.end - column);
      kernels::pack_panel(codes, conv_.product.packed.group, g.in_channels / g.groups, column, n, shape.padded(n),
                          buffers.panel);
      multiply_columns(place, work.channels, buffers, column, n, rest);
    }
  }

  void run_bands(const KernelIo& io, const GroupPlace& place, const Buffers& buffers, std::span<std::byte> rest) const {
    const ConvGeometry& g = conv_.geometry;
    const kernels::PanelShape shape = kernels::panel_shape();
    const kernels::CodeImage codes{.codes = place.x,
                                   .dtype = conv_.x_dtype,
                                   .channels = image_.channels,
                                   .centre = place.centre.centre,
                                   .outside = place.centre.zero};
    const Work work = share(io, g.out_size(), g.out[2]);
    const std::int64_t last_row = work.columns.end / g.out[2];
    for (std::int64_t row = work.columns.begin / g.out[2]; row < last_row; row += image_.band_rows) {
      const std::int64_t rows = std::min(image_.band_rows, last_row - row);
      kernels::group_image(image_, codes, row, rows, buffers.image);
      for (std::int64_t column = 0; column < rows * g.out[2]; column += shape.columns) {
        const std::int64_t n = std::min(shape.columns, rows * g.out[2] - column);
        kernels::gather_windows(image_, buffers.image, column, n, shape.padded(n), buffers.panel);
        multiply_columns(place, work.channels, buffers, row * g.out[2] + column, n, rest);
      }
    }
  }

  IntConv conv_;
  kernels::GroupedImage image_;
  bool is_pointwise_ = false;
  std::int64_t group_out_ = 0;
  std::int64_t y_bytes_ = 1;
};

}  // namespace

bool has_panel_form(const ConvGeometry& g) {
  if (reads_one_position(g)) return true;
  if (g.num_axes > 2) return false;
  // Pairs need twice the groups of quads.
  return !kernels::plan_grouped_image(windows_of(g), kernels::Group::kPairs, g.in_channels / g.groups,
                                      kGroupedBandBytes)
              .offsets.empty();
}

Prepared prepare_panel_conv(IntConv conv) {
  const ConvGeometry& g = conv.geometry;
  kernels::GroupedImage image = kernels::plan_grouped_image(windows_of(g), conv.product.packed.group,
                                                            g.in_channels / g.groups, kGroupedBandBytes);
  const auto panels = std::make_shared<const PanelConv>(std::move(conv), std::move(image));
  return {.run = [panels](const KernelIo& io) -> Result<void> {
            panels->run(io);
            return {};
          },
          .scratch_bytes = panels->scratch_bytes(),
          .clamps = true,
          .splits = true};
}

}  // namespace halfstep::ops
