// override_items.hpp: an overrides file as a list of entries, before they meet the model.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "halfstep/result.hpp"

namespace halfstep::io {

/// Which tensors a section is for.
enum class SectionKind { kActivations, kParameters, kAll };

/// One entry of the file.
struct OverrideItem {
  SectionKind section = SectionKind::kAll;
  std::string name;   ///< Or a pattern.
  std::string place;  ///< "ov.json:12: activation_encodings 'x'".
  const nlohmann::json* entry = nullptr;
  bool in_list = false;                    ///< The entry holds its name.
  bool says_pattern = false;               ///< "pattern": true.
  std::vector<std::string> warnings = {};  ///< Unknown keys, if these are no errors.
};

struct OverrideItems {
  std::vector<OverrideItem> items;    ///< In the order of the file.
  std::vector<std::string> warnings;  ///< Of the file as a whole.
};

/// The entries of `document`, which must outlive them, whose text is `text`; `file` is its name in messages.
/// Errors: kInvalidInput, those of read_overrides() that have nothing to do with the model.
Result<OverrideItems> override_items(const nlohmann::json& document, std::string_view text, const std::string& file,
                                     bool lenient);

}  // namespace halfstep::io
