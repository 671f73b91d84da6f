// replay_main.cpp: runs a fuzz target over files and folders of inputs, without libFuzzer; then, with
// HALFSTEP_FUZZ_SECONDS, over mutants of them (HALFSTEP_FUZZ_SEED=N: other ones).
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz_target.hpp"
#include "mutants.hpp"

namespace {

namespace fs = std::filesystem;

/// The files meant by the arguments, those of folders in the order of their names.
std::vector<fs::path> files_of(int num_arguments, char** arguments) {
  std::vector<fs::path> files;
  for (int i = 1; i < num_arguments; ++i) {
    const fs::path path = arguments[i];
    if (!fs::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    std::vector<fs::path> inside;
    for (const auto& entry : fs::directory_iterator(path)) {
      if (entry.is_regular_file()) inside.push_back(entry.path());
    }
    std::ranges::sort(inside);
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

double number_of(const char* variable, double otherwise) {
  const char* value = std::getenv(variable);
  return value == nullptr ? otherwise : std::strtod(value, nullptr);
}

}  // namespace

int main(int num_arguments, char** arguments) {
  const std::vector<fs::path> files = files_of(num_arguments, arguments);
  if (files.empty()) {
    std::fprintf(stderr, "usage: %s FILE|FOLDER...: no input found\n", arguments[0]);
    return 2;
  }
  std::chrono::duration<double> slowest{};
  fs::path slowest_file;
  std::vector<halfstep::fuzz::Bytes> inputs;
  // Told before it runs: a crash leaves the name of its file as the last line.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  for (const fs::path& path : files) {
    std::printf("%s\n", path.c_str());
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    // Of exactly this size, so that sanitizers see what reads beyond its end.
    const halfstep::fuzz::Bytes& input = inputs.emplace_back(bytes.begin(), bytes.end());
    const auto start = std::chrono::steady_clock::now();
    LLVMFuzzerTestOneInput(input.data(), input.size());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (took > slowest) {
      slowest = took;
      slowest_file = path;
    }
  }
  std::printf("%zu inputs; the slowest took %.2f s: %s\n", files.size(), slowest.count(), slowest_file.c_str());

  const double seconds = number_of("HALFSTEP_FUZZ_SECONDS", 0.0);
  if (seconds <= 0.0) return 0;
  const halfstep::fuzz::MutantRuns runs{.seconds = seconds,
                                        .seed = static_cast<unsigned>(number_of("HALFSTEP_FUZZ_SEED", 1.0)),
                                        .last = fs::path(arguments[0]).filename().string() + ".input"};
  std::printf("mutants for %g s; a crash leaves its input in %s\n", seconds, fs::absolute(runs.last).c_str());
  const std::size_t count = halfstep::fuzz::run_mutants(
      inputs, runs, [](const halfstep::fuzz::Bytes& input) { LLVMFuzzerTestOneInput(input.data(), input.size()); });
  std::printf("%zu mutants\n", count);
  return 0;
}
