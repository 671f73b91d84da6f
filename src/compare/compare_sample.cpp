// compare_sample.cpp: runs in step with the reference's, compared and overwritten on the way.
#include "compare/compare_sample.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "compare/reference_run.hpp"
#include "core/text.hpp"
#include "encoding/encoding_set.hpp"

namespace halfstep::compare {
namespace {

class SampleComparison {
 public:
  SampleComparison(const RunsRequest& request, const Watched& watched, SampleWork& work)
      : request_(request), watched_(watched), work_(work) {}

  Result<void> run(std::int64_t i, int worker) {
    clear();
    Result<std::vector<Tensor>> inputs = request_.samples.load(i);
    if (!inputs.ok()) return inputs.error();
    Result<Runs> runs = start(*inputs, worker);
    if (!runs.ok()) return runs.error();
    if (Result<void> ran = run_in_step(*runs); !ran.ok()) return ran;

    const exec::Executor& reference = *runs->reference;
    const exec::Executor& other = *runs->other.executor;
    if (Result<void> done = compare_outputs(i, reference, other, work_.main); !done.ok()) return done;
    if (request_.seen) {
      if (Result<void> seen = request_.seen(i, reference, other); !seen.ok()) return seen;
    }
    if (!runs->simulated) return {};
    const exec::Executor& simulated = *runs->simulated->executor;
    if (Result<void> done = compare_outputs(i, reference, simulated, work_.simulated); !done.ok()) return done;
    if (work_.main.outputs.empty()) return {};
    const ConstView a = other.output(0);
    const ConstView b = simulated.output(0);
    return holds_classes(request_, *request_.reference.graph, a, b) ? count_classes(a, b, std::nullopt, work_.between)
                                                                    : Result<void>();
  }

 private:
  struct Follower;
  using Look = void (SampleComparison::*)(const Follower&, const ReferenceRun&);

  /// A run that is compared with the reference.
  struct Follower {
    exec::Executor* executor = nullptr;
    const char* name = "";
    Look look = nullptr;
    bool reads_codes = false;             ///< Those that `other` leaves, which therefore goes first.
    std::optional<exec::Tapped> at = {};  ///< Where it stands, not looked at yet.
    /// A second run of the same Program, at the same tensor, which is isolated. May be null.
    exec::Executor* isolated = nullptr;
    std::optional<exec::Tapped> isolated_at = {};
  };

  struct Runs {
    exec::Executor* reference = nullptr;
    Follower other;
    std::optional<Follower> simulated;
  };

  void clear() {
    work_.main = Tally(watched_.layer_of_output.size(), watched_.layers.size());
    work_.simulated = work_.main;
    work_.between = {};
    work_.codes.resize(watched_.layers.size());
    work_.told.assign(watched_.layers.size(), false);
  }

  Result<Runs> start(const std::vector<Tensor>& inputs, int worker) const {
    const auto started = [&](exec::Session& session, int executor_of, const char* name) -> Result<exec::Executor*> {
      Result<exec::Executor*> executor = session.executor(executor_of, inputs);
      if (!executor.ok()) return executor;
      if (Result<void> begun = (*executor)->start(inputs); !begun.ok()) return begun.error().at(name);
      return executor;
    };
    const Result<exec::Executor*> reference = started(*request_.reference.session, worker, kReference);
    if (!reference.ok()) return reference.error();
    const Result<exec::Executor*> other = started(*request_.other.session, worker, kOther);
    if (!other.ok()) return other.error();
    Runs runs{*reference, {*other, kOther, &SampleComparison::compare_tensor}, std::nullopt};
    if (request_.simulated != nullptr) {
      const Result<exec::Executor*> simulated = started(*request_.simulated, worker, kSimulated);
      if (!simulated.ok()) return simulated.error();
      runs.simulated = {*simulated, kSimulated, &SampleComparison::compare_simulated, true};
    }
    if (request_.isolated) {
      const Result<exec::Executor*> isolated =
          started(*request_.other.session, request_.num_threads + worker, kIsolated);
      if (!isolated.ok()) return isolated.error();
      runs.other.isolated = *isolated;
    }
    return runs;
  }

  /// Every run goes as far as the reference has come, and the reference no farther than to its next tensor.
  Result<void> run_in_step(Runs& runs) {
    std::vector<Follower*> followers{&runs.other};
    if (runs.simulated) followers.push_back(&*runs.simulated);
    std::vector<exec::Executor*> readers;
    for (const Follower* follower : followers) readers.push_back(follower->executor);
    for (std::size_t w = 0; w < watched_.layers.size(); ++w) {
      work_.told[w] = !runs.other.executor->completes(watched_.layers[w].other);
    }
    ReferenceRun reference(watched_, *runs.reference, readers);
    for (bool more = true; more;) {
      const Result<bool> advanced = reference.advance();
      if (!advanced.ok()) return advanced.error().at(kReference);
      more = *advanced;
      for (Follower* follower : followers) {
        if (Result<void> caught = catch_up(reference, *follower); !caught.ok()) return caught;
      }
    }
    return {};
  }

  /// To the follower's next tensor, or its end.
  static Result<void> advance(Follower& follower) {
    Result<std::optional<exec::Tapped>> next = follower.executor->advance();
    if (!next.ok()) return next.error().at(follower.name);
    follower.at = *next;
    if (follower.isolated == nullptr) return {};
    next = follower.isolated->advance();
    if (!next.ok()) return next.error().at(kIsolated);
    follower.isolated_at = *next;
    return {};
  }

