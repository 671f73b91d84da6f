// noise_model.cpp: all products of two error vectors, from which every sum's power follows.
#include "sensitivity/noise_model.hpp"

#include <algorithm>
#include <utility>

namespace halfstep::sensitivity {

ErrorVector::ErrorVector(const OutputJudge& judge, std::int64_t num_samples) {
  const std::int64_t elements = judge.num_elements();
  const std::int64_t room = std::max<std::int64_t>(kMaxElements / std::max<std::int64_t>(num_samples, 1), 1);
  stride_ = (elements + room - 1) / room;
  per_sample_ = stride_ == 0 ? 0 : (elements + stride_ - 1) / stride_;
  values_.resize(static_cast<std::size_t>(per_sample_ * num_samples));
}

Result<void> ErrorVector::record(const OutputJudge& judge, std::int64_t sample, const exec::Executor& executor) {
  float* to = values_.data() + sample * per_sample_;
  std::int64_t element = 0;  // Over all outputs.
  for (std::size_t o = 0; o < judge.num_outputs(); ++o) {
    if (!judge.has_elements(o)) continue;
    const Result<Tensor> reference = judge.output(sample, o);
    if (!reference.ok()) return reference.error();
    const std::span<const float> expected = reference->values<float>();
    const std::span<const float> found = executor.output(o).values<float>();
    std::int64_t i = (stride_ - element % stride_) % stride_;
    for (; i < static_cast<std::int64_t>(expected.size()); i += stride_) {
      *to++ = found[static_cast<std::size_t>(i)] - expected[static_cast<std::size_t>(i)];
    }
    element += static_cast<std::int64_t>(expected.size());
  }
  return {};
}

NoiseModel::NoiseModel(std::size_t num_groups, std::size_t num_candidates)
    : num_groups_(num_groups),
      num_candidates_(num_candidates),
      allowed_(num_groups * num_candidates, false),
      errors_(num_groups * num_candidates) {}

void NoiseModel::allow(std::size_t g, std::size_t c, std::vector<float> errors) {
  allowed_[at(g, c)] = true;
  errors_[at(g, c)] = std::move(errors);
}

void NoiseModel::finish(double signal_power) {
  const std::size_t count = allowed_.size();
  products_.assign(count * count, 0.0);
  for (std::size_t a = 0; a < count; ++a) {
    if (errors_[a].empty()) continue;
    for (std::size_t b = a; b < count; ++b) {
      if (errors_[b].empty()) continue;
      double sum = 0.0;
      for (std::size_t i = 0; i < errors_[a].size(); ++i)
        sum += static_cast<double>(errors_[a][i]) * static_cast<double>(errors_[b][i]);
      products_[a * count + b] = products_[b * count + a] = signal_power > 0.0 ? sum / signal_power : sum;
    }
  }
  errors_.clear();
}

double NoiseModel::of(const Assignment& assignment) const {
  double total = 0.0;
  for (std::size_t g = 0; g < num_groups_; ++g) {
    for (std::size_t h = 0; h < num_groups_; ++h) total += product(at(g, assignment[g]), at(h, assignment[h]));
  }
  return std::max(total, 0.0);
}

double NoiseModel::gain(const Assignment& assignment, std::size_t g, std::size_t c) const {
  const std::size_t now = at(g, assignment[g]);
  const std::size_t then = at(g, c);
  double with_rest_now = 0.0;
  double with_rest_then = 0.0;
  for (std::size_t h = 0; h < num_groups_; ++h) {
    if (h == g) continue;
    with_rest_now += product(now, at(h, assignment[h]));
    with_rest_then += product(then, at(h, assignment[h]));
  }
  return product(now, now) - product(then, then) + 2.0 * (with_rest_now - with_rest_then);
}

}  // namespace halfstep::sensitivity
