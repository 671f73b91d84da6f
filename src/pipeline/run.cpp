// run.cpp: the story of quantize-run.
#include "halfstep/run.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <system_error>

#include "core/ordered_parallel.hpp"
#include "core/text.hpp"
#include "io/samples/npy_writer.hpp"
#include "io/samples/raw_writer.hpp"
#include "pipeline/integer_model.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/model_part.hpp"
#include "pipeline/output_paths.hpp"
#include "pipeline/photos.hpp"

namespace halfstep {
namespace {

using pipeline::PreparedModel;
using pipeline::RawModel;

constexpr std::size_t kMaxFileNameBytes = 200;

constexpr const char* kExtension = ".raw";
constexpr const char* kCodesExtension = ".codes.raw";

/// Characters a file name can't hold become '_'.
std::string file_name_of(const std::string& tensor) {
  std::string name = tensor;
  for (char& c : name) {
    if (c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '_';
  }
  if (name == "." || name == "..") name = "_";
  // File systems end at 255 bytes; two that are cut alike are numbered apart.
  if (name.size() > kMaxFileNameBytes) name.resize(kMaxFileNameBytes);
  return name;
}

/// What the user wants written: tensor names, before passes could rename anything.
struct Wanted {
  std::vector<std::string> names;
  bool all = false;
};

Result<Wanted> wanted_tensors(const RunRequest& request, const RawModel& model, const io::InputList& list) {
  Result<std::vector<std::string>> listed = pipeline::listed_tensors(model, list);
  if (!listed.ok()) return listed.error();
  Wanted wanted{.names = *std::move(listed)};
  const graph::Graph& graph = model.graph;
  for (const std::string& name : request.to) {
    if (std::ranges::find(wanted.names, name) == wanted.names.end()) wanted.names.push_back(name);
  }
  if (wanted.names.empty()) {
    for (const graph::GraphOutput& output : graph.outputs) wanted.names.push_back(graph.value(output.value).name);
  }
  for (const std::string& name : request.dump_tensors) {
    if (name == "all" && request.dump_tensors.size() == 1) {
      wanted.all = true;
      continue;
    }
    if (Result<void> known = pipeline::check_tensor_name(model, name, "--dump_tensors"); !known.ok()) {
      return known.error();
    }
    if (std::ranges::find(wanted.names, name) == wanted.names.end()) wanted.names.push_back(name);
  }
  return wanted;
}

Result<void> make_folder(const std::filesystem::path& path) {
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  if (failure || !std::filesystem::is_directory(path)) {
    return Error{ErrorCode::kInvalidInput,
                 path.string() + ": folder cannot be made (" + (failure ? failure.message() : "it is a file") + ")"};
  }
  return {};
}

/// Writes the wanted tensors of every sample.
class ResultWriter {
 public:
  ResultWriter(const RunRequest& request, const graph::Graph& graph, const Wanted& wanted)
      : request_(request), graph_(graph) {
    std::set<std::string> taken;
    for (std::size_t v = 0; v < graph.values.size(); ++v) {
      const graph::Value& value = graph.values[v];
      const bool is_wanted = std::ranges::find(wanted.names, value.name) != wanted.names.end();
      if (!is_wanted && (!wanted.all || value.constant)) continue;
      std::string file = file_name_of(value.name);
      for (int i = 2; taken.contains(file) || taken.contains(file + ".codes"); ++i) {
        file = std::to_string(i) + "_" + file_name_of(value.name);
      }
      taken.insert({file, file + ".codes"});
      files_[static_cast<graph::ValueId>(v)] = file;
    }
  }

  std::int64_t num_files() const { return num_files_; }

  /// That no sample lies where a result goes, as it does if a part runs into the folder that its inputs came from.
  /// Errors: kUsage naming the sample.
  Result<void> check_samples(const io::InputList& list) const {
    std::error_code failure;
    const std::filesystem::path root = std::filesystem::weakly_canonical(request_.output_dir, failure);
    std::vector<pipeline::NamedPath> results;
    for (const io::SampleLine& line : list.samples) {
      for (const io::SampleFile& sample : line.files) {
        const auto path = std::filesystem::weakly_canonical(sample.path, failure);
        if (failure || path.parent_path().parent_path() != root) continue;
        const std::filesystem::path folder = request_.output_dir / path.parent_path().filename();
        for (const auto& [value, file] : files_) {
          results.push_back({"a result", folder / (file + kExtension)});
          results.push_back({"a result", folder / (file + kCodesExtension)});
        }
      }
    }
    return pipeline::check_not_samples(list, results);
  }

  /// What the model is fed, if that is wanted.
  Result<void> write_inputs(std::int64_t i, const std::vector<Tensor>& inputs) const {
    if (!request_.save_inputs) return {};
    const std::filesystem::path folder = *request_.save_inputs / ("Result_" + std::to_string(i));
    if (Result<void> made = make_folder(folder); !made.ok()) return made;
    std::set<std::string> taken;
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      const std::string name = file_name_of(graph_.value(graph_.inputs[k].value).name);
      std::string file = name;
      for (int copy = 2; !taken.insert(file).second; ++copy) file = std::to_string(copy) + "_" + name;
      if (auto wrote = io::write_npy(folder / (file + ".npy"), inputs[k].view()); !wrote.ok()) return wrote;
    }
    return {};
  }

  Result<void> write_sample(std::int64_t i, exec::Executor& executor, const std::vector<Tensor>& inputs) const {
    const std::filesystem::path folder = request_.output_dir / ("Result_" + std::to_string(i));
    if (Result<void> made = make_folder(folder); !made.ok()) return made;
    std::set<graph::ValueId> written;
    const exec::Tap tap = [&](const exec::Tapped& tapped) -> Result<void> {
      const auto file = files_.find(tapped.value);
      if (file == files_.end()) return {};
      written.insert(tapped.value);
      if (tapped.encoding == nullptr) return io::write_raw(folder / (file->second + kExtension), tapped.view);
      const Tensor real = dequantize(Tensor(*tapped.view.type, tapped.view.bytes, nullptr), *tapped.encoding);
      if (Result<void> wrote = io::write_raw(folder / (file->second + kExtension), real.view()); !wrote.ok())
        return wrote;
      ++num_files_;
      return io::write_raw(folder / (file->second + kCodesExtension), tapped.view);
    };
    if (Result<void> ran = executor.run(inputs, tap); !ran.ok()) return ran;
    // Outputs that are constants, or known before running, pass by no tap.
    for (std::size_t o = 0; o < graph_.outputs.size(); ++o) {
      const auto file = files_.find(graph_.outputs[o].value);
      if (file == files_.end() || written.contains(graph_.outputs[o].value)) continue;
      if (Result<void> wrote = io::write_raw(folder / (file->second + kExtension), executor.output(o)); !wrote.ok()) {
        return wrote;
      }
    }
    num_files_ += static_cast<std::int64_t>(files_.size());
    return {};
  }

 private:
  const RunRequest& request_;
  const graph::Graph& graph_;
  std::map<graph::ValueId, std::string> files_;  // Without extension.
  mutable std::atomic<std::int64_t> num_files_ = 0;
};

/// A model ready to run, and its samples.
struct Loaded {
  PreparedModel model;
  Wanted wanted;
  std::optional<pipeline::OpenedSamples> samples;
  FixedPointOptions fixed;        ///< Not in mode kFloat.
  lower::CodeInputs code_inputs;  ///< Inputs that are put onto a grid before they are fed.

