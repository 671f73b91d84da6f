// functions.cpp: inlining of model-local functions.
#include "io/onnx/functions.hpp"

#include <algorithm>
#include <unordered_map>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "graph/node_words.hpp"

namespace halfstep::io {
namespace {

using google::protobuf::RepeatedPtrField;

constexpr int kMaxDepth = 64;
constexpr int kNotMeasured = -2;
constexpr int kBeingMeasured = -1;
// What calls may expand to: a few nested functions could otherwise fill any memory.
constexpr std::size_t kMaxExpandedNodes = 200'000;
constexpr std::int64_t kMaxExpandedBytes = std::int64_t{1} << 28;

// Fields that are newer than the protobuf classes we build with.
constexpr int kNodeOverloadField = 8;
constexpr int kFunctionOverloadField = 13;
constexpr int kFunctionAttributeProtoField = 11;

std::string unknown_text(const google::protobuf::Message& message, int field) {
  const google::protobuf::UnknownFieldSet& unknown = message.GetReflection()->GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); ++i) {
    const auto& entry = unknown.field(i);
    if (entry.number() == field && entry.type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED) {
      return entry.length_delimited();
    }
  }
  return "";
}

void collect_names(const onnx::GraphProto& graph, std::unordered_set<std::string>& names) {
  for (const auto& input : graph.input()) names.insert(input.name());
  for (const auto& tensor : graph.initializer()) names.insert(tensor.name());
  for (const auto& node : graph.node()) {
    names.insert(node.input().begin(), node.input().end());
    names.insert(node.output().begin(), node.output().end());
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) collect_names(attribute.g(), names);
    }
  }
}

Error too_large() {
  return unsupported("calls of model-local functions expand to more than " + std::to_string(kMaxExpandedNodes) +
                     " nodes or " + std::to_string(kMaxExpandedBytes >> 20) + " MiB");
}

std::string describe(const onnx::FunctionProto& function) {
  return "function " + quoted(function.domain().empty() ? function.name() : function.domain() + "." + function.name());
}

}  // namespace

// One call: where the names and attributes of the body's copy come from.
class FunctionLibrary::Instance {
 public:
  Instance(FunctionLibrary& library, const Function& function, const onnx::NodeProto& call) : library_(library) {
    const std::string label = call.name().empty() ? call.op_type() : call.name();
    // Calls of the same name are told apart here, once, so that names below seldom clash.
    const int count = ++library.num_calls_by_label_[label];
    prefix_ = label + (count == 1 ? "" : "_" + std::to_string(count)) + "/";
    for (int i = 0; i < function.proto->input_size(); ++i) {
      names_[function.proto->input(i)] = i < call.input_size() ? call.input(i) : "";
    }
    for (const auto& attribute : call.attribute()) attributes_[attribute.name()] = {&attribute, false};
    for (const auto& [name, attribute] : function.defaults) attributes_.try_emplace(name, Given{&attribute, true});
    for (int i = 0; i < function.proto->output_size(); ++i) {
      const std::string& formal = function.proto->output(i);
      const std::string actual = i < call.output_size() ? call.output(i) : "";
      const auto [at, added] = names_.try_emplace(formal, actual);
      if (!added) {
        if (!actual.empty()) forwarded_.emplace_back(at->second, actual);
      } else if (actual.empty()) {
        names_.erase(at);  // Nobody wants it: a fresh name on first use.
      }
    }
  }

  // Outputs that are inputs, or other outputs, of the function: (from, to).
  const std::vector<std::pair<std::string, std::string>>& forwarded() const { return forwarded_; }

