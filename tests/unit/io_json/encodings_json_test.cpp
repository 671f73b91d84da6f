// encodings_json_test.cpp: golden texts of every written version, and what reading accepts and refuses.
#include "io/json/encodings_json.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "io/json/own_records.hpp"

namespace halfstep::io {
namespace {

/// One encoding of each kind, with scales that are short in decimal.
EncodingSet small_set() {
  EncodingSet set;
  const auto add = [&](const std::string& name, Encoding encoding, TensorRole role, Provenance provenance) {
    set.emplace(name,
                TensorEncoding{
                    .encoding = std::move(encoding), .role = role, .provenance = std::move(provenance), .codes = {}});
  };
  add("act", *Encoding::per_tensor({0, 255}, {0.015625, 64}), TensorRole::kActivation,
      {Origin::kCalibrated, "min-max"});
  add("b \"1\"", *Encoding::per_channel(signed_grid(32), 0, {{0.0001220703125, 0}, {0.000244140625, 0}}),
      TensorRole::kBias, {Origin::kDerived, "node 'c'"});
  add("out", *Encoding::per_tensor({-128, 127}, {0.5, 0}), TensorRole::kActivation, {Origin::kShared, "act"});
  add("w", *Encoding::per_channel({-127, 127}, 0, {{0.0078125, 0}, {0.015625, 0}}), TensorRole::kWeight,
      {Origin::kWeights, ""});
  return set;
}

EncodingsHeader header(EncodingsVersion version) {
  return {.version = version,
          .producer = "halfstep 0.1.0",
          .arithmetic = "float_half_even",
          .options = {{"act_bitwidth", "8"}, {"scale", "affine"}}};
}

EncodingTargets targets() {
  return {{"act", {}},
          {"out", {}},
          {"w", {.role = TensorRole::kWeight, .channel_axis = 0, .shape = Shape{2, 3}}},
          {"b \"1\"", {.role = TensorRole::kBias, .channel_axis = 0, .shape = Shape{2}}}};
}

constexpr const char* kOwnKey = R"text(  "halfstep": {
    "arithmetic": "float_half_even",
    "options": {"act_bitwidth":"8","scale":"affine"},
    "provenance": {"act":"calibrated (min-max)","b \"1\"":"scale of input times scale of weight (node 'c')","out":"same as 'act'","w":"from its values"},
    "grids": {"w":[-127,127]}
  }
}
)text";

