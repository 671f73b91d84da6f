// preprocess_json.cpp: a document to a Preprocess and back.
#include "io/json/preprocess_json.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/json/parse_json.hpp"

namespace halfstep::io {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxPhotoSide = 16'384;

template <class T>
struct PhotoWord {
  std::string_view word;
  T value;
};
constexpr std::array<PhotoWord<PhotoResize>, 3> kResizes{
    {{"stretch", PhotoResize::kStretch}, {"crop", PhotoResize::kCrop}, {"letterbox", PhotoResize::kLetterbox}}};
constexpr std::array<PhotoWord<PhotoFilter>, 4> kFilters{{{"bilinear", PhotoFilter::kBilinear},
                                                          {"bicubic", PhotoFilter::kBicubic},
                                                          {"area", PhotoFilter::kArea},
                                                          {"nearest", PhotoFilter::kNearest}}};
constexpr std::array<PhotoWord<Resampling>, 2> kResamplings{
    {{"pillow", Resampling::kPillow}, {"opencv", Resampling::kOpenCv}}};
constexpr std::array<PhotoWord<PhotoChannels>, 3> kChannels{
    {{"RGB", PhotoChannels::kRgb}, {"BGR", PhotoChannels::kBgr}, {"gray", PhotoChannels::kGray}}};
constexpr std::array<PhotoWord<PhotoLayout>, 2> kLayouts{{{"NCHW", PhotoLayout::kNchw}, {"NHWC", PhotoLayout::kNhwc}}};
constexpr std::array<PhotoWord<bool>, 2> kPositions{{{"center", true}, {"top_left", false}}};

template <class T>
std::string word_of(std::span<const PhotoWord<T>> words, T value) {
  return std::string(std::ranges::find(words, value, &PhotoWord<T>::value)->word);
}

Error bad_value(const char* key, const std::string& expected) {
  return invalid("the value of " + halfstep::quoted(key) + " is not " + expected);
}

/// The members of the document; errors without the file's name.
class PreprocessReader {
 public:
  explicit PreprocessReader(const json& document) : document_(document) {}

  bool has(const char* key) const { return document_.contains(key); }

  /// Leaves `value` as it is where there is no such key.
  template <class T>
  Result<void> word(const char* key, std::span<const PhotoWord<T>> words, T& value) const {
    const auto at = document_.find(key);
    if (at == document_.end()) return {};
    std::string legal;
    for (const auto& entry : words) {
      if (at->is_string() && at->get_ref<const std::string&>() == entry.word) {
        value = entry.value;
        return {};
      }
      legal += (legal.empty() ? "one of " : ", ") + std::string(entry.word);
    }
    return bad_value(key, legal);
  }

  /// A finite float32.
  Result<void> number(const char* key, const json& entry, float& value) const {
    if (!entry.is_number()) return bad_value(key, "a number");
    value = static_cast<float>(entry.get<double>());
    if (!std::isfinite(value)) return bad_value(key, "a number that float32 holds");
    return {};
  }

  /// One number for all channels, or a list of one for each.
  Result<void> by_channel(const char* key, int channels, std::array<float, 3>& values) const {
    const auto at = document_.find(key);
    if (at == document_.end()) return {};
    const bool is_list = at->is_array();
    if (is_list && at->size() != static_cast<std::size_t>(channels)) {
      return bad_value(key, "a number or a list of " + std::to_string(channels) + ", one a channel");
    }
    for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
      if (auto read = number(key, is_list ? (*at)[c] : *at, values[c]); !read.ok()) return read;
    }
    return {};
  }

