// Contract under test: src/pipeline/other_grids.hpp.
#include "pipeline/other_grids.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace halfstep::pipeline {
namespace {

TEST(OnBits, EveryPointOfTheOldGridIsOnTheNewOne) {
  const Encoding old = *Encoding::per_tensor(unsigned_grid(8), {0.03, 77});
  const Encoding wide = on_bits(old, 16);
  EXPECT_EQ(wide.grid(), unsigned_grid(16));
  const QuantParams from = old.params()[0];
  const QuantParams to = wide.params()[0];
  for (std::int32_t q = 0; q <= 255; ++q) {
    EXPECT_EQ(from.scale * (q - from.zero_point), to.scale * (q * 256 - to.zero_point)) << q;
  }
  EXPECT_EQ(wide.real_min(), old.real_min());
  EXPECT_GE(wide.real_max(), old.real_max());
  EXPECT_LT(wide.real_max(), old.real_max() + from.scale);
}

TEST(OnBits, PowersOfTwoChannelsAndBlocksStayWhatTheyAre) {
  EXPECT_TRUE(on_bits(*Encoding::per_tensor(signed_grid(8), {0.125, 0}), 16).is_power_of_two());
  const Encoding channels = on_bits(*Encoding::per_channel(narrow_signed_grid(4), 1, {{0.5, 0}, {2.0, 0}}), 8);
  EXPECT_EQ(channels, *Encoding::per_channel(signed_grid(8), 1, {{0.5 / 16, 0}, {2.0 / 16, 0}}));
  const Encoding blocks = on_bits(*Encoding::per_block(signed_grid(4), 0, 32, {{0.5, 0}, {2.0, 0}}), 16);
  EXPECT_EQ(blocks, *Encoding::per_block(signed_grid(16), 0, 32, {{0.5 / 4096, 0}, {2.0 / 4096, 0}}));
}

TEST(OnBits, AsWideOnesStay) {
  const Encoding wide = *Encoding::per_tensor(unsigned_grid(16), {0.03, 77});
  EXPECT_EQ(on_bits(wide, 16), wide);
  const Encoding bytes = *Encoding::per_tensor(signed_grid(8), {0.03, 7});
  EXPECT_EQ(on_bits(bytes, 8), bytes);
}

calib::Observations observed(const std::string& name, std::vector<float> values) {
  calib::Observation seen;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  calib::Moments moments;
  moments.count = static_cast<std::int64_t>(values.size());
  moments.min = *low;
  moments.max = *high;
  seen.moments.add(moments);
  seen.samples.add(moments);
  seen.histogram.add(values);
  return {{name, seen}};
}

QuantizedGraph with_activation(Encoding encoding) {
  QuantizedGraph model;
  model.encodings.emplace(
      "a",
      TensorEncoding{.encoding = std::move(encoding), .role = TensorRole::kActivation, .provenance = {}, .codes = {}});
  return model;
}

TEST(NewRanges, FitTheValuesOnAGridOfTheSameKind) {
  const calib::Observations seen = observed("a", {-1.0F, 0.25F, 2.0F});
  const auto refitted = [&](Encoding encoding) {
    return find_encoding(
               with_new_ranges(with_activation(std::move(encoding)), {"a"}, seen, RangeMethod::kMinMax)->encodings, "a")
        ->encoding;
  };
  const Encoding affine = refitted(*Encoding::per_tensor(unsigned_grid(8), {1.0, 128}));
  EXPECT_NEAR(affine.real_min(), -1.0, 0.01);
  EXPECT_NEAR(affine.real_max(), 2.0, 0.01);
  const Encoding symmetric = refitted(*Encoding::per_tensor(signed_grid(8), {0.7, 0}));
  EXPECT_EQ(symmetric.params()[0].zero_point, 0);
  EXPECT_NEAR(symmetric.real_max(), 2.0, 0.01);
  const Encoding shifts = refitted(*Encoding::per_tensor(signed_grid(8), {4.0, 0}));
  EXPECT_EQ(shifts, *Encoding::per_tensor(signed_grid(8), {2.0 / 128, 0}));
}

TEST(NewRanges, WhatWasNotObservedStays) {
  const QuantizedGraph model = with_activation(*Encoding::per_tensor(unsigned_grid(8), {1.0, 128}));
  const Result<QuantizedGraph> same = with_new_ranges(model, {"a", "b"}, {}, RangeMethod::kMse);
  ASSERT_TRUE(same.ok());
  EXPECT_EQ(find_encoding(same->encodings, "a")->encoding, find_encoding(model.encodings, "a")->encoding);
}

}  // namespace
}  // namespace halfstep::pipeline
