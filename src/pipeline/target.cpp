// target.cpp: reading, and the checks in their order.
#include "pipeline/target.hpp"

#include <cstdint>
#include <vector>

#include "core/errors.hpp"
#include "halfstep/recipes.hpp"
#include "io/json/target_json.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "pipeline/named_files.hpp"
#include "precision/choose_tensors.hpp"
#include "precision/target_checks.hpp"

namespace halfstep::pipeline {
std::filesystem::path target_folder() { return recipe_folder() / "targets"; }

Result<TargetProfile> find_target(const std::string& name_or_file, const std::filesystem::path& folder) {
  const Result<std::filesystem::path> file = find_named_file("target", name_or_file, folder);
  if (!file.ok()) return file.error();
  const Result<std::string> text = read_text(*file);
  if (!text.ok()) return text.error();
  std::vector<std::string> operators;
  for (const ops::OpDef& op : ops::all_ops()) operators.emplace_back(op.type);
  Result<TargetProfile> target = io::read_target(*text, file->string(), operators);
  if (target.ok()) target->name = name_or_file;
  return target;
}

Result<std::optional<TargetProfile>> target_of(const QuantizeRequest& request) {
  if (request.target.empty()) return std::optional<TargetProfile>();
  Result<TargetProfile> target = find_target(request.target);
  if (!target.ok()) return target.error();
  return std::optional<TargetProfile>(*std::move(target));
}

Result<void> check_target_plan(const TargetProfile& target, const PreparedModel& model, const ops::InputShapes& shapes,
                               const QuantizationOptions& options) {
  const Result<ops::Facts> facts = ops::infer_facts(model.graph, shapes);
  if (!facts.ok()) return facts.error();
  const precision::Plan plan = precision::choose_tensors(model.graph, *facts, options, given_of(model));
  return precision::check_kinds(model.graph, target, precision::kinds_of(model.graph, *facts, plan, model.encodings),
                                plan);
}

Result<void> check_target_grids(const TargetProfile& target, const PreparedModel& model, const ops::Facts& facts,
                                const precision::Plan& plan) {
  const precision::TensorKinds kinds = precision::kinds_of(model.graph, facts, model.encodings);
  if (auto legal = precision::check_kinds(model.graph, target, kinds, plan); !legal.ok()) return legal;
  return precision::check_grids(model.graph, facts, target, model.encodings);
}

// Sums of products with weights: what Add and its like sum is scaled to fit.
Result<void> check_target_program(const TargetProfile& target, const graph::Graph& graph,
                                  const lower::Program& program) {
  if (!target.accumulator_bits || *target.accumulator_bits >= 64) return {};
  const std::uint64_t largest = (std::uint64_t{1} << (*target.accumulator_bits - 1)) - 1;
  for (const lower::Step& step : program.steps) {
    const ops::AccumulatorProof& proof = step.facts.accumulator;
    if (proof.bits == 0 || proof.worst_case <= largest || step.node == graph::kNoNode) continue;
    if (ops::weight_of(graph, graph.node(step.node)) == graph::kNoValue) continue;
    const bool raised = *target.accumulator_bits == 32;
    return usage(step.label + ": its sums may reach " + std::to_string(proof.worst_case) + ", and target " +
                 target.name + " has accumulators of " + std::to_string(*target.accumulator_bits) + " bits; " +
                 (raised ? "use --accumulator_bits 32, which raises the scale of the weight"
                         : "override the weight with fewer bits"));
  }
  return {};
}

}  // namespace halfstep::pipeline
