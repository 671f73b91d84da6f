// read_encodings.cpp: AIMET encodings files to an EncodingSet.
#include <nlohmann/json.hpp>
#include <set>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/json/block_entries.hpp"
#include "io/json/encoding_entries.hpp"
#include "io/json/encodings_json.hpp"
#include "io/json/parse_json.hpp"
#include "io/json/recorded_grids.hpp"

namespace halfstep::io {
namespace {

using nlohmann::json;

/// The object under `key`; nullptr if there is none.
const json* member_of(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_object() ? &*at : nullptr;
}

/// Widths of real tensors under our own key.
std::map<std::string, int> reals_of(const json& document) {
  std::map<std::string, int> reals;
  const json* ours = member_of(document, "halfstep");
  const json* recorded = ours == nullptr ? nullptr : member_of(*ours, "reals");
  if (recorded == nullptr) return reals;
  for (const auto& [name, bits] : recorded->items()) {
    if (bits == 16 || bits == 32) reals.emplace(name, bits.get<int>());
  }
  return reals;
}

/// A text under our own key; empty if there is none.
std::string own_text(const json& document, const char* key) {
  const json* ours = member_of(document, "halfstep");
  if (ours == nullptr) return "";
  const auto at = ours->find(key);
  return at != ours->end() && at->is_string() ? at->get<std::string>() : "";
}

class Reader {
 public:
  explicit Reader(const std::string& file, const EncodingTargets& targets) : file_(file), targets_(targets) {}

  Result<EncodingsFile> read(std::string_view text) {
    const Result<json> document = parse_json(text);
    if (!document.ok()) return document.error().at(file_);
    if (!document->is_object()) return invalid(file_ + ": the document is not an object");
    document_ = &*document;
    bool found = false;
    for (const char* section : {"activation_encodings", "param_encodings", "encodings"}) {
      const auto at = document->find(section);
      if (at == document->end()) continue;
      found = true;
      if (Result<void> done = read_section(section, *at); !done.ok()) return done.error();
    }
    if (!found) {
      return invalid(file_ + ": none of 'activation_encodings', 'param_encodings' and 'encodings' is present");
    }
    result_.arithmetic = own_text(*document, "arithmetic");
    // Files of version 2 have no entries for real numbers.
    for (const auto& [name, bits] : reals_of(*document)) result_.reals.emplace(name, bits);
    return std::move(result_);
  }

 private:
  Result<void> read_section(const std::string& section, const json& entries) {
    if (entries.is_object()) {
      for (const auto& [name, entry] : entries.items()) {
        if (auto done = read_named(section, name, entry); !done.ok()) return done;
      }
      return {};
    }
    if (!entries.is_array()) return invalid(file_ + ": " + section + " is neither a list nor an object");
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const json& entry = entries[i];
      if (!entry.is_object() || !entry.contains("name") || !entry["name"].is_string()) {
        return invalid(file_ + ": entry " + std::to_string(i) + " of " + section + " has no name");
      }
      if (auto done = read_named(section, entry["name"].get<std::string>(), entry); !done.ok()) return done;
    }
    return {};
  }

  Result<void> read_named(const std::string& section, const std::string& name, const json& json_entry) {
    const std::string place = file_ + ": " + section + " " + halfstep::quoted(name);
    const auto target = targets_.find(name);
    if (target == targets_.end()) {
      std::vector<std::string> names;
      for (const auto& [known, unused] : targets_) names.push_back(known);
      return invalid(place + ": the model has no tensor of that name" + did_you_mean(name, names));
    }
    if (!seen_.insert(name).second) return invalid(place + ": the tensor has an entry already");
    if (is_block_entry(json_entry)) {
      const Result<RawBlocks> blocks = read_block_entry(json_entry, target->second);
      if (!blocks.ok()) return blocks.error().at(place);
      return keep(section, name, target->second, encoding_of(*blocks));
    }
    Result<RawEntry> raw = read_entry(json_entry);
    if (!raw.ok()) return raw.error().at(place);
    for (const std::string& warning : raw->warnings) result_.warnings.push_back(place + ": " + warning);
    if (raw->is_float) {
      result_.reals.emplace(name, raw->float_bits);
      return {};
    }
    return keep(section, name, target->second, encoding_of(*raw, target->second));
  }

  Result<void> keep(const std::string& section, const std::string& name, const EncodingTarget& target,
                    const Result<Encoding>& read) {
    if (!read.ok()) return read.error().at(file_ + ": " + section + " " + halfstep::quoted(name));
    const std::optional<IntGrid> grid = recorded_grid(*document_, name);
    result_.encodings.insert_or_assign(name, TensorEncoding{.encoding = grid ? on_recorded_grid(*read, *grid) : *read,
                                                            .role = target.role,
                                                            .provenance = {Origin::kOverridden, file_ + ", " + section},
                                                            .codes = {},
                                                            .frozen = true});
    return {};
  }