  /// From `least` to `most`.
  Result<void> whole(const char* key, const json& entry, std::int64_t least, std::int64_t most,
                     std::int64_t& value) const {
    const bool is_small = entry.is_number_unsigned() && entry.get<std::uint64_t>() <= static_cast<std::uint64_t>(most);
    value = is_small ? entry.get<std::int64_t>() : -1;
    if (value >= least) return {};
    return bad_value(key, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }

  const json& at(const char* key) const { return document_.at(key); }

 private:
  const json& document_;
};

Result<void> read_size(const PreprocessReader& reader, Preprocess& result) {
  if (!reader.has("size")) return {};
  const json& size = reader.at("size");
  if (!size.is_array() || size.size() != 2) return bad_value("size", "[height, width]");
  PhotoSize read;
  for (const auto& [entry, side] : {std::pair(&size[0], &read.height), std::pair(&size[1], &read.width)}) {
    if (auto whole = reader.whole("size", *entry, 1, kMaxPhotoSide, *side); !whole.ok()) return whole;
  }
  result.size = read;
  return {};
}

Result<void> read_crop(const PreprocessReader& reader, Preprocess& result) {
  if (reader.has("shorter_side")) {
    std::int64_t side = 0;
    auto whole = reader.whole("shorter_side", reader.at("shorter_side"), 1, kMaxPhotoSide, side);
    if (!whole.ok()) return whole;
    result.shorter_side = side;
  }
  if (reader.has("crop_fraction")) {
    const json& fraction = reader.at("crop_fraction");
    result.crop_fraction = fraction.is_number() ? fraction.get<double>() : 0.0;
    if (!(result.crop_fraction >= 0.01 && result.crop_fraction <= 1.0)) {
      return bad_value("crop_fraction", "a number from 0.01 to 1");
    }
  }
  return {};
}

Result<void> read_color(const PreprocessReader& reader, Preprocess& result) {
  if (!reader.has("color")) return {};
  const json& color = reader.at("color");
  const bool is_list = color.is_array();
  const auto channels = static_cast<std::size_t>(num_channels(result.channels));
  if (is_list && color.size() != channels) {
    return bad_value("color", channels == 1 ? "a level from 0 to 255" : "a level or [red, green, blue]");
  }
  for (std::size_t c = 0; c < result.color.size(); ++c) {
    std::int64_t level = 0;
    auto whole = reader.whole("color", is_list ? color[std::min(c, channels - 1)] : color, 0, 255, level);
    if (!whole.ok()) return whole;
    result.color[c] = static_cast<std::uint8_t>(level);
  }
  return {};
}

/// Keys that say nothing beside the others.
Result<void> check_effects(const PreprocessReader& reader, const Preprocess& read) {
  struct Needed {
    const char* key;
    bool has_effect;
    const char* needs;
  };
  const bool crops = read.resize == PhotoResize::kCrop;
  const bool boxes = read.resize == PhotoResize::kLetterbox;
  for (const Needed& needed :
       {Needed{"shorter_side", crops, "'resize' being crop"}, Needed{"crop_fraction", crops, "'resize' being crop"},
        Needed{"crop_fraction", !reader.has("shorter_side"), "'shorter_side' being left out"},
        Needed{"color", boxes, "'resize' being letterbox"}, Needed{"position", boxes, "'resize' being letterbox"},
        Needed{"std", !reader.has("scale"), "'scale' being left out"}}) {
    if (!reader.has(needed.key) || needed.has_effect) continue;
    return invalid(halfstep::quoted(needed.key) + " has no effect without " + needed.needs);
  }
  return {};
}

Result<void> check_known(const json& document) {
  static const std::vector<std::string> kKeys{"description", "size",     "resize", "shorter_side", "crop_fraction",
                                              "color",       "position", "filter", "resampling",   "channels",
                                              "mean",        "std",      "scale",  "layout"};
  for (const auto& [key, value] : document.items()) {
    if (std::ranges::find(kKeys, key) == kKeys.end()) {
      return invalid("preprocessing has no key " + halfstep::quoted(key) + did_you_mean(key, kKeys));
    }
  }
  if (document.contains("description") && !document["description"].is_string()) {
    return invalid("'description' is not a text");
  }
  for (const char* key : {"resize", "resampling"}) {
    if (!document.contains(key)) {
      return invalid("there is no key " + halfstep::quoted(key) +
                     (std::string_view(key) == "resize" ? " (stretch, crop or letterbox)" : " (pillow or opencv)"));
    }
  }
  return {};
}

Result<Preprocess> preprocess_of(const json& document) {
  if (!document.is_object()) return invalid("the document is not an object");
  if (auto known = check_known(document); !known.ok()) return known.error();
  const PreprocessReader reader(document);
  Preprocess result;
  PhotoLayout layout = PhotoLayout::kNchw;
  for (const Result<void>& read : {reader.word<PhotoResize>("resize", kResizes, result.resize),
                                   reader.word<PhotoFilter>("filter", kFilters, result.filter),
                                   reader.word<Resampling>("resampling", kResamplings, result.resampling),
                                   reader.word<PhotoChannels>("channels", kChannels, result.channels),
                                   reader.word<bool>("position", kPositions, result.centered),
                                   reader.word<PhotoLayout>("layout", kLayouts, layout)}) {
    if (!read.ok()) return read.error();
  }
  if (reader.has("layout")) result.layout = layout;
  const int channels = num_channels(result.channels);
  for (const Result<void>& read :
       {read_size(reader, result), read_crop(reader, result), read_color(reader, result),
        reader.by_channel("mean", channels, result.mean), reader.by_channel("std", channels, result.std)}) {
    if (!read.ok()) return read.error();
  }
  if (std::ranges::find(result.std, 0.0F) != result.std.end()) return bad_value("std", "other than 0");
  if (reader.has("scale")) {
    float scale = 0.0F;
    if (auto read = reader.number("scale", reader.at("scale"), scale); !read.ok()) return read.error();
    result.scale = scale;
  }
  if (auto useful = check_effects(reader, result); !useful.ok()) return useful.error();
  return result;
}

/// The shortest number that is this float32 again.
json number_json(float value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return json::parse(text.data(), end);
}

json by_channel_json(const std::array<float, 3>& values, int channels) {
  json list = json::array();
  for (int c = 0; c < channels; ++c) list.push_back(number_json(values[static_cast<std::size_t>(c)]));
  return list;
}

}  // namespace