  // False when the copies outgrow their bounds.
  bool adapt(onnx::NodeProto& node) {
    if (!node.name().empty()) node.set_name(prefix_ + node.name());
    for (auto& name : *node.mutable_input()) name = renamed(name);
    for (auto& name : *node.mutable_output()) name = renamed(name);
    for (int i = 0; i < node.attribute_size();) {
      onnx::AttributeProto& attribute = *node.mutable_attribute(i);
      bool is_of_body = true;
      if (!attribute.ref_attr_name().empty()) {
        const auto given = attributes_.find(attribute.ref_attr_name());
        if (given == attributes_.end()) {
          node.mutable_attribute()->DeleteSubrange(i, 1);
          continue;
        }
        library_.expanded_bytes_ += static_cast<std::int64_t>(given->second.value->ByteSizeLong());
        if (library_.expanded_bytes_ > kMaxExpandedBytes) return false;
        const std::string name = attribute.name();
        attribute = *given->second.value;
        attribute.set_name(name);
        is_of_body = given->second.is_default;
      }
      if (attribute.has_g() && is_of_body && !adapt(*attribute.mutable_g())) return false;
      ++i;
    }
    return true;
  }

 private:
  struct Given {
    const onnx::AttributeProto* value = nullptr;
    bool is_default = false;  // Its tensor names are the function's, not the caller's.
  };

  bool adapt(onnx::GraphProto& graph) {
    for (auto& input : *graph.mutable_input()) input.set_name(renamed(input.name()));
    for (auto& output : *graph.mutable_output()) output.set_name(renamed(output.name()));
    for (auto& tensor : *graph.mutable_initializer()) tensor.set_name(renamed(tensor.name()));
    graph.clear_value_info();
    return std::ranges::all_of(*graph.mutable_node(), [this](onnx::NodeProto& node) { return adapt(node); });
  }

  std::string renamed(const std::string& name) {
    if (name.empty()) return name;
    if (const auto known = names_.find(name); known != names_.end()) return known->second;
    std::string fresh = prefix_ + name;
    for (int suffix = 2; !library_.used_names_.insert(fresh).second; ++suffix) {
      fresh = prefix_ + name + "_" + std::to_string(suffix);
    }
    names_[name] = fresh;
    return fresh;
  }

  FunctionLibrary& library_;
  std::string prefix_;
  std::unordered_map<std::string, std::string> names_;
  std::unordered_map<std::string, Given> attributes_;
  std::vector<std::pair<std::string, std::string>> forwarded_;
};

FunctionLibrary::Key FunctionLibrary::key_of(const onnx::NodeProto& node) {
  return {std::string(canonical_domain(node.domain())), node.op_type(), unknown_text(node, kNodeOverloadField)};
}

Result<FunctionLibrary> FunctionLibrary::from(const onnx::ModelProto& model) {
  FunctionLibrary library;
  if (model.functions_size() == 0) return library;
  for (const onnx::FunctionProto& proto : model.functions()) {
    Function function;
    function.proto = &proto;
    function.depth = kNotMeasured;
    auto opsets = read_opsets(proto.opset_import());
    if (!opsets.ok()) return opsets.error().at(describe(proto));
    if (proto.node_size() > 0) {
      if (const auto checked = check_opsets(*opsets, proto.node()); !checked.ok()) {
        return checked.error().at(describe(proto));
      }
    }
    function.opsets = std::move(*opsets);
    const google::protobuf::UnknownFieldSet& unknown = proto.unknown_fields();
    for (int i = 0; i < unknown.field_count(); ++i) {
      const auto& entry = unknown.field(i);
      if (entry.number() != kFunctionAttributeProtoField) continue;
      onnx::AttributeProto attribute;
      if (entry.type() != google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED ||
          !attribute.ParseFromString(entry.length_delimited())) {
        return invalid(describe(proto) + " has a malformed default attribute");
      }
      function.defaults[attribute.name()] = std::move(attribute);
    }
    for (const auto& node : proto.node()) function.body_bytes += static_cast<std::int64_t>(node.ByteSizeLong());
    Key key{std::string(canonical_domain(proto.domain())), proto.name(), unknown_text(proto, kFunctionOverloadField)};
    if (!library.functions_.emplace(std::move(key), std::move(function)).second) {
      return invalid(describe(proto) + " is defined twice");
    }
  }
  for (auto& [key, function] : library.functions_) {
    if (const auto depth = library.measure_depth(function, 0); !depth.ok()) return depth.error();
  }
  collect_names(model.graph(), library.used_names_);
  return library;
}