  const std::string& file_;
  const EncodingTargets& targets_;
  const json* document_ = nullptr;
  std::set<std::string> seen_;
  EncodingsFile result_;
};

}  // namespace

Result<EncodingsVersion> encodings_version(std::string_view text) {
  for (const EncodingsVersion version :
       {EncodingsVersion::k0_6_1, EncodingsVersion::k1_0_0, EncodingsVersion::k2_0_0}) {
    if (name_of(version) == text) return version;
  }
  return Error{ErrorCode::kUsage,
               "encodings version " + halfstep::quoted(text) + " is not one of 0.6.1, 1.0.0 and 2.0.0"};
}

std::string_view name_of(EncodingsVersion version) {
  switch (version) {
    case EncodingsVersion::k0_6_1:
      return "0.6.1";
    case EncodingsVersion::k1_0_0:
      return "1.0.0";
    case EncodingsVersion::k2_0_0:
      return "2.0.0";
  }
  return "";
}

std::string recorded_weights(std::string_view text) {
  const Result<json> document = parse_json(text);
  return document.ok() && document->is_object() ? own_text(*document, "weights") : "";
}

std::map<std::string, int> recorded_reals(std::string_view text) {
  const Result<json> document = parse_json(text);
  return document.ok() && document->is_object() ? reals_of(*document) : std::map<std::string, int>();
}

std::set<std::string> recorded_int32(std::string_view text) {
  std::set<std::string> names;
  const Result<json> document = parse_json(text);
  if (!document.ok() || !document->is_object()) return names;
  const json* ours = member_of(*document, "halfstep");
  const auto recorded = ours == nullptr ? json::const_iterator() : ours->find("int32");
  if (ours == nullptr || recorded == ours->end() || !recorded->is_array()) return names;
  for (const json& name : *recorded) {
    if (name.is_string()) names.insert(name.get<std::string>());
  }
  return names;
}

namespace {

/// Texts by name in the object `key` under our own key.
std::map<std::string, std::string> recorded_texts(std::string_view text, const char* key) {
  std::map<std::string, std::string> texts;
  const Result<json> document = parse_json(text);
  if (!document.ok() || !document->is_object()) return texts;
  const json* ours = member_of(*document, "halfstep");
  const json* recorded = ours == nullptr ? nullptr : member_of(*ours, key);
  if (recorded == nullptr) return texts;
  for (const auto& [name, value] : recorded->items()) {
    if (value.is_string()) texts.emplace(name, value.get<std::string>());
  }
  return texts;
}

}  // namespace

std::map<std::string, EncodingsHeader::Convert> recorded_converts(std::string_view text) {
  std::map<std::string, EncodingsHeader::Convert> converts;
  const Result<json> document = parse_json(text);
  if (!document.ok() || !document->is_object()) return converts;
  const json* ours = member_of(*document, "halfstep");
  const json* recorded = ours == nullptr ? nullptr : member_of(*ours, "converts");
  if (recorded == nullptr) return converts;
  for (const auto& [name, value] : recorded->items()) {
    const auto from = value.is_object() ? value.find("from") : value.end();
    const auto readers = value.is_object() ? value.find("readers") : value.end();
    if (!value.is_object() || from == value.end() || !from->is_string() || readers == value.end()) continue;
    EncodingsHeader::Convert& convert = converts[name];
    convert.from = from->get<std::string>();
    if (!readers->is_array()) continue;
    for (const json& reader : *readers) {
      if (reader.is_string()) convert.readers.push_back(reader.get<std::string>());
    }
  }
  return converts;
}

std::string recorded_arithmetic(std::string_view text) {
  const Result<json> document = parse_json(text);
  return document.ok() && document->is_object() ? own_text(*document, "arithmetic") : "";
}

std::map<std::string, std::string> recorded_origins(std::string_view text) {
  return recorded_texts(text, "provenance");
}

std::map<std::string, std::vector<std::string>> recorded_rules(std::string_view text) {
  std::map<std::string, std::vector<std::string>> rules;
  const Result<json> document = parse_json(text);
  if (!document.ok() || !document->is_object()) return rules;
  const json* ours = member_of(*document, "halfstep");
  const json* tensors = ours == nullptr ? nullptr : member_of(*ours, "rules");
  if (tensors == nullptr) return rules;
  for (const auto& [name, lines] : tensors->items()) {
    if (!lines.is_array()) continue;
    for (const json& line : lines) {
      if (line.is_string()) rules[name].push_back(line.get<std::string>());
    }
  }
  return rules;
}

Result<EncodingsFile> read_encodings(std::string_view text, const std::string& file, const EncodingTargets& targets) {
  return Reader(file, targets).read(text);
}

}  // namespace halfstep::io
