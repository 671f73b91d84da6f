// survey.cpp: walks a model for operators and element types.
#include "survey.hpp"

#include <array>
#include <string_view>

#include "ops/op_def.hpp"

namespace halfstep::node_tests {
namespace {

constexpr int kDouble = 11;
constexpr std::array<std::string_view, 27> kTypeNames = {
    "",       "",        "",       "",      "",     "",          "",           "",         "string",
    "",       "float16", "",       "",      "",     "complex64", "complex128", "bfloat16", "float8",
    "float8", "float8",  "float8", "uint4", "int4", "float4",    "float8",     "uint2",    "int2"};

// Translated by the reader, so no row of the operator table.
constexpr std::array<std::string_view, 3> kTranslated = {"Constant", "Scatter", "Upsample"};

class Surveyor {
 public:
  explicit Surveyor(const onnx::ModelProto& model) {
    for (const auto& function : model.functions()) functions_.insert(function.name());
  }

  void visit(const onnx::GraphProto& graph) {
    for (const auto& input : graph.input()) visit(input.type());
    for (const auto& output : graph.output()) visit(output.type());
    for (const auto& tensor : graph.initializer()) visit_type(tensor.data_type());
    if (graph.sparse_initializer_size() > 0) found_.unknown.insert("type sparse tensor");
    for (const auto& node : graph.node()) visit(node);
  }

  void visit(const onnx::NodeProto& node) {
    const std::string domain = node.domain() == "ai.onnx" ? "" : node.domain();
    const ops::OpDef* op = ops::find_op(domain, node.op_type());
    const bool translated =
        domain.empty() && std::find(kTranslated.begin(), kTranslated.end(), node.op_type()) != kTranslated.end();
    if (op == nullptr && !translated && !functions_.contains(node.op_type())) {
      found_.unknown.insert("operator " + (domain.empty() ? "" : domain + ".") + node.op_type());
    }
    if (op != nullptr && op->nondeterministic) found_.is_random = true;
    for (const auto& attribute : node.attribute()) {
      const std::string& name = attribute.name();
      if (name == "to" || name == "dtype" || name == "output_dtype" || name == "output_datatype") {
        visit_type(attribute.i());
      }
      if (attribute.has_t()) visit_type(attribute.t().data_type());
      if (attribute.has_g()) visit(attribute.g());
      if (name == "value_string" || name == "value_strings") found_.unknown.insert("type string");
      if (attribute.has_sparse_tensor()) found_.unknown.insert("type sparse tensor");
    }
  }

  Survey take() { return std::move(found_); }

 private:
  void visit(const onnx::TypeProto& type) {
    if (type.has_tensor_type()) return visit_type(type.tensor_type().elem_type());
    if (type.has_sequence_type()) found_.unknown.insert("type sequence");
    if (type.has_optional_type()) found_.unknown.insert("type optional");
    if (type.has_map_type()) found_.unknown.insert("type map");
    if (type.has_sparse_tensor_type()) found_.unknown.insert("type sparse tensor");
  }

  void visit_type(std::int64_t type) {
    if (type == kDouble) found_.has_double = true;
    if (type < 0 || type >= static_cast<std::int64_t>(kTypeNames.size())) {
      found_.unknown.insert("type " + std::to_string(type));
    } else if (const std::string_view name = kTypeNames[static_cast<std::size_t>(type)]; !name.empty()) {
      found_.unknown.insert("type " + std::string(name));
    }
  }

  std::set<std::string> functions_;
  Survey found_;
};

}  // namespace

Survey survey(const onnx::ModelProto& model) {
  Surveyor surveyor(model);
  surveyor.visit(model.graph());
  for (const auto& function : model.functions()) {
    for (const auto& node : function.node()) surveyor.visit(node);
  }
  return surveyor.take();
}

}  // namespace halfstep::node_tests
