// write_encodings.cpp: an EncodingSet as AIMET encodings.
#include <cmath>

#include "core/text.hpp"
#include "io/json/encodings_json.hpp"
#include "io/json/json_text.hpp"
#include "io/json/recorded_grids.hpp"

namespace halfstep::io {
namespace {

bool is_symmetric(const Encoding& encoding) { return is_signed(encoding.grid()) && !encoding.has_zero_point(); }

/// On the grid 0 to 2^bw - 1: real = scale * (q + offset).
std::int64_t offset_of(const Encoding& encoding, const QuantParams& params) {
  const std::int64_t bits = storage_bits(encoding.grid());
  const std::int64_t lowest = is_signed(encoding.grid()) ? -(std::int64_t{1} << (bits - 1)) : 0;
  return lowest - params.zero_point;
}

Json entries_0_6_1(const Encoding& encoding) {
  const int bits = storage_bits(encoding.grid());
  const double num_steps = std::ldexp(1.0, bits) - 1.0;
  Json list = Json::array();
  for (const QuantParams& params : encoding.params()) {
    const std::int64_t offset = offset_of(encoding, params);
    list.push_back(Json{{"bitwidth", bits},
                        {"dtype", "int"},
                        {"is_symmetric", is_symmetric(encoding) ? "True" : "False"},
                        {"max", params.scale * (static_cast<double>(offset) + num_steps)},
                        {"min", params.scale * static_cast<double>(offset)},
                        {"offset", offset},
                        {"scale", params.scale}});
  }
  return list;
}

/// Scales of blocks channel by channel: the blocks' axis last, whatever the tensor's order.
std::vector<QuantParams> blocks_by_channel(const Encoding& encoding, const Shape& scales) {
  const int axis = *encoding.block_axis();
  const std::int64_t outer = scales.num_elements(0, axis);
  const std::int64_t inner = scales.num_elements(axis + 1, scales.rank());
  std::vector<QuantParams> params;
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < inner; ++i) {
      for (std::int64_t k = 0; k < scales[axis]; ++k) {
        params.push_back(encoding.params()[static_cast<std::size_t>((o * scales[axis] + k) * inner + i)]);
      }
    }
  }
  return params;
}

/// `shape` of the tensor: means something only with blocks.
Json entry_1_0_0(const std::string& name, const Encoding& encoding, const Shape& shape) {
  const bool blocked = encoding.block_axis().has_value();
  Json scales = Json::array();
  Json offsets = Json::array();
  for (const QuantParams& params :
       blocked ? blocks_by_channel(encoding, scale_shape(encoding, shape)) : encoding.params()) {
    scales.push_back(params.scale);
    offsets.push_back(offset_of(encoding, params));
  }
  Json entry{{"name", name},
             {"enc_type", blocked           ? "PER_BLOCK"
                          : encoding.axis() ? "PER_CHANNEL"
                                            : "PER_TENSOR"},
             {"dtype", "INT"},
             {"bw", storage_bits(encoding.grid())},
             {"is_sym", is_symmetric(encoding)},
             {"scale", std::move(scales)},
             {"offset", std::move(offsets)}};
  if (blocked) entry["block_size"] = encoding.block_size();
  return entry;
}

/// `values` in row-major order as lists in lists of this shape, from axis `axis` and element `first` on.
Json nested(const Json& values, const Shape& shape, int axis = 0, std::int64_t first = 0) {
  if (axis == shape.rank()) return values[static_cast<std::size_t>(first)];
  const std::int64_t inner = shape.num_elements(axis + 1, shape.rank());
  Json list = Json::array();
  for (std::int64_t i = 0; i < shape[axis]; ++i) list.push_back(nested(values, shape, axis + 1, first + i * inner));
  return list;
}

