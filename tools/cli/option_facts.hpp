// option_facts.hpp: what the manual page and the completions of a tool say of its options.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace halfstep::cli {

/// One option, or one argument without a name, as the tool's own parser has it.
struct OptionFacts {
  std::string name;                      ///< "--act_bitwidth"; of an argument "model".
  std::string short_name;                ///< "-h", or empty.
  std::string group;                     ///< Heading in --help; empty for an argument.
  std::string help;                      ///< Plain text.
  std::string default_text;              ///< Empty: none, or said by `help`.
  std::vector<std::string> value_types;  ///< "N"; more than one where the values are of different kinds; none: a flag.
  std::vector<std::string> words;        ///< What the value may be, where that is a list of words.
  std::vector<std::string> needs;        ///< Names of options without which it is refused.
  bool is_argument = false;
  bool is_required = false;
  bool may_stand_alone = false;  ///< Its value may be left out, and stands behind '=' else.
  bool may_repeat = false;
  bool takes_list = false;  ///< Takes all words that follow.

  /// Whether the values are names of files or folders.
  bool is_path() const;
};

/// Those that --help lists, in its order; arguments first.
std::vector<OptionFacts> facts_of(const CLI::App& app);

/// What the tool does, in half a line: the first statement of its description.
std::string summary_of(const CLI::App& app);

}  // namespace halfstep::cli
