// override_items.cpp: versions, sections, names and keys of overrides files.
#include "io/json/override_items.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/json/json_lines.hpp"
#include "io/json/override_entry.hpp"

namespace halfstep::io {
namespace {

using nlohmann::json;

constexpr std::array kVersions{"0.4.0", "0.5.0", "0.6.1", "1.0.0", "2.0.0", "2.1.0"};
/// What stands beside the sections and steers nothing.
constexpr std::array kInformation{"version", "halfstep", "producer", "quantizer_args", "excluded_layers"};

/// Why an entry of a list is nobody's, as the end of a sentence; empty if it has a name.
std::string fault_of_name(const json& entry) {
  if (!entry.is_object()) return " is not an object";
  const auto name = entry.find("name");
  if (name == entry.end()) return " has no name";
  return name->is_string() ? "" : " has a name that is not a string";
}

class ItemReader {
 public:
  ItemReader(const json& document, const std::string& file, bool lenient)
      : document_(document), file_(file), lenient_(lenient) {}

  Result<OverrideItems> read(std::string_view text) {
    const std::vector<JsonSection> sections = json_sections(text);
    if (auto ok = read_version(sections); !ok.ok()) return ok.error();
    for (const JsonSection& section : sections) {
      if (auto ok = read_section(section); !ok.ok()) return ok.error();
    }
    return std::move(result_);
  }

 private:
  std::string at_line(int line) const { return file_ + ":" + std::to_string(line); }

  /// An error, or a warning if those who wrote the file need not be strict.
  Result<void> complain(std::string message) {
    if (!lenient_) return invalid(std::move(message));
    result_.warnings.push_back(std::move(message));
    return {};
  }

  /// Which sections there must be follows from the version. A file without one is as old as those of 0.4.
  Result<void> read_version(const std::vector<JsonSection>& sections) {
    const auto version = document_.find("version");
    if (version != document_.end()) {
      const std::string text = version->is_string() ? version->get<std::string>() : version->dump();
      const auto at = std::ranges::find(sections, "version", &JsonSection::key);
      if (std::ranges::find(kVersions, text) == kVersions.end()) {
        auto done = complain(at_line(at->line) + ": version " + halfstep::quoted(text) +
                             " is not one of 0.4.0, 0.5.0, 0.6.1, 1.0.0, 2.0.0 and 2.1.0");
        if (!done.ok()) return done;
      }
      is_version_2_ = text.starts_with("2");
    }
    if (is_version_2_) return require("encodings", "files of version 2 hold their entries there");
    const char* both =
        "files of versions below 2 hold both 'activation_encodings' and 'param_encodings', even if empty";
    if (auto ok = require("activation_encodings", both); !ok.ok()) return ok;
    return require("param_encodings", both);
  }

  Result<void> require(const char* section, const char* why) const {
    if (document_.contains(section)) return {};
    return invalid(file_ + ": there is no " + halfstep::quoted(section) + ": " + why);
  }

  std::vector<std::string> known_keys() const {
    std::vector<std::string> keys(kInformation.begin(), kInformation.end());
    if (is_version_2_) {
      keys.emplace_back("encodings");
    } else {
      keys.insert(keys.end(), {"activation_encodings", "param_encodings"});
    }
    return keys;
  }

  Result<void> read_section(const JsonSection& section) {
    const std::vector<std::string> known = known_keys();
    if (std::ranges::find(known, section.key) == known.end()) {
      return complain(at_line(section.line) + ": unknown key " + halfstep::quoted(section.key) +
                      did_you_mean(section.key, known));
    }
    if (std::ranges::find(kInformation, section.key) != kInformation.end()) return {};
    const json& entries = document_[section.key];
    if (!entries.is_object() && !entries.is_array()) {
      return invalid(at_line(section.line) + ": " + section.key + " is neither a list nor an object");
    }
    for (std::size_t i = 0; i < section.members.size(); ++i) {
      const JsonMember& member = section.members[i];
      const bool in_list = entries.is_array();
      const json& entry = in_list ? entries[i] : entries[member.key];
      std::string name = member.key;
      if (in_list) {
        const std::string fault = fault_of_name(entry);
        if (!fault.empty()) {
          auto done = complain(at_line(member.line) + ": entry " + std::to_string(i) + " of " + section.key + fault);
          if (!done.ok()) return done;
          continue;
        }
        name = entry["name"].get<std::string>();
      }
      if (auto ok = add(section.key, std::move(name), member.line, entry, in_list); !ok.ok()) return ok;
    }
    return {};
  }

  Result<void> add(const std::string& section, std::string name, int line, const json& entry, bool in_list) {
    OverrideItem item{.section = section == "activation_encodings" ? SectionKind::kActivations
                                 : section == "param_encodings"    ? SectionKind::kParameters
                                                                   : SectionKind::kAll,
                      .name = std::move(name),
                      .place = "",
                      .entry = &entry,
                      .in_list = in_list};
    item.place = at_line(line) + ": " + section + " " + halfstep::quoted(item.name);
    const auto [first, is_new] = lines_.emplace(item.name, line);
    if (!is_new) {
      return invalid(item.place + ": the tensor has an entry already, on line " + std::to_string(first->second));
    }
    for (const std::string& unknown : unknown_entry_keys(entry, in_list)) {
      if (!lenient_) return invalid(item.place + ": " + unknown);
      item.warnings.push_back(item.place + ": " + unknown);
    }
    const Result<bool> pattern = halfstep::io::says_pattern(entry);
    if (!pattern.ok()) return complain(item.place + ": " + pattern.error().message);
    item.says_pattern = *pattern;
    result_.items.push_back(std::move(item));
    return {};
  }

  const json& document_;
  const std::string& file_;
  bool lenient_;
  bool is_version_2_ = false;
  std::map<std::string, int> lines_;  ///< Of each name.
  OverrideItems result_;
};

}  // namespace

Result<OverrideItems> override_items(const json& document, std::string_view text, const std::string& file,
                                     bool lenient) {
  if (!document.is_object()) return invalid(file + ": the document is not an object");
  return ItemReader(document, file, lenient).read(text);
}

}  // namespace halfstep::io
