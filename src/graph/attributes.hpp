// attributes.hpp: the named constants of a node.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/tensor.hpp"

namespace halfstep::graph {

struct Graph;

/// One attribute. float is ONNX FLOAT, and so on; a subgraph (of If, Loop,
/// Scan) is shared because graphs are values.
using Attribute = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>, std::vector<float>,
                               std::vector<std::string>, Tensor, std::shared_ptr<const Graph>>;

/// Attributes by name. The typed getters return the default when the attribute
/// is absent or has another type; the reader has checked types beforehand.
class Attributes {
 public:
  bool has(std::string_view name) const { return values_.find(name) != values_.end(); }
  void set(std::string name, Attribute value) { values_.insert_or_assign(std::move(name), std::move(value)); }
  void erase(std::string_view name) {
    if (const auto at = values_.find(name); at != values_.end()) values_.erase(at);
  }

  template <class T>
  const T* find(std::string_view name) const {
    const auto at = values_.find(name);
    return at == values_.end() ? nullptr : std::get_if<T>(&at->second);
  }
  std::int64_t get_int(std::string_view name, std::int64_t fallback) const { return get(name, fallback); }
  float get_float(std::string_view name, float fallback) const { return get(name, fallback); }
  std::string get_string(std::string_view name, std::string fallback) const { return get(name, std::move(fallback)); }
  std::vector<std::int64_t> get_ints(std::string_view name, std::vector<std::int64_t> fallback = {}) const {
    return get(name, std::move(fallback));
  }
  std::vector<float> get_floats(std::string_view name, std::vector<float> fallback = {}) const {
    return get(name, std::move(fallback));
  }

  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }
  std::size_t size() const { return values_.size(); }

 private:
  template <class T>
  T get(std::string_view name, T fallback) const {
    const T* value = find<T>(name);
    return value == nullptr ? std::move(fallback) : *value;
  }

  std::map<std::string, Attribute, std::less<>> values_;
};

}  // namespace halfstep::graph
