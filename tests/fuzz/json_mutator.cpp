// json_mutator.cpp: makes JSON from JSON, so that mutants reach what reads it; libFuzzer's entries.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>
#include <vector>

/// libFuzzer's own mutation of bytes.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

using Json = nlohmann::ordered_json;

constexpr std::ptrdiff_t kMaxBrackets = 4000;  ///< nlohmann_json writes what is nested by recursion.
constexpr std::array<std::string_view, 24> kValues = {"0",
                                                      "1",
                                                      "-1",
                                                      "2",
                                                      "4",
                                                      "8",
                                                      "16",
                                                      "31",
                                                      "32",
                                                      "33",
                                                      "255",
                                                      "-128",
                                                      "2147483648",
                                                      "-9223372036854775808",
                                                      "18446744073709551615",
                                                      "0.5",
                                                      "1e-45",
                                                      "-1e300",
                                                      "1e39",
                                                      "null",
                                                      "true",
                                                      "\"\"",
                                                      "[]",
                                                      "{}"};

/// One change to a document.
class JsonMutator {
 public:
  JsonMutator(Json& document, unsigned seed) : rng_(seed) { collect(document); }

  void change() {
    Json& node = *nodes_[draw(nodes_.size())];
    if (node.is_object() && !node.empty() && draw(3) > 0) return change_object(node);
    if (node.is_array() && !node.empty() && draw(3) > 0) return change_array(node);
    switch (draw(4)) {
      case 0:
        node = Json::parse(kValues[draw(kValues.size())]);
        return;
      case 1:
        node = Json(*nodes_[draw(nodes_.size())]);
        return;
      default:
        change_scalar(node);
    }
  }

 private:
  std::size_t draw(std::size_t bound) { return rng_() % bound; }

  void collect(Json& node) {
    nodes_.push_back(&node);
    if (!node.is_structured()) return;
    for (auto& [key, value] : node.items()) {
      if (node.is_object()) keys_.push_back(key);
      collect(value);
    }
  }

  void change_object(Json& node) {
    auto at = node.begin();
    std::advance(at, draw(node.size()));
    const std::string key = at.key();
    const Json value = *at;
    const std::size_t what = draw(3);
    if (what < 2) node.erase(key);
    if (what > 0) node[keys_[draw(keys_.size())]] = value;
  }

  void change_array(Json& node) {
    const std::size_t at = draw(node.size());
    const std::size_t what = draw(3);
    if (what == 0) {
      node.erase(at);
    } else if (what == 1) {
      node.push_back(Json(node[at]));
    } else {
      std::swap(node[at], node[draw(node.size())]);
    }
  }

  void change_scalar(Json& node) {
    if (node.is_number_float()) {
      node = node.get<double>() * std::array{-1.0, 2.0, 0.5, 1e-30, 1e30, 1.0001}[draw(6)];
    } else if (node.is_number_integer()) {
      node = static_cast<std::int64_t>(node.get<std::uint64_t>() + (draw(2) == 0 ? 1U : ~std::uint64_t{0}));
    } else if (node.is_boolean()) {
      node = !node.get<bool>();
    } else if (node.is_string()) {
      std::string text = node.get<std::string>();
      const std::size_t size = text.size();
      text.resize(size + 8);
      text.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(text.data()), size, size + 8));
      node = text;
    } else {
      node = Json::parse(kValues[draw(kValues.size())]);
    }
  }

  std::mt19937 rng_;
  std::vector<Json*> nodes_;
  std::vector<std::string> keys_;
};

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::ptrdiff_t brackets = std::ranges::count_if(text, [](char c) { return c == '[' || c == '{'; });
  if (seed % 4 != 0 && brackets <= kMaxBrackets) {
    Json document = Json::parse(text, nullptr, false);
    if (!document.is_discarded()) {
      for (unsigned changes = 1 + seed / 4 % 3; changes > 0; --changes) JsonMutator(document, seed + changes).change();
      const std::string changed = document.dump(-1, ' ', false, Json::error_handler_t::replace);
      if (changed.size() <= max_size) {
        std::ranges::copy(changed, reinterpret_cast<char*>(data));
        return changed.size();
      }
    }
  }
  return LLVMFuzzerMutate(data, size, max_size);
}
