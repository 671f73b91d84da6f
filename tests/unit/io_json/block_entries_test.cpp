// block_entries_test.cpp: block-wise scales of every version, in the order of the tensor.
#include "io/json/block_entries.hpp"

#include <gtest/gtest.h>

#include "io/json/nested_numbers.hpp"

namespace halfstep::io {
namespace {

using nlohmann::json;

EncodingTarget weight(Shape shape, std::optional<int> channel_axis) {
  return {.role = TensorRole::kWeight, .channel_axis = channel_axis, .shape = std::move(shape)};
}

RawBlocks read(const char* text, const EncodingTarget& target) {
  const json entry = json::parse(text);
  EXPECT_TRUE(is_block_entry(entry)) << text;
  Result<RawBlocks> blocks = read_block_entry(entry, target);
  if (blocks.ok()) return *std::move(blocks);
  ADD_FAILURE() << blocks.error().message;
  return {};
}

std::vector<double> scales_of(const RawBlocks& blocks) {
  std::vector<double> scales;
  for (const QuantParams& p : blocks.params) scales.push_back(p.scale);
  return scales;
}

using Doubles = std::vector<double>;

constexpr const char* kPerBlock = R"({"name":"w","enc_type":"PER_BLOCK","dtype":"INT","bw":4,"is_sym":true,)"
                                  R"("block_size":2,"scale":[1,2,3,4],"offset":[-8,-8,-8,-8]})";

TEST(BlockEntries, PerBlockOfVersion1) {
  // Channels are rows: [N, K] of a transposed Gemm.
  const RawBlocks rows = read(kPerBlock, weight({2, 3}, 0));
  EXPECT_EQ(rows.grid, signed_grid(4));
  EXPECT_EQ(rows.axis, 1);
  EXPECT_EQ(rows.block_size, 2);
  EXPECT_EQ(scales_of(rows), (Doubles{1, 2, 3, 4}));
  // Channels are columns: [K, N] of a MatMul. Stored is channel by channel.
  const RawBlocks columns = read(kPerBlock, weight({3, 2}, 1));
  EXPECT_EQ(columns.axis, 0);
  EXPECT_EQ(scales_of(columns), (Doubles{1, 3, 2, 4}));
  // A Conv's kernel has the scale of its input channel.
  EXPECT_EQ(scales_of(read(kPerBlock, weight({2, 4, 1, 2}, 0))), (Doubles{1, 1, 2, 2, 3, 3, 4, 4}));
  // Or each of its places has its own.
  EXPECT_EQ(scales_of(read(kPerBlock, weight({1, 4, 1, 2}, 0))), (Doubles{1, 3, 2, 4}));
}

TEST(BlockEntries, AsymmetricBlocks) {
  const RawBlocks blocks =
      read(R"({"enc_type":"PER_BLOCK","bw":4,"is_sym":false,"block_size":4,"scale":[1,2],"offset":[-7,0]})",
           weight({2, 4}, 0));
  EXPECT_EQ(blocks.grid, unsigned_grid(4));
  EXPECT_EQ(blocks.params, (std::vector<QuantParams>{{1, 7}, {2, 0}}));
}

TEST(BlockEntries, ProductsOfVersion1) {
  const RawBlocks blocks =
      read(R"({"name":"fc.w","enc_type":"LPBQ","dtype":"INT","bw":8,"compressed_bw":4,"block_size":64,"is_sym":true,)"
           R"("scale":[0.125,0.5],"offset":[-128,-128],"per_block_int_scale":[16,9,16,4]})",
           weight({2, 128}, 0));
  EXPECT_EQ(blocks.grid, signed_grid(4));
  EXPECT_EQ(scales_of(blocks), (Doubles{2, 1.125, 8, 2}));
}

TEST(BlockEntries, NestedListsOfVersion2) {
  const RawBlocks rows =
      read(R"({"output_dtype":"int4","y_scale":[[1,2],[3,4]],"axis":1,"block_size":64})", weight({2, 128}, 0));
  EXPECT_EQ(rows.grid, signed_grid(4));
  EXPECT_EQ(rows.axis, 1);
  EXPECT_EQ(scales_of(rows), (Doubles{1, 2, 3, 4}));
  const RawBlocks columns =
      read(R"({"output_dtype":"uint4","y_scale":[[1,2]],"y_zero_point":[[7,8]],"axis":-2,"block_size":64})",
           weight({64, 2}, 1));
  EXPECT_EQ(columns.axis, 0);
  EXPECT_EQ(columns.params, (std::vector<QuantParams>{{1, 7}, {2, 8}}));
  EXPECT_EQ(scales_of(read(R"({"output_dtype":"int8","y_scale":[[[[1]],[[2]]],[[[3]],[[4]]]],"axis":1,"block_size":2})",
                           weight({2, 4, 1, 2}, 0))),
            (Doubles{1, 1, 2, 2, 3, 3, 4, 4}));
}

TEST(BlockEntries, ProductsOfVersion2) {
  const Doubles expected{2, 1.125, 8, 2};
  const EncodingTarget target = weight({2, 128}, 0);
  EXPECT_EQ(scales_of(read(R"({"output_dtype":"int4","axis":1,"block_size":64,"per_block_int_scale":[[16,9],[16,4]],)"
                           R"("per_channel_float_scale":[[0.125],[0.5]]})",
                           target)),
            expected);
  EXPECT_EQ(scales_of(read(R"({"output_dtype":"int4","axis":1,"block_size":64,)"
                           R"("y_scale":{"x":[[16,9],[16,4]],"x_scale":[0.125,0.5],"axis":0}})",
                           target)),
            expected);
  EXPECT_EQ(
      scales_of(read(R"({"output_dtype":"int4","axis":1,"block_size":64,"y_scale":{"x":[[17,10],[17,5]],)"
                     R"("x_scale":[[0.125],[0.5]],"x_zero_point":1,"axis":1,"block_size":2,"input_dtype":"uint8"}})",
                     target)),
      expected);
}

TEST(BlockEntries, ErrorsNameFields) {
  const auto error = [](const char* text, const EncodingTarget& target) {
    const json entry = json::parse(text);
    EXPECT_TRUE(is_block_entry(entry)) << text;
    const Result<RawBlocks> blocks = read_block_entry(entry, target);
    return blocks.ok() ? "none" : blocks.error().message;
  };
  const EncodingTarget target = weight({2, 3}, 0);
  EXPECT_EQ(error(kPerBlock, weight({2, 2}, 0)), "field 'scale' holds 4 numbers, the tensor needs 2");
  EXPECT_EQ(error(kPerBlock, weight({4}, 0)), "the tensor has no input channels that blocks could lie along");
  EXPECT_EQ(error(kPerBlock, weight({2, 3}, std::nullopt)),
            "the tensor has no input channels that blocks could lie along");
  EXPECT_EQ(error(R"({"enc_type":"LPBQ","bw":4,"compressed_bw":4,"block_size":2,"scale":[1]})", target),
            "field 'compressed_bw' is not below 'bw'");
  EXPECT_EQ(error(R"({"output_dtype":"int4","y_scale":[[1,2],[3,4]],"axis":1})", target),
            "field 'block_size' is missing");
  EXPECT_EQ(error(R"({"output_dtype":"int4","y_scale":[[1,2],[3,4]],"block_size":2})", target),
            "field 'axis' is missing");
  EXPECT_EQ(error(R"({"output_dtype":"int4","y_scale":[[1,"a"],[3,4]],"axis":1,"block_size":2})", target),
            "field 'y_scale' is not a finite number");
  EXPECT_EQ(
      error(R"({"output_dtype":"int4","y_scale":[[1,2],[3,4]],"y_zero_point":[[0,0],[0,9]],"axis":1,"block_size":2})",
            target),
      "zero point 9.0 is no code of int4");
  EXPECT_EQ(
      error(R"({"output_dtype":"int2","y_scale":[[1,2],[3,4]],"y_zero_point":-0.5,"axis":1,"block_size":2})", target),
      "zero point -0.5 is no code of int2");
  EXPECT_EQ(error(R"({"output_dtype":"int4","y_scale":{"x_scale":1},"axis":1,"block_size":2})", target),
            "y_scale: field 'x' is missing");
  EXPECT_EQ(error(R"({"output_dtype":"float4e2m1","y_scale":{"x":1,"x_scale":1},"axis":1,"block_size":2})", target),
            "output_dtype 'float4e2m1' is not supported");
  EXPECT_EQ(
      error(
          R"({"output_dtype":"int4","y_scale":{"x":1,"x_scale":1,"input_dtype":"float8e4m3fn"},"axis":1,"block_size":2})",
          target),
      "y_scale: only integers as input_dtype are supported");
  EXPECT_EQ(error(R"({"output_dtype":"int4","y_scale":[[[[[[[[[1]]]]]]]]],"axis":1,"block_size":2})", target),
            "field 'y_scale' is nested too deeply");
}

}  // namespace
}  // namespace halfstep::io
