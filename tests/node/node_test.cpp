// node_test.cpp: reads, runs and judges one test.
#include "node_test.hpp"

#include <onnx/onnx_pb.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>

#include "exec/executor.hpp"
#include "io/onnx/reader.hpp"
#include "lower/lower.hpp"
#include "survey.hpp"

namespace halfstep::node_tests {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kTimeoutSeconds = 120;

Outcome failed(std::string why) { return {Status::kFailed, {std::move(why)}}; }

Outcome from_error(const Error& error) {
  return {error.code == ErrorCode::kUnsupported ? Status::kUnsupported : Status::kFailed, {error.message}};
}

std::vector<fs::path> data_sets(const fs::path& folder) {
  std::vector<fs::path> sets;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with("test_data_set_")) sets.push_back(entry.path());
  }
  std::ranges::sort(sets);
  return sets;
}

Result<std::vector<Tensor>> read_tensors(const fs::path& set, const std::string& stem) {
  std::vector<Tensor> tensors;
  for (int i = 0;; ++i) {
    const fs::path file = set / (stem + std::to_string(i) + ".pb");
    if (!fs::exists(file)) return tensors;
    auto tensor = io::read_onnx_tensor(file);
    if (!tensor.ok()) return tensor.error();
    tensors.push_back(std::move(*tensor));
  }
}

Outcome run_set(const fs::path& set, const onnx::ModelProto& proto, const graph::Graph& graph,
                const Tolerance& tolerance) {
  const auto given = read_tensors(set, "input_");
  if (!given.ok()) return from_error(given.error());
  const auto expected = read_tensors(set, "output_");
  if (!expected.ok()) return from_error(expected.error());

  std::vector<Tensor> inputs;
  ops::InputShapes shapes;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const std::string& name = graph.value(graph.inputs[i].value).name;
    // Files are numbered as the model lists its inputs; models that list their
    // initializers, too, come with files for the real inputs only.
    int position = static_cast<int>(i);
    if (given->size() != graph.inputs.size()) {
      for (position = 0; position < proto.graph().input_size(); ++position) {
        if (proto.graph().input(position).name() == name) break;
      }
    }
    if (static_cast<std::size_t>(position) >= given->size()) return failed("no data for input '" + name + "'");
    inputs.push_back((*given)[static_cast<std::size_t>(position)]);
    shapes[name] = inputs.back().shape();
  }
  auto program = lower::float_program(graph, shapes);
  if (!program.ok()) return from_error(program.error());
  exec::Executor executor(std::make_shared<const lower::Program>(std::move(*program)));
  if (const auto ran = executor.run(inputs); !ran.ok()) return from_error(ran.error());

  if (expected->empty() || expected->size() > graph.outputs.size()) return failed("wrong number of expected outputs");
  for (std::size_t i = 0; i < expected->size(); ++i) {
    const std::string& name = graph.value(graph.outputs[i].value).name;
    const std::string wrong = difference(executor.output(i), (*expected)[i], tolerance);
    if (!wrong.empty()) return failed("output '" + name + "' " + wrong);
  }
  return {Status::kPassed, {}};
}

bool load(const fs::path& folder, onnx::ModelProto& proto) {
  std::ifstream file(folder / "model.onnx", std::ios::binary);
  return file && proto.ParseFromIstream(&file);
}

}  // namespace

Outcome classify(const fs::path& folder) {
  onnx::ModelProto proto;
  if (!load(folder, proto)) return failed("model.onnx cannot be read");
  const Survey found = survey(proto);
  if (!found.unknown.empty()) return {Status::kUnknown, {found.unknown.begin(), found.unknown.end()}};
  if (found.is_random) return {Status::kRandom, {"random results"}};
  return {Status::kPassed, {}};
}

Outcome run(const fs::path& folder, const Tolerance& tolerance) {
  onnx::ModelProto proto;
  if (!load(folder, proto)) return failed("model.onnx cannot be read");
  const auto model = io::read_onnx(folder / "model.onnx");
  if (!model.ok()) return from_error(model.error());
  const std::vector<fs::path> sets = data_sets(folder);
  if (sets.empty()) return failed("no test_data_set_* folders");
  for (const fs::path& set : sets) {
    Outcome outcome = run_set(set, proto, model->graph, tolerance);
    if (outcome.status == Status::kFailed && survey(proto).has_double) {
      outcome = {Status::kImprecise, {"type float64: " + outcome.reasons[0]}};
    }
    if (outcome.status != Status::kPassed) return outcome;
  }
  return {Status::kPassed, {}};
}

Outcome run_isolated(const fs::path& folder, const Tolerance& tolerance) {
  int ends[2];
  if (::pipe(ends) != 0) return run(folder, tolerance);
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) {
    ::close(ends[0]);
    ::close(ends[1]);
    return run(folder, tolerance);
  }
  if (child == 0) {
    ::close(ends[0]);
    ::alarm(kTimeoutSeconds);
    const Outcome outcome = run(folder, tolerance);
    std::string message(1, static_cast<char>(outcome.status));
    if (!outcome.reasons.empty()) message += outcome.reasons[0];
    const bool written = ::write(ends[1], message.data(), message.size()) == static_cast<ssize_t>(message.size());
    ::_exit(written ? 0 : 1);
  }
  ::close(ends[1]);
  std::string message;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof(buffer))) > 0;) {
    message.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  int state = 0;
  ::waitpid(child, &state, 0);
  if (WIFSIGNALED(state)) return failed("killed by signal " + std::to_string(WTERMSIG(state)));
  if (message.empty()) return failed("exited with status " + std::to_string(WEXITSTATUS(state)));
  Outcome outcome{static_cast<Status>(message[0]), {}};
  if (message.size() > 1) outcome.reasons.push_back(message.substr(1));
  return outcome;
}

}  // namespace halfstep::node_tests
