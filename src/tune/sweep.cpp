// sweep.cpp: the graph in segments, a layer each and what lies between; the frontier is what later segments read.
#include "tune/sweep.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "core/memory_budget.hpp"
#include "core/ordered_parallel.hpp"
#include "exec/activation_store.hpp"
#include "exec/executor.hpp"
#include "exec/parts.hpp"
#include "exec/program_memory.hpp"
#include "lower/lower.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"

namespace halfstep::tune {
namespace {

using graph::NodeId;
using graph::ValueId;

/// Nodes that run together: one layer, or all that lies between two.
struct Segment {
  std::vector<NodeId> nodes = {};
  bool is_layer = false;
  std::vector<ValueId> inputs = {};   ///< Of other segments, or of the graph.
  std::vector<ValueId> outputs = {};  ///< What later segments read.
};

/// A layer needs an input that samples can change: a Gemm of constants and a computed addend is none.
bool is_swept(const graph::Graph& graph, const graph::Node& node, const ops::Facts& facts) {
  return ops::is_integer_node(node, facts) && ops::weight_of(graph, node) != graph::kNoValue &&
         !facts[static_cast<std::size_t>(node.inputs[0])].value;
}

/// Up to the last layer. Values that are the same for every sample belong to no segment.
std::vector<Segment> segments_of(const graph::Graph& graph, const ops::Facts& facts) {
  const graph::Links links = graph::links_of(graph);
  std::vector<bool> is_taken(graph.nodes.size(), false);  // Activations, which run with their layer.
  const auto is_known = [&](ValueId id) {
    return id == graph::kNoValue || facts[static_cast<std::size_t>(id)].value.has_value();
  };
  std::vector<Segment> segments;
  std::map<ValueId, std::size_t> written_by;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const graph::Node& node = graph.nodes[n];
    if (is_taken[n] || std::ranges::all_of(node.outputs, is_known)) continue;
    const bool is_layer = is_swept(graph, node, facts);
    if (segments.empty() || is_layer || segments.back().is_layer) segments.push_back({.is_layer = is_layer});
    segments.back().nodes.push_back(static_cast<NodeId>(n));
    if (is_layer) {
      const NodeId activation = ops::activation_behind(graph, links, facts, static_cast<NodeId>(n));
      if (activation != graph::kNoNode) {
        segments.back().nodes.push_back(activation);
        is_taken[static_cast<std::size_t>(activation)] = true;
      }
    }
    for (const NodeId member : segments.back().nodes) {
      for (const ValueId id : graph.node(member).outputs) {
        if (!is_known(id)) written_by[id] = segments.size() - 1;
      }
    }
  }
  while (!segments.empty() && !segments.back().is_layer) segments.pop_back();
  for (std::size_t s = 0; s < segments.size(); ++s) {
    for (const NodeId n : segments[s].nodes) {
      for (const ValueId id : graph.node(n).inputs) {
        if (is_known(id)) continue;
        const auto writer = written_by.find(id);
        if (writer != written_by.end() && writer->second == s) continue;
        if (std::ranges::find(segments[s].inputs, id) == segments[s].inputs.end()) segments[s].inputs.push_back(id);
        if (writer == written_by.end()) continue;
        auto& outputs = segments[writer->second].outputs;
        if (std::ranges::find(outputs, id) == outputs.end()) outputs.push_back(id);
      }
    }
  }
  return segments;
}

/// A segment ready to run from the frontier.
struct PreparedSegment {
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::shared_ptr<const lower::Program> program;
  std::vector<const Encoding*> grids;  ///< Of the outputs; nullptr: real numbers.
};

class Sweeper {
 public:
  Sweeper(const QuantizedGraph& model, const SweepRequest& request, ops::Facts facts, exec::Parts parts)
      : model_(model),
        request_(request),
        parts_(std::move(parts)),
        segments_(segments_of(model.graph, facts)),
        store_(request.memory_bytes) {
    for (std::size_t s = 0; s < segments_.size(); ++s) {
      for (const ValueId id : segments_[s].inputs) last_reader_[id] = s;
    }
  }

  Result<SweepOutcome> run(const std::function<Result<void>(const SweptLayer&)>& visit);

  const QuantizedGraph& model() const { return model_; }
  const std::string& name_of(ValueId id) const { return model_.graph.value(id).name; }
  const Encoding* grid_of(const std::string& name) const {
    const auto at = grids_.find(name);
    return at == grids_.end() ? nullptr : &at->second;
  }

  Result<void> for_each_stored(const std::string& name, std::int64_t num_samples, const SeeTensor& see) const {
    return for_each_sample(num_samples, [&](std::int64_t sample, int worker) -> Result<void> {
      const Result<Tensor> tensor = store_.get(name, sample);
      if (!tensor.ok()) return tensor.error();
      return see(sample, worker, tensor->view(), grid_of(name));
    });
  }

  Result<PreparedSegment> prepare(const Segment& segment, const std::vector<ValueId>& outputs) const;

