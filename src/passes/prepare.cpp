// prepare.cpp: all passes in the right order.
#include "passes/prepare.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/memory_budget.hpp"
#include "passes/edit.hpp"

namespace halfstep::passes {
namespace {

using graph::Graph;

struct NamedPass {
  std::string_view name;
  Result<Graph> (*run)(Graph, const PassContext&);
};

/// One round. Constants first, since all others look at them; formulas are
/// recognised before their constants could move into a neighbour's weights.
constexpr std::array kRound = {
    NamedPass{"fold_constants", fold_constants},
    NamedPass{"remove_no_ops", remove_no_ops},
    NamedPass{"eliminate_common", eliminate_common},
    NamedPass{"recognise_layer_norm", recognise_layer_norm},
    NamedPass{"recognise_softmax", recognise_softmax},
    NamedPass{"recognise_group_norm", recognise_group_norm},
    NamedPass{"recognise_functions", recognise_functions},
    NamedPass{"fuse_pad", fuse_pad},
    NamedPass{"fold_batch_norm", fold_batch_norm},
    NamedPass{"fuse_matmul_add", fuse_matmul_add},
    NamedPass{"spread_bias", spread_bias},
    NamedPass{"fold_scale_shift", fold_scale_shift},
};

/// Models seen so far settle in two rounds.
constexpr int kMaxRounds = 8;

Result<Graph> run_one(const NamedPass& pass, Graph graph, const PassContext& context) {
  Result<Graph> result = unless_out_of_memory([&] { return pass.run(std::move(graph), context); });
  if (!result.ok()) return result.error().at(std::string(pass.name));
  if (const Result<void> sound = graph::verify(*result); !sound.ok()) return sound.error().at(std::string(pass.name));
  return result;
}

/// Folding may use what the constants take as read, some times, and room for what a model may compute of its shapes.
void limit_folding(const Graph& graph, PassContext& context) {
  const std::int64_t bytes = constant_bytes(graph);
  const std::int64_t most = std::min(3 * bytes + (std::int64_t{256} << 20), memory_limit() / 2);
  context.max_constant_bytes = std::min(context.max_constant_bytes, most);
  context.max_folding_work = std::min(context.max_folding_work, 16.0 * static_cast<double>(bytes) + 0x1p30);
}

}  // namespace

Result<Graph> prepare(Graph graph, const PassContext& given) {
  PassContext context = given;
  limit_folding(graph, context);
  Result<Graph> current = run_one({"resolve_if", resolve_if}, std::move(graph), context);
  for (int round = 0; current.ok() && round < kMaxRounds; ++round) {
    const Graph before = *current;
    for (const NamedPass& pass : kRound) {
      current = run_one(pass, *std::move(current), context);
      if (!current.ok()) return current;
    }
    if (same_graph(before, *current)) break;
  }
  if (!current.ok()) return current;
  return run_one({"fuse_clamp", fuse_clamp}, *std::move(current), context);
}

}  // namespace halfstep::passes
