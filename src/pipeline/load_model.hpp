// load_model.hpp: the first part of every story: a file becomes a prepared Graph.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "encoding/quantized_graph.hpp"
#include "exec/samples.hpp"
#include "exec/session.hpp"
#include "graph/graph.hpp"
#include "halfstep/arithmetic.hpp"
#include "halfstep/model_source.hpp"
#include "halfstep/observer.hpp"
#include "halfstep/result.hpp"
#include "io/samples/sample_reader.hpp"
#include "lower/lower.hpp"
#include "ops/infer_graph.hpp"
#include "pipeline/other_units.hpp"
#include "precision/orders.hpp"

namespace halfstep::pipeline {

/// Key of the metadata entry in which a model records the rule it is to be run with.
inline constexpr const char* kArithmeticKey = "halfstep.arithmetic";

/// Key of the metadata entry that every model quantize wrote carries.
inline constexpr const char* kVersionKey = "halfstep.version";

/// A model as read, before its shapes are known.
struct RawModel {
  graph::Graph graph;
  InputDims input_dims;
  std::string path;               ///< For messages.
  std::int64_t num_bytes = 0;     ///< Of the file and its external data.
  bool ignore_encodings = false;  ///< What the file carries is left out: it is a float model.
};

/// Reads the file and checks --input_dim against its inputs.
/// Errors: those of io::read_onnx; kUsage for an --input_dim that names no input.
Result<RawModel> read_model(const ModelSource& source, const Observer& observer);

/// What a sample file must fit, for each input, in the order of Graph::inputs.
std::vector<io::InputSpec> input_specs(const RawModel& model);

/// Errors: kUsage, `place` in front, with the nearest name if the model has no tensor of this name.
Result<void> check_tensor_name(const RawModel& model, const std::string& name, const std::string& place);

/// The tensors that the '#' and '%' lines of a list mean, each once, in the order of the lines.
/// Errors: kUsage naming list, model and the nearest name for a layer or tensor that the model does not have.
Result<std::vector<std::string>> listed_tensors(const RawModel& model, const io::InputList& list);

/// Samples as a source for running. `reader` must outlive it.
exec::SampleSource source_of(const io::SampleReader& reader);

/// Shapes of the inputs of the first sample.
Result<ops::InputShapes> shapes_of_first_sample(const RawModel& model, const io::SampleReader& reader);

/// Old name to new name.
using Renamed = std::map<std::string, std::string>;

/// A model ready for lowering: in float, QuantizeLinear/DequantizeLinear pairs taken out, passes applied, constants
/// that need several encodings cloned (so that names in encodings files mean the same everywhere). The encodings are
/// those that the file carried, frozen.
struct PreparedModel : QuantizedGraph {
  std::string arithmetic;  ///< The rule recorded beside the encodings; empty: none, or one we do not know.
  OtherUnits units;        ///< What the file records of its tensors.
  std::map<std::string, std::string> converts = {};  ///< precision::Given::converts.
  std::set<std::string> int32 = {};                  ///< precision::Given::int32.
  precision::Orders orders = {};                     ///< What is asked of its tensors beside the encodings.
};

/// True if there is something to run quantized: encodings, or tensors in half precision.
bool is_quantized(const PreparedModel& model);

/// Its encodings and orders.
precision::Given given_of(const PreparedModel& model);
/// The other way.
void take(precision::Given given, PreparedModel& model);

/// Puts what converts `given`, orders and encodings of the model, ask for into model.graph.
/// Errors: those of precision::insert_converts(). Returns a line for each encoding that has no effect.
Result<std::vector<std::string>> give(precision::Given given, const ops::InputShapes& shapes,
                                      const QuantizationOptions& options, PreparedModel& model);

/// Imports Q/DQ pairs, restores activations that another quantizer left to saturation (passes::restore_clamps; quantize
/// itself leaves none) and runs all passes. Values named in `keep` survive.
/// Errors: those of import_qdq and prepare, the model's path in front.
Result<PreparedModel> prepare_model(RawModel model, const ops::InputShapes& shapes,
                                    const std::vector<std::string>& keep, const Observer& observer);

/// prepare_model() that says which tensors go on under the name of a graph output.
Result<PreparedModel> prepare_and_tell(RawModel model, const ops::InputShapes& shapes,
                                       const std::vector<std::string>& keep, const Observer& observer,
                                       Renamed& renamed);

/// The encodings that the file carried and the rule it records, without passes: needs no shapes.
/// Errors: those of import_qdq, the model's path in front.
Result<PreparedModel> encodings_of_model(RawModel model, const Observer& observer);

/// prepare_model() with the encodings of a file instead of those of the model.
/// Activations the file names survive even if folding or fusing would remove
/// them; names that are neither in the model nor made by preparing it are errors.
/// Errors: those of prepare_model and io::read_encodings; kUsage for a file that was made for a model whose weights
/// algorithms changed, if this is another.
Result<PreparedModel> prepare_with_encodings(RawModel model, const ops::InputShapes& shapes,
                                             const std::vector<std::string>& keep,
                                             const std::filesystem::path& encodings, const Observer& observer);

/// Sessions that lower `graph` on demand; `graph` and `encodings` must outlive them.
exec::Session float_session(const graph::Graph& graph, int num_workers);
exec::Session simulated_session(const graph::Graph& graph, const EncodingSet& encodings, Arithmetic arithmetic,
                                int num_workers);
/// Inputs named in `code_inputs` are fed as codes.
exec::Session fixed_session(const graph::Graph& graph, const EncodingSet& encodings, const FixedPointOptions& options,
                            int num_workers, const lower::CodeInputs& code_inputs = {});

/// The rule and accumulators of a fixed-point run of `model`, see FixedPointRequest.
/// Errors: kUsage if the rule only shifts and a scale is no power of two (the tensor is named).
Result<FixedPointOptions> fixed_options_for(const PreparedModel& model, const FixedPointRequest& request);
/// The same for encodings beside which `recorded_rule` stands; empty: none.
Result<FixedPointOptions> fixed_options_for(const EncodingSet& encodings, const std::string& recorded_rule,
                                            const FixedPointRequest& request);

/// `requested`, or one thread for each processor if 0; with samples, never more than those.
int num_threads_for(int requested);
int num_threads_for(int requested, std::int64_t num_samples);

/// The whole text of a file. Errors: kInvalidInput with path and reason, also for a device, which may have no end.
Result<std::string> read_text(const std::filesystem::path& path);

}  // namespace halfstep::pipeline