  /// `see` gets every output.
  Result<void> run_segment(
      const PreparedSegment& segment, std::int64_t num_samples,
      const std::function<Result<void>(std::int64_t, int, std::size_t output, ConstView)>& see) const;

  std::int64_t num_samples(std::int64_t at_most) const { return std::min(at_most, request_.samples.count); }

 private:
  Result<void> for_each_sample(std::int64_t count,
                               const std::function<Result<void>(std::int64_t, int)>& produce) const {
    return ordered_parallel_for(num_samples(count), request_.num_threads, produce,
                                [](std::int64_t, int) -> Result<void> { return {}; });
  }

  Result<void> store_inputs();
  Result<void> advance(std::size_t s);

  const QuantizedGraph& model_;
  const SweepRequest& request_;
  exec::Parts parts_;  // Of the graph as it was: constants of layers are put in as they are when a segment is prepared.
  std::vector<Segment> segments_;
  std::map<ValueId, std::size_t> last_reader_;  // Index into segments_.
  exec::ActivationStore store_;
  lower::CodeInputs grids_;  // Of what is in the store as codes.
};

class LayerAt final : public SweptLayer {
 public:
  LayerAt(const Sweeper& sweeper, const Segment& segment) : sweeper_(sweeper), segment_(segment) {}

  NodeId node() const override { return segment_.nodes.front(); }
  NodeId last() const override { return segment_.nodes.back(); }
  const std::string& input_name() const { return sweeper_.name_of(sweeper_.model().graph.node(node()).inputs[0]); }
  const Encoding* input_grid() const override { return sweeper_.grid_of(input_name()); }

  Result<void> for_each_input(std::int64_t num_samples, const SeeTensor& see) const override {
    return sweeper_.for_each_stored(input_name(), num_samples, see);
  }

  Result<void> for_each_output(std::int64_t num_samples, const SeeTensor& see) const override {
    const Result<PreparedSegment> prepared =
        sweeper_.prepare(segment_, {sweeper_.model().graph.node(last()).outputs[0]});
    if (!prepared.ok()) return prepared.error();
    return sweeper_.run_segment(*prepared, num_samples,
                                [&](std::int64_t sample, int worker, std::size_t, ConstView view) {
                                  return see(sample, worker, view, prepared->grids[0]);
                                });
  }

 private:
  const Sweeper& sweeper_;
  const Segment& segment_;
};

/// The graph of a part has the constants that the model had when its Parts were made.
void take_constants(const graph::Graph& model, const Segment& segment, graph::Graph& part) {
  if (!segment.is_layer) return;
  for (const ValueId id : model.node(segment.nodes.front()).inputs) {
    if (graph::constant_of(model, id) == nullptr) continue;
    const ValueId here = graph::find_value(part, model.value(id).name);
    if (here != graph::kNoValue) part.value(here).constant = model.value(id).constant;
  }
}

Result<PreparedSegment> Sweeper::prepare(const Segment& segment, const std::vector<ValueId>& outputs) const {
  PreparedSegment prepared;
  lower::CodeInputs codes;
  for (const ValueId id : segment.inputs) {
    prepared.inputs.push_back(name_of(id));
    if (const Encoding* grid = grid_of(name_of(id))) codes.emplace(name_of(id), *grid);
  }
  for (const ValueId id : outputs) prepared.outputs.push_back(name_of(id));
  Result<graph::Graph> part = parts_.between(prepared.inputs, prepared.outputs);
  if (!part.ok()) return part.error();
  take_constants(model_.graph, segment, *part);
  Result<lower::Program> program =
      lower::fixed_program(*part, {}, model_.encodings, request_.fixed, codes, lower::OutputForm::kCodes);
  if (!program.ok()) return program.error();
  for (const lower::SlotId id : program->outputs) {
    prepared.grids.push_back(program->slots[static_cast<std::size_t>(id)].encoding.get());
  }
  prepared.program = std::make_shared<const lower::Program>(*std::move(program));
  return prepared;
}

Result<void> Sweeper::run_segment(
    const PreparedSegment& segment, std::int64_t num_samples,
    const std::function<Result<void>(std::int64_t, int, std::size_t, ConstView)>& see) const {
  MemoryReservation memory;
  if (auto fits = exec::reserve_executors(*segment.program, request_.num_threads, memory); !fits.ok()) return fits;
  std::vector<std::optional<exec::Executor>> executors(static_cast<std::size_t>(request_.num_threads));
  return for_each_sample(num_samples, [&](std::int64_t sample, int worker) -> Result<void> {
    std::optional<exec::Executor>& executor = executors[static_cast<std::size_t>(worker)];
    if (!executor) executor.emplace(segment.program);
    std::vector<Tensor> inputs;
    for (const std::string& name : segment.inputs) {
      Result<Tensor> tensor = store_.get(name, sample);
      if (!tensor.ok()) return tensor.error();
      inputs.push_back(*std::move(tensor));
    }
    if (auto ran = executor->run(inputs); !ran.ok()) return ran;
    for (std::size_t i = 0; i < segment.outputs.size(); ++i) {
      if (auto seen = see(sample, worker, i, executor->output(i)); !seen.ok()) return seen;
    }
    return {};
  });
}

/// The graph's inputs, on their grids.
Result<void> Sweeper::store_inputs() {
  std::vector<std::string> names;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < model_.graph.inputs.size(); ++i) {
    const ValueId id = model_.graph.inputs[i].value;
    if (!last_reader_.contains(id)) continue;
    names.push_back(name_of(id));
    places.push_back(i);
  }
  const Result<graph::Graph> part = parts_.between(names, names);
  if (!part.ok()) return part.error();
  Result<lower::Program> program =
      lower::fixed_program(*part, {}, model_.encodings, request_.fixed, {}, lower::OutputForm::kCodes);
  if (!program.ok()) return program.error();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto& slot = program->slots[static_cast<std::size_t>(program->outputs[i])];
    if (slot.encoding != nullptr) grids_.insert_or_assign(names[i], *slot.encoding);
  }
  const auto shared = std::make_shared<const lower::Program>(*std::move(program));
  MemoryReservation memory;
  if (auto fits = exec::reserve_executors(*shared, request_.num_threads, memory); !fits.ok()) return fits;
  std::vector<std::optional<exec::Executor>> executors(static_cast<std::size_t>(request_.num_threads));
  return for_each_sample(request_.samples.count, [&](std::int64_t sample, int worker) -> Result<void> {
    std::optional<exec::Executor>& executor = executors[static_cast<std::size_t>(worker)];
    if (!executor) executor.emplace(shared);
    const Result<std::vector<Tensor>> loaded = request_.samples.load(sample);
    if (!loaded.ok()) return loaded.error();
    std::vector<Tensor> inputs;
    for (const std::size_t place : places) inputs.push_back((*loaded)[place]);
    if (auto ran = executor->run(inputs); !ran.ok()) {
      return request_.samples.place ? ran.error().at(request_.samples.place(sample)) : ran.error();
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (auto kept = store_.put(names[i], sample, executor->output(i)); !kept.ok()) return kept;
    }
    return {};
  });
}