  const io::SampleReader& reader() const { return samples->reader; }

  /// Inputs of a sample as the session takes them.
  std::vector<Tensor> to_codes(std::vector<Tensor> inputs) const {
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      const auto grid = code_inputs.find(model.graph.value(model.graph.inputs[k].value).name);
      if (grid != code_inputs.end()) inputs[k] = quantize(inputs[k], grid->second);
    }
    return inputs;
  }
};

bool is_part(const RunRequest& request) { return !request.from.empty() || !request.to.empty(); }

/// Misuse that shows before any work.
Result<void> check_run(const RunRequest& request, const RawModel& model) {
  const std::pair<const char*, const std::vector<std::string>*> named[] = {
      {"--from", &request.from}, {"--to", &request.to}, {"--quantized_until", &request.quantized_until}};
  for (const auto& [option, names] : named) {
    for (const std::string& name : *names) {
      if (Result<void> known = pipeline::check_tensor_name(model, name, option); !known.ok()) return known;
    }
  }
  const char* idle = request.encodings                 ? "--encodings"
                     : request.quantized_until.empty() ? nullptr
                                                       : "--quantized_until";
  if (request.mode != RunMode::kFloat || idle == nullptr) return {};
  return Error{ErrorCode::kUsage,
               std::string(idle) + " has no effect with --mode float; use --mode fixed or simulated"};
}

/// The prepared model, whole. `keep`: tensors that survive.
Result<PreparedModel> prepare(const RunRequest& request, RawModel raw, const ops::InputShapes& shapes,
                              const std::vector<std::string>& keep, const Observer& observer) {
  Result<PreparedModel> model =
      request.encodings ? pipeline::prepare_with_encodings(std::move(raw), shapes, keep, *request.encodings, observer)
                        : pipeline::prepare_model(std::move(raw), shapes, keep, observer);
  const bool needs_encodings = request.mode != RunMode::kFloat;
  if (model.ok() && needs_encodings && !pipeline::is_quantized(*model) &&
      !pipeline::multiplies_integers(model->graph)) {
    return Error{ErrorCode::kUsage,
                 std::string(request.mode == RunMode::kFixed ? "--mode fixed: " : "--mode simulated: ") +
                     request.model.model.string() + " carries no encodings; give a quantized model or --encodings"};
  }
  if (model.ok() && needs_encodings) {
    const std::string path = request.model.model.string();
    if (Result<void> useful = pipeline::check_rule_has_use(*model, path, request.fixed); !useful.ok()) {
      return useful.error();
    }
  }
  return model;
}

/// Leaves of the model what the request is about.
Result<void> take_part(const RunRequest& request, const ops::InputShapes& shapes, Loaded& loaded) {
  if (!request.quantized_until.empty()) {
    if (Result<void> done = pipeline::quantize_until(request.quantized_until, loaded.model); !done.ok()) return done;
  }
  if (!is_part(request)) return {};
  const PreparedModel whole = loaded.model;
  if (Result<void> done = pipeline::cut_model({request.from, request.to}, shapes, loaded.model); !done.ok())
    return done;
  for (const std::string& name : loaded.wanted.names) {
    if (graph::find_value(loaded.model.graph, name) != graph::kNoValue) continue;
    return Error{ErrorCode::kUsage,
                 "tensor " + quoted(name) + " is not in the part of the model that --from and --to leave"};
  }
  if (request.mode != RunMode::kFixed) return {};
  Result<lower::CodeInputs> grids = pipeline::inherited_grids(request.from, shapes, whole, loaded.fixed);
  if (!grids.ok()) return grids.error();
  loaded.code_inputs = *std::move(grids);
  return {};
}

/// Shapes of the model's inputs: those of the first sample, or given where the samples are of other tensors.
Result<ops::InputShapes> shapes_of(const RunRequest& request, const RawModel& model, const Loaded& loaded) {
  if (request.from.empty()) return pipeline::shapes_of_first_sample(model, loaded.reader());
  ops::InputShapes shapes;
  for (const auto& [name, dims] : model.input_dims) shapes.insert_or_assign(name, Shape(dims));
  return shapes;
}

pipeline::SampleFiles files_of(const RunRequest& request) {
  return {request.input_list, request.input_images, request.preprocess};
}

Result<void> open_samples(const RunRequest& request, const RawModel& model, const io::InputList& list,
                          const Observer& observer, Loaded& loaded) {
  Result<pipeline::OpenedSamples> samples =
      pipeline::open_listed(files_of(request), list, pipeline::input_specs(model), model, observer.warning);
  if (!samples.ok()) return samples.error();
  loaded.samples.emplace(*std::move(samples));
  return {};
}

Result<Loaded> load(const RunRequest& request, const Observer& observer) {
  Loaded loaded;
  if (Result<void> one = pipeline::check_samples(files_of(request)); !one.ok()) return one.error();
  Result<RawModel> raw = pipeline::read_model(request.model, observer);
  if (!raw.ok()) return raw.error();
  if (Result<void> valid = check_run(request, *raw); !valid.ok()) return valid.error();
  const Result<io::InputList> list = pipeline::list_samples(files_of(request), observer.warning);
  if (!list.ok()) return list.error();
  Result<Wanted> wanted = wanted_tensors(request, *raw, *list);
  if (!wanted.ok()) return wanted.error();
  loaded.wanted = *std::move(wanted);
  if (request.from.empty()) {
    if (Result<void> opened = open_samples(request, *raw, *list, observer, loaded); !opened.ok()) return opened.error();
  }
  const Result<ops::InputShapes> shapes = shapes_of(request, *raw, loaded);
  if (!shapes.ok()) return shapes.error();

  std::vector<std::string> keep = loaded.wanted.names;
  for (const auto* names : {&request.from, &request.to, &request.quantized_until}) {
    keep.insert(keep.end(), names->begin(), names->end());
  }
  Result<PreparedModel> model = prepare(request, *std::move(raw), *shapes, keep, observer);
  if (!model.ok()) return model.error();
  loaded.model = *std::move(model);
  if (request.mode != RunMode::kFloat) {
    const Result<FixedPointOptions> chosen = pipeline::fixed_options_for(loaded.model, request.fixed);
    if (!chosen.ok()) return chosen.error();
    loaded.fixed = *chosen;
  }
  if (Result<void> taken = take_part(request, *shapes, loaded); !taken.ok()) return taken.error();
  if (!request.from.empty()) {
    const RawModel part{loaded.model.graph, {}, request.model.model.string()};
    if (Result<void> opened = open_samples(request, part, *list, observer, loaded); !opened.ok()) return opened.error();
  }
  return loaded;
}

}  // namespace

