// manual.cpp: the manual page of a tool.
#include "cli/manual.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <sstream>
#include <string_view>
#include <vector>

#include "cli/common.hpp"
#include "cli/option_facts.hpp"
#include "halfstep/version.hpp"

namespace halfstep::cli {
namespace {

/// `text` as roff prints it.
std::string roff(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else if (c == '\'') {
      escaped += "\\(aq";
    } else {
      escaped += c;
    }
  }
  return escaped.starts_with('.') ? "\\&" + escaped : escaped;
}
std::string bold(std::string_view text) { return "\\fB" + roff(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + roff(text) + "\\fR"; }

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string list_of(const std::vector<std::string>& items) {
  std::string list;
  for (const std::string& item : items) list += (list.empty() ? "" : ", ") + item;
  return list;
}

/// "--input_dim NAME DIMS", "--dynamic[=BOOL]".
std::string term(const OptionFacts& facts) {
  if (facts.is_argument) return italic(facts.name);
  std::string text = facts.short_name.empty() ? "" : bold(facts.short_name) + ", ";
  text += bold(facts.name);
  if (facts.may_stand_alone) return text + "[=" + italic(facts.value_types[0]) + "]";
  for (const std::string& type : facts.value_types) text += " " + italic(type);
  return text + (facts.takes_list && !facts.value_types[0].ends_with("...") ? " ..." : "");
}

void write_option(std::ostream& out, const OptionFacts& facts) {
  out << ".TP\n" << term(facts) << "\n" << roff(facts.help) << (facts.help.ends_with('.') ? "" : ".") << "\n";
  if (!facts.words.empty() && !facts.may_stand_alone) out << roff("One of: " + list_of(facts.words) + ".") << "\n";
  if (!facts.default_text.empty()) out << roff("Default: " + facts.default_text + ".") << "\n";
  if (facts.is_required) out << "Required.\n";
  if (!facts.needs.empty()) out << roff("Needs " + list_of(facts.needs) + ".") << "\n";
}

void write_options(std::ostream& out, const CLI::App& app, const std::vector<OptionFacts>& options) {
  if (std::ranges::any_of(options, &OptionFacts::is_argument)) out << ".SH ARGUMENTS\n";
  for (const OptionFacts& facts : options) {
    if (facts.is_argument) write_option(out, facts);
  }
  bool first = true;
  for (const std::string& group : app.get_groups()) {
    if (std::ranges::none_of(options, [&](const OptionFacts& f) { return !group.empty() && f.group == group; }))
      continue;
    out << (first ? ".SH " + roff(upper(group)) : ".SS " + roff(group)) << "\n";
    first = false;
    for (const OptionFacts& facts : options) {
      if (facts.group == group) write_option(out, facts);
    }
  }
}

/// The paragraphs below the options of --help, each under its heading.
void write_footer(std::ostream& out, const std::string& footer) {
  constexpr std::string_view kExample = "Example:\n";
  for (std::size_t at = 0; at < footer.size();) {
    const std::size_t end = std::min(footer.find("\n\n", at), footer.size());
    std::string paragraph = footer.substr(at, end - at);
    at = std::min(end + 2, footer.size());
    if (paragraph.starts_with(kExample)) {
      out << ".SH EXAMPLE\n.nf\n" << roff(paragraph.substr(kExample.size())) << "\n.fi\n";
      continue;
    }
    const bool is_status = paragraph == kExitStatusHelp;
    if (is_status) paragraph.erase(0, paragraph.find(':') + 2);
    std::ranges::replace(paragraph, '\n', ' ');
    out << (is_status ? ".SH EXIT STATUS\n" : ".SH NOTES\n") << roff(paragraph) << "\n";
  }
}

}  // namespace

std::string manual_page(const CLI::App& app) {
  const std::string tool = app.get_name();
  const std::vector<OptionFacts> options = facts_of(app);
  std::ostringstream out;
  out << ".TH " << roff(upper(tool)) << " 1 \"\" \"halfstep " << kVersion << "\" Halfstep\n"
      << ".SH NAME\n"
      << roff(tool) << " \\- " << roff(summary_of(app)) << "\n"
      << ".SH SYNOPSIS\n"
      << bold(tool) << " [" << italic("OPTIONS") << "]";
  for (const OptionFacts& facts : options) {
    if (facts.is_required && !facts.is_argument) out << " " << term(facts);
  }
  for (const OptionFacts& facts : options) {
    if (facts.is_argument) out << " " << (facts.is_required ? term(facts) : "[" + term(facts) + "]");
  }
  std::string description = app.get_description();
  std::ranges::replace(description, '\n', ' ');
  out << "\n.SH DESCRIPTION\n"
      << roff(description) << "\n.PP\nA dash is accepted for every underscore in the name of an option.\n";
  write_options(out, app, options);
  out << ".SH ENVIRONMENT\n.TP\n"
      << bold("HALFSTEP_ISA") << "\n"
      << "The instruction set to use instead of the fastest one: baseline, avx2, avxvnni, avx512, avx512vnni or "
         "neondot.\n"
      << bold("--version") << " prints which it is.\n";
  write_footer(out, app.get_footer());
  out << ".SH SEE ALSO\n";
  std::istringstream tools(HALFSTEP_TOOLS);
  std::string separator;
  for (std::string other; tools >> other;) {
    if (other == tool) continue;
    out << separator << bold(other) << "(1)";
    separator = ",\n";
  }
  out << "\n";
  return out.str();
}

}  // namespace halfstep::cli
