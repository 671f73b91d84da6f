// compare_runs.cpp: runs all sides sample by sample and adds up the errors.
#include "compare/compare_runs.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "core/ordered_parallel.hpp"
#include "core/text.hpp"
#include "encoding/encoding_set.hpp"

namespace halfstep::compare {
namespace {

using graph::ValueId;

/// Sums of one tensor.
struct TensorTally {
  ErrorSums sums;
  ErrorSums isolated;
  OffBy off_by{};
  std::int64_t clipped = 0;
  std::int64_t unlike = 0;  // Samples with other shapes.

  void add(const TensorTally& more) {
    sums.add(more.sums);
    isolated.add(more.isolated);
    for (std::size_t k = 0; k < kNumOffByClasses; ++k) off_by[k] += more.off_by[k];
    clipped += more.clipped;
    unlike += more.unlike;
  }
};

/// What one sample, or all of them, contribute to a Comparison.
struct Tally {
  std::vector<TensorTally> outputs;  // By output; not compared where not float32.
  std::vector<TensorTally> watched;  // By watched tensor.
  ScoreTally scores;

  Tally() = default;
  Tally(std::size_t num_outputs, std::size_t num_watched) : outputs(num_outputs), watched(num_watched) {}

  void add(const Tally& more) {
    for (std::size_t o = 0; o < outputs.size(); ++o) outputs[o].add(more.outputs[o]);
    for (std::size_t w = 0; w < watched.size(); ++w) watched[w].add(more.watched[w]);
    scores.add(more.scores);
  }
};

/// What a worker holds of its sample.
struct Work {
  Tally main;
  Tally simulated;
  ScoreTally between;         // Fixed point against simulated.
  std::vector<Tensor> kept;   // By watched tensor: the reference's values. Storage is reused from sample to sample.
  std::vector<bool> present;  // By watched tensor: `kept` is of this sample.
  std::vector<Tensor> codes;  // By watched tensor: of the fixed-point side; only beside a simulated one.
};

/// By ValueId: which watched tensors it is.
using Watchers = std::map<ValueId, std::vector<std::size_t>>;

class Comparer {
 public:
  explicit Comparer(const CompareRequest& request) : request_(request), watched_(request.layers) {
    const graph::Graph& reference = *request.reference.graph;
    const graph::Graph& other = *request.other.graph;
    // Outputs that are no layers are watched as well: only a tap sees their isolated error.
    for (std::size_t o = 0; o < reference.outputs.size(); ++o) {
      const ValueId ours = reference.outputs[o].value;
      const ValueId theirs = other.outputs[o].value;
      const auto at = std::ranges::find_if(
          watched_, [&](const Layer& layer) { return layer.reference == ours && layer.other == theirs; });
      layer_of_output_.push_back(static_cast<std::size_t>(at - watched_.begin()));
      if (at == watched_.end()) watched_.push_back({ours, theirs, nullptr});
    }
    for (std::size_t w = 0; w < watched_.size(); ++w) {
      reference_watchers_[watched_[w].reference].push_back(w);
      other_watchers_[watched_[w].other].push_back(w);
    }
    work_.resize(static_cast<std::size_t>(request.num_threads));
    main_ = Tally(reference.outputs.size(), watched_.size());
    simulated_ = main_;
  }

  Result<Compared> run() {
    const auto produce = [&](std::int64_t i, int worker) -> Result<void> {
      Result<void> outcome = run_sample(i, worker, work_[static_cast<std::size_t>(worker)]);
      if (!outcome.ok() && request_.samples.place) return outcome.error().at(request_.samples.place(i));
      return outcome;
    };
    const auto consume = [&](std::int64_t i, int worker) -> Result<void> {
      const Work& work = work_[static_cast<std::size_t>(worker)];
      main_.add(work.main);
      simulated_.add(work.simulated);
      between_.add(work.between);
      if (request_.progress) request_.progress(i + 1, request_.samples.count);
      return {};
    };
    Result<void> outcome = ordered_parallel_for(request_.samples.count, request_.num_threads, produce, consume);
    if (!outcome.ok()) return outcome.error();
    Compared compared{summary(main_, true), std::nullopt};
    if (request_.simulated != nullptr) {
      compared.simulated = summary(simulated_, false);
      compared.comparison.simulated_agreement_percent = between_.agreement_percent();
    }
    return compared;
  }

