// run.cpp: the story of quantize-run.
#include "halfstep/run.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <system_error>

#include "core/ordered_parallel.hpp"
#include "core/text.hpp"
#include "io/samples/raw_writer.hpp"
#include "pipeline/load_model.hpp"

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

}  // namespace

Result<RunOutcome> run(const RunRequest& request, const Observer& observer) {
  Result<RawModel> raw = pipeline::read_model(request.model, observer);
  if (!raw.ok()) return raw.error();
  Result<io::SampleReader> reader = pipeline::open_samples(*raw, request.input_list);
  if (!reader.ok()) return reader.error();
  Result<ops::InputShapes> shapes = pipeline::shapes_of_first_sample(*raw, *reader);
  if (!shapes.ok()) return shapes.error();
  Result<Wanted> wanted = wanted_tensors(request, *raw, reader->list());
  if (!wanted.ok()) return wanted.error();
  if (request.mode == RunMode::kFloat && request.encodings) {
    return Error{ErrorCode::kUsage, "--encodings has no effect with --mode float; use --mode fixed or simulated"};
  }
  Result<PreparedModel> model =
      request.encodings
          ? pipeline::prepare_with_encodings(*std::move(raw), *shapes, wanted->names, *request.encodings, observer)
          : pipeline::prepare_model(*std::move(raw), *shapes, wanted->names, observer);
  if (!model.ok()) return model.error();
  if (request.mode != RunMode::kFloat && model->encodings.empty()) {
    return Error{ErrorCode::kUsage,
                 std::string(request.mode == RunMode::kFixed ? "--mode fixed: " : "--mode simulated: ") +
                     request.model.model.string() + " carries no encodings; give a quantized model or --encodings"};
  }

  const int num_threads = pipeline::num_threads_for(request.num_threads, reader->num_samples());
  std::string arithmetic;
  FixedPointOptions options;
  if (request.mode != RunMode::kFloat) {
    const Result<FixedPointOptions> chosen = pipeline::fixed_options_for(*model, request.fixed);
    if (!chosen.ok()) return chosen.error();
    options = *chosen;
    if (request.mode == RunMode::kFixed) arithmetic = name_of(options.arithmetic);
  }
  if (Result<void> made = make_folder(request.output_dir); !made.ok()) return made.error();
  exec::Session session =
      request.mode == RunMode::kFloat ? pipeline::float_session(model->graph, num_threads)
      : request.mode == RunMode::kSimulated
          ? pipeline::simulated_session(model->graph, model->encodings, options.arithmetic, num_threads)
          : pipeline::fixed_session(model->graph, model->encodings, options, num_threads);
  const ResultWriter writer(request, model->graph, *wanted);
  const auto produce = [&](std::int64_t i, int worker) -> Result<void> {
    Result<std::vector<Tensor>> inputs = reader->read(i);
    if (!inputs.ok()) return inputs.error();
    Result<exec::Executor*> executor = session.executor(worker, *inputs);
    if (!executor.ok()) return executor.error().at(reader->place(i));
    Result<void> written = writer.write_sample(i, **executor, *inputs);
    return written.ok() ? written : written.error().at(reader->place(i));
  };
  const auto consume = [&](std::int64_t i, int) -> Result<void> {
    if (observer.progress) observer.progress("running", i + 1, reader->num_samples());
    return {};
  };
  if (Result<void> done = ordered_parallel_for(reader->num_samples(), num_threads, produce, consume); !done.ok()) {
    return done.error();
  }
  return RunOutcome{reader->num_samples(), writer.num_files(), arithmetic};
}

}  // namespace halfstep