/// `shape` of the tensor: means something only with blocks.
Json entry_2_0_0(const std::string& name, const Encoding& encoding, const Shape& shape) {
  Json entry{
      {"name", name},
      {"output_dtype", (is_signed(encoding.grid()) ? "int" : "uint") + std::to_string(storage_bits(encoding.grid()))}};
  const bool has_zero_points = encoding.has_zero_point();
  if (encoding.is_per_tensor()) {
    entry["y_scale"] = encoding.params()[0].scale;
    if (has_zero_points) entry["y_zero_point"] = encoding.params()[0].zero_point;
    return entry;
  }
  Json scales = Json::array();
  Json zero_points = Json::array();
  for (const QuantParams& params : encoding.params()) {
    scales.push_back(params.scale);
    zero_points.push_back(params.zero_point);
  }
  if (encoding.block_axis()) {
    const Shape blocks = scale_shape(encoding, shape);
    entry["y_scale"] = nested(scales, blocks);
    if (has_zero_points) entry["y_zero_point"] = nested(zero_points, blocks);
    entry["axis"] = *encoding.block_axis();
    entry["block_size"] = encoding.block_size();
    return entry;
  }
  entry["y_scale"] = std::move(scales);
  if (has_zero_points) entry["y_zero_point"] = std::move(zero_points);
  entry["axis"] = *encoding.axis();
  return entry;
}

/// One line an entry, so that files can be compared line by line.
class Document {
 public:
  void add(std::string_view key, const Json& value) { open(key) += text_of(value); }

  void add_lines(std::string_view key, char opening, const std::vector<std::string>& lines, char closing) {
    std::string& text = open(key);
    text += opening;
    for (std::size_t i = 0; i < lines.size(); ++i) text += (i == 0 ? "\n    " : ",\n    ") + lines[i];
    text += lines.empty() ? "" : "\n  ";
    text += closing;
  }

  std::string finish() { return text_ + "\n}\n"; }

 private:
  std::string& open(std::string_view key) {
    text_ += text_.empty() ? "{\n  " : ",\n  ";
    text_ += text_of(Json(key)) + ": ";
    return text_;
  }

  std::string text_;
};

std::string member(const std::string& key, const Json& value) { return text_of(Json(key)) + ": " + text_of(value); }

std::string line_of(const std::string& name, const TensorEncoding& entry, EncodingsVersion version) {
  const Encoding& encoding = entry.encoding;
  const Shape shape = entry.codes ? entry.codes->shape() : Shape{};
  switch (version) {
    case EncodingsVersion::k0_6_1:
      return member(name, entries_0_6_1(encoding));
    case EncodingsVersion::k1_0_0:
      return text_of(entry_1_0_0(name, encoding, shape));
    case EncodingsVersion::k2_0_0:
      return text_of(entry_2_0_0(name, encoding, shape));
  }
  return "";
}

std::string real_line(const std::string& name, int bits, EncodingsVersion version) {
  if (version == EncodingsVersion::k0_6_1)
    return member(name, Json::array({Json{{"bitwidth", bits}, {"dtype", "float"}}}));
  return text_of(Json{{"name", name}, {"enc_type", "PER_TENSOR"}, {"dtype", "FLOAT"}, {"bw", bits}});
}

/// A member for each entry; looking names up in an ordered object would be linear.
template <class Map, class Value>
Json object_of(const Map& entries, const Value& value) {
  Json object = Json::object();
  auto& members = object.get_ref<Json::object_t&>();
  for (const auto& [name, entry] : entries) members.emplace_back(name, value(entry));
  return object;
}

Json convert_json(const EncodingsHeader::Convert& convert) {
  return {{"from", convert.from}, {"readers", convert.readers}};
}

Json quantizer_args(const EncodingsHeader& header) {
  return {{"activation_bitwidth", header.act_bits},         {"dtype", "int"},
          {"is_symmetric", header.symmetric_params},        {"param_bitwidth", header.weight_bits},
          {"per_channel_quantization", header.per_channel}, {"quant_scheme", "post_training_tf"}};
}

