// load_model.cpp: reading, shapes, passes.
#include "pipeline/load_model.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>

#include "core/errors.hpp"
#include "core/ordered_parallel.hpp"
#include "core/text.hpp"
#include "io/onnx/reader.hpp"
#include "numerics/factor.hpp"
#include "ops/operand_count.hpp"
#include "passes/import_qdq.hpp"
#include "passes/import_qoperator.hpp"
#include "passes/prepare.hpp"
#include "passes/restore_clamps.hpp"
#include "passes/unshare_parameters.hpp"
#include "precision/insert_converts.hpp"

namespace halfstep {

Result<std::vector<std::int64_t>> parse_dims(std::string_view text) {
  std::vector<std::int64_t> dims;
  std::string_view rest = text;
  for (bool more = true; more;) {
    const std::size_t end = std::min(rest.find_first_of(",x"), rest.size());
    const std::string_view part = rest.substr(0, end);
    std::int64_t dim = 0;
    const auto [stop, failure] = std::from_chars(part.data(), part.data() + part.size(), dim);
    if (failure != std::errc() || stop != part.data() + part.size() || dim < 1) {
      return Error{ErrorCode::kUsage,
                   halfstep::quoted(text) + " is not a list of positive integers such as 1,3,224,224"};
    }
    dims.push_back(dim);
    more = end < rest.size();
    if (more) rest.remove_prefix(end + 1);
  }
  return dims;
}

namespace pipeline {
namespace {

void warn(const Observer& observer, const std::string& text) {
  if (observer.warning) observer.warning(text);
}

bool is_output(const graph::Graph& graph, graph::ValueId id) {
  return std::ranges::find(graph.outputs, id, &graph::GraphOutput::value) != graph.outputs.end();
}

bool is_written_by_us(const graph::Graph& graph) {
  return std::ranges::any_of(graph.metadata, [](const auto& entry) { return entry.first == kVersionKey; });
}

}  // namespace

Result<RawModel> read_model(const ModelSource& source, const Observer& observer) {
  Result<io::ReadModel> read = io::read_onnx(source.model);
  if (!read.ok()) return read.error();
  if (Result<void> counts = ops::check_operand_counts(read->graph); !counts.ok()) {
    return counts.error().at(source.model.string());
  }
  for (const std::string& warning : read->warnings) warn(observer, source.model.string() + ": " + warning);
  RawModel model{.graph = std::move(read->graph),
                 .input_dims = source.input_dims,
                 .path = source.model.string(),
                 .num_bytes = read->num_bytes};
  std::vector<std::string> names;
  for (const graph::GraphInput& input : model.graph.inputs) names.push_back(model.graph.value(input.value).name);
  for (const auto& [name, dims] : source.input_dims) {
    if (std::ranges::find(names, name) != names.end()) continue;
    return Error{ErrorCode::kUsage,
                 "--input_dim: " + model.path + " has no input " + halfstep::quoted(name) + did_you_mean(name, names)};
  }
  for (const io::InputSpec& spec : input_specs(model)) {
    if (!spec.fixed) continue;
    io::InputSpec declared = spec;
    declared.fixed.reset();
    if (Result<void> fits = io::check_fits(declared, *spec.fixed); !fits.ok()) {
      return Error{ErrorCode::kUsage, "--input_dim " + printable(spec.name) + ": " + fits.error().message};
    }
    if (Result<void> sane = check_shape(*spec.fixed, spec.dtype); !sane.ok()) {
      return Error{ErrorCode::kUsage, "--input_dim " + printable(spec.name) + ": " + sane.error().message};
    }
  }
  return model;
}

std::vector<io::InputSpec> input_specs(const RawModel& model) {
  std::vector<io::InputSpec> specs;
  for (const graph::GraphInput& input : model.graph.inputs) {
    io::InputSpec spec;
    spec.name = model.graph.value(input.value).name;
    spec.dtype = input.declared.dtype;
    if (input.declared.dims) {
      spec.dims.emplace();
      for (const graph::Dim& dim : *input.declared.dims) spec.dims->push_back({dim.extent, dim.symbol});
    }
    if (const auto given = model.input_dims.find(spec.name); given != model.input_dims.end())
      spec.fixed = Shape(given->second);
    specs.push_back(std::move(spec));
  }
  return specs;
}

Result<void> check_tensor_name(const RawModel& model, const std::string& name, const std::string& place) {
  const std::vector<std::string> known = graph::value_names(model.graph);
  if (std::ranges::find(known, name) != known.end()) return {};
  return Error{ErrorCode::kUsage,
               place + ": " + model.path + " has no tensor " + quoted(name) + did_you_mean(name, known)};
}

Result<std::vector<std::string>> listed_tensors(const RawModel& model, const io::InputList& list) {
  std::vector<std::string> listed;
  const auto add = [&](const std::string& name) {
    if (std::ranges::find(listed, name) == listed.end()) listed.push_back(name);
  };
  for (const std::string& layer : list.output_layers) {
    std::vector<std::string> layers;
    bool found = false;
    for (const graph::Node& node : model.graph.nodes) {
      if (!node.name.empty()) layers.push_back(node.name);
      if (node.name != layer) continue;
      found = true;
      for (const graph::ValueId id : node.outputs) {
        if (id != graph::kNoValue) add(model.graph.value(id).name);
      }
    }
    if (!found) {
      return Error{ErrorCode::kUsage, list.path.string() + ": " + model.path + " has no layer " + quoted(layer) +
                                          did_you_mean(layer, layers)};
    }
  }
  for (const std::string& tensor : list.output_tensors) {
    if (Result<void> known = check_tensor_name(model, tensor, list.path.string()); !known.ok()) return known.error();
    add(tensor);
  }
  return listed;
}

exec::SampleSource source_of(const io::SampleReader& reader) {
  return {.count = reader.num_samples(),
          .load = [&reader](std::int64_t i) { return reader.read(i); },
          .place = [&reader](std::int64_t i) { return reader.place(i); }};
}

Result<ops::InputShapes> shapes_of_first_sample(const RawModel& model, const io::SampleReader& reader) {
  Result<std::vector<Tensor>> inputs = reader.read(0);
  if (!inputs.ok()) return inputs.error();
  ops::InputShapes shapes;
  for (std::size_t i = 0; i < inputs->size(); ++i) {
    shapes.insert_or_assign(model.graph.value(model.graph.inputs[i].value).name, (*inputs)[i].shape());
  }
  return shapes;
}

namespace {

/// Takes QOperator nodes and Q/DQ pairs out of `graph`, and restores the activations that other quantizers left out.
Result<passes::ImportedQdq> import_encodings(RawModel model, const Observer& observer) {
  const std::string& path = model.path;
  Result<passes::ImportedQOperator> in_pairs = passes::import_qoperator(std::move(model.graph));
  if (!in_pairs.ok()) return in_pairs.error().at(path);
  for (const std::string& note : in_pairs->notes) warn(observer, path + ": " + note);
  Result<passes::ImportedQdq> imported = passes::import_qdq(std::move(in_pairs->graph));
  if (!imported.ok()) return imported.error().at(path);
  if (!is_written_by_us(imported->graph)) imported = passes::restore_clamps(*std::move(imported));
  for (const std::string& note : imported->notes) warn(observer, path + ": " + note);
  if (model.ignore_encodings) {
    imported->encodings.clear();
    for (graph::Value& value : imported->graph.values) {
      value.pinned = false;
      value.format = graph::RealFormat::kFloat32;
    }
  }
  return imported;
}

/// The rule that the model records for its encodings; empty: none.
std::string recorded_arithmetic(const graph::Graph& graph, const EncodingSet& encodings) {
  std::string rule;
  for (const auto& [key, value] : graph.metadata) {
    if (key == kArithmeticKey && !encodings.empty()) rule = value;
  }
  return rule;
}

}  // namespace

Result<PreparedModel> prepare_and_tell(RawModel model, const ops::InputShapes& shapes,
                                       const std::vector<std::string>& keep, const Observer& observer,
                                       Renamed& renamed) {
  for (const std::string& name : keep) {
    const graph::ValueId id = graph::find_value(model.graph, name);
    // Outputs survive anyway. Pinned, a copy of a tensor could not become one with it and would have the encoding
    // alone.
    if (id != graph::kNoValue && !is_output(model.graph, id)) model.graph.value(id).pinned = true;
  }
  Result<passes::ImportedQdq> imported = import_encodings(model, observer);
  if (!imported.ok()) return imported.error();
  // Operands that do not fit are reported as they stand in the file, before any pass meets them.
  Result<ops::Facts> facts = ops::infer_facts(imported->graph, shapes);
  if (!facts.ok()) return facts.error().at(model.path);
  if (Result<void> fit = passes::check_encodings_fit(*imported, *facts); !fit.ok()) return fit.error().at(model.path);
  for (std::size_t v = 0; v < facts->size(); ++v) {
    // Files say of no tensor what it is: indices of TopK are no halves because its values are.
    const std::optional<TensorType>& type = (*facts)[v].type;
    if (type && type->dtype != DType::kFloat32) imported->graph.values[v].format = graph::RealFormat::kFloat32;
  }
  passes::PassContext context;
  context.shapes = shapes;
  context.note = [&](const std::string& note) { warn(observer, model.path + ": " + note); };
  context.renamed = [&](const std::string& from, const std::string& to) { renamed[from] = to; };
  Result<graph::Graph> graph = passes::prepare(std::move(imported->graph), context);
  if (!graph.ok()) return graph.error().at(model.path);
  PreparedModel prepared;
  prepared.arithmetic = recorded_arithmetic(*graph, imported->encodings);
  prepared.units = recorded_units(*graph, model.path, observer);
  prepared.graph = passes::unshare_parameters(*std::move(graph), imported->encodings);
  prepared.encodings = std::move(imported->encodings);
  for (const graph::Value& value : prepared.graph.values) {
    if (value.format == graph::RealFormat::kFloat16)
      prepared.orders[value.name].push_back({.real = value.format, .by = "it came with the model"});
  }
  return prepared;
}

Result<PreparedModel> prepare_model(RawModel model, const ops::InputShapes& shapes,
                                    const std::vector<std::string>& keep, const Observer& observer) {
  Renamed renamed;
  return prepare_and_tell(std::move(model), shapes, keep, observer, renamed);
}

bool is_quantized(const PreparedModel& model) {
  return !model.encodings.empty() || std::ranges::any_of(model.graph.values, [](const graph::Value& value) {
    return value.format != graph::RealFormat::kFloat32;
  });
}

precision::Given given_of(const PreparedModel& model) {
  precision::Given given(model.encodings);
  given.orders = model.orders;
  given.converts = model.converts;
  given.int32 = model.int32;
  return given;
}

void take(precision::Given given, PreparedModel& model) {
  model.encodings = std::move(given.encodings);
  model.orders = std::move(given.orders);
  model.converts = std::move(given.converts);
  model.int32 = std::move(given.int32);
}

Result<std::vector<std::string>> give(precision::Given given, const ops::InputShapes& shapes,
                                      const QuantizationOptions& options, PreparedModel& model) {
  std::vector<std::string> warnings;
  Result<graph::Graph> integers = precision::compute_in_int32(std::move(model.graph), shapes, given);
  if (!integers.ok()) return integers.error();
  Result<graph::Graph> converted = precision::insert_converts(*std::move(integers), shapes, options, given, warnings);
  if (!converted.ok()) return converted.error();
  model.graph = *std::move(converted);
  take(std::move(given), model);
  return warnings;
}

Result<PreparedModel> encodings_of_model(RawModel model, const Observer& observer) {
  Result<passes::ImportedQdq> imported = import_encodings(std::move(model), observer);
  if (!imported.ok()) return imported.error();
  PreparedModel carried;
  carried.arithmetic = recorded_arithmetic(imported->graph, imported->encodings);
  carried.graph = std::move(imported->graph);
  carried.encodings = std::move(imported->encodings);
  return carried;
}

exec::Session float_session(const graph::Graph& graph, int num_workers) {
  return {graph, [&graph](const ops::InputShapes& shapes) { return lower::float_program(graph, shapes); }, num_workers};
}

exec::Session simulated_session(const graph::Graph& graph, const EncodingSet& encodings, Arithmetic arithmetic,
                                int num_workers) {
  return {graph,
          [&graph, &encodings, arithmetic](const ops::InputShapes& shapes) {
            return lower::simulated_program(graph, shapes, encodings, arithmetic);
          },
          num_workers};
}

exec::Session fixed_session(const graph::Graph& graph, const EncodingSet& encodings, const FixedPointOptions& options,
                            int num_workers, const lower::CodeInputs& code_inputs) {
  return {graph,
          [&graph, &encodings, options, code_inputs](const ops::InputShapes& shapes) {
            return lower::fixed_program(graph, shapes, encodings, options, code_inputs);
          },
          num_workers};
}

Result<FixedPointOptions> fixed_options_for(const PreparedModel& model, const FixedPointRequest& request) {
  return fixed_options_for(model.encodings, model.arithmetic, request);
}

Result<FixedPointOptions> fixed_options_for(const EncodingSet& encodings, const std::string& recorded_rule,
                                            const FixedPointRequest& request) {
  const auto no_power_of_two = std::ranges::find_if(encodings, [](const auto& named) {
    return std::ranges::any_of(named.second.encoding.params(),
                               [](const QuantParams& p) { return !numerics::is_power_of_two(p.scale); });
  });
  const bool can_shift = no_power_of_two == encodings.end();
  FixedPointOptions options;
  options.accumulator_bits = request.accumulator_bits;
  const std::optional<Arithmetic> recorded = arithmetic_of(recorded_rule);
  if (request.arithmetic) {
    options.arithmetic = *request.arithmetic;
    if (needs_power_of_two(options.arithmetic) && !can_shift) {
      return Error{ErrorCode::kUsage, "--arithmetic " + std::string(name_of(options.arithmetic)) +
                                          " needs scales that are powers of two, tensor " +
                                          halfstep::quoted(no_power_of_two->first) +
                                          " has another; use q31_single, or " + "quantize with --scale power_of_two"};
    }
  } else if (recorded && (can_shift || !needs_power_of_two(*recorded))) {
    options.arithmetic = *recorded;
  } else {
    options.arithmetic = can_shift ? Arithmetic::kShiftHalfUp : Arithmetic::kQ31Single;
  }
  return options;
}

int num_threads_for(int requested) { return requested > 0 ? requested : default_num_threads(); }

int num_threads_for(int requested, std::int64_t num_samples) {
  return static_cast<int>(std::clamp<std::int64_t>(num_samples, 1, num_threads_for(requested)));
}

Result<std::string> read_text(const std::filesystem::path& path) {
  std::error_code unknown;
  // Devices may have no end.
  if (std::filesystem::is_character_file(path, unknown) || std::filesystem::is_block_file(path, unknown))
    return Error{ErrorCode::kInvalidInput, path.string() + ": cannot be read (it is a device)"};
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file || std::filesystem::is_directory(path)) {
    const int reason = errno != 0 ? errno : EIO;
    return Error{ErrorCode::kInvalidInput, path.string() + ": cannot be read (" + std::strerror(reason) + ")"};
  }
  return text.str();
}

}  // namespace pipeline
}  // namespace halfstep
