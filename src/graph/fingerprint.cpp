// fingerprint.cpp: everything that decides values, in one fixed order.
#include "graph/fingerprint.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <type_traits>
#include <variant>

namespace halfstep::graph {
namespace {

class Hasher {
 public:
  void add_bytes(std::span<const std::byte> bytes) {
    add_number(bytes.size());
    for (; bytes.size() >= sizeof(std::uint64_t); bytes = bytes.subspan(sizeof(std::uint64_t))) {
      std::uint64_t word;
      std::memcpy(&word, bytes.data(), sizeof(word));
      add_word(word);
    }
    for (const std::byte byte : bytes) add_word(static_cast<std::uint64_t>(byte));
  }
  void add_text(std::string_view text) { add_bytes(std::as_bytes(std::span(text))); }
  template <class Number>
  void add_number(Number number) {
    static_assert(std::is_arithmetic_v<Number>);
    std::uint64_t word = 0;
    std::memcpy(&word, &number, sizeof(number));
    add_word(word);
  }
  void add(const Tensor& tensor) {
    add_number(static_cast<int>(tensor.dtype()));
    for (const std::int64_t extent : tensor.shape()) add_number(extent);
    add_bytes(std::span(tensor.bytes(), static_cast<std::size_t>(tensor.num_bytes())));
  }
  void add(const Attribute& attribute) {
    add_number(attribute.index());
    std::visit([this](const auto& value) { add_value(value); }, attribute);
  }
  void add(const FusedClamp& clamp) {
    add_number(clamp.min);
    add_number(clamp.max);
    if (!clamp.channels) return;
    for (const float bound : clamp.channels->min) add_number(bound);
    for (const float bound : clamp.channels->max) add_number(bound);
    add_number(clamp.channels->inner_axes);
  }
  void add(const Graph& graph) {
    for (const Value& value : graph.values) {
      add_text(value.name);
      if (value.constant) add(*value.constant);
    }
    for (const Node& node : graph.nodes) {
      add_text(node.op_type);
      add_text(node.domain);
      for (const ValueId id : node.inputs) add_number(id);
      for (const ValueId id : node.outputs) add_number(id);
      for (const auto& [name, attribute] : node.attributes) {
        add_text(name);
        add(attribute);
      }
      if (node.clamp) add(*node.clamp);
    }
  }

  std::string text() const {
    char digits[17];
    std::snprintf(digits, sizeof(digits), "%016llx", static_cast<unsigned long long>(hash_));
    return digits;
  }

 private:
  // As FNV-1a does with bytes; its upper bits, which see the whole word, also go on to the lower ones.
  void add_word(std::uint64_t word) {
    hash_ = (hash_ ^ word) * 0x9e3779b97f4a7c15U;
    hash_ ^= hash_ >> 32U;
  }
  void add_value(const Tensor& tensor) { add(tensor); }
  void add_value(const std::string& text) { add_text(text); }
  void add_value(const std::shared_ptr<const Graph>& graph) {
    if (graph) add(*graph);
  }
  template <class T>
  void add_value(const T& value) {
    if constexpr (std::is_arithmetic_v<T>) {
      add_number(value);
    } else {
      for (const auto& element : value) add_value(element);
    }
  }

  std::uint64_t hash_ = 0xcbf29ce484222325U;
};

}  // namespace

std::string fingerprint(const Graph& graph) {
  Hasher hasher;
  hasher.add(graph);
  return hasher.text();
}

std::string fingerprint(std::string_view text) {
  Hasher hasher;
  hasher.add_text(text);
  return hasher.text();
}

}  // namespace halfstep::graph
