// einsum_test.cpp: contract under test: Einsum, against a sum over all labels.
#include <map>
#include <random>

#include "unit/ops/movement_run.hpp"

namespace halfstep::ops {
namespace {

using ::testing::HasSubstr;

Tensor einsum(const std::string& equation, const Operands& operands) {
  return run("Einsum", {{"equation", equation}}, operands);
}
std::string einsum_error(const std::string& equation, const Operands& operands) {
  return error_of("Einsum", {{"equation", equation}}, operands);
}

TEST(Einsum, TheUsualEquations) {
  const Tensor a = floats({2, 2}, {1, 2, 3, 4});
  const Tensor b = floats({2, 2}, {5, 6, 7, 8});
  expect_same(einsum("ij,jk->ik", {a, b}), floats({2, 2}, {19, 22, 43, 50}));
  expect_same(einsum("ij,kj->ik", {a, b}), floats({2, 2}, {17, 23, 39, 53}));
  expect_same(einsum("ij->ji", {a}), floats({2, 2}, {1, 3, 2, 4}));
  expect_same(einsum("ii", {a}), floats({}, {5}));
  expect_same(einsum("ii->i", {a}), floats({2}, {1, 4}));
  expect_same(einsum("ij->j", {a}), floats({2}, {4, 6}));
  expect_same(einsum("ij,ij->", {a, b}), floats({}, {70}));
  expect_same(einsum("i,j->ij", {floats({2}, {1, 2}), floats({2}, {3, 4})}), floats({2, 2}, {3, 4, 6, 8}));
}

TEST(Einsum, ImplicitOutputIsSortedAndUpperCaseFirst) {
  expect_same(einsum("ba", {floats({1, 2}, {1, 2})}), floats({2, 1}, {1, 2}));
  expect_same(einsum("bA", {floats({2, 1}, {1, 2})}), floats({1, 2}, {1, 2}));
  expect_same(einsum(" i j , j k ", {counting({2, 3}), counting({3, 2})}), floats({2, 2}, {10, 13, 28, 40}));
}

TEST(Einsum, EllipsisAlignsOnTheRightAndBroadcasts) {
  const Tensor a = counting({2, 1, 2});
  const Tensor b = counting({3, 2});
  expect_same(einsum("...i,...i->...", {a, b}), floats({2, 3}, {1, 3, 5, 3, 13, 23}));
  expect_same(einsum("...i,...i", {a, b}), floats({2, 3}, {1, 3, 5, 3, 13, 23}));
  expect_same(einsum("i...->...", {counting({2, 2})}), floats({2}, {2, 4}));
}

TEST(Einsum, EmptyAndSingleExtents) {
  expect_same(einsum("ij,jk->ik", {floats({2, 0}, {}), floats({0, 2}, {})}), floats({2, 2}, {0, 0, 0, 0}));
  expect_same(einsum("ij->i", {floats({2, 0}, {})}), floats({2}, {0, 0}));
  expect_same(einsum("ij,jk->ik", {floats({1, 1}, {3}), floats({2, 1}, {1, 2})}), floats({1, 1}, {9}));
}

TEST(Einsum, RefusesWhatDoesNotFit) {
  EXPECT_THAT(einsum_error("ij,jk", {counting({2, 3}), counting({4, 2})}), HasSubstr("label 'j' has extent 4"));
  EXPECT_THAT(einsum_error("ij", {counting({2, 3}), counting({4, 2})}), HasSubstr("names 1 operands, there are 2"));
  EXPECT_THAT(einsum_error("ijk", {counting({2, 3})}), HasSubstr("rank 2"));
  EXPECT_THAT(einsum_error("ij->ik", {counting({2, 3})}), HasSubstr("output label of no operand"));
  EXPECT_THAT(einsum_error("ij->ii", {counting({2, 3})}), HasSubstr("repeats a label"));
  EXPECT_THAT(einsum_error("ii", {counting({2, 1})}), HasSubstr("repeated label"));
  EXPECT_THAT(einsum_error("i$", {counting({2})}), HasSubstr("malformed at '$'"));
  EXPECT_THAT(einsum_error("......i", {counting({2})}), HasSubstr("malformed"));
  EXPECT_THAT(einsum_error("i,j,k->ijk", {counting({3000}), counting({3000}), counting({3000})}), HasSubstr("8 GiB"));
}

// Oracle: one loop over every combination of labels.
Tensor naive(const std::vector<std::string>& terms, const std::string& output, const std::vector<Tensor>& operands) {
  std::map<char, std::int64_t> extents;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    for (std::size_t axis = 0; axis < terms[i].size(); ++axis) {
      extents[terms[i][axis]] = operands[i].shape()[static_cast<int>(axis)];
    }
  }
  const auto offset = [&](const std::string& term, const std::map<char, std::int64_t>& at) {
    std::int64_t result = 0;
    for (const char label : term) result = result * extents.at(label) + at.at(label);
    return result;
  };
  Shape shape;
  for (const char label : output) shape.push_back(extents[label]);
  Tensor y(TensorType{DType::kInt64, shape});
  std::int64_t combinations = 1;
  for (const auto& [label, extent] : extents) combinations *= extent;
  for (std::int64_t i = 0; i < combinations; ++i) {
    std::map<char, std::int64_t> at;
    std::int64_t rest = i;
    for (const auto& [label, extent] : extents) {
      at[label] = rest % extent;
      rest /= extent;
    }
    std::int64_t product = 1;
    for (std::size_t k = 0; k < terms.size(); ++k) product *= operands[k].data<std::int64_t>()[offset(terms[k], at)];
    y.mutable_data<std::int64_t>()[offset(output, at)] += product;
  }
  return y;
}

TEST(EinsumProperty, RandomEquationsMatchTheNaiveSum) {
  std::mt19937 rng(20240601);
  for (int round = 0; round < 300; ++round) {
    const std::string alphabet = "abCde";
    std::map<char, std::int64_t> extents;
    for (const char label : alphabet) extents[label] = 1 + static_cast<std::int64_t>(rng() % 4);
    std::vector<std::string> terms(1 + rng() % 3);
    std::vector<Tensor> tensors;
    Operands operands;
    std::string equation;
    std::string output;
    for (std::string& term : terms) {
      Shape shape;
      for (std::size_t i = rng() % 4; i-- > 0;) {
        term += alphabet[rng() % alphabet.size()];  // Repeats within a term happen: diagonals.
        shape.push_back(extents[term.back()]);
        if (rng() % 2 == 0 && output.find(term.back()) == std::string::npos) output += term.back();
      }
      Tensor x(TensorType{DType::kInt64, shape});
      for (std::int64_t i = 0; i < x.num_elements(); ++i) {
        x.mutable_data<std::int64_t>()[i] = static_cast<std::int64_t>(rng() % 9) - 4;
      }
      tensors.push_back(x);
      equation += (equation.empty() && tensors.size() == 1 ? "" : ",") + term;
    }
    SCOPED_TRACE(equation + "->" + output);
    const Tensor expected = naive(terms, output, tensors);
    operands.assign(tensors.begin(), tensors.end());
    expect_same(einsum(equation + "->" + output, operands), expected);
    for (auto& operand : operands) operand = floats(operand->shape(), to_floats(operand->view()));
    expect_same(einsum(equation + "->" + output, operands), floats(expected.shape(), to_floats(expected.view())));
  }
}

}  // namespace
}  // namespace halfstep::ops
