// encoding_entries.cpp: which version an entry looks like, and what it means for its tensor.
#include "io/json/encoding_entries.hpp"

#include "core/errors.hpp"

namespace halfstep::io {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxRank = 64;

}  // namespace

Result<RawEntry> read_entry(const json& entry) {
  if (entry.is_array()) return read_entry_0(entry);
  if (!entry.is_object()) return invalid("it is neither an object nor a list");
  if (entry.contains("bw")) return read_entry_1(entry);
  if (entry.contains("output_dtype") || entry.contains("y_scale")) return read_entry_2(entry);
  if (entry.contains("bitwidth")) return read_entry_0(json::array({entry}));
  return invalid("it has none of the fields 'bw', 'bitwidth' and 'output_dtype'");
}

Result<Encoding> encoding_of(const RawEntry& raw, const EncodingTarget& target) {
  if (!raw.per_channel || (raw.params.size() == 1 && !raw.axis && !target.channel_axis)) {
    return Encoding::per_tensor(raw.grid, raw.params[0]);
  }
  std::optional<int> axis = target.channel_axis;
  if (raw.axis) {
    if (*raw.axis >= kMaxRank || *raw.axis < (target.shape ? -target.shape->rank() : 0)) {
      return invalid("axis " + std::to_string(*raw.axis) + " is not an axis of the tensor");
    }
    axis = static_cast<int>(*raw.axis < 0 ? *raw.axis + target.shape->rank() : *raw.axis);
  }
  if (!axis) {
    return invalid("it has " + std::to_string(raw.params.size()) + " channels, the tensor has no channel axis");
  }
  Result<Encoding> encoding = Encoding::per_channel(raw.grid, *axis, raw.params);
  const std::optional<Shape>& shape = target.shape ? target.shape : target.data_shape;
  if (!encoding.ok() || !shape) return encoding;
  if (Result<void> fits = check_fits(*encoding, *shape); !fits.ok()) return fits.error();
  return encoding;
}

}  // namespace halfstep::io