Result<Preprocess> read_preprocess(std::string_view text, const std::string& file) {
  const Result<json> document = parse_json(text);
  if (!document.ok()) return document.error().at(file);
  Result<Preprocess> read = preprocess_of(*document);
  if (!read.ok()) return read.error().at(file);
  return read;
}

std::string write_preprocess(const Preprocess& preprocess) {
  nlohmann::ordered_json document;
  if (preprocess.size) document["size"] = {preprocess.size->height, preprocess.size->width};
  document["resize"] = word_of<PhotoResize>(kResizes, preprocess.resize);
  if (preprocess.resize == PhotoResize::kCrop && preprocess.shorter_side) {
    document["shorter_side"] = *preprocess.shorter_side;
  } else if (preprocess.resize == PhotoResize::kCrop) {
    document["crop_fraction"] = preprocess.crop_fraction;
  }
  const int channels = num_channels(preprocess.channels);
  if (preprocess.resize == PhotoResize::kLetterbox) {
    document["color"] = nlohmann::ordered_json::array();
    for (int c = 0; c < channels; ++c) document["color"].push_back(preprocess.color[static_cast<std::size_t>(c)]);
    document["position"] = word_of<bool>(kPositions, preprocess.centered);
  }
  document["filter"] = word_of<PhotoFilter>(kFilters, preprocess.filter);
  document["resampling"] = word_of<Resampling>(kResamplings, preprocess.resampling);
  document["channels"] = word_of<PhotoChannels>(kChannels, preprocess.channels);
  document["mean"] = by_channel_json(preprocess.mean, channels);
  if (preprocess.scale) {
    document["scale"] = number_json(*preprocess.scale);
  } else {
    document["std"] = by_channel_json(preprocess.std, channels);
  }
  if (preprocess.layout) document["layout"] = word_of<PhotoLayout>(kLayouts, *preprocess.layout);
  return document.dump();
}

}  // namespace halfstep::io
