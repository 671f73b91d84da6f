// each_isa.hpp: the instruction sets kernel tests run on, and random data for them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kernels/isa.hpp"
#include "kernels/kernel_table.hpp"

namespace halfstep::kernels {

inline std::vector<float> random_floats(std::mt19937& rng, std::int64_t count, float low = -1.0F, float high = 1.0F) {
  std::uniform_real_distribution<float> any(low, high);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = any(rng);
  return values;
}

/// Tests of this kind run once for each instruction set.
class EachIsa : public testing::TestWithParam<Isa> {
 protected:
  const KernelTable& table() const { return table_for(GetParam()); }
};

inline std::string isa_test_name(const testing::TestParamInfo<Isa>& info) { return std::string(name_of(info.param)); }

}  // namespace halfstep::kernels
