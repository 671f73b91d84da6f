// npy_header.cpp: the header of a .npy file, a Python dictionary in text.
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/samples/npy.hpp"

namespace halfstep::io {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxRank = 64;

Error malformed_header() { return invalid("has a malformed .npy header"); }

// Reads the literals that occur in a header. Every function skips blanks first
// and returns nothing, or false, at anything unexpected.
class Literals {
 public:
  explicit Literals(std::string_view text) : rest_(text) {}

  bool take(std::string_view token) {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\n' || rest_.front() == '\t')) {
      rest_.remove_prefix(1);
    }
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  bool at_end() { return take("") && rest_.empty(); }

  std::optional<std::string_view> string() {
    for (const char quote : {'\'', '"'}) {
      if (!take(std::string_view(&quote, 1))) continue;
      const std::size_t end = rest_.find(quote);
      if (end == std::string_view::npos) return std::nullopt;
      const std::string_view value = rest_.substr(0, end);
      rest_.remove_prefix(end + 1);
      return value;
    }
    return std::nullopt;
  }

  std::optional<bool> boolean() {
    if (take("True")) return true;
    if (take("False")) return false;
    return std::nullopt;
  }

  std::optional<std::vector<std::int64_t>> tuple() {
    if (!take("(")) return std::nullopt;
    std::vector<std::int64_t> values;
    while (!take(")")) {
      std::int64_t value = 0;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
      if (error != std::errc() || value < 0 || values.size() == kMaxRank) return std::nullopt;
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      take("L");  // Python 2 wrote long integers so.
      values.push_back(value);
      if (take(",")) continue;
      if (!take(")")) return std::nullopt;
      break;
    }
    return values;
  }

 private:
  std::string_view rest_;
};

Result<void> parse_descr(std::string_view descr, NpyHeader& header) {
  const Error unsupported =
      invalid("has element type " + halfstep::quoted(descr) + ", expected little-endian float, integer or bool");
  if (descr.size() != 3) return unsupported;
  const char order = descr[0];
  header.kind = descr[1];
  header.element_bytes = descr[2] - '0';
  const int bytes = header.element_bytes;
  const bool sized = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
  const bool ordered = order == '<' || ((order == '|' || order == '=') && bytes == 1);
  const bool known = (header.kind == 'f' && bytes >= 2) || header.kind == 'i' || header.kind == 'u' ||
                     (header.kind == 'b' && bytes == 1);
  if (!sized || !ordered || !known) return unsupported;
  return {};
}

Result<NpyHeader> parse_dictionary(std::string_view text) {
  NpyHeader header;
  bool has_descr = false;
  bool has_order = false;
  bool has_shape = false;
  Literals literals(text);
  if (!literals.take("{")) return malformed_header();
  while (!literals.take("}")) {
    const auto key = literals.string();
    if (!key || !literals.take(":")) return malformed_header();
    if (*key == "descr") {
      const auto descr = literals.string();
      if (!descr) return invalid("has structured elements, expected plain numbers");
      if (auto parsed = parse_descr(*descr, header); !parsed.ok()) return parsed.error();
      has_descr = true;
    } else if (*key == "fortran_order") {
      const auto order = literals.boolean();
      if (!order) return malformed_header();
      header.fortran_order = *order;
      has_order = true;
    } else if (*key == "shape") {
      auto shape = literals.tuple();
      if (!shape) return malformed_header();
      header.shape = Shape(*std::move(shape));
      has_shape = true;
    } else {
      return malformed_header();
    }
    if (!literals.take(",")) {
      if (!literals.take("}")) return malformed_header();
      break;
    }
  }
  if (!literals.at_end() || !has_descr || !has_order || !has_shape) return malformed_header();
  return header;
}

}  // namespace

Result<NpyHeader> parse_npy_header(std::span<const std::byte> file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (!text.starts_with(kMagic)) return invalid("is not a .npy file (it does not start with \\x93NUMPY)");
  if (text.size() < 12) return invalid("ends within its .npy header");
  const int version = static_cast<unsigned char>(text[6]);
  if (version < 1 || version > 3)
    return invalid("has .npy version " + std::to_string(version) + ", expected 1, 2 or 3");
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  std::size_t length = 0;
  for (std::size_t i = length_bytes; i-- > 0;) length = length << 8 | static_cast<unsigned char>(text[8 + i]);
  const std::size_t begin = 8 + length_bytes;
  if (length > text.size() - begin) return invalid("ends within its .npy header");

  Result<NpyHeader> header = parse_dictionary(text.substr(begin, length));
  if (!header.ok()) return header;
  header->data_offset = begin + length;
  if (auto checked = check_shape(header->shape, DType::kUint8); !checked.ok()) {
    return invalid("has a wrong shape: " + checked.error().message);
  }
  // Bounds the factors around a 0 as well: strides are products of them.
  std::int64_t count = 1;
  bool empty = false;
  for (std::int64_t extent : header->shape) {
    empty = empty || extent == 0;
    if (extent > kMaxTensorBytes / count)
      return invalid("has shape " + to_string(header->shape) + ", which is too large");
    if (extent > 0) count *= extent;
  }
  if (empty) count = 0;
  const std::uint64_t expected = static_cast<std::uint64_t>(count) * static_cast<std::uint64_t>(header->element_bytes);
  const std::uint64_t found = file.size() - header->data_offset;
  if (found != expected) {
    return invalid("holds " + std::to_string(found) + " bytes after its .npy header, which announces " +
                   std::to_string(expected) + " for shape " + to_string(header->shape));
  }
  return header;
}

}  // namespace halfstep::io
