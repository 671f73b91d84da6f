// encoding_entries_0.cpp: entries of versions 0.4 to 0.6, where min and max say everything.
#include <algorithm>
#include <cmath>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "encoding/range_to_encoding.hpp"
#include "io/json/encoding_entries.hpp"
#include "io/json/entry_fields.hpp"

namespace halfstep::io {
namespace {

using nlohmann::json;

/// A stored scale that differs more than this (relatively) from what min and max say is wrong.
constexpr double kScaleTolerance = 1e-3;

/// What one object of versions 0.4 to 0.6 says.
struct Legacy {
  IntGrid grid;
  QuantParams params;
  std::string warning;
};

bool agrees(double stored, double computed) {
  return computed > 0.0 && std::fabs(stored - computed) <= kScaleTolerance * computed;
}

/// AIMET's offsets are those of min, negative; QNN's are positive. Symmetric ranges may count from their middle.
bool offset_agrees(double stored, double of_min, bool symmetric) {
  return std::fabs(std::fabs(stored) + of_min) <= 1.0 || (symmetric && stored == 0.0);
}

Result<Legacy> read_legacy(const json& object) {
  const Result<int> bits = width_field(object, "bitwidth");
  if (!bits.ok()) return bits.error();
  const Result<double> min = number_field(object, "min");
  if (!min.ok()) return min.error();
  const Result<double> max = number_field(object, "max");
  if (!max.ok()) return max.error();
  if (*min > *max) return invalid("min is greater than max");
  bool symmetric = false;
  if (object.contains("is_symmetric")) {
    const Result<bool> flag = flag_field(object, "is_symmetric");
    if (!flag.ok()) return flag.error();
    symmetric = *flag;
  }

  const double low = std::min(*min, 0.0);
  const double high = std::max(*max, 0.0);
  const double num_steps = std::ldexp(1.0, *bits) - 1.0;
  const bool is_signed_grid = symmetric && low < 0.0;
  if (!is_signed_grid && *bits == kMaxWidth) return invalid("32 bits need a symmetric range");
  const double width = (high - low) / num_steps;
  const double above = high / (std::ldexp(1.0, *bits - 1) - 1.0);
  const double below = -low / std::ldexp(1.0, *bits - 1);

  // Writers of symmetric ranges divide by 255, 254 or 256: all of them are right.
  double scale = is_signed_grid ? std::max(above, below) : std::max(high - low, kMinRange) / num_steps;
  Legacy result;
  if (object.contains("scale")) {
    const Result<double> stored = number_field(object, "scale");
    if (!stored.ok()) return stored.error();
    if (agrees(*stored, width) || (is_signed_grid && (agrees(*stored, above) || agrees(*stored, below)))) {
      scale = *stored;
    } else if (!agrees(*stored, scale)) {
      result.warning = "the stored scale " + object["scale"].dump() + " contradicts min and max, which win";
    }
  }
  if (object.contains("offset") && result.warning.empty()) {
    const Result<double> offset = number_field(object, "offset");
    if (!offset.ok()) return offset.error();
    if (!offset_agrees(*offset, low / scale, is_signed_grid)) {
      result.warning = "the stored offset " + object["offset"].dump() + " contradicts min and max, which win";
    }
  }
  if (is_signed_grid) {
    result.grid = signed_grid(*bits);
    result.params = {scale, 0};
  } else {
    result.grid = unsigned_grid(*bits);
    result.params = {scale, static_cast<std::int32_t>(std::clamp(std::round(-low / scale), 0.0, num_steps))};
  }
  return result;
}

}  // namespace

Result<RawEntry> read_entry_0(const json& list) {
  if (list.empty()) return invalid("the list is empty");
  RawEntry entry;
  for (const json& object : list) {
    if (!object.is_object()) return invalid("an element of the list is not an object");
    const Result<bool> is_float = says_float(object);
    if (!is_float.ok()) return is_float.error();
    if (*is_float) {
      if (list.size() > 1) return invalid("float entries have no channels");
      const Result<int> bits = float_width(object, "bitwidth");
      if (!bits.ok()) return bits.error();
      entry.is_float = true;
      entry.float_bits = *bits;
      return entry;
    }
    const Result<Legacy> legacy = read_legacy(object);
    if (!legacy.ok()) {
      return list.size() == 1 ? legacy.error() : legacy.error().at("channel " + std::to_string(entry.params.size()));
    }
    if (!entry.params.empty() && legacy->grid != entry.grid) {
      return invalid("channel " + std::to_string(entry.params.size()) + " has another bitwidth or symmetry");
    }
    entry.grid = legacy->grid;
    entry.params.push_back(legacy->params);
    if (!legacy->warning.empty()) entry.warnings.push_back(legacy->warning);
  }
  entry.per_channel = list.size() > 1;
  return entry;
}

}  // namespace halfstep::io