  Result<void> catch_up(ReferenceRun& reference, Follower& follower) {
    for (;;) {
      if (!follower.at) {
        if (Result<void> advanced = advance(follower); !advanced.ok()) return advanced;
        if (!follower.at) return {};
      }
      bool waits = false;
      watched_.for_each_of_other(follower.at->value, [&](std::size_t w) {
        waits = waits || !reference.is_past(w) || (follower.reads_codes && !work_.told[w]);
      });
      if (waits) return {};
      (this->*follower.look)(follower, reference);
      watched_.for_each_of_other(follower.at->value, [&](std::size_t w) { reference.read(w); });
      follower.at.reset();
    }
  }

  /// Whether a tensor of another run can be compared with the reference's.
  static bool comparable(const exec::Tapped& tapped, const ConstView& expected) {
    if (!expected.present() || expected.shape() != tapped.view.shape()) return false;
    if (tapped.encoding != nullptr) return check_fits(*tapped.encoding, tapped.view.shape()).ok();
    return tapped.view.dtype() == DType::kFloat32;
  }

  const Encoding* fitting_encoding(std::size_t w, const Shape& shape) const {
    const Encoding* encoding = watched_.layers[w].encoding;
    return encoding != nullptr && check_fits(*encoding, shape).ok() ? encoding : nullptr;
  }

  void compare_tensor(const Follower& other, const ReferenceRun& reference) {
    const exec::Tapped& tapped = *other.at;
    const exec::Tapped* isolated = other.isolated_at ? &*other.isolated_at : nullptr;
    watched_.for_each_of_other(tapped.value, [&](std::size_t w) {
      work_.told[w] = true;
      const ConstView expected = reference.values(w);
      TensorTally& tally = work_.main.watched[w];
      if (expected.present() && expected.shape() != tapped.view.shape()) ++tally.unlike;
      const bool compares = comparable(tapped, expected);
      const bool compares_isolated = isolated != nullptr && comparable(*isolated, expected);
      const Encoding* clipping = compares ? fitting_encoding(w, tapped.view.shape()) : nullptr;
      if (compares && compares_isolated) {
        const ErrorsOfTwo errors =
            errors_of_two(expected, tapped.view, isolated->view, tapped.encoding, clipping, &tally.clipped);
        tally.sums.add(errors.first);
        tally.isolated.add(errors.second);
      } else if (compares) {
        tally.sums.add(errors_of(expected, tapped.view, tapped.encoding, clipping, &tally.clipped));
      } else if (compares_isolated) {
        tally.isolated.add(errors_of(expected, isolated->view, isolated->encoding));
      }
      if (compares && request_.simulated != nullptr && tapped.encoding != nullptr)
        work_.codes[w] = Tensor::copy_of(tapped.view);
    });
    if (isolated != nullptr) feed_reference(*isolated, reference);
  }

  void compare_simulated(const Follower& simulated, const ReferenceRun& reference) {
    const exec::Tapped& tapped = *simulated.at;
    watched_.for_each_of_other(tapped.value, [&](std::size_t w) {
      const Tensor codes = std::exchange(work_.codes[w], Tensor());
      const ConstView expected = reference.values(w);
      if (!comparable(tapped, expected)) return;
      work_.simulated.watched[w].sums.add(errors_of(expected, tapped.view, tapped.encoding));
      const Encoding* encoding = fitting_encoding(w, tapped.view.shape());
      if (encoding == nullptr || codes.shape() != tapped.view.shape()) return;
      if (codes.dtype() != storage_dtype(encoding->grid())) return;
      work_.main.watched[w].off_by = off_by(codes.view(), tapped.view, *encoding);
    });
  }

  /// Overwrites a tensor of the isolated run. One without grid stays as the layer made it: it is inside a layer, not
  /// between two.
  void feed_reference(const exec::Tapped& tapped, const ReferenceRun& reference) const {
    watched_.for_each_of_other(tapped.value, [&](std::size_t w) {
      const Encoding* encoding =
          tapped.encoding != nullptr ? tapped.encoding : fitting_encoding(w, tapped.view.shape());
      const ConstView expected = reference.values(w);
      if (!comparable(tapped, expected)) return;
      if (encoding != nullptr) {
        overwrite(expected, *encoding, tapped.content);
        return;
      }
      const bool writable = tapped.content.present() && *tapped.content.type == *expected.type;
      if (watched_.layers[w].ends_layer && writable)
        std::copy_n(expected.bytes, expected.type->num_bytes(), tapped.content.bytes);
    });
  }

  Result<void> compare_outputs(std::int64_t i, const exec::Executor& reference, const exec::Executor& other,
                               Tally& tally) const {
    std::vector<OutputPair> outputs;
    for (std::size_t o = 0; o < tally.outputs.size(); ++o) {
      outputs.push_back(
          {reference.output(o), other.output(o), reference.output_is_static(o) && other.output_is_static(o)});
    }
    return tally_outputs(request_, *request_.reference.graph, i, outputs, tally);
  }

  static constexpr const char* kReference = "float model";
  static constexpr const char* kOther = "quantized model";
  static constexpr const char* kSimulated = "simulated quantized model";
  static constexpr const char* kIsolated = "quantized model, fed with the float model's tensors";

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
