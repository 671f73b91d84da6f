// own_records.hpp: what our own encodings files say under the key "halfstep".
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "io/json/encodings_json.hpp"

namespace halfstep::io {

/// Each empty where the file says nothing of the kind, or not as we write it.
struct OwnRecords {
  std::string arithmetic;            ///< The requantization rule.
  std::string weights;               ///< EncodingsHeader::weights.
  std::map<std::string, int> reals;  ///< Bits of EncodingsHeader::reals: 16 or 32.
  std::map<std::string, EncodingsHeader::Convert> converts;
  std::set<std::string> int32;
  std::map<std::string, std::vector<std::string>> rules;
  std::map<std::string, std::string> origins;  ///< By tensor, to_string(Provenance) when the file was written.
};

/// `document` may be anything.
OwnRecords own_records(const nlohmann::json& document);

/// Of the file with this text; all empty if that is no JSON, of which read_encodings() tells more.
OwnRecords read_own_records(std::string_view text);

/// The object `key` under our own; nullptr if there is none.
const nlohmann::json* own_object(const nlohmann::json& document, const char* key);

}  // namespace halfstep::io