 private:
  Result<void> run_sample(std::int64_t i, int worker, Work& work) {
    work.main = Tally(main_.outputs.size(), watched_.size());
    work.simulated = work.main;
    work.between = {};
    work.kept.resize(watched_.size());
    work.codes.resize(watched_.size());
    work.present.assign(watched_.size(), false);

    Result<std::vector<Tensor>> inputs = request_.samples.load(i);
    if (!inputs.ok()) return inputs.error();
    Result<exec::Executor*> reference = request_.reference.session->executor(worker, *inputs);
    if (!reference.ok()) return reference.error();
    Result<exec::Executor*> other = request_.other.session->executor(worker, *inputs);
    if (!other.ok()) return other.error();

    const exec::Tap keep = [&](const exec::Tapped& tapped) { return keep_reference(tapped, work); };
    if (Result<void> ran = (*reference)->run(*inputs, keep); !ran.ok()) return ran.error().at("float model");
    const exec::Tap compare = [&](const exec::Tapped& tapped) { return compare_tensor(tapped, work); };
    if (Result<void> ran = (*other)->run(*inputs, compare); !ran.ok()) return ran.error().at("quantized model");
    if (Result<void> done = compare_outputs(i, **reference, **other, work.main); !done.ok()) return done;
    if (request_.seen) {
      if (Result<void> seen = request_.seen(i, **reference, **other); !seen.ok()) return seen;
    }
    if (request_.simulated != nullptr) {
      Result<exec::Executor*> simulated = request_.simulated->executor(worker, *inputs);
      if (!simulated.ok()) return simulated.error();
      const exec::Tap imitate = [&](const exec::Tapped& tapped) { return compare_simulated(tapped, work); };
      if (Result<void> ran = (*simulated)->run(*inputs, imitate); !ran.ok()) {
        return ran.error().at("simulated quantized model");
      }
      if (Result<void> done = compare_outputs(i, **reference, **simulated, work.simulated); !done.ok()) return done;
      if (!work.main.outputs.empty()) {
        Result<void> done;
        if (has_classes((*other)->output(0), (*simulated)->output(0))) {
          done = count_classes((*other)->output(0), (*simulated)->output(0), std::nullopt, work.between);
        }
        if (!done.ok()) return done;
      }
    }
    if (!request_.isolated) return {};
    const exec::Tap feed = [&](const exec::Tapped& tapped) { return feed_reference(tapped, work); };
    Result<void> ran = (*other)->run(*inputs, feed);
    return ran.ok() ? ran : ran.error().at("quantized model, fed with the float model's tensors");
  }

  template <class F>
  static void for_each_watcher(const Watchers& watchers, ValueId value, F&& f) {
    const auto at = watchers.find(value);
    if (at == watchers.end()) return;
    for (const std::size_t w : at->second) f(w);
  }

  Result<void> keep_reference(const exec::Tapped& tapped, Work& work) const {
    const ConstView& view = tapped.view;
    if (view.dtype() != DType::kFloat32) return {};
    for_each_watcher(reference_watchers_, tapped.value, [&](std::size_t w) {
      Tensor& kept = work.kept[w];
      if (kept.type() != *view.type) kept = Tensor(*view.type);
      std::copy_n(view.bytes, static_cast<std::size_t>(view.type->num_bytes()), kept.mutable_bytes());
      work.present[w] = true;
    });
    return {};
  }

  /// Whether a tensor of the other side can be compared with the one kept for `w`.
  static bool comparable(const exec::Tapped& tapped, std::size_t w, const Work& work) {
    if (!work.present[w] || work.kept[w].shape() != tapped.view.shape()) return false;
    if (tapped.encoding != nullptr) return check_fits(*tapped.encoding, tapped.view.shape()).ok();
    return tapped.view.dtype() == DType::kFloat32;
  }