Result<int> FunctionLibrary::measure_depth(Function& function, int level) {
  if (function.depth == kBeingMeasured) return invalid(describe(*function.proto) + " calls itself");
  if (function.depth != kNotMeasured) return function.depth;
  if (level > kMaxDepth) return unsupported(describe(*function.proto) + " is nested more than 64 levels deep");
  function.depth = kBeingMeasured;
  const auto below = depth_of_nodes(function.proto->node(), level);
  if (!below.ok()) return below.error();
  if (*below >= kMaxDepth) return unsupported(describe(*function.proto) + " nests calls more than 64 levels deep");
  function.depth = *below + 1;
  return function.depth;
}

Result<int> FunctionLibrary::depth_of_nodes(const RepeatedPtrField<onnx::NodeProto>& nodes, int level) {
  int deepest = 0;
  for (const auto& node : nodes) {
    if (const auto called = functions_.find(key_of(node)); called != functions_.end()) {
      const auto depth = measure_depth(called->second, level + 1);
      if (!depth.ok()) return depth.error();
      deepest = std::max(deepest, *depth);
    }
    for (const auto& attribute : node.attribute()) {
      if (!attribute.has_g()) continue;
      const auto depth = depth_of_nodes(attribute.g().node(), level);
      if (!depth.ok()) return depth.error();
      deepest = std::max(deepest, *depth);
    }
  }
  return deepest;
}

Result<std::vector<SourceNode>> FunctionLibrary::expand(onnx::GraphProto& graph, const Opsets& opsets) {
  std::vector<SourceNode> nodes;
  for (onnx::NodeProto& node : *graph.mutable_node()) {
    if (const auto appended = append(node, opsets, nodes); !appended.ok()) return appended.error();
  }
  return nodes;
}

Result<void> FunctionLibrary::append(onnx::NodeProto& node, const Opsets& opsets, std::vector<SourceNode>& out) {
  if (functions_.empty()) {
    out.push_back({&node, &opsets});
    return {};
  }
  const auto called = functions_.find(key_of(node));
  if (called == functions_.end()) {
    out.push_back({&node, &opsets});
    return {};
  }
  const Function& function = called->second;
  const onnx::FunctionProto& proto = *function.proto;
  if (node.input_size() > proto.input_size() || node.output_size() > proto.output_size()) {
    return invalid(graph::node_words(node.name(), "", node.op_type()) + ": call has " +
                   std::to_string(node.input_size()) + " inputs and " + std::to_string(node.output_size()) +
                   " outputs, " + describe(proto) + " has " + std::to_string(proto.input_size()) + " and " +
                   std::to_string(proto.output_size()));
  }
  expanded_bytes_ += function.body_bytes;
  ++num_calls_;
  if (expanded_bytes_ > kMaxExpandedBytes || num_calls_ > static_cast<std::int64_t>(kMaxExpandedNodes) ||
      expanded_.size() + static_cast<std::size_t>(proto.node_size()) > kMaxExpandedNodes) {
    return too_large();
  }
  Instance instance(*this, function, node);
  for (const auto& body_node : proto.node()) {
    onnx::NodeProto& copy = expanded_.emplace_back(body_node);
    if (!instance.adapt(copy)) return too_large();
    if (const auto appended = append(copy, function.opsets, out); !appended.ok()) return appended.error();
  }
  for (const auto& [from, to] : instance.forwarded()) {
    onnx::NodeProto& identity = expanded_.emplace_back();
    identity.set_op_type("Identity");
    identity.add_input(from);
    identity.add_output(to);
    out.push_back({&identity, &opsets});
  }
  return {};
}

}  // namespace halfstep::io
