// encoding_entries_1.cpp: entries of version 1, with scales and offsets.
#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/json/encoding_entries.hpp"
#include "io/json/entry_fields.hpp"

namespace halfstep::io {

using nlohmann::json;

Result<OffsetGrid> grid_of_offset(std::int64_t offset, int bits, bool symmetric) {
  const std::int64_t half = std::int64_t{1} << (bits - 1);
  if (offset > 0) {
    return invalid("offset " + std::to_string(offset) + " is positive: version 1 counts from -(2^bw - 1) to 0");
  }
  if (offset == -half && (symmetric || bits == kMaxWidth)) return OffsetGrid{signed_grid(bits), 0};
  if (offset == -(half - 1) && symmetric) return OffsetGrid{narrow_signed_grid(bits), 0};
  if (symmetric && offset != 0) {
    return invalid("offset " + std::to_string(offset) + " is not symmetric: expected " + std::to_string(-half) +
                   " or 0");
  }
  if (bits == kMaxWidth) return invalid("32 bits need offset " + std::to_string(-half));
  if (offset < -(2 * half - 1)) {
    return invalid("offset " + std::to_string(offset) + " is outside " + std::to_string(bits) + " bits");
  }
  return OffsetGrid{unsigned_grid(bits), static_cast<std::int32_t>(-offset)};
}

Result<RawEntry> read_entry_1(const json& object) {
  RawEntry entry;
  const Result<bool> is_float = says_float(object);
  if (!is_float.ok()) return is_float.error();
  entry.is_float = *is_float;
  if (entry.is_float) {
    const Result<int> bits = float_width(object, "bw");
    if (!bits.ok()) return bits.error();
    entry.float_bits = *bits;
    return entry;
  }
  if (object.contains("enc_type")) {
    const json& kind = object["enc_type"];
    if (!kind.is_string()) return invalid("field 'enc_type' is not a string");
    if (kind == "PER_BLOCK" || kind == "LPBQ") {
      return unsupported("enc_type " + halfstep::quoted(kind.get<std::string>()) +
                         " is not supported, only PER_TENSOR and PER_CHANNEL are");
    }
    if (kind != "PER_TENSOR" && kind != "PER_CHANNEL") {
      return invalid("enc_type " + halfstep::quoted(kind.get<std::string>()) +
                     " is not one of PER_TENSOR, PER_CHANNEL, PER_BLOCK and LPBQ");
    }
    entry.per_channel = kind == "PER_CHANNEL";
  }
  const Result<int> bits = width_field(object, "bw");
  if (!bits.ok()) return bits.error();
  const Result<bool> symmetric = flag_field(object, "is_sym");
  if (!symmetric.ok()) return symmetric.error();
  const auto scales = list_field<double>(object, "scale", &number_value);
  if (!scales.ok()) return scales.error();
  const auto offsets = list_field<std::int64_t>(object, "offset", &integer_value);
  if (!offsets.ok()) return offsets.error();
  if (scales->size() != offsets->size()) {
    return invalid(std::to_string(scales->size()) + " scales but " + std::to_string(offsets->size()) + " offsets");
  }
  for (std::size_t i = 0; i < scales->size(); ++i) {
    const Result<OffsetGrid> found = grid_of_offset((*offsets)[i], *bits, *symmetric);
    if (!found.ok()) return found.error();
    if (i > 0 && found->grid != entry.grid) return invalid("channels have offsets of different kinds");
    entry.grid = found->grid;
    entry.params.push_back({(*scales)[i], found->zero_point});
  }
  entry.per_channel = entry.per_channel || entry.params.size() > 1;
  return entry;
}

}  // namespace halfstep::io