TEST(WriteEncodings, Version1) {
  EXPECT_EQ(write_encodings(small_set(), header(EncodingsVersion::k1_0_0)), std::string(R"({
  "version": "1.0.0",
  "producer": "halfstep 0.1.0",
  "quantizer_args": {"activation_bitwidth":8,"dtype":"int","is_symmetric":true,"param_bitwidth":8,"per_channel_quantization":true,"quant_scheme":"post_training_tf"},
  "excluded_layers": [],
  "activation_encodings": [
    {"name":"act","enc_type":"PER_TENSOR","dtype":"INT","bw":8,"is_sym":false,"scale":[0.015625],"offset":[-64]},
    {"name":"out","enc_type":"PER_TENSOR","dtype":"INT","bw":8,"is_sym":true,"scale":[0.5],"offset":[-128]}
  ],
  "param_encodings": [
    {"name":"b \"1\"","enc_type":"PER_CHANNEL","dtype":"INT","bw":32,"is_sym":true,"scale":[0.0001220703125,0.000244140625],"offset":[-2147483648,-2147483648]},
    {"name":"w","enc_type":"PER_CHANNEL","dtype":"INT","bw":8,"is_sym":true,"scale":[0.0078125,0.015625],"offset":[-128,-128]}
  ],
)") + kOwnKey);
}

TEST(WriteEncodings, Version0_6_1) {
  EncodingSet set = small_set();
  set.erase("b \"1\"");
  const std::string text = write_encodings(set, header(EncodingsVersion::k0_6_1));
  EXPECT_EQ(text.substr(0, text.find("  \"halfstep\"")), R"({
  "version": "0.6.1",
  "producer": "halfstep 0.1.0",
  "quantizer_args": {"activation_bitwidth":8,"dtype":"int","is_symmetric":true,"param_bitwidth":8,"per_channel_quantization":true,"quant_scheme":"post_training_tf"},
  "activation_encodings": {
    "act": [{"bitwidth":8,"dtype":"int","is_symmetric":"False","max":2.984375,"min":-1.0,"offset":-64,"scale":0.015625}],
    "out": [{"bitwidth":8,"dtype":"int","is_symmetric":"True","max":63.5,"min":-64.0,"offset":-128,"scale":0.5}]
  },
  "param_encodings": {
    "w": [{"bitwidth":8,"dtype":"int","is_symmetric":"True","max":0.9921875,"min":-1.0,"offset":-128,"scale":0.0078125},{"bitwidth":8,"dtype":"int","is_symmetric":"True","max":1.984375,"min":-2.0,"offset":-128,"scale":0.015625}]
  },
)");
}

TEST(WriteEncodings, Version2) {
  const std::string text = write_encodings(small_set(), header(EncodingsVersion::k2_0_0));
  EXPECT_EQ(text, std::string(R"({
  "version": "2.0.0",
  "producer": "halfstep 0.1.0",
  "encodings": [
    {"name":"act","output_dtype":"uint8","y_scale":0.015625,"y_zero_point":64},
    {"name":"b \"1\"","output_dtype":"int32","y_scale":[0.0001220703125,0.000244140625],"axis":0},
    {"name":"out","output_dtype":"int8","y_scale":0.5},
    {"name":"w","output_dtype":"int8","y_scale":[0.0078125,0.015625],"axis":0}
  ],
)") + kOwnKey);
}

TEST(WriteEncodings, WeightsAreRecordedIfTheyAreKnown) {
  EXPECT_EQ(read_own_records(write_encodings(small_set(), header(EncodingsVersion::k1_0_0))).weights, "");
  for (const auto version : {EncodingsVersion::k0_6_1, EncodingsVersion::k1_0_0, EncodingsVersion::k2_0_0}) {
    EncodingsHeader with_weights = header(version);
    with_weights.weights = "0123456789abcdef";
    const std::string text = write_encodings(small_set(), with_weights);
    EXPECT_NE(text.find("\n    \"weights\": \"0123456789abcdef\",\n"), std::string::npos) << text;
    EXPECT_EQ(read_own_records(text).weights, "0123456789abcdef");
    EXPECT_TRUE(read_encodings(text, "e.json", targets()).ok());
  }
  for (const char* text : {"", "[]", "{}", R"({"halfstep":1})", R"({"halfstep":{"weights":1}})"}) {
    EXPECT_EQ(read_own_records(text).weights, "") << text;
  }
}

TEST(WriteEncodings, EmptySetIsStillADocument) {
  for (const auto version : {EncodingsVersion::k0_6_1, EncodingsVersion::k1_0_0, EncodingsVersion::k2_0_0}) {
    const auto read = read_encodings(write_encodings({}, header(version)), "e.json", targets());
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_TRUE(read->encodings.empty());
  }
}

// Scales are drawn, so that most have no short decimal form.
TEST(ReadEncodingsProperty, ReadsBackExactlyWhatEveryVersionWrote) {
  std::mt19937_64 rng(11);
  std::uniform_real_distribution<double> exponent(-20.0, 5.0);
  const std::vector<IntGrid> grids = {unsigned_grid(8), signed_grid(8),        narrow_signed_grid(8), unsigned_grid(16),
                                      unsigned_grid(4), narrow_signed_grid(4), signed_grid(16)};
  for (int round = 0; round < 200; ++round) {
    EncodingSet set;
    EncodingTargets known;
    for (std::size_t g = 0; g < grids.size(); ++g) {
      const std::string name = "t" + std::to_string(g);
      const bool per_channel = rng() % 2 == 0;
      std::vector<QuantParams> params;
      for (int c = 0; c < (per_channel ? 5 : 1); ++c) {
        const std::int64_t span = std::int64_t{grids[g].q_max} + 1;
        params.push_back(
            {std::pow(10.0, exponent(rng)),
             is_signed(grids[g]) ? 0 : static_cast<std::int32_t>(static_cast<std::int64_t>(rng() >> 1) % span)});
      }
      Encoding encoding =
          per_channel ? *Encoding::per_channel(grids[g], 1, params) : *Encoding::per_tensor(grids[g], params[0]);
      set.emplace(
          name,
          TensorEncoding{.encoding = std::move(encoding), .role = TensorRole::kWeight, .provenance = {}, .codes = {}});
      known.emplace(name, EncodingTarget{.role = TensorRole::kWeight, .channel_axis = 1, .shape = Shape{2, 5}});
    }
    for (const auto version : {EncodingsVersion::k0_6_1, EncodingsVersion::k1_0_0, EncodingsVersion::k2_0_0}) {
      const auto read = read_encodings(write_encodings(set, header(version)), "e.json", known);
      ASSERT_TRUE(read.ok()) << read.error().message;
      EXPECT_TRUE(read->warnings.empty());
      ASSERT_EQ(read->encodings.size(), set.size());
      for (const auto& [name, entry] : set) {
        const TensorEncoding& back = read->encodings.at(name);
        ASSERT_EQ(back.encoding.grid(), entry.encoding.grid()) << name << name_of(version);
        ASSERT_EQ(back.encoding.axis(), entry.encoding.axis());
        ASSERT_EQ(back.encoding.params(), entry.encoding.params()) << name << " " << name_of(version);
        ASSERT_TRUE(back.frozen);
        ASSERT_EQ(back.role, TensorRole::kWeight);
      }
    }
  }
}

Encoding read_one(const std::string& text, const std::string& name = "act") {
  const auto read = read_encodings(text, "e.json", targets());
  if (!read.ok()) {
    ADD_FAILURE() << read.error().message;
    return *Encoding::per_tensor({0, 1}, {1.0, 0});
  }
  return read->encodings.at(name).encoding;
}

TEST(ReadEncodings, LegacyTextOfVersion0_4) {
  // Strings for booleans, offsets as -128.0, no dtype.
  const Encoding act = read_one(
      R"({"version":"0.4.0","activation_encodings":{"act":[{"bitwidth":8,"is_symmetric":"False","min":0.0,"max":5.1,"offset":0,"scale":0.02}]},"param_encodings":{}})");
  EXPECT_EQ(act, *Encoding::per_tensor({0, 255}, {0.02, 0}));
  const Encoding w = read_one(
      R"({"activation_encodings":{},"param_encodings":{"w":[{"bitwidth":8,"is_symmetric":"True","min":-1.28,"max":1.27,"offset":-128.0,"scale":0.01},{"bitwidth":8,"is_symmetric":"True","min":-0.64,"max":0.635,"offset":-128.0,"scale":0.005}]}})",
      "w");
  EXPECT_EQ(w, *Encoding::per_channel({-128, 127}, 0, {{0.01, 0}, {0.005, 0}}));
}

TEST(ReadEncodings, MinAndMaxWinOverScaleAndOffset) {
  const std::string text =
      R"({"activation_encodings":{"act":[{"bitwidth":8,"is_symmetric":false,"min":-1.8,"max":0.5,"offset":17,"scale":0.5}]}})";
  const auto read = read_encodings(text, "e.json", targets());
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->encodings.at("act").encoding, *Encoding::per_tensor({0, 255}, {2.3 / 255, 200}));
  ASSERT_EQ(read->warnings.size(), 1U);
  EXPECT_EQ(read->warnings[0],
            "e.json: activation_encodings 'act': the stored scale 0.5 contradicts min and max, which win");
}

TEST(ReadEncodings, OffsetsOfVersion1) {
  const auto with = [](const std::string& fields) {
    return R"({"version":"1.0.0","param_encodings":[],"activation_encodings":[{"name":"act","enc_type":"PER_TENSOR","dtype":"INT","scale":[0.5],)" +
           fields + "}]}";
  };
  EXPECT_EQ(read_one(with(R"("bw":8,"is_sym":false,"offset":[-64])")), *Encoding::per_tensor({0, 255}, {0.5, 64}));
  EXPECT_EQ(read_one(with(R"("bw":8,"is_sym":true,"offset":[-128])")), *Encoding::per_tensor({-128, 127}, {0.5, 0}));
  EXPECT_EQ(read_one(with(R"("bw":8,"is_sym":true,"offset":[-127])")), *Encoding::per_tensor({-127, 127}, {0.5, 0}));
  EXPECT_EQ(read_one(with(R"("bw":8,"is_sym":true,"offset":[0])")), *Encoding::per_tensor({0, 255}, {0.5, 0}));
  EXPECT_FALSE(read_encodings(with(R"("bw":8,"is_sym":false,"offset":[64])"), "e", targets()).ok());
  EXPECT_FALSE(read_encodings(with(R"("bw":8,"is_sym":true,"offset":[-64])"), "e", targets()).ok());
  EXPECT_FALSE(read_encodings(with(R"("bw":8,"is_sym":false,"offset":[-256])"), "e", targets()).ok());
  EXPECT_FALSE(read_encodings(with(R"("bw":33,"is_sym":false,"offset":[0])"), "e", targets()).ok());
  EXPECT_FALSE(read_encodings(with(R"("bw":32,"is_sym":false,"offset":[0])"), "e", targets()).ok());
}

TEST(ReadEncodings, FloatEntriesAreListedApart) {
  const auto read = read_encodings(
      R"({"activation_encodings":[{"name":"act","dtype":"FLOAT","bw":16,"enc_type":"PER_TENSOR"}],"param_encodings":{"w":[{"dtype":"float","bitwidth":16}]}})",
      "e.json", targets());
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->reals, (std::map<std::string, int>{{"act", 16}, {"w", 16}}));
  EXPECT_TRUE(read->encodings.empty());
}

