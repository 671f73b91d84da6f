// read_encodings.cpp: AIMET encodings files to an EncodingSet.
#include <nlohmann/json.hpp>
#include <set>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/json/block_entries.hpp"
#include "io/json/encoding_entries.hpp"
#include "io/json/encodings_json.hpp"
#include "io/json/own_records.hpp"
#include "io/json/parse_json.hpp"
#include "io/json/recorded_grids.hpp"

namespace halfstep::io {
namespace {

using nlohmann::json;

class EncodingsReader {
 public:
  explicit EncodingsReader(const std::string& file, const EncodingTargets& targets) : file_(file), targets_(targets) {}

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
    OwnRecords own = own_records(*document);
    result_.arithmetic = std::move(own.arithmetic);
    // Files of version 2 have no entries for real numbers.
    result_.reals.merge(own.reals);
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

Result<EncodingsFile> read_encodings(std::string_view text, const std::string& file, const EncodingTargets& targets) {
  return EncodingsReader(file, targets).read(text);
}

}  // namespace halfstep::io
