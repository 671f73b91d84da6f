// byte_depthwise.cpp: how the sums of a channel are laid out, and what is the same on every instruction set.
#include "kernels/byte_depthwise.hpp"

#include "kernels/kernel_table.hpp"

namespace halfstep::kernels {
void set_line(ByteDepthwise& args) noexcept {
  const PanelShape shape = panel_shape();
  const bool is_one_row = args.stride_w == 1 && args.stride_h == 1;
  args.line_pitch = is_one_row ? args.padded_stride : shape.padded(args.out_w);
  const std::int64_t needed = (args.out_h - 1) * args.line_pitch + args.out_w;
  args.line_size = (needed + shape.columns - 1) / shape.columns * shape.columns;
}

bool has_byte_depthwise() noexcept { return active_table().byte_depthwise != nullptr; }

void byte_depthwise(const ByteDepthwise& args) { active_table().byte_depthwise(args); }

void copy_byte_rows(const std::uint8_t* from, std::int64_t rows, std::int64_t columns, std::int64_t from_stride,
                    std::uint8_t flip, std::uint8_t* to, std::int64_t to_stride) {
  active_table().copy_byte_rows(from, rows, columns, from_stride, flip, to, to_stride);
}

}  // namespace halfstep::kernels
