// why.cpp: numbered lines, from the file to the grid.
#include "pipeline/why.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "encoding/encoding_set.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "precision/moved_names.hpp"

namespace halfstep::pipeline {
namespace {

using graph::ValueId;

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.7g", value);
  return text;
}

/// By how to_string(Provenance) begins; what begins with ';' adds to an override.
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kRemedies{{
    {"calibrated", "; or --act_bitwidth, --act_quantizer_schema, --act_quantizer_calibration and other samples"},
    {"fixed", "; the range itself is that of the operator's mathematics"},
    {"same as", "; or what decides about the tensor it shares the grid of"},
    {"from its values",
     "; or --weights_bitwidth, --param_quantizer_schema, --param_quantizer_calibration, "
     "--use_per_channel_quantization"},
    {"scale of input",
     "the encodings of its node's input and weight, whose scales it is the product of; or --bias_bitwidth"},
    {"imported", "; it wins over what the model carries; or --ignore_encodings"},
    {"overridden", "the file that its encoding came from"},
}};

class Story {
 public:
  Story(const graph::Graph& as_read, const PreparedModel& model, const ops::Facts& facts,
        const std::map<std::string, std::vector<std::string>>& rules, const std::map<std::string, std::string>& origins)
      : as_read_(as_read), model_(model), facts_(facts), rules_(rules), origins_(origins) {}

  Result<std::string> tell(const std::string& name) {
    const ValueId id = graph::find_value(model_.graph, name);
    if (id == graph::kNoValue) return tell_removed(name);
    tell_tensor(id);
    return std::move(text_);
  }

 private:
  void line(const std::string& what) { text_ += padded(std::to_string(++count_) + ".") + what + "\n"; }

  static std::string padded(std::string text) {
    text.resize(std::max<std::size_t>(text.size(), 3), ' ');
    return "  " + text + " ";
  }

  Result<std::string> tell_removed(const std::string& name) {
    const auto moved = precision::find_moved_name(as_read_, model_.graph, name);
    if (!moved) {
      return usage("--why: the model has no tensor " + quoted(name) +
                   did_you_mean(name, graph::value_names(model_.graph)));
    }
    text_ += "Tensor " + quoted(name) + " is not in the quantized model\n";
    line("it " + moved->how);
    const ValueId survivor = graph::find_value(model_.graph, moved->tensor);
    if (survivor == graph::kNoValue) return std::move(text_);
    line(std::string(moved->kind == MoveKind::kSame ? "its values are those of " : "what there is now is ") +
         quoted(moved->tensor) + ":");
    tell_tensor(survivor);
    return std::move(text_);
  }

  void tell_tensor(ValueId id) {
    const std::string& name = model_.graph.value(id).name;
    const ops::Fact& fact = facts_[static_cast<std::size_t>(id)];
    text_ += "Tensor " + quoted(name) + (fact.type ? ", " + to_string(*fact.type) : "") + "\n";
    tell_place(id);
    if (const auto rules = rules_.find(name); rules != rules_.end()) {
      for (const std::string& rule : rules->second) line(rule);
    }
    const TensorEncoding* entry = find_encoding(model_.encodings, name);
    if (entry == nullptr) {
      const bool half = model_.graph.value(id).format == graph::RealFormat::kFloat16;
      line(half ? "so it is float16" : "so it has no encoding and stays as it is");
    } else {
      line("encoding " + origin_of(name, *entry));
      line("so it is " + describe_grid(entry->encoding));
    }
    text_ += "To change it: " + remedy(id, entry) + "\n";
  }

  void tell_place(ValueId id) {
    std::string readers;
    std::size_t num_readers = 0;
    std::string writer = model_.graph.value(id).constant ? "a constant" : "an input of the model";
    for (const graph::Node& node : model_.graph.nodes) {
      if (std::ranges::find(node.outputs, id) != node.outputs.end()) {
        writer = "written by " + graph::describe(model_.graph, node);
        if (node.clamp) {
          writer += ", within [" + number(node.clamp->min) + ", " + number(node.clamp->max) + "] by " +
                    quoted(node.clamp->node_name) + ", which is fused into it";
        }
      }
      if (std::ranges::find(node.inputs, id) == node.inputs.end()) continue;
      if (++num_readers <= kReadersShown)
        readers += (readers.empty() ? "" : ", ") + graph::describe(model_.graph, node);
    }
    line(writer);
    if (num_readers > kReadersShown) readers += " and " + std::to_string(num_readers - kReadersShown) + " more";
    if (num_readers > 0) line("read by " + readers);
  }

  std::string remedy(ValueId id, const TensorEncoding* entry) const {
    const std::string name = quoted(model_.graph.value(id).name);
    const std::string override = "an entry for " + name + " in --quantization_overrides";
    if (entry == nullptr) {
      const bool is_float = ops::is_float(facts_, id);
      if (!is_float) return "nothing, it holds no float32 numbers";
      return override +
             " with a bitwidth, if a node that reads or writes it has an integer form (quantize-inspect "
             "--operators); what asked for float must go";
    }
    const std::string origin = origin_of(model_.graph.value(id).name, *entry);
    for (const auto& [start, what] : kRemedies) {
      if (!origin.starts_with(start)) continue;
      return (what.starts_with(';') ? override : std::string()) + std::string(what);
    }
    return override;
  }

  /// As recorded with the encoding, or as far as it is known here.
  std::string origin_of(const std::string& name, const TensorEncoding& entry) const {
    const auto recorded = origins_.find(name);
    return recorded == origins_.end() ? to_string(entry.provenance) : recorded->second;
  }

  static constexpr std::size_t kReadersShown = 4;

  const graph::Graph& as_read_;
  const PreparedModel& model_;
  const ops::Facts& facts_;
  const std::map<std::string, std::vector<std::string>>& rules_;
  const std::map<std::string, std::string>& origins_;
  std::string text_;
  int count_ = 0;
};

}  // namespace

std::string describe_grid(const Encoding& e) {
  const IntGrid grid = e.grid();
  std::string text = std::string(is_signed(grid) ? "int" : "uint") + std::to_string(storage_bits(grid)) + " [" +
                     std::to_string(grid.q_min) + ", " + std::to_string(grid.q_max) + "]";
  if (e.axis()) {
    const auto [low, high] = std::ranges::minmax(e.params(), {}, &QuantParams::scale);
    text += " axis " + std::to_string(*e.axis()) + ", " + std::to_string(e.params().size()) + " scales " +
            number(low.scale) + " to " + number(high.scale);
  } else if (e.block_axis()) {
    const auto [low, high] = std::ranges::minmax(e.params(), {}, &QuantParams::scale);
    text += " blocks of " + std::to_string(e.block_size()) + " along axis " + std::to_string(*e.block_axis()) + ", " +
            std::to_string(e.params().size()) + " scales " + number(low.scale) + " to " + number(high.scale);
  } else {
    text += " scale " + number(e.params()[0].scale) + " zero point " + std::to_string(e.params()[0].zero_point) +
            ", real " + number(e.real_min()) + " to " + number(e.real_max());
  }
  return text;
}

Result<std::string> story_of(const std::string& name, const graph::Graph& as_read, const PreparedModel& model,
                             const ops::Facts& facts, const std::map<std::string, std::vector<std::string>>& rules,
                             const std::map<std::string, std::string>& origins) {
  return Story(as_read, model, facts, rules, origins).tell(name);
}

}  // namespace halfstep::pipeline
