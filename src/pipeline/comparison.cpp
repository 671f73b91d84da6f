// comparison.cpp: which tensors to compare, and the two sessions.
#include "pipeline/comparison.hpp"

#include <unordered_map>

#include "pipeline/load_model.hpp"

namespace halfstep::pipeline {

Result<compare::Comparison> compare_with_float(const graph::Graph& reference, const graph::Graph& quantized,
                                               const EncodingSet& encodings, const exec::SampleSource& samples,
                                               int num_threads, std::vector<std::int64_t> labels,
                                               const Observer& observer) {
  std::unordered_map<std::string_view, graph::ValueId> by_name;
  for (std::size_t v = 0; v < reference.values.size(); ++v) {
    if (!reference.values[v].constant) by_name.emplace(reference.values[v].name, static_cast<graph::ValueId>(v));
  }
  compare::CompareRequest request;
  for (std::size_t v = 0; v < quantized.values.size(); ++v) {
    const graph::Value& value = quantized.values[v];
    const auto twin = by_name.find(value.name);
    if (value.constant || twin == by_name.end() || find_encoding(encodings, value.name) == nullptr) continue;
    request.layers.emplace_back(twin->second, static_cast<graph::ValueId>(v));
  }
  exec::Session reference_session = float_session(reference, num_threads);
  exec::Session quantized_session = simulated_session(quantized, encodings, num_threads);
  request.reference = {&reference, &reference_session};
  request.other = {&quantized, &quantized_session};
  request.samples = samples;
  request.num_threads = num_threads;
  request.labels = std::move(labels);
  if (observer.progress) {
    request.progress = [&](std::int64_t done, std::int64_t total) { observer.progress("comparing", done, total); };
  }
  return compare::compare_runs(request);
}

void count_encodings(const EncodingSet& encodings, report::Report& report) {
  for (const auto& [name, entry] : encodings) {
    switch (entry.role) {
      case TensorRole::kActivation:
        ++report.num_activation_encodings;
        break;
      case TensorRole::kWeight:
        ++report.num_weight_encodings;
        break;
      case TensorRole::kBias:
        ++report.num_bias_encodings;
        break;
    }
  }
}

}  // namespace halfstep::pipeline
