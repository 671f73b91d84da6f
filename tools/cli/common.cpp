// common.cpp: parsing, messages and exit codes of the tools.
#include "cli/common.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <new>

#include "cli/completion.hpp"
#include "cli/manual.hpp"
#include "cli/progress.hpp"
#include "cli/version.hpp"
#include "halfstep/memory_limit.hpp"

namespace halfstep::cli {
namespace {

/// One line, whatever the text of a library's message is.
std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

std::shared_ptr<spdlog::logger> logger_of(const std::string& tool) {
  if (auto known = spdlog::get(tool)) return known;
  auto logger = spdlog::stderr_logger_mt(tool);
  logger->set_pattern("%n: %l: %v");
  return logger;
}

}  // namespace

void set_up(CLI::App& app) {
  app.set_version_flag("--version", version_text(), "Print version, commit, compiler and instruction set, and exit");
  // First of all options, so that it is obeyed before what is wrong with others is found.
  app.add_option_function<std::string>(
         "--generate",
         [&app](const std::string& form) {
           const auto print = form == "man" ? manual_page : form == "bash" ? bash_completion : zsh_completion;
           std::fputs(print(app).c_str(), stdout);
           throw CLI::Success();
         },
         "Print the manual page, or what a shell needs to complete this tool's options, and exit")
      ->type_name("man|bash|zsh")
      ->check(CLI::IsMember({"man", "bash", "zsh"}));
  app.get_formatter()->column_width(34);
  app.failure_message([](const CLI::App* a, const CLI::Error& e) {
    return a->get_name() + ": error: " + one_line(e.what()) + "; see " + a->get_name() + " --help\n";
  });
}

void add_input_dim(CLI::App& app, CommonOptions& options) {
  app.add_option("--input_dim", options.input_dims,
                 "Shape of an input with dynamic dimensions, e.g. --input_dim image 1,3,224,224; repeatable")
      ->type_name("NAME DIMS")
      ->allow_extra_args(false);
}

void add_memory_limit(CLI::App& app) {
  app.add_option_function<std::string>(
         "--memory_limit",
         [](const std::string& text) {
           const Result<std::int64_t> bytes = parse_memory_size(text);
           if (!bytes.ok()) throw CLI::ValidationError("--memory_limit", bytes.error().message);
           set_memory_limit(*bytes);
         },
         "Memory that a model may take, e.g. 2G or 512M (default: three quarters of what this machine has)")
      ->type_name("SIZE");
}

void add_running(CLI::App& app, CommonOptions& options) {
  app.add_option("--threads", options.num_threads, "Threads to spread the samples over (default: one a processor)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  add_memory_limit(app);
  app.add_flag("--quiet", options.quiet, "No progress on stderr");
}

void describe_row(CLI::Option& option, std::string_view help, std::string_view default_text) {
  std::string text(help);
  std::string shown(default_text);
  std::erase(text, '`');
  std::erase(shown, '`');
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  if (shown.find(' ') == std::string::npos && option.get_expected_min() > 0) {
    option.default_str(shown);
  } else {
    text += " (default: " + shown + ")";
  }
  option.description(text);
}

std::string value_help(std::string_view type, const std::vector<std::string_view>& values) {
  std::string words;
  for (const std::string_view value : values) words += (words.empty() ? ":{" : ",") + std::string(value);
  return std::string(type) + words + (words.empty() ? "" : "}");
}

void add_fixed_point(CLI::App& app, FixedPointRequest& request) {
  static GivenOptions given;  // The tools ask `app` what was given.
  add_rows(app, fixed_point_options(), request, given);
}

Result<InputDims> input_dims_of(const CommonOptions& options) {
  InputDims dims;
  for (const auto& [name, text] : options.input_dims) {
    Result<std::vector<std::int64_t>> parsed = parse_dims(text);
    if (!parsed.ok()) return parsed.error().at("--input_dim " + name);
    if (!dims.emplace(name, *std::move(parsed)).second) {
      return Error{ErrorCode::kUsage, "--input_dim names input '" + name + "' twice"};
    }
  }
  return dims;
}

Observer make_observer(const std::string& tool, const CommonOptions& options) {
  Observer observer;
  auto progress = std::make_shared<ProgressPrinter>();
  if (!options.quiet) {
    observer.progress = [progress](std::string_view stage, std::int64_t done, std::int64_t total) {
      progress->update(stage, done, total);
    };
  }
  observer.warning = [tool, progress](const std::string& text) {
    progress->clear_line();
    logger_of(tool)->warn("{}", one_line(text));
  };
  return observer;
}

int report_error(const std::string& tool, const Error& error) {
  logger_of(tool)->error("{}", one_line(error.message));
  return exit_status(error.code);
}

int run_main(CLI::App& app, int argc, char** argv, const std::function<int()>& work) {
  // Writing to a closed pipe or beyond a file size limit is reported as an error, not a kill.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  std::vector<std::string> args;
  for (int i = argc - 1; i >= 1; --i) {
    std::string arg = argv[i];
    if (arg.starts_with("--")) {
      const std::size_t end = std::min(arg.find('='), arg.size());
      std::replace(arg.begin() + 2, arg.begin() + static_cast<std::ptrdiff_t>(end), '-', '_');
    }
    args.push_back(std::move(arg));
  }
  try {
    app.parse(args);
    const CLI::Option* threads = app.get_option_no_throw("--threads");
    enforce_memory_limit(threads != nullptr && threads->count() > 0 ? threads->as<int>() : 0);
    const int status = work();
    // A reader that closes its end early (head) has what it wants.
    const bool failed = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
    if (failed && errno != EPIPE)
      return report_error(app.get_name(), {ErrorCode::kInvalidInput, "standard output can't be written"});
    return status;
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : exit_status(ErrorCode::kUsage);
  } catch (const std::bad_alloc&) {
    return report_error(app.get_name(), out_of_memory());
  } catch (const std::exception& e) {
    return report_error(app.get_name(), {ErrorCode::kInvalidInput, e.what()});
  }
}

}  // namespace halfstep::cli
