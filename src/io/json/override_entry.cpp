// override_entry.cpp: widths and grids, whatever the version.
#include "io/json/override_entry.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/json/block_entries.hpp"
#include "io/json/encoding_entries.hpp"
#include "io/json/entry_fields.hpp"

namespace halfstep::io {
namespace {

using nlohmann::json;

const std::vector<std::string> kLegacyKeys = {"bitwidth", "dtype",  "is_symmetric", "max",
                                              "min",      "offset", "pattern",      "scale"};
const std::vector<std::string> kKeys1 = {"bw",     "dtype",   "enc_type", "is_sym",
                                         "offset", "pattern", "scale",    "zero_point_shift"};
const std::vector<std::string> kBlockKeys1 = {
    "bw",     "block_size", "compressed_bw",       "dtype", "enc_type", "is_sym",
    "offset", "pattern",    "per_block_int_scale", "scale"};
const std::vector<std::string> kKeys2 = {"axis",    "block_size",          "output_dtype",
                                         "pattern", "per_block_int_scale", "per_channel_float_scale",
                                         "y_scale", "y_zero_point"};
const std::vector<std::string> kScaleKeys2 = {"axis", "block_size", "input_dtype", "x", "x_scale", "x_zero_point"};

enum class EntryForm { kUnknown, kLegacy, k1, k2 };

/// The object that says what kind of entry this is: the first of a list.
const json* head_of(const json& entry) {
  const json* head = entry.is_array() && !entry.empty() ? &entry.front() : &entry;
  return head->is_object() ? head : nullptr;
}

EntryForm form_of(const json& entry) {
  const json* head = head_of(entry);
  if (head == nullptr) return EntryForm::kUnknown;
  if (entry.is_array() || (head->contains("bitwidth") && !head->contains("bw"))) return EntryForm::kLegacy;
  if (head->contains("bw")) return EntryForm::k1;
  return head->contains("output_dtype") || head->contains("y_scale") ? EntryForm::k2 : EntryForm::kUnknown;
}

void add_unknown_keys(const json& object, std::span<const std::string> known, bool has_name,
                      std::vector<std::string>& messages) {
  for (const auto& [key, value] : object.items()) {
    if (std::ranges::find(known, key) != known.end() || (has_name && key == "name")) continue;
    messages.push_back("unknown key " + halfstep::quoted(key) + did_you_mean(key, known));
  }
}

bool has_any(const json& object, std::initializer_list<const char*> keys) {
  return std::ranges::any_of(keys, [&](const char* key) { return object.contains(key); });
}

/// The field that holds the width.
const char* width_key(const json& entry) { return form_of(entry) == EntryForm::kLegacy ? "bitwidth" : "bw"; }

Result<OverrideEntry> read_float(const json& head, const char* key) {
  if (const Result<const json*> value = required_field(head, key); !value.ok()) return value.error();
  const Result<int> bits = float_width(head, key);
  if (!bits.ok()) return bits.error();
  OverrideEntry entry;
  entry.float_bits = *bits;
  return entry;
}

Result<OverrideEntry> read_width(const json& head, const char* key) {
  const Result<const json*> value = required_field(head, key);
  if (!value.ok()) return value.error();
  const Result<std::int64_t> bits = integer_value(**value, key);
  if (!bits.ok()) return bits.error();
  if (*bits != 4 && *bits != 8 && *bits != 16 && *bits != 32) {
    return invalid("a width of " + std::to_string(*bits) + " bits without a grid is none of 4, 8, 16 and 32");
  }
  OverrideEntry entry;
  entry.bits = static_cast<int>(*bits);
  for (const char* flag : {"is_symmetric", "is_sym"}) {
    if (!head.contains(flag)) continue;
    const Result<bool> symmetric = flag_field(head, flag);
    if (!symmetric.ok()) return symmetric.error();
    entry.symmetric = *symmetric;
  }
  return entry;
}

/// 32-bit integers, whatever grid stands beside them.
bool is_wide_integer(const json& head, EntryForm form) {
  if (form == EntryForm::k2) return head.contains("output_dtype") && head["output_dtype"] == "int32";
  const auto at = head.find(form == EntryForm::kLegacy ? "bitwidth" : "bw");
  return at != head.end() && at->is_number() && at->get<double>() == kMaxWidth;
}

/// Neither range nor scales stand in the entry, or it is of floats.
bool has_no_grid(const json& entry) {
  const json* head = head_of(entry);
  if (head == nullptr) return false;
  const Result<bool> is_float = says_float(*head);
  if (is_float.ok() && *is_float) return true;
  switch (form_of(entry)) {
    case EntryForm::kLegacy:
      return (!entry.is_array() || entry.size() == 1) && !has_any(*head, {"min", "max", "scale", "offset"});
    case EntryForm::k1: {
      const auto kind = head->find("enc_type");
      return !has_any(*head, {"scale", "offset"}) && (kind == head->end() || *kind == "PER_TENSOR");
    }
    case EntryForm::k2:
    case EntryForm::kUnknown:
      return false;
  }
  return false;
}

Result<void> check_zero_point_shift(const json& entry) {
  if (!entry.is_object() || !entry.contains("zero_point_shift")) return {};
  const auto shifts = list_field<double>(entry, "zero_point_shift", &number_value);
  if (!shifts.ok()) return shifts.error();
  if (std::ranges::any_of(*shifts, [](double shift) { return shift != 0.0; })) {
    return unsupported("zero points between two codes (field 'zero_point_shift') are not supported");
  }
  return {};
}

Result<OverrideEntry> read_grid(const json& json_entry, const EncodingTarget& target, bool asymmetric_channels) {
  if (auto whole = check_zero_point_shift(json_entry); !whole.ok()) return whole.error();
  const Result<RawEntry> raw = read_entry(json_entry);
  if (!raw.ok()) return raw.error();
  Result<Encoding> encoding = encoding_of(*raw, target);
  if (!encoding.ok()) return encoding.error();
  const bool is_parameter = target.role != TensorRole::kActivation;
  if (is_parameter && encoding->axis() && encoding->has_zero_point() && !asymmetric_channels) {
    return invalid("the channels of a parameter must be symmetric: real 0 is not in the middle of their grids");
  }
  OverrideEntry entry;
  entry.encoding = *std::move(encoding);
  entry.warnings = raw->warnings;
  return entry;
}

}  // namespace

Result<bool> says_pattern(const json& entry) {
  const json* head = head_of(entry);
  if (head == nullptr || !head->contains("pattern")) return false;
  return flag_field(*head, "pattern");
}

bool is_width_only(const json& entry, const EncodingTarget& target) {
  const json* head = head_of(entry);
  if (head == nullptr) return false;
  return has_no_grid(entry) || (target.role == TensorRole::kActivation && is_wide_integer(*head, form_of(entry)));
}

std::vector<std::string> unknown_entry_keys(const json& entry, bool in_list) {
  std::vector<std::string> messages;
  const json* head = head_of(entry);
  const EntryForm form = form_of(entry);
  if (form == EntryForm::kLegacy && entry.is_array()) {
    for (const json& object : entry) {
      if (object.is_object()) add_unknown_keys(object, kLegacyKeys, false, messages);
    }
  } else if (form == EntryForm::kLegacy) {
    add_unknown_keys(*head, kLegacyKeys, in_list, messages);
  } else if (form == EntryForm::k1) {
    add_unknown_keys(*head, is_block_entry(entry) ? kBlockKeys1 : kKeys1, in_list, messages);
  } else if (form == EntryForm::k2) {
    add_unknown_keys(*head, kKeys2, in_list, messages);
    const auto scale = head->find("y_scale");
    if (scale != head->end() && scale->is_object()) add_unknown_keys(*scale, kScaleKeys2, false, messages);
  }
  return messages;
}

Result<OverrideEntry> read_override_entry(const json& entry, const EncodingTarget& target, bool asymmetric_channels) {
  const json* head = head_of(entry);
  if (head != nullptr) {
    const Result<bool> is_float = says_float(*head);
    if (!is_float.ok()) return is_float.error();
    if (*is_float && entry.is_array() && entry.size() > 1) return invalid("float entries have no channels");
    if (*is_float) return read_float(*head, width_key(entry));
    if (has_no_grid(entry)) {
      Result<OverrideEntry> width = read_width(*head, width_key(entry));
      if (width.ok() && width->bits == kMaxWidth && target.role == TensorRole::kWeight)
        return invalid("a width of 32 bits is for activations and biases, this is a weight or another constant");
      return width;
    }
    if (target.role == TensorRole::kActivation && is_wide_integer(*head, form_of(entry))) {
      OverrideEntry wide;
      wide.bits = kMaxWidth;
      return wide;
    }
  }
  if (!is_block_entry(entry)) return read_grid(entry, target, asymmetric_channels);
  const Result<RawBlocks> blocks = read_block_entry(entry, target);
  if (!blocks.ok()) return blocks.error();
  Result<Encoding> encoding = encoding_of(*blocks);
  if (!encoding.ok()) return encoding.error();
  OverrideEntry read;
  read.encoding = *std::move(encoding);
  return read;
}

}  // namespace halfstep::io
