// staged_runs.cpp: cuts where the budget allows them, and the runs between.
#include "sensitivity/staged_runs.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <string>

#include "core/ordered_parallel.hpp"
#include "exec/activation_store.hpp"
#include "exec/parts.hpp"
#include "lower/lower.hpp"

namespace halfstep::sensitivity {
namespace {

using graph::ValueId;

/// A part of a form of the model, ready to run.
struct PreparedPart {
  std::vector<std::string> outputs;
  std::shared_ptr<const lower::Program> program;
};

/// The constants of a form, by name.
void take_constants(const graph::Graph& form, graph::Graph& part) {
  std::map<std::string_view, const Tensor*> constants;
  for (const graph::Value& value : form.values) {
    if (value.constant) constants.emplace(value.name, &*value.constant);
  }
  for (graph::Value& value : part.values) {
    const auto at = value.constant ? constants.find(value.name) : constants.end();
    if (at != constants.end()) value.constant = *at->second;
  }
}

class StagedRunner {
 public:
  StagedRunner(const StagedRequest& request, const std::vector<Variant>& variants, const StagedReceiver& receiver,
               ops::Facts facts, exec::Parts parts)
      : request_(request),
        graph_(request.base->graph),
        variants_(variants),
        receiver_(receiver),
        facts_(std::move(facts)),
        parts_(std::move(parts)),
        store_(request.memory_bytes) {
    for (const graph::GraphInput& input : graph_.inputs) stored_.push_back(name_of(input.value));
    for (const graph::GraphOutput& output : graph_.outputs) outputs_.push_back(name_of(output.value));
  }

  Result<StagedOutcome> run() {
    std::vector<std::size_t> order(variants_.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, {}, [&](std::size_t v) { return variants_[v].first; });
    for (const std::size_t v : order) {
      if (auto moved = move_to(variants_[v].first); !moved.ok()) return moved.error();
      if (auto ran = run_variant(v); !ran.ok()) return ran.error();
    }
    outcome_.peak_bytes = store_.peak_bytes_in_memory();
    return outcome_;
  }

 private:
  const std::string& name_of(ValueId id) const { return graph_.value(id).name; }
  std::int64_t num_nodes() const { return static_cast<std::int64_t>(graph_.nodes.size()); }

  /// What nodes from `cut` on, or the model's outputs, need of what is before. Empty: the types of some are decided
  /// while running.
  std::optional<std::vector<ValueId>> frontier_at(std::size_t cut) const {
    std::set<ValueId> written;
    for (const graph::GraphInput& input : graph_.inputs) written.insert(input.value);
    for (std::size_t n = 0; n < cut; ++n) {
      written.insert(graph_.nodes[n].outputs.begin(), graph_.nodes[n].outputs.end());
    }
    std::set<ValueId> needed;
    const auto need = [&](ValueId id) {
      if (id == graph::kNoValue || !written.contains(id)) return;
      if (!facts_[static_cast<std::size_t>(id)].value) needed.insert(id);
    };
    for (std::size_t n = cut; n < graph_.nodes.size(); ++n) std::ranges::for_each(graph_.nodes[n].inputs, need);
    for (const graph::GraphOutput& output : graph_.outputs) need(output.value);
    const bool typed =
        std::ranges::all_of(needed, [&](ValueId id) { return facts_[static_cast<std::size_t>(id)].type.has_value(); });
    if (!typed || needed.empty()) return std::nullopt;
    return std::vector<ValueId>(needed.begin(), needed.end());
  }

  /// Of all samples.
  std::size_t bytes_of(const std::vector<ValueId>& frontier) const {
    std::size_t bytes = 0;
    for (const ValueId id : frontier) {
      const TensorType& type = *facts_[static_cast<std::size_t>(id)].type;
      const TensorEncoding* encoding = find_encoding(request_.base->encodings, name_of(id));
      const DType stored = encoding != nullptr ? storage_dtype(encoding->encoding.grid()) : type.dtype;
      bytes += static_cast<std::size_t>(type.shape.num_elements()) * size_in_bytes(stored);
    }
    return bytes * static_cast<std::size_t>(request_.samples.count);
  }

  /// To the cut before node `first`, if what is kept there and here fits into the budget.
  Result<void> move_to(std::size_t first) {
    if (first <= at_) return {};
    const std::optional<std::vector<ValueId>> frontier = frontier_at(first);
    if (!frontier || bytes_of(*frontier) + store_.bytes_in_memory() > request_.memory_bytes) return {};
    std::vector<std::string> kept;
    std::vector<std::string> made;
    for (const ValueId id : *frontier) {
      const bool is_here = at_ > 0 && std::ranges::find(stored_, name_of(id)) != stored_.end();
      (is_here ? kept : made).push_back(name_of(id));
    }
    const auto drop_rest = [&](std::int64_t sample) {
      if (at_ == 0) return;
      for (const std::string& name : stored_) {
        if (std::ranges::find(kept, name) == kept.end()) store_.drop(name, sample);
      }
    };
    if (made.empty()) {
      for (std::int64_t sample = 0; sample < request_.samples.count; ++sample) drop_rest(sample);
    } else {
      const Result<PreparedPart> part = prepare(*request_.base, made, lower::OutputForm::kCodes);
      if (!part.ok()) return part.error();
      const auto keep = [&](std::int64_t sample, int, const exec::Executor& executor) -> Result<void> {
        for (std::size_t i = 0; i < made.size(); ++i) {
          if (auto put = store_.put(made[i], sample, executor.output(i)); !put.ok()) return put;
        }
        drop_rest(sample);
        return {};
      };
      if (auto ran = run_part(*part, keep, {}); !ran.ok()) return ran;
      for (std::size_t i = 0; i < made.size(); ++i) {
        const auto& slot = part->program->slots[static_cast<std::size_t>(part->program->outputs[i])];
        if (slot.encoding != nullptr) grids_.insert_or_assign(made[i], *slot.encoding);
      }
    }
    outcome_.num_nodes_run += static_cast<std::int64_t>(first - at_);
    at_ = first;
    stored_ = std::move(kept);
    stored_.insert(stored_.end(), made.begin(), made.end());
    ++outcome_.num_cuts;
    return {};
  }