struct BadFile {
  std::string text;
  std::string message;
};

TEST(ReadEncodings, ErrorsNameFileAndEntry) {
  const std::vector<BadFile> bad = {
      {"{", "e.json: not valid JSON at byte 2, line 1"},
      {"[]", "e.json: the document is not an object"},
      {"{}", "e.json: none of 'activation_encodings', 'param_encodings' and 'encodings' is present"},
      {R"({"encodings":3})", "e.json: encodings is neither a list nor an object"},
      {R"({"encodings":[{}]})", "e.json: entry 0 of encodings has no name"},
      {R"({"encodings":{"acT":{"output_dtype":"int8","y_scale":1}}})",
       "e.json: encodings 'acT': the model has no tensor of that name, did you mean 'act'?"},
      {R"({"encodings":{"act":1,"act":2}})", "e.json: the name 'act' occurs twice in one object, again on line 1"},
      {R"({"encodings":{"act":1}})", "e.json: encodings 'act': it is neither an object nor a list"},
      {R"({"encodings":{"act":{}}})",
       "e.json: encodings 'act': it has none of the fields 'bw', 'bitwidth' and 'output_dtype'"},
      {R"({"encodings":{"act":[]}})", "e.json: encodings 'act': the list is empty"},
      {R"({"encodings":{"act":{"output_dtype":"int8"}}})", "e.json: encodings 'act': field 'y_scale' is missing"},
      {R"({"encodings":{"act":{"output_dtype":"float8e5m2","y_scale":1}}})",
       "e.json: encodings 'act': output_dtype 'float8e5m2' is not supported"},
      {R"({"encodings":{"act":{"output_dtype":"int8","y_scale":[[1]]}}})",
       "e.json: encodings 'act': field 'block_size' is missing"},
      {R"({"encodings":{"act":{"output_dtype":"int8","y_scale":0}}})",
       "e.json: encodings 'act': the scale is not a finite positive float32"},
      {R"({"encodings":{"act":{"output_dtype":"int8","y_scale":1,"y_zero_point":200}}})",
       "e.json: encodings 'act': zero point 200 is outside int8"},
      {R"({"encodings":{"act":{"output_dtype":"int8","y_scale":[1,2]}}})",
       "e.json: encodings 'act': it has 2 channels, the tensor has no channel axis"},
      {R"({"encodings":{"w":{"output_dtype":"int8","y_scale":[1,2,3],"axis":0}}})",
       "e.json: encodings 'w': the encoding has 3 channels, axis 0 of [2, 3] has 2"},
      {R"({"encodings":{"w":{"output_dtype":"int8","y_scale":[1,2],"axis":-3}}})",
       "e.json: encodings 'w': axis -3 is not an axis of the tensor"},
      {R"({"activation_encodings":{"act":[{"bitwidth":8,"min":0}]}})",
       "e.json: activation_encodings 'act': field 'max' is missing"},
      {R"({"activation_encodings":{"act":[{"bitwidth":8.5,"min":0,"max":1}]}})",
       "e.json: activation_encodings 'act': field 'bitwidth' is not an integer"},
      {R"({"activation_encodings":{"act":[{"bitwidth":8,"min":0,"max":1e999}]}})",
       "e.json: not valid JSON: a number on line 1 is out of range"},
      {R"({"activation_encodings":[{"name":"act","bw":8,"is_sym":"maybe","scale":[1],"offset":[0]}]})",
       "e.json: activation_encodings 'act': field 'is_sym' is neither true nor false"},
      {R"({"activation_encodings":[{"name":"act","bw":8,"is_sym":false,"scale":[1,2],"offset":[0]}]})",
       "e.json: activation_encodings 'act': 2 scales but 1 offsets"},
      {R"({"activation_encodings":[{"name":"act","bw":8,"enc_type":"LPBQ"}]})",
       "e.json: activation_encodings 'act': field 'block_size' is missing"},
      {R"({"activation_encodings":[{"name":"act","dtype":"FLOAT","bw":16}],"param_encodings":{"act":[{"dtype":"float","bitwidth":16}]}})",
       "e.json: param_encodings 'act': the tensor has an entry already"},
  };
  for (const BadFile& file : bad) {
    const auto read = read_encodings(file.text, "e.json", targets());
    ASSERT_FALSE(read.ok()) << file.text;
    EXPECT_EQ(read.error().message, file.message);
  }
}

