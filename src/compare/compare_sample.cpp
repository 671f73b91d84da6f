// compare_sample.cpp: taps that keep, compare and overwrite.
#include "compare/compare_sample.hpp"

#include <algorithm>

#include "core/text.hpp"
#include "encoding/encoding_set.hpp"

namespace halfstep::compare {
namespace {

class SampleComparison {
 public:
  SampleComparison(const RunsRequest& request, const Watched& watched, SampleWork& work)
      : request_(request), watched_(watched), work_(work) {}

  Result<void> run(std::int64_t i, int worker) {
    work_.main = Tally(watched_.layer_of_output.size(), watched_.layers.size());
    work_.simulated = work_.main;
    work_.between = {};
    work_.kept.resize(watched_.layers.size());
    work_.codes.resize(watched_.layers.size());
    work_.present.assign(watched_.layers.size(), false);

    Result<std::vector<Tensor>> inputs = request_.samples.load(i);
    if (!inputs.ok()) return inputs.error();
    Result<exec::Executor*> reference = request_.reference.session->executor(worker, *inputs);
    if (!reference.ok()) return reference.error();
    Result<exec::Executor*> other = request_.other.session->executor(worker, *inputs);
    if (!other.ok()) return other.error();

    const exec::Tap keep = [&](const exec::Tapped& tapped) { return keep_reference(tapped); };
    if (Result<void> ran = (*reference)->run(*inputs, keep); !ran.ok()) return ran.error().at("float model");
    const exec::Tap compare = [&](const exec::Tapped& tapped) { return compare_tensor(tapped); };
    if (Result<void> ran = (*other)->run(*inputs, compare); !ran.ok()) return ran.error().at("quantized model");
    if (Result<void> done = compare_outputs(i, **reference, **other, work_.main); !done.ok()) return done;
    if (request_.seen) {
      if (Result<void> seen = request_.seen(i, **reference, **other); !seen.ok()) return seen;
    }
    if (request_.simulated != nullptr) {
      Result<exec::Executor*> simulated = request_.simulated->executor(worker, *inputs);
      if (!simulated.ok()) return simulated.error();
      const exec::Tap imitate = [&](const exec::Tapped& tapped) { return compare_simulated(tapped); };
      if (Result<void> ran = (*simulated)->run(*inputs, imitate); !ran.ok()) {
        return ran.error().at("simulated quantized model");
      }
      if (Result<void> done = compare_outputs(i, **reference, **simulated, work_.simulated); !done.ok()) return done;
      if (!work_.main.outputs.empty()) {
        Result<void> done;
        if (has_classes((*other)->output(0), (*simulated)->output(0))) {
          done = count_classes((*other)->output(0), (*simulated)->output(0), std::nullopt, work_.between);
        }
        if (!done.ok()) return done;
      }
    }
    if (!request_.isolated) return {};
    const exec::Tap feed = [&](const exec::Tapped& tapped) { return feed_reference(tapped); };
    Result<void> ran = (*other)->run(*inputs, feed);
    return ran.ok() ? ran : ran.error().at("quantized model, fed with the float model's tensors");
  }

 private:
  Result<void> keep_reference(const exec::Tapped& tapped) {
    const ConstView& view = tapped.view;
    if (view.dtype() != DType::kFloat32) return {};
    watched_.for_each_of_reference(tapped.value, [&](std::size_t w) {
      Tensor& kept = work_.kept[w];
      if (kept.type() != *view.type) kept = Tensor(*view.type);
      std::copy_n(view.bytes, static_cast<std::size_t>(view.type->num_bytes()), kept.mutable_bytes());
      work_.present[w] = true;
    });
    return {};
  }

  /// Whether a tensor of the other side can be compared with the one kept for `w`.
  bool comparable(const exec::Tapped& tapped, std::size_t w) const {
    if (!work_.present[w] || work_.kept[w].shape() != tapped.view.shape()) return false;
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
    const Encoding* encoding = watched_.layers[w].encoding;
    return encoding != nullptr && check_fits(*encoding, shape).ok() ? encoding : nullptr;
  }

  Result<void> compare_tensor(const exec::Tapped& tapped) {
    watched_.for_each_of_other(tapped.value, [&](std::size_t w) {
      TensorTally& tally = work_.main.watched[w];
      if (work_.present[w] && work_.kept[w].shape() != tapped.view.shape()) ++tally.unlike;
      if (!comparable(tapped, w)) return;
      add_errors(tapped, work_.kept[w], tally.sums);
      if (const Encoding* encoding = fitting_encoding(w, tapped.view.shape())) {
        tally.clipped += count_clipped(work_.kept[w].view(), *encoding);
      }
      if (request_.simulated != nullptr && tapped.encoding != nullptr) work_.codes[w] = Tensor::copy_of(tapped.view);
    });
    return {};
  }

  Result<void> compare_simulated(const exec::Tapped& tapped) {
    watched_.for_each_of_other(tapped.value, [&](std::size_t w) {
      if (!comparable(tapped, w)) return;
      add_errors(tapped, work_.kept[w], work_.simulated.watched[w].sums);
      const Encoding* encoding = fitting_encoding(w, tapped.view.shape());
      const Tensor& codes = work_.codes[w];
      if (encoding == nullptr || codes.shape() != tapped.view.shape()) return;
      if (codes.dtype() != storage_dtype(encoding->grid())) return;
      work_.main.watched[w].off_by = off_by(codes.view(), tapped.view, *encoding);
      work_.codes[w] = Tensor();
    });
    return {};
  }

  Result<void> feed_reference(const exec::Tapped& tapped) {
    watched_.for_each_of_other(tapped.value, [&](std::size_t w) {
      if (!comparable(tapped, w)) return;
      add_errors(tapped, work_.kept[w], work_.main.watched[w].isolated);
    });
    // A tensor without grid stays as the layer made it: it is inside a layer, not between two.
    watched_.for_each_of_other(tapped.value, [&](std::size_t w) {
      const Encoding* encoding =
          tapped.encoding != nullptr ? tapped.encoding : fitting_encoding(w, tapped.view.shape());
      if (!comparable(tapped, w)) return;
      if (encoding == nullptr) {
        const Tensor& kept = work_.kept[w];
        const bool writable = tapped.content.present() && *tapped.content.type == kept.type();
        if (watched_.layers[w].ends_layer && writable)
          std::copy_n(kept.bytes(), kept.num_bytes(), tapped.content.bytes);
        return;
      }
      overwrite(work_.kept[w].view(), *encoding, tapped.content);
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

  const RunsRequest& request_;
  const Watched& watched_;
  SampleWork& work_;
};

}  // namespace

Result<void> compare_sample(const RunsRequest& request, const Watched& watched, std::int64_t i, int worker,
                            SampleWork& work) {
  return SampleComparison(request, watched, work).run(i, worker);
}

}  // namespace halfstep::compare
