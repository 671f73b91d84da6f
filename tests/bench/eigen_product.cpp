// eigen_product.cpp: the only file of the benchmarks that knows Eigen: its inline functions have other flags here.
#include "eigen_product.hpp"

#include <Eigen/Core>

namespace halfstep {

void eigen_product(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* b, float* c) {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::Map<Matrix>(c, m, n).noalias() = Eigen::Map<const Matrix>(a, m, k) * Eigen::Map<const Matrix>(b, k, n);
}

}  // namespace halfstep
