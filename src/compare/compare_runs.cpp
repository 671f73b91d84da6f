// compare_runs.cpp: runs both sides sample by sample and adds up the errors.
#include "compare/compare_runs.hpp"

#include <algorithm>
#include <map>

#include "core/ordered_parallel.hpp"
#include "core/text.hpp"

namespace halfstep::compare {
namespace {

using graph::ValueId;

/// What one sample contributes; one per worker.
struct SampleResult {
  std::vector<ErrorSums> outputs;  // By output; count 0 where not float32.
  std::vector<ErrorSums> layers;   // By CompareRequest::layers.
  std::vector<bool> unlike;        // By output: shapes differ.
  std::vector<std::int64_t> reference_best;
  std::vector<std::int64_t> other_best;
};

struct Totals {
  std::vector<ErrorSums> outputs;
  std::vector<std::int64_t> unlike;  // By output: samples with other shapes.
  std::vector<ErrorSums> layers;
  std::int64_t samples = 0;
  std::int64_t scored = 0;
  std::int64_t agree = 0;
  std::int64_t reference_top1 = 0, other_top1 = 0, reference_top5 = 0, other_top5 = 0;
};

constexpr int kTopFive = 5;

/// One row of scores: float32, all extents 1 but one.
bool is_score_row(const ConstView& view) {
  return view.present() && view.dtype() == DType::kFloat32 && view.num_elements() >= 2 &&
         std::ranges::count_if(view.shape(), [](std::int64_t d) { return d != 1; }) == 1;
}

class Comparer {
 public:
  explicit Comparer(const CompareRequest& request) : request_(request) {
    for (std::size_t i = 0; i < request.layers.size(); ++i) {
      reference_layers_[request.layers[i].first].push_back(i);
      other_layers_[request.layers[i].second].push_back(i);
    }
    const auto threads = static_cast<std::size_t>(request.num_threads);
    results_.resize(threads);
    kept_.resize(threads);
    totals_.outputs.resize(request.reference.graph->outputs.size());
    totals_.unlike.resize(totals_.outputs.size());
    totals_.layers.resize(request.layers.size());
  }

  Result<Comparison> run() {
    const auto produce = [&](std::int64_t i, int worker) -> Result<void> {
      Result<void> outcome = run_sample(i, worker);
      if (!outcome.ok() && request_.samples.place) return outcome.error().at(request_.samples.place(i));
      return outcome;
    };
    const auto consume = [&](std::int64_t i, int worker) -> Result<void> {
      Result<void> outcome = add_up(i, results_[static_cast<std::size_t>(worker)]);
      if (request_.progress) request_.progress(i + 1, request_.samples.count);
      return outcome;
    };
    Result<void> outcome = ordered_parallel_for(request_.samples.count, request_.num_threads, produce, consume);
    if (!outcome.ok()) return outcome.error();
    return summary();
  }

 private:
  Result<void> run_sample(std::int64_t i, int worker) {
    SampleResult& result = results_[static_cast<std::size_t>(worker)];
    result = {};
    result.outputs.resize(totals_.outputs.size());
    result.unlike.resize(totals_.outputs.size());
    result.layers.resize(totals_.layers.size());
    std::vector<Tensor>& kept = kept_[static_cast<std::size_t>(worker)];
    kept.resize(request_.layers.size());

    Result<std::vector<Tensor>> inputs = request_.samples.load(i);
    if (!inputs.ok()) return inputs.error();
    Result<exec::Executor*> reference = request_.reference.session->executor(worker, *inputs);
    if (!reference.ok()) return reference.error();
    Result<exec::Executor*> other = request_.other.session->executor(worker, *inputs);
    if (!other.ok()) return other.error();

    const exec::Tap keep = [&](const exec::Tapped& tapped) -> Result<void> {
      const ConstView& view = tapped.view;
      const auto wanted = reference_layers_.find(tapped.value);
      if (wanted == reference_layers_.end()) return {};
      for (std::size_t layer : wanted->second) keep_copy(view, kept[layer]);
      return {};
    };
    const exec::Tap compare = [&](const exec::Tapped& tapped) -> Result<void> {
      const ConstView& view = tapped.view;
      const auto wanted = other_layers_.find(tapped.value);
      if (wanted == other_layers_.end()) return {};
      for (std::size_t layer : wanted->second) {
        if (kept[layer].type() != *view.type || view.dtype() != DType::kFloat32) continue;
        result.layers[layer].add(kept[layer].values<float>(), view.values<float>());
      }
      return {};
    };
    if (Result<void> ran = (*reference)->run(*inputs, keep); !ran.ok()) return ran.error().at("float model");
    if (Result<void> ran = (*other)->run(*inputs, compare); !ran.ok()) return ran.error().at("quantized model");
    return compare_outputs(i, **reference, **other, result);
  }

  /// Reuses the storage of the previous sample where the type is the same.
  static void keep_copy(const ConstView& view, Tensor& kept) {
    if (kept.type() != *view.type) kept = Tensor(*view.type);
    std::copy_n(view.bytes, static_cast<std::size_t>(view.type->num_bytes()), kept.mutable_bytes());
  }

