// target.hpp: finds the profile of --target, and holds a quantized model against it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "encoding/target_profile.hpp"
#include "halfstep/quantize.hpp"
#include "halfstep/result.hpp"
#include "lower/program.hpp"
#include "ops/infer_graph.hpp"
#include "pipeline/load_model.hpp"
#include "precision/plan.hpp"

namespace halfstep::pipeline {

/// Where an installed or freshly built program has its targets: the folder targets in recipe_folder().
std::filesystem::path target_folder();

/// Reads a profile: a file, or the name of one in `folder` (find_named_file()). Whether its options exist and are legal
/// is for resolve_options() to say. Errors: kUsage for an unknown name; those of reading the file.
Result<TargetProfile> find_target(const std::string& name_or_file,
                                  const std::filesystem::path& folder = target_folder());

/// The profile of request.target; empty if there is none. Errors: those of find_target().
Result<std::optional<TargetProfile>> target_of(const QuantizeRequest& request);

/// The planned kinds of all tensors of `model`, which has its orders. Errors: kUsage, see precision::check_kinds().
Result<void> check_target_plan(const TargetProfile& target, const PreparedModel& model, const ops::InputShapes& shapes,
                               const QuantizationOptions& options);

/// The kinds and grids of the finished model. Errors: kUsage naming the node, the target's rule and a remedy.
Result<void> check_target_grids(const TargetProfile& target, const PreparedModel& model, const ops::Facts& facts,
                                const precision::Plan& plan);

/// The accumulators of `program`, the fixed-point Program of `graph`. Errors: likewise.
Result<void> check_target_program(const TargetProfile& target, const graph::Graph& graph,
                                  const lower::Program& program);

}  // namespace halfstep::pipeline