TEST(EncodingsVersionName, RoundTrips) {
  EXPECT_EQ(*encodings_version("0.6.1"), EncodingsVersion::k0_6_1);
  EXPECT_EQ(*encodings_version("2.0.0"), EncodingsVersion::k2_0_0);
  EXPECT_EQ(encodings_version("1.0").error().code, ErrorCode::kUsage);
}

// AIMET lists blocks channel by channel; version 2 nests them as the tensor lies.
TEST(WriteEncodings, Blocks) {
  EncodingSet set;
  const Encoding blocks =
      *Encoding::per_block(signed_grid(4), 0, 2, {{0.5, 0}, {1, 0}, {1.5, 0}, {2, 0}, {2.5, 0}, {3, 0}});
  set.emplace("w", TensorEncoding{.encoding = blocks,
                                  .role = TensorRole::kWeight,
                                  .provenance = {},
                                  .codes = Tensor(TensorType{DType::kInt8, Shape{5, 2}})});
  EXPECT_NE(write_encodings(set, header(EncodingsVersion::k1_0_0))
                .find(R"({"name":"w","enc_type":"PER_BLOCK","dtype":"INT","bw":4,"is_sym":true,)"
                      R"("scale":[0.5,1.5,2.5,1.0,2.0,3.0],"offset":[-8,-8,-8,-8,-8,-8],"block_size":2})"),
            std::string::npos);
  EXPECT_NE(write_encodings(set, header(EncodingsVersion::k2_0_0))
                .find(R"({"name":"w","output_dtype":"int4","y_scale":[[0.5,1.0],[1.5,2.0],[2.5,3.0]],)"
                      R"("axis":0,"block_size":2})"),
            std::string::npos);
  EXPECT_TRUE(check_version(set, EncodingsVersion::k2_0_0).ok());
  EXPECT_EQ(check_version(set, EncodingsVersion::k0_6_1).error().message,
            "encodings version 0.6.1 has no grids for each block, as 'w' has; use version 1.0.0 or 2.0.0");
}

}  // namespace
}  // namespace halfstep::io
