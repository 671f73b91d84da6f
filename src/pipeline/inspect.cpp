// inspect.cpp: the story of quantize-inspect.
#include "halfstep/inspect.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

#include "core/text.hpp"
#include "io/json/own_records.hpp"
#include "lower/lower.hpp"
#include "lower/print_program.hpp"
#include "ops/op_def.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/why.hpp"

namespace halfstep {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::ValueId;
using pipeline::PreparedModel;
using pipeline::RawModel;

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.7g", value);
  return text;
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

/// Shapes to show; empty where a dimension is not known and no --input_dim gives it.
Result<ops::InputShapes> known_shapes(const RawModel& model, std::string& note) {
  ops::InputShapes shapes;
  for (const io::InputSpec& spec : pipeline::input_specs(model)) {
    Result<Shape> shape = io::default_shape(spec);
    if (!shape.ok()) {
      note = shape.error().message;
      return ops::InputShapes{};
    }
    shapes.insert_or_assign(spec.name, *shape);
  }
  return shapes;
}

class Printer {
 public:
  Printer(const Graph& graph, const ops::Facts* facts, const EncodingSet& encodings)
      : graph_(graph), facts_(facts), encodings_(encodings) {}

  std::string text() {
    add_boundary();
    add_nodes();
    add_constants();
    add_encodings();
    return std::move(text_);
  }

 private:
  std::string type_of(ValueId id) const {
    if (facts_ != nullptr) {
      const ops::Fact& fact = (*facts_)[static_cast<std::size_t>(id)];
      return fact.type ? to_string(*fact.type) : "type known when running";
    }
    return graph_.value(id).constant ? to_string(graph_.value(id).constant->type()) : "";
  }

  static std::string declared(const graph::Declared& declared) {
    return std::string(name_of(declared.dtype)) + (declared.dims ? graph::to_string(*declared.dims) : " of any rank");
  }

  std::string mark(ValueId id) const { return find_encoding(encodings_, graph_.value(id).name) != nullptr ? " *" : ""; }

  void add_boundary() {
    text_ += "Opset " + std::to_string(graph_.opset) + ", IR version " + std::to_string(graph_.ir_version) + ", " +
             std::to_string(graph_.nodes.size()) + " nodes";
    text_ += encodings_.empty() ? "\n" : ", " + std::to_string(encodings_.size()) + " encodings (marked *)\n";
    for (const auto& [key, value] : graph_.metadata) text_ += "Metadata " + key + ": " + value + "\n";
    text_ += "\nInputs\n";
    for (const graph::GraphInput& input : graph_.inputs) {
      text_ += "  " + graph_.value(input.value).name + mark(input.value) + "  " + declared(input.declared) + "\n";
    }
    text_ += "\nOutputs\n";
    for (const graph::GraphOutput& output : graph_.outputs) {
      text_ += "  " + graph_.value(output.value).name + mark(output.value) + "  " + declared(output.declared) + "\n";
    }
  }

  void add_nodes() {
    text_ += "\nNodes\n";
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const graph::Node& node = graph_.nodes[n];
      std::string op = node.domain.empty() ? node.op_type : node.domain + "." + node.op_type;
      if (node.clamp) {
        op += "+clamp[" + number(node.clamp->min) + ", " + number(node.clamp->max) + "]";
        if (node.clamp->channels) op += " by channel";
      }
      text_ += padded("  " + std::to_string(n), 7) + padded(op, 26) + " " + node.name + "\n";
      for (ValueId id : node.inputs) {
        if (id == kNoValue) continue;
        text_ += "         <- " + graph_.value(id).name + mark(id) + "\n";
      }
      for (ValueId id : node.outputs) {
        if (id == kNoValue) continue;
        text_ += "         -> " + graph_.value(id).name + mark(id) + "  " + type_of(id) + "\n";
      }
    }
  }

  void add_constants() {
    text_ += "\nConstants\n";
    for (const graph::Value& value : graph_.values) {
      if (value.constant) text_ += "  " + value.name + "  " + to_string(value.constant->type()) + "\n";
    }
  }

  void add_encodings() {
    if (encodings_.empty()) return;
    text_ += "\nEncodings\n";
    for (const auto& [name, entry] : encodings_)
      text_ += "  " + name + "\n      " + pipeline::describe_grid(entry.encoding) + "; " + to_string(entry.provenance) +
               "\n";
  }

  const Graph& graph_;
  const ops::Facts* facts_;
  const EncodingSet& encodings_;
  std::string text_;
};

}  // namespace

