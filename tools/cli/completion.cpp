// completion.cpp: what shells complete of a tool's command line.
#include "cli/completion.hpp"

#include <algorithm>
#include <sstream>
#include <string_view>
#include <vector>

#include "cli/option_facts.hpp"
#include "halfstep/version.hpp"

namespace halfstep::cli {
namespace {

std::string spaced(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string function_of(const std::string& tool) {
  std::string name = "_" + tool;
  std::ranges::replace(name, '-', '_');
  return name;
}

/// `text` in single quotes of a shell; in the brackets of _arguments, which end at ']', as well.
std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '\'') {
      safe += "'\\''";
    } else if (c == '[' || c == ']' || c == ':' || c == '\\') {
      safe += std::string("\\") + c;
    } else {
      safe += c;
    }
  }
  return safe;
}

/// "--a|--b" of the options for which `choose` holds; empty if there is none.
template <class Choose>
std::string pattern(const std::vector<OptionFacts>& options, const Choose& choose) {
  std::string names;
  for (const OptionFacts& facts : options) {
    if (!facts.is_argument && choose(facts)) names += (names.empty() ? "" : "|") + facts.name;
  }
  return names;
}

/// What _arguments does with one value: which words, which files, or any text.
std::string zsh_value(const OptionFacts& facts, const std::string& type) {
  std::string action = " ";
  if (!facts.words.empty()) {
    action = "(" + spaced(facts.words) + ")";
  } else if (facts.is_argument) {
    action = "_files -g \"*.onnx(-.)\"";
  } else if (facts.is_path()) {
    action = type == "DIR" ? "_files -/" : "_files";
  }
  return escaped(type) + ":" + action;
}

std::string zsh_argument(const OptionFacts& facts) {
  if (facts.is_argument) {
    return (facts.is_required ? ":" : "::") + zsh_value(facts, facts.name);
  }
  std::string text = (facts.may_repeat ? "*" : "") + facts.name;
  if (!facts.value_types.empty()) text += facts.may_stand_alone ? "=-" : "=";
  text += "[" + escaped(facts.help) + "]";
  for (const std::string& type : facts.value_types) {
    text += (facts.may_stand_alone ? "::" : ":") + zsh_value(facts, type);
  }
  return text;
}

}  // namespace

std::string bash_completion(const CLI::App& app) {
  const std::string tool = app.get_name();
  const std::vector<OptionFacts> options = facts_of(app);
  std::ostringstream out;
  out << "# bash completion of " << tool << " " << kVersion << ", printed by " << tool << " --generate bash.\n"
      << function_of(tool)
      << "() {\n"
      // Bash breaks words at '=', too.
      << "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} assigned=\n"
      << "  if [[ $word == = ]]; then word= assigned=1; elif [[ $before == = ]]; then before=${COMP_WORDS[COMP_CWORD - "
         "2]} "
         "assigned=1; fi\n"
      << "  [[ $before == --* ]] && before=${before:2} && before=--${before//-/_}\n"
      << "  COMPREPLY=()\n"
      << "  case $assigned$before in\n";
  for (const OptionFacts& facts : options) {
    if (facts.words.empty() || facts.is_argument) continue;
    out << "    " << (facts.may_stand_alone ? "" : facts.name + "|") << "1" << facts.name << ")\n"
        << "      mapfile -t COMPREPLY < <(compgen -W '" << spaced(facts.words) << "' -- \"$word\")\n      return ;;\n";
  }
  const auto one_path = [](const OptionFacts& f) { return f.is_path() && f.words.empty(); };
  if (const std::string names = pattern(options, one_path); !names.empty()) {
    std::string assigned;
    for (const OptionFacts& facts : options) {
      if (!facts.is_argument && one_path(facts)) assigned += "|1" + facts.name;
    }
    out << "    " << names << assigned << ")\n"
        << "      compopt -o filenames 2>/dev/null\n"
        << "      mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n      return ;;\n";
  }
  const auto any_text = [&](const OptionFacts& f) {
    return !f.value_types.empty() && f.words.empty() && !f.may_stand_alone && !one_path(f);
  };
  if (const std::string names = pattern(options, any_text); !names.empty()) {
    out << "    " << names << ") return ;;\n";
  }
  out << "    1*) return ;;\n"
      << "  esac\n"
      << "  if [[ $word == -* ]]; then\n"
      << "    [[ $word == --* ]] && word=${word:2} && word=--${word//-/_}\n"
      << "    mapfile -t COMPREPLY < <(compgen -W '";
  for (const OptionFacts& facts : options) {
    if (!facts.is_argument) out << (facts.short_name.empty() ? "" : facts.short_name + " ") << facts.name << " ";
  }
  out << "' -- \"$word\")\n"
      << "  else\n"
      << "    compopt -o filenames 2>/dev/null\n"
      << "    mapfile -t COMPREPLY < <(compgen -f -X '!*.onnx' -- \"$word\"; compgen -d -- \"$word\")\n"
      << "  fi\n"
      << "}\n"
      << "complete -F " << function_of(tool) << " " << tool << "\n";
  return out.str();
}

std::string zsh_completion(const CLI::App& app) {
  const std::string tool = app.get_name();
  std::ostringstream out;
  out << "#compdef " << tool << "\n"
      << "# zsh completion of " << tool << " " << kVersion << ", printed by " << tool << " --generate zsh.\n"
      << "_arguments";
  for (const OptionFacts& facts : facts_of(app)) {
    if (!facts.short_name.empty()) out << " \\\n  '" << facts.short_name << "[" << escaped(facts.help) << "]'";
    out << " \\\n  '" << zsh_argument(facts) << "'";
  }
  out << "\n";
  return out.str();
}

}  // namespace halfstep::cli
