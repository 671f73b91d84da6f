// Contract under test: tune/round_weights.hpp: against every rounding of tiny layers, and its promises on larger ones.
#include "tune/round_weights.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace halfstep::tune {
namespace {

Eigen::MatrixXd random_matrix(std::mt19937& rng, Eigen::Index rows, Eigen::Index columns) {
  std::normal_distribution<double> normal;
  Eigen::MatrixXd m(rows, columns);
  for (Eigen::Index i = 0; i < m.size(); ++i) m.data()[i] = normal(rng);
  return m;
}

// Moments of correlated inputs of very different variances.
Eigen::MatrixXd random_moments(std::mt19937& rng, Eigen::Index k) {
  Eigen::MatrixXd mix = random_matrix(rng, k, k);
  for (Eigen::Index i = 0; i < k; ++i) mix.row(i) *= std::exp(0.7 * random_matrix(rng, 1, 1)(0, 0));
  return mix * mix.transpose();
}

double max_abs_scale(const Eigen::MatrixXd& weights, IntGrid grid) {
  return static_cast<double>(static_cast<float>(weights.cwiseAbs().maxCoeff() / grid.q_max));
}

std::vector<QuantParams> row_params(const Eigen::MatrixXd& weights, IntGrid grid) {
  std::vector<QuantParams> params;
  for (Eigen::Index i = 0; i < weights.rows(); ++i) params.push_back({max_abs_scale(weights.row(i), grid), 0});
  return params;
}

double error_of(const Eigen::RowVectorXd& weights, const Eigen::RowVectorXd& codes, const QuantParams& p,
                const Eigen::MatrixXd& moments) {
  const Eigen::RowVectorXd e = p.scale * (codes.array() - p.zero_point).matrix() - weights;
  return (e * moments).dot(e);
}

double total_error(const RoundRequest& request, const RoundedWeights& rounded) {
  double sum = 0.0;
  std::size_t row = 0;
  for (std::size_t g = 0; g < request.groups.size(); ++g) {
    const WeightGroup& group = request.groups[g];
    for (Eigen::Index i = 0; i < group.weights.rows(); ++i, ++row) {
      sum += error_of(group.weights.row(i), rounded.codes[g].row(i).cast<double>(),
                      rounded.params[rounded.params.size() == 1 ? 0 : row], *group.moments);
    }
  }
  return sum;
}

// Each weight goes to any of the three codes below and the three above it.
double least_error(const Eigen::RowVectorXd& weights, const QuantParams& p, IntGrid grid,
                   const Eigen::MatrixXd& moments) {
  constexpr int kChoices = 6;
  const auto count = static_cast<int>(std::pow(kChoices, weights.size()));
  double least = std::numeric_limits<double>::infinity();
  for (int choice = 0; choice < count; ++choice) {
    Eigen::RowVectorXd codes(weights.size());
    for (Eigen::Index j = 0, left = choice; j < codes.size(); ++j, left /= kChoices) {
      const double code = std::floor(weights[j] / p.scale) - 2.0 + static_cast<double>(left % kChoices);
      codes[j] = std::clamp<double>(code, grid.q_min, grid.q_max);
    }
    least = std::min(least, error_of(weights, codes, p, moments));
  }
  return least;
}

TEST(RoundWeights, NearlyTheBestOfAllRoundings) {
  std::mt19937 rng(1007);
  const IntGrid grid = signed_grid(4);
  int equal = 0;
  int rows = 0;
  double excess = 0.0;
  for (int round = 0; round < 60; ++round) {
    const Eigen::MatrixXd moments = random_moments(rng, 4);
    const std::vector<WeightGroup> groups = {{random_matrix(rng, 2, 4), &moments}};
    const std::vector<QuantParams> start = row_params(groups[0].weights, grid);
    const auto rounded = round_weights(
        {.groups = groups, .grid = grid, .start = start, .lowest_scales = {}, .settings = {.choose_range = false}});
    ASSERT_TRUE(rounded.ok());
    EXPECT_EQ(rounded->params, start);
    for (Eigen::Index i = 0; i < 2; ++i, ++rows) {
      const QuantParams& p = start[static_cast<std::size_t>(i)];
      const double best = least_error(groups[0].weights.row(i), p, grid, moments);
      const double ours = error_of(groups[0].weights.row(i), rounded->codes[0].row(i).cast<double>(), p, moments);
      excess += ours / best - 1.0;
      if (ours <= best * (1 + 1e-9)) ++equal;
    }
  }
  EXPECT_GE(equal, rows * 9 / 10) << equal << " of " << rows;
  EXPECT_LT(excess / rows, 0.05);
}

// What must hold of any result: codes on the grid, scales as asked for, errors as reported, never worse than nearest.
void expect_sound(const RoundRequest& request, const RoundedWeights& rounded) {
  const double error = total_error(request, rounded);
  EXPECT_NEAR(error, rounded.error_after, 1e-9 * rounded.error_before);
  EXPECT_LE(rounded.error_after, rounded.error_before);
  for (const Eigen::MatrixXi& codes : rounded.codes) {
    EXPECT_GE(codes.minCoeff(), request.grid.q_min);
    EXPECT_LE(codes.maxCoeff(), request.grid.q_max);
  }
  for (std::size_t g = 0; g < rounded.params.size(); ++g) {
    EXPECT_EQ(rounded.params[g].zero_point, request.start[g].zero_point);
    EXPECT_EQ(rounded.params[g].scale, static_cast<double>(static_cast<float>(rounded.params[g].scale)));
    EXPECT_TRUE(request.lowest_scales.empty() || rounded.params[g].scale >= request.lowest_scales[g]);
  }
}

TEST(RoundWeights, FarBetterThanNearestWhereInputsCorrelate) {
  std::mt19937 rng(1008);
  const Eigen::MatrixXd moments = random_moments(rng, 100);
  const std::vector<WeightGroup> groups = {{random_matrix(rng, 20, 100), &moments}};
  for (const int bits : {4, 8}) {
    const std::vector<QuantParams> start = row_params(groups[0].weights, signed_grid(bits));
    const RoundRequest request{.groups = groups, .grid = signed_grid(bits), .start = start, .lowest_scales = {}};
    const auto rounded = round_weights(request);
    ASSERT_TRUE(rounded.ok());
    expect_sound(request, *rounded);
    EXPECT_LT(rounded->error_after, 0.3 * rounded->error_before) << bits;
    RoundRequest more = request;
    more.settings.trials = 5;
    const auto tried = round_weights(more);
    expect_sound(more, *tried);
    EXPECT_LE(tried->error_after, rounded->error_after) << bits;
  }
}

TEST(RoundWeights, OneScaleForAllGroups) {
  std::mt19937 rng(1009);
  const std::vector<Eigen::MatrixXd> moments = {random_moments(rng, 9), random_moments(rng, 9), random_moments(rng, 9)};
  std::vector<WeightGroup> groups;
  for (const Eigen::MatrixXd& m : moments) groups.push_back({random_matrix(rng, 2, 9), &m});
  groups[1].weights(0, 3) = 12.0;  // Worth clipping, for the sake of the others.
  const std::vector<QuantParams> start = {{max_abs_scale(groups[1].weights, signed_grid(4)), 0}};
  const RoundRequest request{.groups = groups, .grid = signed_grid(4), .start = start, .lowest_scales = {}};
  const auto rounded = round_weights(request);
  ASSERT_TRUE(rounded.ok());
  expect_sound(request, *rounded);
  ASSERT_EQ(rounded->params.size(), 1U);
  ASSERT_EQ(rounded->codes.size(), 3U);
  EXPECT_LT(rounded->error_after, rounded->error_before);
}

TEST(RoundWeights, PowersOfTwoStayPowersOfTwo) {
  std::mt19937 rng(1010);
  const Eigen::MatrixXd moments = random_moments(rng, 16);
  const std::vector<WeightGroup> groups = {{random_matrix(rng, 4, 16), &moments}};
  // Two bits too wide: rows find narrower exponents, but for the one that is held up.
  const std::vector<QuantParams> start(4, {std::ldexp(1.0, -3), 0});
  const std::vector<double> lowest = {0.0, 0.0, 0.0, std::ldexp(0.9, -3)};
  const RoundRequest request{.groups = groups,
                             .grid = signed_grid(8),
                             .start = start,
                             .lowest_scales = lowest,
                             .scale = ScaleKind::kPowerOfTwo};
  const auto rounded = round_weights(request);
  ASSERT_TRUE(rounded.ok());
  expect_sound(request, *rounded);
  for (const QuantParams& p : rounded->params) {
    int exponent = 0;
    EXPECT_EQ(std::frexp(p.scale, &exponent), 0.5);
  }
  EXPECT_LT(rounded->params[0].scale, start[0].scale);
  EXPECT_EQ(rounded->params[3].scale, start[3].scale);
}

TEST(RoundWeights, LowestScalesRaiseTheStart) {
  std::mt19937 rng(1011);
  const Eigen::MatrixXd moments = random_moments(rng, 6);
  const std::vector<WeightGroup> groups = {{random_matrix(rng, 3, 6), &moments}};
  const std::vector<QuantParams> start = row_params(groups[0].weights, signed_grid(4));
  const std::vector<double> lowest = {2.0 * start[0].scale, 0.95 * start[1].scale, 0.0};
  RoundRequest request{.groups = groups, .grid = signed_grid(4), .start = start, .lowest_scales = lowest};
  const auto rounded = round_weights(request);
  ASSERT_TRUE(rounded.ok());
  expect_sound(request, *rounded);
  EXPECT_EQ(rounded->params[0].scale, lowest[0]);
  request.scale = ScaleKind::kPowerOfTwo;
  const std::vector<QuantParams> powers(3, {0.25, 0});
  const std::vector<double> odd = {0.3, 0.3, 0.3};
  request.start = powers;
  request.lowest_scales = odd;
  EXPECT_EQ(round_weights(request)->params[0].scale, 0.5);
  const std::vector<double> endless(3, std::numeric_limits<double>::infinity());
  request.lowest_scales = endless;
  EXPECT_EQ(round_weights(request).error().code, ErrorCode::kCalibration);
}

TEST(RoundWeights, ZeroPointsStay) {
  std::mt19937 rng(1012);
  const Eigen::MatrixXd moments = random_moments(rng, 12);
  const std::vector<WeightGroup> groups = {{random_matrix(rng, 2, 12).array() + 1.0, &moments}};
  const std::vector<QuantParams> start = {{0.3F, 5}, {0.4F, 3}};
  const RoundRequest request{.groups = groups, .grid = unsigned_grid(4), .start = start, .lowest_scales = {}};
  const auto rounded = round_weights(request);
  ASSERT_TRUE(rounded.ok());
  expect_sound(request, *rounded);
}

// Without data, or without correlation, nothing beats rounding to nearest.
TEST(RoundWeights, DeadAndUncorrelatedColumnsAreRoundedToNearest) {
  std::mt19937 rng(1013);
  const Eigen::MatrixXd weights = random_matrix(rng, 3, 5);
  const std::vector<QuantParams> start = row_params(weights, signed_grid(4));
  for (const Eigen::MatrixXd& moments : {Eigen::MatrixXd(Eigen::MatrixXd::Zero(5, 5)),
                                         Eigen::MatrixXd(Eigen::VectorXd::LinSpaced(5, 0, 4).asDiagonal())}) {
    const std::vector<WeightGroup> groups = {{weights, &moments}};
    const auto rounded = round_weights({.groups = groups,
                                        .grid = signed_grid(4),
                                        .start = start,
                                        .lowest_scales = {},
                                        .settings = {.damping = 0.0, .choose_range = false}});
    ASSERT_TRUE(rounded.ok());
    for (Eigen::Index i = 0; i < 3; ++i) {
      for (Eigen::Index j = 0; j < 5; ++j) {
        EXPECT_EQ(rounded->codes[0](i, j), std::nearbyint(weights(i, j) / start[static_cast<std::size_t>(i)].scale));
      }
    }
  }
}

// More rows than one block, one scale for all of them or one each; groups of several sizes.
TEST(RoundWeights, ThreadsDoNotMatter) {
  std::mt19937 rng(1014);
  const Eigen::MatrixXd wide = random_moments(rng, 12);
  const Eigen::MatrixXd narrow = random_moments(rng, 3);
  const std::vector<WeightGroup> groups = {
      {random_matrix(rng, 150, 12), &wide}, {random_matrix(rng, 1, 3), &narrow}, {random_matrix(rng, 64, 12), &wide}};
  const IntGrid grid = signed_grid(4);
  std::vector<QuantParams> by_row;
  for (const WeightGroup& group : groups) {
    for (const QuantParams& p : row_params(group.weights, grid)) by_row.push_back(p);
  }
  for (const std::vector<QuantParams>& start : {by_row, std::vector<QuantParams>{{0.4F, 0}}}) {
    RoundRequest request{
        .groups = groups, .grid = grid, .start = start, .lowest_scales = {}, .settings = {.trials = 2}};
    const auto alone = round_weights(request);
    ASSERT_TRUE(alone.ok());
    expect_sound(request, *alone);
    for (const int num_threads : {2, 5}) {
      request.num_threads = num_threads;
      const auto rounded = round_weights(request);
      ASSERT_TRUE(rounded.ok());
      EXPECT_EQ(rounded->codes, alone->codes);
      EXPECT_EQ(rounded->params, alone->params);
      EXPECT_EQ(rounded->error_after, alone->error_after);
    }
  }
}

TEST(RoundWeights, RefusesWhatDoesNotFit) {
  const Eigen::MatrixXd moments = Eigen::MatrixXd::Identity(3, 3);
  const std::vector<WeightGroup> wrong = {{Eigen::MatrixXd::Ones(2, 4), &moments}};
  const std::vector<WeightGroup> groups = {{Eigen::MatrixXd::Ones(2, 3), &moments}};
  const std::vector<QuantParams> start = {{1.0, 0}, {1.0, 0}};
  const std::vector<QuantParams> three(3, {1.0, 0});
  const std::vector<double> lowest = {1.0};
  const auto code = [](const RoundRequest& request) { return round_weights(request).error().code; };
  EXPECT_EQ(code({.groups = wrong, .grid = signed_grid(8), .start = start, .lowest_scales = {}}),
            ErrorCode::kInvalidInput);
  EXPECT_EQ(code({.groups = groups, .grid = signed_grid(8), .start = three, .lowest_scales = {}}),
            ErrorCode::kInvalidInput);
  EXPECT_EQ(code({.groups = groups, .grid = signed_grid(8), .start = start, .lowest_scales = lowest}),
            ErrorCode::kInvalidInput);
  const std::vector<WeightGroup> bad = {{Eigen::MatrixXd::Constant(2, 3, std::nan("")), &moments}};
  EXPECT_EQ(code({.groups = bad, .grid = signed_grid(8), .start = start, .lowest_scales = {}}),
            ErrorCode::kInvalidInput);
}

}  // namespace
}  // namespace halfstep::tune