namespace {

Result<std::string> fixed_program_text(const PreparedModel& model, const ops::InputShapes& shapes,
                                       const FixedPointRequest& request) {
  if (!pipeline::is_quantized(model)) {
    return Error{ErrorCode::kUsage,
                 "--program fixed: the model carries no encodings; give a quantized model or "
                 "--encodings"};
  }
  const Result<FixedPointOptions> options = pipeline::fixed_options_for(model, request);
  if (!options.ok()) return options.error();
  const Result<lower::Program> program = lower::fixed_program(model.graph, shapes, model.encodings, *options);
  if (!program.ok()) return program.error();
  return "Arithmetic " + std::string(name_of(options->arithmetic)) + "\n" + lower::to_text(*program);
}

Result<std::string> why_text(const InspectRequest& request, const Graph& as_read, const PreparedModel& model,
                             const ops::Facts& facts) {
  std::string text;
  if (request.encodings) {
    Result<std::string> read = pipeline::read_text(*request.encodings);
    if (!read.ok()) return read.error();
    text = *std::move(read);
  }
  const io::OwnRecords own = io::read_own_records(text);
  return pipeline::story_of(*request.why, as_read, model, facts, own.rules, own.origins);
}

}  // namespace

Result<std::string> inspect(const InspectRequest& request) {
  Result<RawModel> raw = pipeline::read_model(request.model, {});
  if (!raw.ok()) return raw.error();
  std::string note;
  Result<ops::InputShapes> shapes = known_shapes(*raw, note);
  if (!shapes.ok()) return shapes.error();
  const bool have_shapes = note.empty();
  PreparedModel model;
  const Graph as_read = raw->graph;
  if (request.prepared && have_shapes) {
    Result<PreparedModel> prepared =
        request.encodings ? pipeline::prepare_with_encodings(*std::move(raw), *shapes, {}, *request.encodings, {})
                          : pipeline::prepare_model(*std::move(raw), *shapes, {}, {});
    if (!prepared.ok()) {
      Error error = prepared.error();
      error.message += "; --as_read shows the graph as it stands in the file";
      return error;
    }
    model = *std::move(prepared);
  } else if (request.encodings) {
    return Error{ErrorCode::kUsage, have_shapes ? "--encodings has no effect with --as_read" : "--encodings: " + note};
  } else {
    model.graph = std::move(raw->graph);
  }
  std::optional<ops::Facts> facts;
  if (have_shapes) {
    Result<ops::Facts> inferred = ops::infer_facts(model.graph, *shapes);
    if (!inferred.ok()) return inferred.error().at(request.model.model.string());
    facts = *std::move(inferred);
  }
  std::string text = request.model.model.string() + "\n";
  if (request.why) {
    if (!facts || !request.prepared) {
      return Error{ErrorCode::kUsage, request.prepared ? "--why: " + note : "--why has no effect with --as_read"};
    }
    return why_text(request, as_read, model, *facts);
  }
  if (request.fixed_program) {
    if (!request.prepared || !have_shapes) {
      return Error{ErrorCode::kUsage,
                   request.prepared ? "--program fixed: " + note : "--program fixed has no effect with --as_read"};
    }
    Result<std::string> program = fixed_program_text(model, *shapes, *request.fixed_program);
    if (!program.ok()) return program.error().at(request.model.model.string());
    return text + *program;
  }
  if (!note.empty()) text += "Shapes are not shown: " + note + "\n";
  return text + Printer(model.graph, facts ? &*facts : nullptr, model.encodings).text();
}

std::string operators_table() {
  const auto rule = [](const ops::OpDef& op) -> std::string {
    switch (op.output_rule) {
      case ops::OutputRule::kObserved:
        return "observed";
      case ops::OutputRule::kSameAsInput:
        return op.fill_operand == nullptr && op.leaves_range == nullptr ? "same as input"
                                                                        : "same as input, or observed";
      case ops::OutputRule::kSameAsInputs:
        return "shared with inputs";
      case ops::OutputRule::kFixed:
        return "fixed " + number(op.fixed_min) + ".." + number(op.fixed_max);
      case ops::OutputRule::kNone:
        break;
    }
    return "not real";
  };
  std::string text = padded("operator", 34) + padded("float", 7) + padded("quantized", 11) + "range of output\n";
  for (const ops::OpDef& op : ops::all_ops()) {
    const std::string name =
        op.domain.empty() ? std::string(op.type) : std::string(op.domain) + "." + std::string(op.type);
    text += padded(name, 34) + padded("yes", 7) + padded(op.has_integer_form ? "yes" : "no", 11) +
            (op.has_integer_form ? rule(op) : "-") + "\n";
  }
  text += "\n" + std::to_string(ops::all_ops().size()) +
          " operators. Those that are not quantized run in float32 between quantized ones.\n";
  return text;
}

}  // namespace halfstep