  static void add_errors(const exec::Tapped& tapped, const Tensor& kept, ErrorSums& sums) {
    if (tapped.encoding == nullptr) {
      sums.add(kept.values<float>(), tapped.view.values<float>());
    } else {
      sums.add(kept.values<float>(), real_values(tapped.view, *tapped.encoding).values<float>());
    }
  }

  const Encoding* fitting_encoding(std::size_t w, const Shape& shape) const {
    const Encoding* encoding = watched_[w].encoding;
    return encoding != nullptr && check_fits(*encoding, shape).ok() ? encoding : nullptr;
  }

  Result<void> compare_tensor(const exec::Tapped& tapped, Work& work) const {
    for_each_watcher(other_watchers_, tapped.value, [&](std::size_t w) {
      TensorTally& tally = work.main.watched[w];
      if (work.present[w] && work.kept[w].shape() != tapped.view.shape()) ++tally.unlike;
      if (!comparable(tapped, w, work)) return;
      add_errors(tapped, work.kept[w], tally.sums);
      if (const Encoding* encoding = fitting_encoding(w, tapped.view.shape())) {
        tally.clipped += count_clipped(work.kept[w].view(), *encoding);
      }
      if (request_.simulated != nullptr && tapped.encoding != nullptr) work.codes[w] = Tensor::copy_of(tapped.view);
    });
    return {};
  }

  Result<void> compare_simulated(const exec::Tapped& tapped, Work& work) const {
    for_each_watcher(other_watchers_, tapped.value, [&](std::size_t w) {
      if (!comparable(tapped, w, work)) return;
      add_errors(tapped, work.kept[w], work.simulated.watched[w].sums);
      const Encoding* encoding = fitting_encoding(w, tapped.view.shape());
      const Tensor& codes = work.codes[w];
      if (encoding == nullptr || codes.shape() != tapped.view.shape()) return;
      if (codes.dtype() != storage_dtype(encoding->grid())) return;
      work.main.watched[w].off_by = off_by(codes.view(), tapped.view, *encoding);
      work.codes[w] = Tensor();
    });
    return {};
  }

  Result<void> feed_reference(const exec::Tapped& tapped, Work& work) const {
    for_each_watcher(other_watchers_, tapped.value, [&](std::size_t w) {
      if (!comparable(tapped, w, work)) return;
      add_errors(tapped, work.kept[w], work.main.watched[w].isolated);
    });
    // A tensor without grid stays as the layer made it: it is inside a layer, not between two.
    for_each_watcher(other_watchers_, tapped.value, [&](std::size_t w) {
      const Encoding* encoding =
          tapped.encoding != nullptr ? tapped.encoding : fitting_encoding(w, tapped.view.shape());
      if (encoding == nullptr || !comparable(tapped, w, work)) return;
      overwrite(work.kept[w].view(), *encoding, tapped.content);
    });
    return {};
  }

  Result<void> compare_outputs(std::int64_t i, const exec::Executor& reference, const exec::Executor& other,
                               Tally& tally) const {
    for (std::size_t o = 0; o < tally.outputs.size(); ++o) {
      const ConstView a = reference.output(o);
      const ConstView b = other.output(o);
      const bool unlike = a.shape() != b.shape();
      const bool by_data = !reference.output_is_static(o) || !other.output_is_static(o);
      if (a.dtype() != b.dtype() || (unlike && !by_data)) {
        const graph::Graph& graph = *request_.reference.graph;
        return Error{ErrorCode::kInvalidInput, "output " + quoted(graph.value(graph.outputs[o].value).name) + " is " +
                                                   to_string(*a.type) + " in the float model and " +
                                                   to_string(*b.type) + " in the quantized one"};
      }
      tally.outputs[o].unlike = unlike ? 1 : 0;
      if (a.dtype() == DType::kFloat32 && !unlike) tally.outputs[o].sums.add(a.values<float>(), b.values<float>());
    }
    const ConstView a = tally.outputs.empty() ? ConstView{} : reference.output(0);
    const ConstView b = tally.outputs.empty() ? ConstView{} : other.output(0);
    if (request_.masks) return count_pixels(a, b, i, request_.masks, tally.scores);
    if (request_.needs_scores && !(is_score_row(a) && is_score_row(b))) {
      return Error{ErrorCode::kUsage,
                   "top-1 agreement needs a first output of one float32 row of scores, this model's is " +
                       (a.present() ? to_string(*a.type) : std::string("absent"))};
    }
    std::optional<std::int64_t> label;
    if (!request_.labels.empty()) label = request_.labels[static_cast<std::size_t>(i)];
    if (!has_classes(a, b)) return {};
    return count_classes(a, b, label, tally.scores);
  }

