// opsets.cpp: checks of opset imports.
#include "io/onnx/opsets.hpp"

#include <algorithm>
#include <array>

#include "core/text.hpp"
#include "io/onnx/reader.hpp"

namespace halfstep::io {
namespace {

// Operators whose oldest form still means what the newest does.
constexpr std::array<std::string_view, 10> kUnchangedSinceOpset1 = {
    "Constant", "Flatten", "Gather", "GlobalAveragePool", "GlobalMaxPool", "Identity",
    "MatMul",   "Not",     "Shape",  "Transpose"};

bool is_unchanged(const onnx::NodeProto& node) {
  return std::ranges::find(kUnchangedSinceOpset1, node.op_type()) != kUnchangedSinceOpset1.end();
}

}  // namespace

std::string_view canonical_domain(std::string_view domain) { return domain == "ai.onnx" ? "" : domain; }

Result<Opsets> read_opsets(const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& imports) {
  Opsets opsets;
  for (const auto& entry : imports) {
    const std::string domain(canonical_domain(entry.domain()));
    // Clamped so that any int64 of a file fits; both ends are refused later.
    const int version = static_cast<int>(std::clamp<std::int64_t>(entry.version(), -1, 1'000'000'000));
    const auto [at, added] = opsets.emplace(domain, version);
    if (!added && at->second != version) {
      return Error{ErrorCode::kInvalidInput, "opset " + std::to_string(at->second) + " and opset " +
                                                 std::to_string(version) + " of domain " + halfstep::quoted(domain) +
                                                 " are both imported"};
    }
  }
  return opsets;
}

Result<void> check_opsets(const Opsets& opsets, const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes) {
  const auto imported = opsets.find("");
  if (imported == opsets.end()) {
    const auto needs_it = [](const onnx::NodeProto& node) { return canonical_domain(node.domain()).empty(); };
    if (nodes.empty() || std::ranges::any_of(nodes, needs_it)) {
      return Error{ErrorCode::kInvalidInput, "imports no opset of the default ONNX domain"};
    }
    return {};
  }
  const int version = imported->second;
  if (version >= kMinOpset && version <= kMaxOpset) return {};
  if (version >= 1 && version < kMinOpset && std::ranges::all_of(nodes, is_unchanged)) return {};
  return Error{ErrorCode::kUnsupported, "uses opset " + std::to_string(version) + ", supported are opsets " +
                                            std::to_string(kMinOpset) + " to " + std::to_string(kMaxOpset)};
}

}  // namespace halfstep::io
