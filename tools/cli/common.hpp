// common.hpp: what the command-line tools share: parsing, messages, exit codes.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "halfstep/arithmetic.hpp"
#include "halfstep/model_source.hpp"
#include "halfstep/observer.hpp"
#include "halfstep/options.hpp"
#include "halfstep/result.hpp"

namespace halfstep::cli {

/// Options every tool that reads a model and samples has, as the user typed them.
struct CommonOptions {
  std::vector<std::pair<std::string, std::string>> input_dims;
  int num_threads = 0;
  bool quiet = false;
};

/// What every --help says about the exit status.
inline constexpr const char* kExitStatusHelp =
    "Exit status: 0 success, 2 usage, 3 a file is unreadable, malformed or not writable,\n"
    "4 unsupported model, 5 calibration impossible, 6 accuracy gate missed.";

/// An application with --version and --generate, one-line errors and exit status 2 for misuse.
void set_up(CLI::App& app);

/// --input_dim NAME DIMS (repeatable).
void add_input_dim(CLI::App& app, CommonOptions& options);
/// --input_list FILE, --input_images DIR and --preprocess NAME|FILE.json, whose rows quantize has.
template <class Request>
void add_samples(CLI::App& app, Request& request) {
  app.add_option("--input_list", request.input_list, "Samples, one line each (docs/input-list.md)")->type_name("FILE");
  app.add_option("--input_images", request.input_images,
                 "Photos instead of a list: the JPEG and PNG files below this folder (docs/photos.md)")
      ->type_name("DIR");
  app.add_option("--preprocess", request.preprocess,
                 "How photos become inputs (docs/photos.md; default: as the model records it)")
      ->type_name("NAME|FILE.json");
}

/// --memory_limit SIZE, which holds for the process.
void add_memory_limit(CLI::App& app);

/// --threads N, --memory_limit SIZE and --quiet.
void add_running(CLI::App& app, CommonOptions& options);

/// An option that takes one of a few words.
template <class T>
CLI::Option* add_choice(CLI::App& app, const std::string& name, T& value, const std::map<std::string, T>& choices,
                        const std::string& help) {
  std::vector<std::string> words;
  for (const auto& [word, meaning] : choices) words.push_back(word);
  return app
      .add_option_function<std::string>(
          name, [&value, choices](const std::string& word) { value = choices.at(word); }, help)
      ->check(CLI::IsMember(words));
}

/// The help and default of a row as --help shows them: plain text, a default of several words in brackets, as is one of
/// an option that may stand alone, for which CLI11 would take it as the value.
void describe_row(CLI::Option& option, std::string_view help, std::string_view default_text);

/// "N:{8,16}": what --help says of a value.
std::string value_help(std::string_view type, const std::vector<std::string_view>& values);

/// An option for each row, which sets `request` and adds name and text to `given`. The rows must outlive `app`.
template <class Request>
void add_rows(CLI::App& app, std::span<const OptionRow<Request>> rows, Request& request, GivenOptions& given,
              const std::string& group = "Options") {
  for (const OptionRow<Request>& row : rows) {
    const auto set = [&row, &request, &given](const std::string& typed) {
      // The name alone.
      const std::string text = typed.empty() && row.kind == OptionKind::kBoolean ? "true" : typed;
      const Result<void> done = set_row(row, request, text);
      if (!done.ok()) {
        const bool took_another_word = row.kind == OptionKind::kBoolean;
        throw CLI::ValidationError(done.error().message +
                                   (took_another_word ? "; or --" + std::string(row.name) + "=true" : ""));
      }
      given.emplace_back(row.name, text);
    };
    const std::string name = "--" + std::string(row.name);
    CLI::Option* option =
        row.kind == OptionKind::kList
            ? app.add_option_function<std::vector<std::string>>(
                  name, [set](const std::vector<std::string>& texts) { std::ranges::for_each(texts, set); }, "")
            : app.add_option_function<std::string>(name, set, "");
    option->group(group)->type_name(value_help(row.type, row.values));
    if (row.kind == OptionKind::kBoolean) {
      option->type_name(row.type.empty() ? "BOOL" : std::string(row.type))->expected(0, 1);
    } else if (row.kind == OptionKind::kNumber) {
      option->check(CLI::Range(0, 1'000'000'000));
    }
    describe_row(*option, row.help, row.default_text.empty() && !row.values.empty() ? row.values[0] : row.default_text);
  }
}

/// --arithmetic RULE and --accumulator_bits N, for the fixed-point runs.
void add_fixed_point(CLI::App& app, FixedPointRequest& request);

/// Errors: kUsage for dims that are not numbers, or an input named twice.
Result<InputDims> input_dims_of(const CommonOptions& options);

/// Progress on stderr (a bar on a terminal, plain lines elsewhere) and warnings.
Observer make_observer(const std::string& tool, const CommonOptions& options);

/// Prints "tool: error: message" to stderr; the exit status for it.
int report_error(const std::string& tool, const Error& error);

/// Parses the command line ('-' is accepted for '_' in option names), then runs `work`.
/// Returns the process's exit status; exceptions end here.
int run_main(CLI::App& app, int argc, char** argv, const std::function<int()>& work);

}  // namespace halfstep::cli
