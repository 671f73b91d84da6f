// program_bench.cpp: times the runs of one model alone, without reading and writing; see compare_onnxruntime.py.
//
//   program_bench MODEL INPUT_LIST float|fixed REPEAT [NAME=D,D,... ...] [--steps] [--threads N]
//
// Prints one JSON line: milliseconds of a run, median and minimum over REPEAT, and the bytes of the Program's memory.
// --threads lends N - 1 threads to the operators of the run. --steps adds a line for each tensor: the share of the time
// since the tensor before it was complete.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "core/ordered_parallel.hpp"
#include "core/text.hpp"
#include "halfstep/model_source.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/photos.hpp"

namespace halfstep {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

[[noreturn]] void fail(const Error& error) {
  std::cerr << error.message << "\n";
  std::exit(1);
}

template <class T>
T need(Result<T> result) {
  if (!result.ok()) fail(result.error());
  return *std::move(result);
}

struct Arguments {
  ModelSource model;
  std::string input_list;
  bool is_fixed = false;
  int repeat = 20;
  bool shows_steps = false;
  int num_threads = 1;
};

Arguments parse(const std::vector<std::string>& words) {
  Arguments args;
  args.model.model = words[0];
  args.input_list = words[1];
  args.is_fixed = words[2] == "fixed";
  args.repeat = std::max(1, std::atoi(words[3].c_str()));
  for (std::size_t i = 4; i < words.size(); ++i) {
    if (words[i] == "--steps") {
      args.shows_steps = true;
      continue;
    }
    if (words[i] == "--threads" && i + 1 < words.size()) {
      args.num_threads = std::max(1, std::atoi(words[++i].c_str()));
      continue;
    }
    const std::size_t equals = words[i].find('=');
    args.model.input_dims[words[i].substr(0, equals)] = need(parse_dims(words[i].substr(equals + 1)));
  }
  return args;
}

void show_steps(exec::Executor& executor, const graph::Graph& graph, const std::vector<Tensor>& sample, int repeat) {
  std::vector<std::vector<double>> spent;
  std::vector<std::string> names;
  for (int r = 0; r < repeat; ++r) {
    std::size_t at = 0;
    Clock::time_point last = Clock::now();
    const exec::Tap tap = [&](const exec::Tapped& tapped) -> Result<void> {
      const Clock::time_point now = Clock::now();
      if (r == 0) {
        spent.emplace_back();
        names.push_back(graph.value(tapped.value).name + " " + to_string(*tapped.view.type));
      }
      spent[at++].push_back(milliseconds(now - last));
      last = Clock::now();
      return {};
    };
    if (Result<void> ran = executor.run(sample, tap); !ran.ok()) fail(ran.error());
  }
  for (std::size_t i = 0; i < names.size(); ++i) std::printf("%9.4f ms  %s\n", median(spent[i]), names[i].c_str());
}

// Everything timed, on a thread to which others are lent.
Result<void> time_runs(const Arguments& args, exec::Executor& executor, const graph::Graph& graph,
                       const std::vector<std::vector<Tensor>>& samples) {
  std::vector<double> times;
  for (int r = -2; r < args.repeat; ++r) {
    const auto& sample = samples[static_cast<std::size_t>(r + 2) % samples.size()];
    const Clock::time_point start = Clock::now();
    if (Result<void> ran = executor.run(sample); !ran.ok()) return ran;
    if (r >= 0) times.push_back(milliseconds(Clock::now() - start));
  }
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("{\"median_ms\": %.4f, \"min_ms\": %.4f, \"peak_mib\": %.1f}\n", median(times),
              *std::ranges::min_element(times), static_cast<double>(usage.ru_maxrss) / 1024.0);
  if (args.shows_steps) show_steps(executor, graph, samples[0], args.repeat);
  return {};
}

int run(const Arguments& args) {
  pipeline::RawModel raw = need(pipeline::read_model(args.model, {}));
  const pipeline::OpenedSamples opened =
      need(pipeline::open_samples(raw, {.input_list = args.input_list, .input_images = {}, .preprocess = {}}, raw, {}));
  const io::SampleReader& reader = opened.reader;
  const ops::InputShapes shapes = need(pipeline::shapes_of_first_sample(raw, reader));
  const pipeline::PreparedModel model = need(pipeline::prepare_model(std::move(raw), shapes, {}, {}));
  const FixedPointOptions options = args.is_fixed ? need(pipeline::fixed_options_for(model, {})) : FixedPointOptions{};
  exec::Session session = args.is_fixed ? pipeline::fixed_session(model.graph, model.encodings, options, 1)
                                        : pipeline::float_session(model.graph, 1);
  const exec::SampleSource source = pipeline::source_of(reader);
  std::vector<std::vector<Tensor>> samples;
  for (std::int64_t i = 0; i < std::min<std::int64_t>(source.count, 20); ++i) samples.push_back(need(source.load(i)));
  exec::Executor& executor = *need(session.executor(0, samples[0]));
  const Result<void> ran = ordered_parallel_for(
      1, args.num_threads, [&](std::int64_t, int) { return time_runs(args, executor, model.graph, samples); },
      [](std::int64_t, int) -> Result<void> { return {}; });
  if (!ran.ok()) fail(ran.error());
  return 0;
}

}  // namespace
}  // namespace halfstep

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() < 4 || (words[2] != "float" && words[2] != "fixed")) {
    std::cerr
        << "usage: program_bench MODEL INPUT_LIST float|fixed REPEAT [NAME=D,D,... ...] [--steps] [--threads N]\n";
    return 2;
  }
  return halfstep::run(halfstep::parse(words));
}
