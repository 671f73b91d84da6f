// metric_command.cpp: temporary folders, the shell, and reading two numbers back.
#include "pipeline/metric_command.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <csignal>
#include <optional>
#include <set>
#include <system_error>
#include <vector>

#include "core/allocation_limit.hpp"
#include "core/text.hpp"
#include "io/samples/raw_writer.hpp"
#include "pipeline/result_files.hpp"
#include "pipeline/shell_word.hpp"

namespace halfstep::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFloatDir = "{float_dir}";
constexpr std::string_view kQuantizedDir = "{quantized_dir}";
constexpr std::size_t kMaxOutputBytes = 4096;

std::string replaced(std::string text, std::string_view what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

Error command_error(const std::string& fact) { return {ErrorCode::kInvalidInput, "--metric_command: " + fact}; }

std::string reason_of(int number) { return std::error_code(number, std::generic_category()).message(); }

/// Starts `sh -c command` with stdout on `out` and the signal handling a shell expects.
Result<pid_t> start_shell(const std::string& command, int out) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  sigaddset(&signals, SIGXFSZ);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  std::string shell = "sh";
  std::string option = "-c";
  std::string text = undo_allocation_limit_in_shell() + command;
  char* arguments[] = {shell.data(), option.data(), text.data(), nullptr};
  pid_t child = 0;
  const int failure = posix_spawn(&child, "/bin/sh", &actions, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) return command_error("the shell cannot be started (" + reason_of(failure) + ")");
  return child;
}

/// Everything up to the end of the pipe; only the first kMaxOutputBytes are kept.
std::string read_all(int in) {
  std::string text;
  char buffer[1024];
  for (;;) {
    const ssize_t count = read(in, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    if (text.size() < kMaxOutputBytes) text.append(buffer, static_cast<std::size_t>(count));
  }
}

/// The numbers of a text of nothing but numbers and blanks.
std::optional<std::vector<double>> numbers_of(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  std::vector<double> numbers;
  while (true) {
    const std::size_t start = text.find_first_not_of(kBlanks);
    if (start == std::string_view::npos) return numbers;
    text.remove_prefix(start);
    const std::string_view word = text.substr(0, text.find_first_of(kBlanks));
    double value = 0.0;
    const auto [stop, failure] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (failure != std::errc() || stop != word.data() + word.size() || !std::isfinite(value)) return std::nullopt;
    numbers.push_back(value);
    text.remove_prefix(word.size());
  }
}

}  // namespace

Result<void> check_metric_command(const std::string& command) {
  for (const std::string_view place : {kFloatDir, kQuantizedDir}) {
    if (command.find(place) == std::string::npos) {
      return Error{ErrorCode::kUsage,
                   "--metric_command must contain " + std::string(place) + ", the folder of the outputs of that model"};
    }
  }
  return {};
}

Result<OutputFolders> OutputFolders::create() {
  Result<TemporaryFolder> root = TemporaryFolder::create();
  if (!root.ok()) return command_error(root.error().message);
  return OutputFolders(*std::move(root));
}

Result<void> OutputFolders::write(Side side, std::int64_t sample, const graph::Graph& reference,
                                  const std::function<ConstView(std::size_t output)>& output) const {
  const fs::path folder = folder_of(side) / ("Result_" + std::to_string(sample));
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) return command_error(folder.string() + ": folder cannot be made (" + failure.message() + ")");
  std::set<std::string> taken;
  for (std::size_t o = 0; o < reference.outputs.size(); ++o) {
    const std::string file = unique_file_stem(reference.value(reference.outputs[o].value).name, taken) + ".raw";
    if (Result<void> wrote = io::write_raw(folder / file, output(o)); !wrote.ok()) return wrote;
  }
  return {};
}

Result<std::pair<double, double>> OutputFolders::run(const std::string& command) const {
  std::string filled = replaced(command, kFloatDir, shell_word(folder_of(Side::kFloat).string()));
  filled = replaced(filled, kQuantizedDir, shell_word(folder_of(Side::kQuantized).string()));
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) return command_error("no pipe can be made (" + reason_of(errno) + ")");
  const Result<pid_t> child = start_shell(filled, ends[1]);
  close(ends[1]);
  const std::string text = child.ok() ? read_all(ends[0]) : std::string();
  close(ends[0]);
  if (!child.ok()) return child.error();
  int status = 0;
  while (waitpid(*child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) return command_error("was ended by signal " + std::to_string(WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0) {
    return command_error("failed with exit status " + std::to_string(WEXITSTATUS(status)) + ": " +
                         halfstep::quoted(command));
  }
  const std::optional<std::vector<double>> numbers = numbers_of(text);
  if (!numbers || numbers->size() != 2) {
    return command_error("printed " + (text.empty() ? std::string("nothing") : halfstep::quoted(text)) +
                         ", expected two numbers: of the float model and of the quantized one");
  }
  return std::pair((*numbers)[0], (*numbers)[1]);
}

}  // namespace halfstep::pipeline
