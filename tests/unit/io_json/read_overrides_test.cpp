// read_overrides_test.cpp: every version, convention and way of naming tensors of overrides files.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "unit/io_json/overrides_support.hpp"

namespace halfstep::io {
namespace {

TEST(ReadOverrides, Version0_4) {
  const std::string act =
      R"("conv1":[{"bitwidth":8,"is_symmetric":"False","min":0.0,"max":5.1,"offset":0,"scale":0.02}])";
  const std::string weight =
      R"("w":[{"bitwidth":8,"is_symmetric":"True","min":-1.28,"max":1.27,"offset":-128.0,"scale":0.01},)"
      R"({"bitwidth":8,"is_symmetric":"True","min":-0.64,"max":0.635,"offset":-128.0,"scale":0.005}])";
  const OverridesFile file = read(version0(act, weight));
  EXPECT_TRUE(file.warnings.empty());
  ASSERT_EQ(file.overrides.size(), 2U);
  EXPECT_EQ(*file.overrides[0].encoding, *Encoding::per_tensor({0, 255}, {0.02, 0}));
  EXPECT_EQ(file.overrides[0].place, "ov.json:1: activation_encodings 'conv1'");
  EXPECT_EQ(*file.overrides[1].encoding, *Encoding::per_channel({-128, 127}, 0, {{0.01, 0}, {0.005, 0}}));
}

TEST(ReadOverrides, OffsetsOfEitherSign) {
  // AIMET counts from the lowest code down, QNN up; min tells which. Symmetric ranges: +127 and -128.
  const Encoding expected = *Encoding::per_tensor({0, 255}, {0.0625, 64});
  for (const char* offset : {"-64", "64"}) {
    EXPECT_EQ(*read_one(version0(std::string(R"("conv1":[{"bitwidth":8,"dtype":"int","is_symmetric":"False","min":-4,)"
                                             R"("max":11.9375,"scale":0.0625,"offset":)") +
                                 offset + "}]"))
                   .encoding,
              expected);
  }
  for (const char* offset : {"-128", "127", "-127", "128", "0"}) {
    EXPECT_EQ(*read_one(version0(std::string(R"("conv1":[{"bitwidth":8,"is_symmetric":"True","min":-8,"max":7.9375,)"
                                             R"("scale":0.0625,"offset":)") +
                                 offset + "}]"))
                   .encoding,
              *Encoding::per_tensor({-128, 127}, {0.0625, 0}));
  }
}

TEST(ReadOverrides, MinAndMaxWin) {
  const OverridesFile file =
      read(version0(R"("conv1":[{"bitwidth":8,"min":-1.8,"max":0.5,"offset":17,"scale":0.5}],)"
                    R"("conv2":[{"bitwidth":8,"min":-1.8,"max":0.5,"offset":17,"scale":0.00902}],)"
                    R"("out":[{"bitwidth":8,"min":-1.8,"max":0.5,"offset":-200,"scale":0.00902}])"));
  ASSERT_EQ(file.overrides.size(), 3U);
  EXPECT_EQ(*file.overrides[0].encoding, *Encoding::per_tensor({0, 255}, {2.3 / 255, 200}));
  EXPECT_EQ(file.warnings,
            (std::vector<std::string>{
                "ov.json:1: activation_encodings 'conv1': the stored scale 0.5 contradicts min and max, which win",
                "ov.json:1: activation_encodings 'conv2': the stored offset 17 contradicts min and max, which win"}));
}

TEST(ReadOverrides, SymmetryInAnySpelling) {
  for (const char* flag : {"\"True\"", "\"true\"", "\"TRUE\"", "true"}) {
    const std::string entry = std::string(R"("conv1":[{"bitwidth":16,"is_symmetric":)") + flag + "}]";
    EXPECT_EQ(read_one(version0(entry)).symmetric, true);
  }
  for (const char* flag : {"\"False\"", "\"false\"", "false"}) {
    const std::string entry = std::string(R"("conv1":[{"bitwidth":16,"is_symmetric":)") + flag + "}]";
    EXPECT_EQ(read_one(version0(entry)).symmetric, false);
  }
}

TEST(ReadOverrides, WidthsWithoutGrids) {
  const auto legacy = read_one(version0(R"("conv1":[{"bitwidth":16,"dtype":"int"}])"));
  EXPECT_EQ(legacy.bits, 16);
  EXPECT_FALSE(legacy.encoding || legacy.float_bits || legacy.symmetric);
  EXPECT_EQ(read_one(version0(R"("conv1":{"bitwidth":4})")).bits, 4);
  EXPECT_EQ(read_one(version1(R"({"name":"conv1","bw":8,"dtype":"INT","enc_type":"PER_TENSOR","is_sym":true})")).bits,
            8);
  EXPECT_EQ(read_one(version1("", R"({"name":"w","bw":4,"dtype":"int"})")).bits, 4);
  EXPECT_EQ(read_one(version0(R"("conv1":[{"bitwidth":16,"dtype":"float"}])")).float_bits, 16);
  EXPECT_EQ(read_one(version1(R"({"name":"conv1","bw":32,"dtype":"FLOAT","enc_type":"PER_TENSOR"})")).float_bits, 32);
}

TEST(ReadOverrides, IntegersOf32Bits) {
  // On an activation a width, whatever stands beside it; on a parameter a grid.
  for (const std::string& text :
       {version0(R"("conv1":[{"bitwidth":32,"dtype":"int"}])"),
        version0(R"("conv1":[{"bitwidth":32,"min":0,"max":9,"scale":1,"offset":0,"is_symmetric":"False"}])"),
        version1(R"({"name":"conv1","bw":32,"dtype":"INT","is_sym":false,"scale":[1],"offset":[0]})"),
        version2(R"({"name":"conv1","output_dtype":"int32","y_scale":0.5})")}) {
    EXPECT_EQ(read_one(text).bits, 32) << text;
  }
  EXPECT_EQ(*read_one(version2(R"({"name":"b","output_dtype":"int32","y_scale":[0.5,0.25],"axis":0})")).encoding,
            *Encoding::per_channel(signed_grid(32), 0, {{0.5, 0}, {0.25, 0}}));
}

TEST(ReadOverrides, Version1) {
  EXPECT_EQ(*read_one(version1(R"({"name":"conv1","enc_type":"PER_TENSOR","dtype":"INT","bw":8,"is_sym":false,)"
                               R"("scale":[0.015625],"offset":[-64]})"))
                 .encoding,
            *Encoding::per_tensor({0, 255}, {0.015625, 64}));
  EXPECT_EQ(*read_one(version1("", R"({"name":"w","enc_type":"PER_CHANNEL","dtype":"INT","bw":8,"is_sym":true,)"
                                   R"("scale":[0.01,0.005],"offset":[-128,-128],"zero_point_shift":[0,0]})"))
                 .encoding,
            *Encoding::per_channel({-128, 127}, 0, {{0.01, 0}, {0.005, 0}}));
  // Activations may have a grid for each channel, not symmetric.
  EXPECT_EQ(*read_one(version1(R"({"name":"conv1","enc_type":"PER_CHANNEL","dtype":"INT","bw":8,"is_sym":false,)"
                               R"("scale":[0.5,0.25],"offset":[-64,0]})"))
                 .encoding,
            *Encoding::per_channel({0, 255}, 1, {{0.5, 64}, {0.25, 0}}));
}

TEST(ReadOverrides, Version2) {
  EXPECT_EQ(*read_one(version2(R"({"name":"conv1","output_dtype":"uint8","y_scale":0.5,"y_zero_point":64})")).encoding,
            *Encoding::per_tensor({0, 255}, {0.5, 64}));
  EXPECT_EQ(*read_one(version2(R"({"name":"w","output_dtype":"int4","y_scale":[0.5,0.25],"axis":-2})")).encoding,
            *Encoding::per_channel({-8, 7}, 0, {{0.5, 0}, {0.25, 0}}));
}

TEST(ReadOverrides, InformationBesideTheEntriesIsKnown) {
  const OverridesFile file = read(
      R"({"version":"1.0.0","producer":"x","quantizer_args":{"a":1},"excluded_layers":[],"halfstep":{"options":{}},)"
      R"("activation_encodings":{},"param_encodings":[]})");
  EXPECT_TRUE(file.overrides.empty());
  EXPECT_TRUE(file.warnings.empty());
}

TEST(ReadOverrides, PlacesNameLines) {
  const OverridesFile file = read(R"({
  "activation_encodings": {
    "conv1": [
      {"bitwidth": 8}
    ], "conv2":
      [{"bitwidth": 8}]
  },
  "param_encodings": [
    {
      "bitwidth": 8,
      "name": "w"
    }
  ]
})");
  ASSERT_EQ(file.overrides.size(), 3U);
  EXPECT_EQ(file.overrides[0].place, "ov.json:3: activation_encodings 'conv1'");
  EXPECT_EQ(file.overrides[1].place, "ov.json:5: activation_encodings 'conv2'");
  EXPECT_EQ(file.overrides[2].place, "ov.json:11: param_encodings 'w'");
}

TEST(ReadOverrides, KeepsTheOrderOfTheFile) {
  EXPECT_EQ(summary(read(version0(R"("out":[{"bitwidth":16}],"conv2":[{"bitwidth":4}],"conv1":[{"bitwidth":8}])"))),
            "out=16 conv2=4 conv1=8");
}

TEST(ReadOverrides, Patterns) {
  EXPECT_EQ(summary(read(version0(R"("conv*":[{"bitwidth":16}])"))), "conv1=16 conv2=16");
  EXPECT_EQ(summary(read(version0(R"("*":[{"bitwidth":16}])"))), "conv1=16 conv2=16 out=16");
  EXPECT_EQ(summary(read(version0("", R"("*":[{"bitwidth":4}])"))), "b=4 w=4");
  EXPECT_EQ(summary(read(version0(R"("conv?":[{"bitwidth":16,"pattern":true}])"))), "conv1=16 conv2=16");
  EXPECT_EQ(summary(read(version1(R"({"name":"c*1","bw":16,"dtype":"INT","pattern":true})"))), "conv1=16");
  // The exact entry stays, wherever it stands; of patterns the last one wins.
  EXPECT_EQ(summary(read(version0(R"("conv*":[{"bitwidth":16}],"conv2":[{"bitwidth":8}])"))), "conv1=16 conv2=8");
  EXPECT_EQ(summary(read(version0(R"("conv2":[{"bitwidth":8}],"conv*":[{"bitwidth":16}])"))), "conv2=8 conv1=16");
  EXPECT_EQ(summary(read(version0(R"("*":[{"bitwidth":8}],"conv*":[{"bitwidth":16}])"))), "out=8 conv1=16 conv2=16");
  EXPECT_EQ(summary(read(version0(R"("conv*":[{"bitwidth":8,"min":-1,"max":1}])"))), "conv1=grid conv2=grid");
}

TEST(ReadOverrides, ATensorsNameIsNoPattern) {
  OverrideContext with = context();
  with.targets.emplace("c*", EncodingTarget{});
  EXPECT_EQ(summary(read(version0(R"("c*":[{"bitwidth":16}])"), with)), "c*=16");
  EXPECT_EQ(summary(read(version0(R"("c*":[{"bitwidth":16,"pattern":true}])"), with)), "c*=16 conv1=16 conv2=16");
}

TEST(ReadOverrides, EntriesAreForClonesToo) {
  OverrideContext with = context();
  with.targets.emplace("w_copy", with.targets.at("w"));
  with.targets.emplace("w_copy_2", with.targets.at("w"));
  const std::string w = R"("w":[{"bitwidth":4}])";
  const OverridesFile file = read(version0("", w), with);
  EXPECT_EQ(summary(file), "w=4 w_copy=4 w_copy_2=4");
  EXPECT_EQ(file.overrides[1].place, "ov.json:1: param_encodings 'w', for its clone 'w_copy'");
  EXPECT_EQ(summary(read(version0("", w + R"(,"w_copy":[{"bitwidth":8}])"), with)), "w=4 w_copy_2=4 w_copy=8");
  // The channels of a clone may be another axis.
  with.targets.at("w_copy").channel_axis = 1;
  with.targets.erase("w_copy_2");
  const OverridesFile grids = read(version1("", R"({"name":"w","enc_type":"PER_CHANNEL","dtype":"INT","bw":8,)"
                                                R"("is_sym":true,"scale":[1,2],"offset":[-128,-128]})"),
                                   with);
  EXPECT_EQ(summary(grids), "w=grid");
  EXPECT_EQ(grids.warnings,
            (std::vector<std::string>{"ov.json:1: param_encodings 'w', for its clone 'w_copy': the encoding has 2 "
                                      "channels, axis 1 of [2, 3] has 3; the clone keeps what calibration gives it"}));
}

TEST(ReadOverrides, MovedNames) {
  const OverridesFile same = read(version0(R"("same":[{"bitwidth":8,"min":-1,"max":1}])"));
  EXPECT_EQ(summary(same), "conv1=grid");
  EXPECT_EQ(same.overrides[0].place, "ov.json:1: activation_encodings 'same', moved from 'same'");
  EXPECT_EQ(summary(read(version0(R"("pre":[{"bitwidth":16}])"))), "conv2=16");
  EXPECT_EQ(summary(read(version0(R"("bn":[{"bitwidth":16,"dtype":"float"}])"))), "conv2=f16");
  EXPECT_EQ(summary(read(version2(R"({"name":"pre","output_dtype":"int32","y_scale":1})"))), "conv2=32");
  const OverridesFile named = read(version0(R"("pre":[{"bitwidth":16}],"conv2":[{"bitwidth":8}])"));
  EXPECT_EQ(summary(named), "conv2=8");
  EXPECT_EQ(named.warnings, (std::vector<std::string>{"ov.json:1: activation_encodings 'pre', moved from 'pre': no "
                                                      "effect, 'conv2' has an entry of its own"}));
}

TEST(ReadOverrides, WhatAimetWritesOfAFusedClip) {
  const std::string grid = R"(,"output_dtype":"uint8","y_scale":0.5})";
  const OverridesFile file =
      read(version2(R"({"name":"pre")" + grid + R"(,{"name":"high")" + grid + R"(,{"name":"conv2")" + grid));
  ASSERT_EQ(file.overrides.size(), 1U);
  EXPECT_EQ(file.overrides[0].tensor, "conv2");
  EXPECT_EQ(file.warnings,
            (std::vector<std::string>{"ov.json:1: encodings 'high': no effect, the tensor is a bound of Clip 'c', "
                                      "which is part of 'c2'"}));
  // Another grid in front than behind can't be had.
  const auto other = read_overrides(
      version2(R"({"name":"pre","output_dtype":"uint8","y_scale":0.25},{"name":"conv2")" + grid), "ov.json", context());
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(
      other.error().message,
      "ov.json:1: encodings 'pre': the tensor is the input of Relu 'r', which is part of 'c2'; write the entry for "
      "'conv2', or a width without a grid");
}

TEST(ReadOverrides, BlocksThatDoNotFit) {
  OverrideContext with = context();
  with.targets.at("w").shape = Shape{2, 4};
  const auto error = [&](const std::string& text) {
    const auto file = read_overrides(text, "ov.json", with);
    return file.ok() ? "none" : file.error().message;
  };
  const std::string lpbq = R"({"name":"w","enc_type":"LPBQ","dtype":"INT","bw":8,"compressed_bw":4,"is_sym":true,)";
  EXPECT_EQ(error(version1(
                "", lpbq + R"("block_size":2,"scale":[1,2],"offset":[-128,-128],"per_block_int_scale":[1,2,3,17]})")),
            "ov.json:1: param_encodings 'w': 'per_block_int_scale' holds 17, which is outside 1 to 16");
  EXPECT_EQ(
      error(version1("", lpbq + R"("block_size":3,"scale":[1,2],"offset":[-128,-128],"per_block_int_scale":[1,2,3]})")),
      "ov.json:1: param_encodings 'w': field 'per_block_int_scale' holds 3 numbers, the tensor needs 4");
  EXPECT_EQ(error(version1("", lpbq + R"("block_size":0,"scale":[1,2],"offset":[0,0],"per_block_int_scale":[1]})")),
            "ov.json:1: param_encodings 'w': field 'block_size' is not positive");
  EXPECT_EQ(
      error(version1(
          R"({"name":"conv1","enc_type":"PER_BLOCK","bw":8,"is_sym":true,"block_size":2,"scale":[1],"offset":[0]})")),
      "ov.json:1: activation_encodings 'conv1': only constants with axes have block-wise scales");
  EXPECT_EQ(error(version2(R"({"name":"w","output_dtype":"int4","y_scale":[[1],[2],[3]],"axis":1,"block_size":2})")),
            "ov.json:1: encodings 'w': field 'y_scale' has the shape [3, 1], expected [2, 2]");
  EXPECT_EQ(error(version2(R"({"name":"w","output_dtype":"int4","y_scale":[[1,2],[2]],"axis":1,"block_size":2})")),
            "ov.json:1: encodings 'w': field 'y_scale' has lists of unequal length");
  EXPECT_EQ(error(version2(R"({"name":"w","output_dtype":"int4","y_scale":[[1,2],[2,3]],"axis":2,"block_size":2})")),
            "ov.json:1: encodings 'w': axis 2 is not an axis of the tensor");
}

TEST(ReadOverrides, AConstantAmongActivationsIsAWarning) {
  const OverridesFile file = read(version0(R"("w":[{"bitwidth":4}])"));
  EXPECT_EQ(summary(file), "w=4");
  EXPECT_EQ(file.warnings, (std::vector<std::string>{"ov.json:1: activation_encodings 'w': the tensor is a constant: "
                                                     "its entry belongs into param_encodings"}));
}

TEST(ReadOverrides, Blocks) {
  OverrideContext with = context();
  with.targets.at("w").shape = Shape{2, 4};
  const std::vector<QuantParams> params{{1, 0}, {0.5, 0}, {2, 0}, {0.25, 0}};
  const Encoding expected = *Encoding::per_block(signed_grid(4), 1, 2, params);
  const std::string lpbq =
      R"({"name":"w","enc_type":"LPBQ","dtype":"INT","bw":8,"compressed_bw":4,"is_sym":true,"block_size":2,)"
      R"("scale":[0.125,0.25],"offset":[-128,-128],"per_block_int_scale":[8,4,8,1]})";
  for (const std::string& text :
       {version1("", lpbq),
        version2(R"({"name":"w","output_dtype":"int4","y_scale":[[1,0.5],[2,0.25]],"axis":1,"block_size":2})"),
        version2(R"({"name":"w","output_dtype":"int4","axis":1,"block_size":2,)"
                 R"("y_scale":{"x":[[8,4],[8,1]],"x_scale":[0.125,0.25],"axis":0}})")}) {
    const OverridesFile file = read(text, with);
    ASSERT_EQ(file.overrides.size(), 1U);
    EXPECT_EQ(*file.overrides[0].encoding, expected) << text;
  }
}

TEST(ReadOverrides, OurOwnBlocksComeBackEqual) {
  std::vector<QuantParams> params;
  for (int i = 0; i < 2 * 3 * 3 * 2; ++i) params.push_back({0.001 * (i + 1), i % 5});
  for (const IntGrid grid : {unsigned_grid(4), signed_grid(8), narrow_signed_grid(8)}) {
    EncodingSet set;
    set.emplace("w", TensorEncoding{.encoding = *Encoding::per_block(grid, 1, 2, params),
                                    .role = TensorRole::kWeight,
                                    .provenance = {},
                                    .codes = Tensor(TensorType{DType::kInt8, Shape{2, 5, 3, 2}})});
    OverrideContext with = context();
    with.targets.at("w").shape = Shape{2, 5, 3, 2};
    for (const auto version : {EncodingsVersion::k1_0_0, EncodingsVersion::k2_0_0}) {
      const OverridesFile file = read(write_encodings(set, own_header(version)), with);
      ASSERT_EQ(file.overrides.size(), 1U);
      EXPECT_EQ(*file.overrides[0].encoding, set.at("w").encoding) << name_of(version);
    }
  }
}

TEST(ReadOverridesProperty, OurOwnFilesComeBackEqual) {
  std::mt19937_64 rng(7);
  std::uniform_real_distribution<double> exponent(-20.0, 5.0);
  const std::vector<IntGrid> grids = {unsigned_grid(8),       signed_grid(8),  narrow_signed_grid(8), signed_grid(7),
                                      unsigned_grid(7),       signed_grid(16), unsigned_grid(16),     {-100, 100},
                                      narrow_signed_grid(16), signed_grid(4),  narrow_signed_grid(4), signed_grid(2)};
  for (int round = 0; round < 100; ++round) {
    EncodingSet set;
    OverrideContext with;
    for (std::size_t g = 0; g < grids.size(); ++g) {
      const TensorRole role = rng() % 2 == 0 ? TensorRole::kActivation : TensorRole::kWeight;
      const bool per_channel = rng() % 2 == 0;
      const bool centred = rng() % 2 == 0;
      std::vector<QuantParams> params;
      for (int c = 0; c < (per_channel ? 5 : 1); ++c) {
        const std::uint64_t span = static_cast<std::uint64_t>(std::int64_t{grids[g].q_max} - grids[g].q_min + 1);
        const auto drawn = static_cast<std::int32_t>(grids[g].q_min + static_cast<std::int64_t>(rng() % span));
        params.push_back({std::pow(10.0, exponent(rng)), centred ? 0 : drawn});
      }
      const std::string name = "t" + std::to_string(g);
      set.emplace(name, TensorEncoding{.encoding = per_channel ? *Encoding::per_channel(grids[g], 1, params)
                                                               : *Encoding::per_tensor(grids[g], params[0]),
                                       .role = role,
                                       .provenance = {},
                                       .codes = {}});
      with.targets.emplace(name, EncodingTarget{.role = role, .channel_axis = 1, .shape = Shape{2, 5}});
    }
    for (const auto version : {EncodingsVersion::k0_6_1, EncodingsVersion::k1_0_0, EncodingsVersion::k2_0_0}) {
      const OverridesFile file = read(write_encodings(set, own_header(version)), with);
      EXPECT_TRUE(file.warnings.empty()) << file.warnings.front();
      ASSERT_EQ(file.overrides.size(), set.size());
      for (const Override& one : file.overrides) {
        ASSERT_EQ(*one.encoding, set.at(one.tensor).encoding) << one.tensor << " " << name_of(version);
      }
    }
  }
}

// Every change of a byte gives an override, or one line that says what is wrong.
TEST(ReadOverridesProperty, DamagedTextsAreReadOrRefused) {
  const std::vector<std::string> texts = {
      version0(R"("conv1":[{"bitwidth":8,"is_symmetric":"True","min":-1,"max":1,"offset":-128,"scale":0.01}])",
               R"("w":[{"bitwidth":4},{"bitwidth":4}],"b":[{"bitwidth":16,"dtype":"float"}])"),
      version1(R"({"name":"conv*","bw":8,"dtype":"INT","is_sym":false,"scale":[1],"offset":[-3],"pattern":true})",
               R"({"name":"w","enc_type":"LPBQ","bw":8,"compressed_bw":4,"block_size":2,"is_sym":true,"scale":[1,2],)"
               R"("offset":[-128,-128],"per_block_int_scale":[1,2,3,4]})"),
      version2(R"({"name":"w","output_dtype":"int4","axis":1,"block_size":2,)"
               R"("y_scale":{"x":[[1,2],[3,4]],"x_scale":[1,2],"axis":0}})")};
  std::mt19937_64 rng(3);
  constexpr std::string_view kBytes = "{}[]\",:0123456789-.e\\*? \ntrufalsn";
  for (int round = 0; round < 4000; ++round) {
    std::string text = texts[rng() % texts.size()];
    for (int changes = 1 + static_cast<int>(rng() % 3); changes > 0; --changes) {
      const std::size_t at = rng() % text.size();
      if (rng() % 2 == 0) {
        text[at] = kBytes[rng() % kBytes.size()];
      } else {
        text.erase(at, 1 + rng() % 4);
      }
    }
    for (const bool lenient : {false, true}) {
      const auto file = read_overrides(text, "ov.json", context(lenient));
      if (file.ok()) continue;
      ASSERT_TRUE(file.error().message.starts_with("ov.json:")) << text;
      ASSERT_EQ(file.error().message.find('\n'), std::string::npos) << text;
    }
  }
}

TEST(ReadOverrides, AChangedEntryGoesBeforeItsRecordedGrid) {
  OverrideContext with = context();
  const EncodingSet set{
      {"conv1", {.encoding = *Encoding::per_tensor(narrow_signed_grid(8), {0.5, 0}), .provenance = {}, .codes = {}}}};
  std::string text = write_encodings(set, own_header(EncodingsVersion::k1_0_0));
  text.replace(text.find("\"bw\":8"), 6, "\"bw\":16").replace(text.find("[-128]"), 6, "[-32768]");
  EXPECT_EQ(*read(text, with).overrides.at(0).encoding, *Encoding::per_tensor(signed_grid(16), {0.5, 0}));
}

}  // namespace
}  // namespace halfstep::io