Json packed_index(const std::map<std::string, PackedWeight>& packed) {
  Json index = Json::object();
  auto& members = index.get_ref<Json::object_t&>();
  for (const auto& [name, weight] : packed) {
    Json shape = Json::array();
    for (int axis = 0; axis < weight.shape.rank(); ++axis) shape.push_back(weight.shape[axis]);
    Json entry{{"offset", weight.offset}, {"bytes", weight.bytes}, {"channels", weight.channels}};
    if (weight.axis) entry["axis"] = *weight.axis;
    entry["shape"] = std::move(shape);
    members.emplace_back(name, std::move(entry));
  }
  return index;
}

Json our_own_key(const EncodingSet& encodings, const EncodingsHeader& header) {
  Json options = Json::object();
  for (const auto& [key, value] : header.options) options[key] = value;
  Json grids = Json::object();
  auto& grid_members = grids.get_ref<Json::object_t&>();
  for (const auto& [name, entry] : encodings) {
    const std::optional<IntGrid> grid = grid_to_record(entry.encoding, header.version);
    if (grid) grid_members.emplace_back(name, Json{grid->q_min, grid->q_max});
  }
  Json own{{"arithmetic", header.arithmetic}};
  if (!header.weights.empty()) own["weights"] = header.weights;
  if (!header.packed.empty()) own["packed_4_bit_weights"] = packed_index(header.packed);
  own["options"] = std::move(options);
  own["provenance"] = object_of(encodings, [](const auto& entry) { return to_string(entry.provenance); });
  if (!grids.empty()) own["grids"] = std::move(grids);
  if (!header.reals.empty()) own["reals"] = object_of(header.reals, [](const auto& real) { return real.bits; });
  if (!header.converts.empty()) own["converts"] = object_of(header.converts, convert_json);
  if (!header.int32.empty()) own["int32"] = header.int32;
  if (!header.rules.empty()) own["rules"] = object_of(header.rules, [](const auto& lines) { return lines; });
  return own;
}

}  // namespace

Result<void> check_version(const EncodingSet& encodings, EncodingsVersion version) {
  if (version != EncodingsVersion::k0_6_1) return {};
  for (const auto& [name, entry] : encodings) {
    if (!entry.encoding.block_axis()) continue;
    return Error{ErrorCode::kUsage, "encodings version 0.6.1 has no grids for each block, as " +
                                        halfstep::quoted(name) + " has; use version 1.0.0 or 2.0.0"};
  }
  return {};
}

std::string write_encodings(const EncodingSet& encodings, const EncodingsHeader& header) {
  const EncodingsVersion version = header.version;
  std::vector<std::string> activations;
  std::vector<std::string> parameters;
  std::vector<std::string> all;
  for (const auto& [name, entry] : encodings) {
    std::vector<std::string>& list = version == EncodingsVersion::k2_0_0     ? all
                                     : entry.role == TensorRole::kActivation ? activations
                                                                             : parameters;
    list.push_back(line_of(name, entry, version));
  }

  for (const auto& [name, real] : header.reals) {
    // Version 2 has no entries for real numbers, and AIMET reads none of 32 bits: those stand under our own key.
    if (version != EncodingsVersion::k2_0_0 && real.bits == 16 && !header.converts.contains(name))
      (real.is_parameter ? parameters : activations).push_back(real_line(name, real.bits, version));
  }

  Document document;
  document.add("version", std::string(name_of(version)));
  document.add("producer", header.producer);
  if (version == EncodingsVersion::k2_0_0) {
    document.add_lines("encodings", '[', all, ']');
  } else {
    const bool by_name = version == EncodingsVersion::k0_6_1;
    document.add("quantizer_args", quantizer_args(header));
    if (!by_name) document.add("excluded_layers", Json::array());
    document.add_lines("activation_encodings", by_name ? '{' : '[', activations, by_name ? '}' : ']');
    document.add_lines("param_encodings", by_name ? '{' : '[', parameters, by_name ? '}' : ']');
  }
  const Json own = our_own_key(encodings, header);
  std::vector<std::string> own_lines;
  for (const auto& [key, value] : own.items()) own_lines.push_back(member(key, value));
  document.add_lines("halfstep", '{', own_lines, '}');
  return document.finish();
}

}  // namespace halfstep::io