  Result<void> compare_outputs(std::int64_t i, const exec::Executor& reference, const exec::Executor& other,
                               SampleResult& result) {
    for (std::size_t o = 0; o < result.outputs.size(); ++o) {
      const ConstView a = reference.output(o);
      const ConstView b = other.output(o);
      result.unlike[o] = a.shape() != b.shape();
      const bool by_data = !reference.output_is_static(o) || !other.output_is_static(o);
      if (a.dtype() != b.dtype() || (result.unlike[o] && !by_data)) {
        const graph::Graph& graph = *request_.reference.graph;
        return Error{ErrorCode::kInvalidInput, "output " + quoted(graph.value(graph.outputs[o].value).name) + " is " +
                                                   to_string(*a.type) + " in the float model and " +
                                                   to_string(*b.type) + " in the quantized one"};
      }
      if (a.dtype() == DType::kFloat32 && !result.unlike[o])
        result.outputs[o].add(a.values<float>(), b.values<float>());
    }
    if (result.outputs.empty() || !is_score_row(reference.output(0)) || !is_score_row(other.output(0))) {
      if (request_.labels.empty()) return {};
      return Error{ErrorCode::kInvalidInput,
                   "labels need a first output of one float32 row of scores, this model's is " +
                       (result.outputs.empty() ? "absent" : to_string(*reference.output(0).type))};
    }
    result.reference_best = top_k(reference.output(0).values<float>(), kTopFive);
    result.other_best = top_k(other.output(0).values<float>(), kTopFive);
    if (!request_.labels.empty() &&
        request_.labels[static_cast<std::size_t>(i)] >= reference.output(0).num_elements()) {
      return Error{ErrorCode::kInvalidInput, "label " + std::to_string(request_.labels[static_cast<std::size_t>(i)]) +
                                                 " is out of range, the model has " +
                                                 std::to_string(reference.output(0).num_elements()) + " classes"};
    }
    return {};
  }

  Result<void> add_up(std::int64_t i, const SampleResult& result) {
    for (std::size_t o = 0; o < result.outputs.size(); ++o) {
      totals_.outputs[o].add(result.outputs[o]);
      totals_.unlike[o] += result.unlike[o] ? 1 : 0;
    }
    for (std::size_t l = 0; l < result.layers.size(); ++l) totals_.layers[l].add(result.layers[l]);
    ++totals_.samples;
    if (result.reference_best.empty() || result.other_best.empty()) return {};
    ++totals_.scored;
    totals_.agree += result.reference_best[0] == result.other_best[0] ? 1 : 0;
    if (request_.labels.empty()) return {};
    const std::int64_t label = request_.labels[static_cast<std::size_t>(i)];
    const auto among = [label](const std::vector<std::int64_t>& best) {
      return std::ranges::find(best, label) != best.end() ? 1 : 0;
    };
    totals_.reference_top1 += result.reference_best[0] == label ? 1 : 0;
    totals_.other_top1 += result.other_best[0] == label ? 1 : 0;
    totals_.reference_top5 += among(result.reference_best);
    totals_.other_top5 += among(result.other_best);
    return {};
  }

  Comparison summary() const {
    const graph::Graph& graph = *request_.reference.graph;
    const graph::Graph& other = *request_.other.graph;
    const graph::Links links = graph::links_of(other);
    Comparison comparison;
    comparison.num_samples = totals_.samples;
    const auto op_of = [&](ValueId id) {
      const graph::NodeId n = links.producer[static_cast<std::size_t>(id)];
      return n == graph::kNoNode ? std::string() : other.node(n).op_type;
    };
    for (std::size_t o = 0; o < totals_.outputs.size(); ++o) {
      if (totals_.outputs[o].count == 0 && totals_.unlike[o] == 0) continue;
      comparison.outputs.push_back({graph.value(graph.outputs[o].value).name, op_of(other.outputs[o].value),
                                    totals_.outputs[o], totals_.unlike[o]});
    }
    for (std::size_t l = 0; l < totals_.layers.size(); ++l) {
      if (totals_.layers[l].count == 0) continue;
      const ValueId id = request_.layers[l].second;
      comparison.layers.push_back({other.value(id).name, op_of(id), totals_.layers[l], 0});
    }
    std::ranges::sort(comparison.layers, [](const TensorError& a, const TensorError& b) {
      const double da = a.sums.sqnr_db();
      const double db = b.sums.sqnr_db();
      return da != db ? da < db : a.name < b.name;
    });
    const auto percent = [&](std::int64_t part) {
      return 100.0 * static_cast<double>(part) / static_cast<double>(totals_.scored);
    };
    if (totals_.scored > 0) {
      comparison.top1_agreement_percent = percent(totals_.agree);
      if (!request_.labels.empty()) {
        comparison.top1 = TopK{percent(totals_.reference_top1), percent(totals_.other_top1)};
        comparison.top5 = TopK{percent(totals_.reference_top5), percent(totals_.other_top5)};
      }
    }
    return comparison;
  }

  const CompareRequest& request_;
  std::map<ValueId, std::vector<std::size_t>> reference_layers_;
  std::map<ValueId, std::vector<std::size_t>> other_layers_;
  std::vector<SampleResult> results_;      // By worker.
  std::vector<std::vector<Tensor>> kept_;  // By worker; the reference's tensors of the current sample.
  Totals totals_;
};

}  // namespace

Result<Comparison> compare_runs(const CompareRequest& request) {
  if (request.reference.graph->outputs.size() != request.other.graph->outputs.size()) {
    return Error{ErrorCode::kInvalidInput,
                 "the float model has " + std::to_string(request.reference.graph->outputs.size()) +
                     " outputs, the quantized one " + std::to_string(request.other.graph->outputs.size())};
  }
  if (!request.labels.empty() && static_cast<std::int64_t>(request.labels.size()) != request.samples.count) {
    return Error{ErrorCode::kInvalidInput, std::to_string(request.labels.size()) + " labels for " +
                                               std::to_string(request.samples.count) + " samples"};
  }
  return Comparer(request).run();
}

}  // namespace halfstep::compare
