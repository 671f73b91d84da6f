// main.cpp: onnx_node_tests, runs the ONNX standard's operator tests and prints one table.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "node_test.hpp"

namespace halfstep::node_tests {
namespace {

namespace fs = std::filesystem;

struct Options {
  fs::path folder;
  std::string filter;
  bool list = false;
  bool verbose = false;
  Tolerance tolerance;
};

constexpr const char* kUsage =
    "usage: onnx_node_tests DIR [--filter SUBSTRING] [--list] [--verbose] [--rtol X] [--atol X]\n"
    "  --filter   only folders whose name contains SUBSTRING\n"
    "  --list     print what each test is, run nothing\n"
    "  --verbose  also print the tests that pass or do not run\n";

bool parse(int argc, char** argv, Options& options) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const bool has_value = i + 1 < arguments.size();
    if (argument == "--list") {
      options.list = true;
    } else if (argument == "--verbose") {
      options.verbose = true;
    } else if (argument == "--filter" && has_value) {
      options.filter = arguments[++i];
    } else if (argument == "--rtol" && has_value) {
      options.tolerance.relative = std::atof(arguments[++i].c_str());
    } else if (argument == "--atol" && has_value) {
      options.tolerance.absolute = std::atof(arguments[++i].c_str());
    } else if (!argument.starts_with("--") && options.folder.empty()) {
      options.folder = argument;
    } else {
      return false;
    }
  }
  return !options.folder.empty();
}

std::vector<fs::path> find_tests(const Options& options) {
  std::vector<fs::path> tests;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(options.folder, failed)) {
    const bool wanted = entry.path().filename().string().find(options.filter) != std::string::npos;
    if (wanted && fs::exists(entry.path() / "model.onnx")) tests.push_back(entry.path());
  }
  std::ranges::sort(tests);
  return tests;
}

std::string joined(const std::vector<std::string>& reasons) {
  std::string text;
  for (const std::string& reason : reasons) text += (text.empty() ? "" : ", ") + reason;
  return text;
}

struct Tally {
  int passed = 0;
  int failed = 0;
  int skipped = 0;
  std::map<std::string, int> because;                        // Tests that name this reason, alone or among others.
  std::map<std::string, int> only_because;                   // Tests that would run but for this reason.
  std::vector<std::pair<std::string, std::string>> unusual;  // Known operators and types, not run all the same.
};

void count(Tally& tally, const std::string& name, const Outcome& outcome) {
  if (outcome.status == Status::kPassed) {
    ++tally.passed;
    return;
  }
  if (outcome.status == Status::kFailed) {
    ++tally.failed;
    return;
  }
  ++tally.skipped;
  if (outcome.status != Status::kUnknown) tally.unusual.emplace_back(name, joined(outcome.reasons));
  if (outcome.status == Status::kUnsupported) {
    ++tally.because["unsupported form"];
    ++tally.only_because["unsupported form"];
    return;
  }
  for (std::string reason : outcome.reasons) {
    if (outcome.status == Status::kImprecise) reason = "type float64, beyond float32";
    ++tally.because[reason];
    if (outcome.reasons.size() == 1) ++tally.only_because[reason];
  }
}

void print(const Tally& tally) {
  if (!tally.unusual.empty()) std::puts("\nnot run although operators and types are known:");
  for (const auto& [name, why] : tally.unusual) std::printf("  %s: %s\n", name.c_str(), why.c_str());
  std::puts("\n  tests  alone  not run because of");
  std::vector<std::pair<std::string, int>> rows(tally.because.begin(), tally.because.end());
  std::ranges::stable_sort(rows, [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [reason, number] : rows) {
    const auto alone = tally.only_because.find(reason);
    std::printf("  %5d  %5d  %s\n", number, alone == tally.only_because.end() ? 0 : alone->second, reason.c_str());
  }
  std::printf("\n%d passed, %d failed, %d skipped\n", tally.passed, tally.failed, tally.skipped);
}

int main_of(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  Tally tally;
  for (const fs::path& test : find_tests(options)) {
    const std::string name = test.filename().string();
    Outcome outcome = classify(test);
    const bool runs = outcome.status == Status::kPassed;
    if (options.list) {
      std::printf("%s: %s\n", name.c_str(), runs ? "runs" : joined(outcome.reasons).c_str());
      continue;
    }
    if (runs) outcome = run_isolated(test, options.tolerance);
    count(tally, name, outcome);
    if (outcome.status == Status::kFailed) {
      std::printf("FAILED %s: %s\n", name.c_str(), joined(outcome.reasons).c_str());
    } else if (options.verbose) {
      const bool passed = outcome.status == Status::kPassed;
      std::printf("%s %s%s\n", passed ? "passed" : "skipped", name.c_str(),
                  passed ? "" : (": " + joined(outcome.reasons)).c_str());
    }
  }
  if (options.list) return 0;
  print(tally);
  return tally.failed > 0 || tally.passed == 0 ? 1 : 0;
}

}  // namespace
}  // namespace halfstep::node_tests

int main(int argc, char** argv) { return halfstep::node_tests::main_of(argc, argv); }
