// read_mutations_test.cpp: damaged models give an error or a valid graph, nothing else.
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <iterator>

#include "reader_support.hpp"

namespace halfstep::io {
namespace {

std::string digits_model() {
  std::ifstream file(std::string(HALFSTEP_TEST_DATA) + "/digits/digits.onnx", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// splitmix64: the same damage on every machine.
class Random {
 public:
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }

 private:
  std::uint64_t state_ = 1;
};

void expect_valid_or_error(const std::string& bytes, const std::string& what) {
  const auto model = read_bytes(bytes);
  if (!model.ok()) {
    EXPECT_FALSE(model.error().message.empty()) << what;
    EXPECT_EQ(model.error().message.find('\n'), std::string::npos) << what;
    return;
  }
  EXPECT_TRUE(graph::verify(model->graph).ok()) << what;
}

TEST(ReadMutations, TheModelItselfIsFine) { EXPECT_TRUE(read_bytes(digits_model()).ok()); }

TEST(ReadMutations, TruncatedModelsAreErrors) {
  const std::string model = digits_model();
  for (int i = 0; i < 200; ++i) {
    const std::size_t size = model.size() * static_cast<std::size_t>(i) / 200;
    EXPECT_FALSE(read_bytes(model.substr(0, size)).ok()) << size;
  }
}

TEST(ReadMutations, RandomDamageNeverCrashes) {
  const std::string model = digits_model();
  // Most bytes are weights, where damage is invisible: the last tenth, which
  // holds names, inputs and outputs, is hit as often as all the rest.
  const std::size_t tail = model.size() - model.size() / 10;
  Random random;
  for (int i = 0; i < 2000; ++i) {
    std::string damaged = model;
    const std::size_t num_hits = 1 + random.below(8);
    for (std::size_t hit = 0; hit < num_hits; ++hit) {
      const bool at_end = random.below(2) == 0;
      const std::size_t at = at_end ? tail + random.below(model.size() - tail) : random.below(model.size());
      damaged[at] = static_cast<char>(damaged[at] ^ static_cast<char>(1U << random.below(8)));
    }
    expect_valid_or_error(damaged, "mutation " + std::to_string(i));
  }
}

// A model without weights, so that most hits change its structure.
TEST(ReadMutations, StructuralDamageNeverCrashes) {
  const std::string branch = "node { op_type: 'Relu' input: 'x' output: 'b' } output { name: 'b' }";
  const std::string model = model_bytes(
      model_text(input_text("x") +
                     "initializer { name: 's' data_type: 7 dims: 2 int64_data: 1 int64_data: 6 } "
                     "node { op_type: 'F' domain: 'mine' input: 'x' output: 'f' } "
                     "node { op_type: 'Split' input: 'f' output: 'p' output: 'q' "
                     "attribute { name: 'split' type: INTS ints: 1 ints: 2 } } "
                     "node { op_type: 'Softmax' input: 'p' output: 'z' attribute { name: 'axis' type: INT i: 0 } } "
                     "node { op_type: 'If' input: 'z' output: 'y' attribute { name: 'then_branch' type: GRAPH g { " +
                     branch + " } } } " + output_text("y"),
                 11) +
      " opset_import { domain: 'mine' version: 1 } functions { domain: 'mine' name: 'F' input: 'a' output: 'b' "
      "opset_import { version: 11 } node { op_type: 'Relu' input: 'a' output: 'b' } }");
  ASSERT_TRUE(read_bytes(model).ok()) << error_of(read_bytes(model));
  Random random;
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = model;
    const std::size_t num_hits = 1 + random.below(4);
    for (std::size_t hit = 0; hit < num_hits; ++hit) {
      damaged[random.below(damaged.size())] = static_cast<char>(random.next());
    }
    expect_valid_or_error(damaged, "mutation " + std::to_string(i));
  }
}

TEST(ReadMutations, OtherFilesAreNoModels) {
  EXPECT_EQ(error_of(read_bytes("")), "invalid: is empty");
  EXPECT_EQ(error_of(read_bytes("%PDF-1.4 certainly not a model")),
            "invalid: is not an ONNX model, or a truncated one");
  EXPECT_EQ(error_of(read_onnx(std::filesystem::path("/nonexistent/m.onnx"))),
            "invalid: /nonexistent/m.onnx: cannot be read: No such file or directory");
  EXPECT_EQ(error_of(read_onnx(std::filesystem::path("/tmp"))), "invalid: /tmp: cannot be read: not a regular file");
}

}  // namespace
}  // namespace halfstep::io
