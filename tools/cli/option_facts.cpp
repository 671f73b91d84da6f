// option_facts.cpp: what the manual page and the completions of a tool say of its options.
#include "cli/option_facts.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <string_view>

namespace halfstep::cli {
namespace {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    parts.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

bool is_word(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '_';
  });
}

/// From "N:{8,16}" or "fixed|simulated": what a value is called and which there are.
void read_type(const std::string& type, int num_values, OptionFacts& facts) {
  const std::string name = type.substr(0, type.find(':'));
  const std::size_t open = type.find(":{");
  if (open != std::string::npos) {
    facts.words = split(std::string_view(type).substr(open + 2, type.find('}', open) - open - 2), ',');
  } else if (const std::vector<std::string> parts = split(name, '|');
             parts.size() > 1 && std::ranges::all_of(parts, is_word)) {
    facts.words = parts;
  } else if (name == "BOOL") {
    facts.words = {"true", "false"};
  }
  facts.value_types = num_values > 1 ? split(name, ' ') : std::vector<std::string>{name};
}

}  // namespace

bool OptionFacts::is_path() const {
  return value_types.size() == 1 && (value_types[0].find("FILE") != std::string::npos ||
                                     value_types[0].find("DIR") != std::string::npos || is_argument);
}

std::vector<OptionFacts> facts_of(const CLI::App& app) {
  std::vector<OptionFacts> arguments;
  std::vector<OptionFacts> named;
  for (const CLI::Option* option : app.get_options()) {
    OptionFacts facts;
    facts.is_argument = option->get_positional();
    if (!facts.is_argument && option->get_group().empty()) continue;  // --help does not show it.
    facts.name = facts.is_argument ? option->get_name(true) : "--" + option->get_lnames().front();
    if (!option->get_snames().empty()) facts.short_name = "-" + option->get_snames().front();
    if (!facts.is_argument) facts.group = option->get_group();
    facts.help = option->get_description();
    facts.default_text = option->get_default_str();
    facts.is_required = option->get_required();
    if (option->get_items_expected_max() > 0) {
      read_type(option->get_type_name(), option->get_type_size(), facts);
      facts.may_stand_alone = option->get_expected_min() == 0;
      facts.may_repeat = option->get_expected_max() > 1;
      facts.takes_list = facts.may_repeat && option->get_allow_extra_args();
    }
    for (const CLI::Option* needed : option->get_needs()) {
      facts.needs.push_back(needed->get_positional() ? needed->get_name(true) : needed->get_name());
    }
    (facts.is_argument ? arguments : named).push_back(std::move(facts));
  }
  arguments.insert(arguments.end(), named.begin(), named.end());
  return arguments;
}

std::string summary_of(const CLI::App& app) {
  std::string text = app.get_description();
  std::ranges::replace(text, '\n', ' ');
  for (const std::string_view end : {": ", ". "}) text.resize(std::min(text.find(end), text.size()));
  if (text.ends_with('.')) text.pop_back();
  text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

}  // namespace halfstep::cli