  /// What computes `outputs` from what is stored.
  Result<PreparedPart> prepare(const QuantizedGraph& form, const std::vector<std::string>& outputs,
                               lower::OutputForm output_form) const {
    lower::CodeInputs codes;
    if (at_ > 0) {
      for (const std::string& name : stored_) {
        if (const auto grid = grids_.find(name); grid != grids_.end()) codes.emplace(*grid);
      }
    }
    Result<graph::Graph> part = parts_.between(stored_, outputs);
    if (!part.ok()) return part.error();
    take_constants(form.graph, *part);
    Result<lower::Program> program =
        lower::fixed_program(*part, {}, form.encodings, request_.fixed, codes, output_form);
    if (!program.ok()) return program.error();
    return PreparedPart{outputs, std::make_shared<const lower::Program>(*std::move(program))};
  }

  Result<std::vector<Tensor>> inputs_of(std::int64_t sample) const {
    if (at_ == 0) return request_.samples.load(sample);
    std::vector<Tensor> inputs;
    for (const std::string& name : stored_) {
      Result<Tensor> tensor = store_.get(name, sample);
      if (!tensor.ok()) return tensor.error();
      inputs.push_back(*std::move(tensor));
    }
    return inputs;
  }

  Result<void> run_part(const PreparedPart& part,
                        const std::function<Result<void>(std::int64_t, int, const exec::Executor&)>& ran,
                        const std::function<Result<void>(std::int64_t, int)>& add) const {
    std::vector<std::optional<exec::Executor>> executors(static_cast<std::size_t>(request_.num_threads));
    const auto produce = [&](std::int64_t sample, int worker) -> Result<void> {
      std::optional<exec::Executor>& executor = executors[static_cast<std::size_t>(worker)];
      if (!executor) executor.emplace(part.program);
      const Result<std::vector<Tensor>> inputs = inputs_of(sample);
      if (!inputs.ok()) return inputs.error();
      if (auto done = executor->run(*inputs); !done.ok()) {
        return request_.samples.place ? done.error().at(request_.samples.place(sample)) : done.error();
      }
      return ran(sample, worker, *executor);
    };
    const auto consume = [&](std::int64_t sample, int worker) { return add ? add(sample, worker) : Result<void>(); };
    return ordered_parallel_for(request_.samples.count, request_.num_threads, produce, consume);
  }

  Result<void> run_variant(std::size_t v) {
    const QuantizedGraph form = variants_[v].make();
    const Result<PreparedPart> part = prepare(form, outputs_, lower::OutputForm::kReal);
    if (!part.ok()) return part.error();
    outcome_.num_nodes_run += num_nodes() - static_cast<std::int64_t>(at_);
    outcome_.num_nodes_unshared += num_nodes();
    const auto ran = [&](std::int64_t sample, int worker, const exec::Executor& executor) {
      return receiver_.ran(v, sample, worker, executor);
    };
    const auto add = [&](std::int64_t sample, int worker) { return receiver_.add(v, sample, worker); };
    if (auto all = run_part(*part, ran, add); !all.ok()) return all;
    return receiver_.done(v);
  }

  const StagedRequest& request_;
  const graph::Graph& graph_;
  const std::vector<Variant>& variants_;
  const StagedReceiver& receiver_;
  ops::Facts facts_;
  exec::Parts parts_;  // Of the base's graph; constants of forms are put in when a part is prepared.
  std::vector<std::string> outputs_;
  std::size_t at_ = 0;               // The cut: index of the first node behind it. 0: samples are loaded, not stored.
  std::vector<std::string> stored_;  // At the cut.
  exec::ActivationStore store_;
  lower::CodeInputs grids_;  // Of what is in the store as codes.
  StagedOutcome outcome_;
};

}  // namespace

Result<StagedOutcome> run_staged(const StagedRequest& request, const std::vector<Variant>& variants,
                                 const StagedReceiver& receiver) {
  Result<ops::Facts> facts = ops::infer_facts(request.base->graph, request.shapes);
  if (!facts.ok()) return facts.error();
  Result<exec::Parts> parts = exec::Parts::make(request.base->graph, request.shapes);
  if (!parts.ok()) return parts.error();
  return StagedRunner(request, variants, receiver, *std::move(facts), *std::move(parts)).run();
}

}  // namespace halfstep::sensitivity
