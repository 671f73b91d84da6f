// vision_blocks.cpp: DepthToSpace and SpaceToDepth.
#include <string>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "ops/shared/node_check.hpp"
#include "ops/vision/vision_ops.hpp"

namespace halfstep::ops {
namespace {

constexpr std::int64_t kMaxBlockSize = 1 << 15;

/// A picture of [batch, channels, height, width] whose pixels are blocks of
/// block * block values; the other tensor has them as channels.
struct Blocks {
  std::int64_t batch = 0;
  std::int64_t channels = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t block = 1;
  /// Deep channel of channel c and block position p: c * channel_step + p * position_step.
  std::int64_t channel_step = 1;
  std::int64_t position_step = 1;
};

Result<std::int64_t> block_size_of(const NodeArgs& args) {
  const std::int64_t block = args.attributes().get_int("blocksize", 0);
  if (block < 1 || block > kMaxBlockSize) {
    return invalid("blocksize is " + std::to_string(block) + ", expected 1 to " + std::to_string(kMaxBlockSize));
  }
  return block;
}

/// Calls copy(deep_index, wide_index, count): `count` deep elements in a row go
/// to (or come from) wide elements `block` apart.
template <class Copy>
void for_each_run(const Blocks& b, Copy copy) {
  const std::int64_t positions = b.block * b.block;
  for (std::int64_t n = 0; n < b.batch; ++n) {
    for (std::int64_t c = 0; c < b.channels; ++c) {
      for (std::int64_t h = 0; h < b.height; ++h) {
        for (std::int64_t p = 0; p < positions; ++p) {
          const std::int64_t deep_channel = n * b.channels * positions + c * b.channel_step + p * b.position_step;
          const std::int64_t wide_row = ((n * b.channels + c) * b.height + h) * b.block + p / b.block;
          copy((deep_channel * b.height + h) * b.width, wide_row * b.width * b.block + p % b.block, b.width);
        }
      }
    }
  }
}

Result<void> check_mode(const NodeArgs& args) {
  const std::string mode = args.attributes().get_string("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") return invalid("mode is " + quoted(mode) + ", expected DCR or CRD");
  return {};
}

/// Fills in what the block size and the mode decide.
void arrange(const NodeArgs& args, Blocks& blocks) {
  blocks.block = args.attributes().get_int("blocksize", 1);
  const bool depth_first = args.attributes().get_string("mode", "DCR") == "DCR";
  blocks.channel_step = depth_first ? 1 : blocks.block * blocks.block;
  blocks.position_step = depth_first ? blocks.channels : 1;
}

Result<Inferred> out_shape(const NodeArgs& args, const Shape& shape) {
  return vision::one_output({args.type(0).dtype, shape});
}

}  // namespace

Result<Inferred> infer_depth_to_space(const NodeArgs& args) {
  if (auto ranked = vision::require_rank(args, 0, 4, "input"); !ranked.ok()) return ranked.error();
  const auto block = block_size_of(args);
  if (!block.ok()) return block.error();
  if (const auto mode = check_mode(args); !mode.ok()) return mode.error();
  const Shape& in = args.shape(0);
  if (in[1] % (*block * *block) != 0) {
    return invalid("input has " + std::to_string(in[1]) + " channels, which blocks of " + std::to_string(*block) +
                   " by " + std::to_string(*block) + " do not divide");
  }
  // An extent times a block size stays below 2^48 if the extent is below 2^33.
  if (auto fits = check_shape(Shape{in[2], in[3]}, args.type(0).dtype); !fits.ok()) return fits.error();
  return out_shape(args, {in[0], in[1] / (*block * *block), in[2] * *block, in[3] * *block});
}

Result<Prepared> lower_depth_to_space(const LowerArgs& args) {
  const Shape& in = args.shape(0);
  Blocks blocks{.batch = in[0], .channels = args.outputs[0].shape[1], .height = in[2], .width = in[3]};
  arrange(args, blocks);
  return visit_dtype(args.type(0).dtype, [&]<class T>() -> Result<Prepared> {
    const auto run = [blocks](const KernelIo& io) -> Result<void> {
      const T* in_data = io.inputs[0].data<T>();
      T* out = io.outputs[0].data<T>();
      for_each_run(blocks, [&](std::int64_t deep, std::int64_t wide, std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i) out[wide + i * blocks.block] = in_data[deep + i];
      });
      return {};
    };
    return Prepared{.run = run, .scratch_bytes = 0, .clamps = false};
  });
}

Result<Inferred> infer_space_to_depth(const NodeArgs& args) {
  if (auto ranked = vision::require_rank(args, 0, 4, "input"); !ranked.ok()) return ranked.error();
  const auto block = block_size_of(args);
  if (!block.ok()) return block.error();
  if (const auto mode = check_mode(args); !mode.ok()) return mode.error();
  const Shape& in = args.shape(0);
  if (in[2] % *block != 0 || in[3] % *block != 0) {
    return invalid("input has shape " + to_string(in) + ", which blocks of " + std::to_string(*block) + " by " +
                   std::to_string(*block) + " do not divide");
  }
  if (auto fits = check_shape(Shape{in[1]}, args.type(0).dtype); !fits.ok()) return fits.error();
  return out_shape(args, {in[0], in[1] * *block * *block, in[2] / *block, in[3] / *block});
}

Result<Prepared> lower_space_to_depth(const LowerArgs& args) {
  const Shape& out_dims = args.outputs[0].shape;
  Blocks blocks{.batch = out_dims[0], .channels = args.shape(0)[1], .height = out_dims[2], .width = out_dims[3]};
  arrange(args, blocks);
  return visit_dtype(args.type(0).dtype, [&]<class T>() -> Result<Prepared> {
    const auto run = [blocks](const KernelIo& io) -> Result<void> {
      const T* in = io.inputs[0].data<T>();
      T* out = io.outputs[0].data<T>();
      for_each_run(blocks, [&](std::int64_t deep, std::int64_t wide, std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i) out[deep + i] = in[wide + i * blocks.block];
      });
      return {};
    };
    return Prepared{.run = run, .scratch_bytes = 0, .clamps = false};
  });
}

}  // namespace halfstep::ops