/// Runs segment `s` for good: its outputs join the frontier, what nobody reads any more leaves it.
Result<void> Sweeper::advance(std::size_t s) {
  const Segment& segment = segments_[s];
  const auto leave = [&](std::int64_t sample) {
    for (const ValueId id : segment.inputs) {
      if (last_reader_.at(id) == s) store_.drop(name_of(id), sample);
    }
  };
  if (segment.outputs.empty()) {
    for (std::int64_t sample = 0; sample < request_.samples.count; ++sample) leave(sample);
    return {};
  }
  const Result<PreparedSegment> prepared = prepare(segment, segment.outputs);
  if (!prepared.ok()) return prepared.error();
  const auto ran = run_segment(*prepared, request_.samples.count,
                               [&](std::int64_t sample, int, std::size_t output, ConstView view) -> Result<void> {
                                 if (output == 0) leave(sample);
                                 return store_.put(prepared->outputs[output], sample, view);
                               });
  if (!ran.ok()) return ran;
  for (std::size_t i = 0; i < prepared->outputs.size(); ++i) {
    if (prepared->grids[i] != nullptr) grids_.insert_or_assign(prepared->outputs[i], *prepared->grids[i]);
  }
  return {};
}

Result<SweepOutcome> Sweeper::run(const std::function<Result<void>(const SweptLayer&)>& visit) {
  SweepOutcome outcome;
  const std::int64_t total = std::ranges::count(segments_, true, &Segment::is_layer);
  if (total == 0) return outcome;
  if (auto stored = store_inputs(); !stored.ok()) return stored.error();
  for (std::size_t s = 0; s < segments_.size(); ++s) {
    if (segments_[s].is_layer) {
      if (auto seen = visit(LayerAt(*this, segments_[s])); !seen.ok()) return seen.error();
      ++outcome.num_layers;
      if (request_.progress) request_.progress(outcome.num_layers, total);
    }
    const Result<void> advanced = advance(s);
    if (!advanced.ok() && advanced.error().code == ErrorCode::kUnsupported) {
      outcome.stopped = advanced.error().message;
      break;
    }
    if (!advanced.ok()) return advanced.error();
  }
  outcome.spilled_bytes = store_.bytes_in_file();
  outcome.peak_bytes = store_.peak_bytes_in_memory();
  outcome.num_left = store_.num_tensors();
  return outcome;
}

}  // namespace

Result<SweepOutcome> sweep(const QuantizedGraph& model, const SweepRequest& request,
                           const std::function<Result<void>(const SweptLayer&)>& visit) {
  Result<ops::Facts> facts = ops::infer_facts(model.graph, request.shapes);
  if (!facts.ok()) return facts.error();
  Result<exec::Parts> parts = exec::Parts::make(model.graph, request.shapes);
  if (!parts.ok()) return parts.error();
  return Sweeper(model, request, *std::move(facts), *std::move(parts)).run(visit);
}

}  // namespace halfstep::tune
