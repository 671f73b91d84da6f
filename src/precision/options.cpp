// options.cpp: which combinations are legal, and the grids they ask for.
#include "precision/options.hpp"

#include <algorithm>
#include <initializer_list>
#include <string>

namespace halfstep::precision {
namespace {

Result<void> check_width(const char* what, int bits, std::initializer_list<int> allowed) {
  if (std::find(allowed.begin(), allowed.end(), bits) != allowed.end()) return {};
  std::string list;
  for (const int width : allowed) list += (list.empty() ? "" : ", ") + std::to_string(width);
  return Error{ErrorCode::kUsage,
               std::string(what) + " of " + std::to_string(bits) + " bits are not supported, use one of " + list};
}

/// The power-of-two formula (E5) is for the full grid.
bool weights_are_strict(const Options& options) {
  return options.strict_symmetric == StrictSymmetric::kAll ||
         (options.strict_symmetric == StrictSymmetric::kWeights && options.scale == ScaleKind::kAffine);
}

Result<void> check_blocks(const Options& options) {
  const int size = options.block_size;
  if (size == 0) return {};
  const auto refused = [](const std::string& why) { return Error{ErrorCode::kUsage, "--block_size " + why}; };
  if (size < 16 || size > 256 || (size & (size - 1)) != 0) {
    return refused(std::to_string(size) + " is not 0, 16, 32, 64, 128 or 256");
  }
  if (options.act_bits != 32) {
    return refused("needs --act_bitwidth 32: sums of integers have one scale for each output channel, not several");
  }
  if (options.weight_bits == 16) return refused("needs --weights_bitwidth 4 or 8");
  return {};
}

}  // namespace

std::string_view name_of(ActPerChannel choice) { return choice == ActPerChannel::kDepthwise ? "depthwise" : "none"; }

std::string_view name_of(StrictSymmetric choice) {
  switch (choice) {
    case StrictSymmetric::kWeights:
      return "weights";
    case StrictSymmetric::kAll:
      return "all";
    case StrictSymmetric::kNone:
      return "none";
  }
  return "unknown";
}

GridRequest activation_request(const Options& options) {
  return {.bits = options.act_bits,
          .schema = options.act_schema,
          .scale = options.scale,
          .signed_grid = options.strict_symmetric == StrictSymmetric::kAll ? SignedGrid::kNarrow : SignedGrid::kFull};
}

GridRequest weight_request(const Options& options) {
  return {.bits = options.weight_bits,
          .schema = options.param_schema,
          .scale = options.scale,
          .signed_grid = weights_are_strict(options) ? SignedGrid::kNarrow : SignedGrid::kFull,
          .restricted = options.restricted_steps};
}

Result<void> check(const Options& options) {
  if (auto ok = check_width("activations", options.act_bits, {8, 16, 32}); !ok.ok()) return ok;
  if (auto ok = check_width("weights", options.weight_bits, {4, 8, 16}); !ok.ok()) return ok;
  if (auto ok = check_width("biases", options.bias_bits, {8, 32}); !ok.ok()) return ok;
  if (auto ok = check_blocks(options); !ok.ok()) return ok;
  if (options.act_bits != 32) {
    if (auto ok = check_request(activation_request(options)); !ok.ok()) return ok.error().at("activations");
  }
  if (auto ok = check_request(weight_request(options)); !ok.ok()) return ok.error().at("weights");
  return {};
}

}  // namespace halfstep::precision
