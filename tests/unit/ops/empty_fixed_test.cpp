// empty_fixed_test.cpp: constants that meet a tensor without elements.
#include <string>

#include "code_run.hpp"

namespace halfstep::ops {
namespace {

// Also where grids for each channel leave no channel at all.
TEST(EmptyFixed, ConstantsOfElementwiseOperatorsHaveNoIntegerForm) {
  const Encoding grid = *Encoding::per_tensor({0, 255}, {0.5, 3});
  for (const std::string type : {"Add", "Sub", "Mul", "Div", "Min", "Max"}) {
    for (const Shape& shape : {Shape{0}, Shape{2, 0}, Shape{1, 0, 4}}) {
      const CodeNode node{.type = type,
                          .attrs = {},
                          .x_shape = shape,
                          .others = {Tensor::of<float>(Shape{1}, {2.0F})},
                          .x = grid,
                          .y = grid};
      EXPECT_EQ(why_not(node), "a constant meets a tensor without elements") << type << to_string(shape);
    }
  }
}

}  // namespace
}  // namespace halfstep::ops