Result<RunOutcome> run(const RunRequest& request, const Observer& observer) {
  const Result<Loaded> loaded = load(request, observer);
  if (!loaded.ok()) return loaded.error();
  const PreparedModel& model = loaded->model;
  const std::int64_t num_samples = loaded->reader().num_samples();
  const int num_threads = pipeline::num_threads_for(request.num_threads, num_samples);
  if (Result<void> made = make_folder(request.output_dir); !made.ok()) return made.error();
  exec::Session session =
      request.mode == RunMode::kFloat ? pipeline::float_session(model.graph, num_threads)
      : request.mode == RunMode::kSimulated
          ? pipeline::simulated_session(model.graph, model.encodings, loaded->fixed.arithmetic, num_threads)
          : pipeline::fixed_session(model.graph, model.encodings, loaded->fixed, num_threads, loaded->code_inputs);
  const ResultWriter writer(request, model.graph, loaded->wanted);
  if (auto apart = writer.check_samples(loaded->reader().list()); !apart.ok()) return apart.error();
  const auto produce = [&](std::int64_t i, int worker) -> Result<void> {
    Result<std::vector<Tensor>> read = loaded->reader().read(i);
    if (!read.ok()) return read.error();
    if (auto saved = writer.write_inputs(i, *read); !saved.ok()) return saved.error().at(loaded->reader().place(i));
    const std::vector<Tensor> inputs = loaded->to_codes(*std::move(read));
    Result<exec::Executor*> executor = session.executor(worker, inputs);
    if (!executor.ok()) return executor.error().at(loaded->reader().place(i));
    Result<void> written = writer.write_sample(i, **executor, inputs);
    return written.ok() ? written : written.error().at(loaded->reader().place(i));
  };
  const auto consume = [&](std::int64_t i, int) -> Result<void> {
    if (observer.progress) observer.progress("running", i + 1, num_samples);
    return {};
  };
  // Threads beyond the samples help inside the operators.
  const int all_threads = pipeline::num_threads_for(request.num_threads);
  if (Result<void> done = ordered_parallel_for(num_samples, all_threads, produce, consume); !done.ok()) {
    return done.error();
  }
  if (const std::string left_out = loaded->reader().warning(); observer.warning && !left_out.empty()) {
    observer.warning(left_out);
  }
  const std::string arithmetic = request.mode == RunMode::kFixed ? std::string(name_of(loaded->fixed.arithmetic)) : "";
  return RunOutcome{num_samples, writer.num_files(), arithmetic};
}

}  // namespace halfstep