  /// The first output is what a class is chosen from; see Comparison::top1_agreement_percent.
  bool has_classes(const ConstView& a, const ConstView& b) const {
    if (!request_.labels.empty() || request_.needs_scores) return true;
    return request_.reference.graph->outputs.size() == 1 && is_class_scores(a) && is_class_scores(b);
  }

  /// `with_details`: fill what only the main comparison has.
  TensorError error_of(const TensorTally& tally, std::size_t w, const std::string& name, bool with_details) const {
    const graph::Graph& other = *request_.other.graph;
    const graph::NodeId n = producers_[static_cast<std::size_t>(watched_[w].other)];
    TensorError error{name, n == graph::kNoNode ? std::string() : other.node(n).op_type, tally.sums, tally.unlike};
    const TensorTally& watched = main_.watched[w];
    if (watched_[w].encoding != nullptr) {
      error.scale = rms_scale(*watched_[w].encoding);
      error.num_clipped = watched.clipped;
    }
    if (!with_details) return error;
    if (request_.isolated && watched.isolated.count > 0) error.isolated = watched.isolated;
    const bool has_codes = std::ranges::any_of(watched.off_by, [](std::int64_t count) { return count > 0; });
    if (has_codes) error.off_by = watched.off_by;
    return error;
  }

  Comparison summary(const Tally& tally, bool with_details) {
    const graph::Graph& graph = *request_.reference.graph;
    const graph::Graph& other = *request_.other.graph;
    producers_ = graph::links_of(other).producer;
    Comparison comparison;
    comparison.num_samples = request_.samples.count;
    for (std::size_t o = 0; o < tally.outputs.size(); ++o) {
      if (tally.outputs[o].sums.count == 0 && tally.outputs[o].unlike == 0) continue;
      comparison.outputs.push_back(
          error_of(tally.outputs[o], layer_of_output_[o], graph.value(graph.outputs[o].value).name, with_details));
    }
    for (std::size_t l = 0; l < request_.layers.size(); ++l) {
      if (tally.watched[l].sums.count == 0) continue;
      comparison.layers.push_back(
          error_of(tally.watched[l], l, other.value(request_.layers[l].other).name, with_details));
    }
    std::ranges::sort(comparison.layers, [](const TensorError& a, const TensorError& b) {
      const double da = a.sums.sqnr_db();
      const double db = b.sums.sqnr_db();
      return da != db ? da < db : a.name < b.name;
    });
    comparison.top1_agreement_percent = tally.scores.agreement_percent();
    if (comparison.top1_agreement_percent) comparison.classes_of = graph.value(graph.outputs.front().value).name;
    comparison.miou = tally.scores.miou();
    if (!request_.labels.empty()) {
      comparison.top1 = tally.scores.top1();
      comparison.top5 = tally.scores.top5();
    }
    return comparison;
  }

  const CompareRequest& request_;
  std::vector<Layer> watched_;                // The request's layers, then outputs that are none.
  std::vector<std::size_t> layer_of_output_;  // Index into watched_.
  Watchers reference_watchers_;
  Watchers other_watchers_;
  std::vector<graph::NodeId> producers_;  // Of the other graph, by ValueId.
  std::vector<Work> work_;                // By worker.
  Tally main_;
  Tally simulated_;
  ScoreTally between_;
};

}  // namespace

Result<Compared> compare_runs(const CompareRequest& request) {
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
