// parse_json.cpp: parsing with positions, without repeated names and bottomless nesting.
#include "io/json/parse_json.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "core/errors.hpp"
#include "core/text.hpp"

namespace halfstep::io {
namespace {

using nlohmann::json;

/// Writing and copying documents recurses, level by level.
constexpr int kMaxJsonNesting = 64;

/// Walks a text and leaves its position where others see it: the parser tells that of syntax errors only.
class WatchedChar {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  WatchedChar(const char* at, const char** position) : at_(at), position_(position) {}
  reference operator*() const { return *at_; }
  WatchedChar& operator++() {
    *position_ = ++at_;
    return *this;
  }
  WatchedChar operator++(int) {
    const WatchedChar before = *this;
    ++*this;
    return before;
  }
  bool operator==(const WatchedChar& other) const { return at_ == other.at_; }
  bool operator!=(const WatchedChar& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** position_;
};

/// The lexer may be a character behind the token it tells of: a line's end there does not count.
std::string line_before(std::string_view text, const char* position) {
  const auto num_read = static_cast<std::size_t>(position - text.data());
  const std::string_view before = text.substr(0, num_read == 0 ? 0 : num_read - 1);
  return std::to_string(1 + std::ranges::count(before, '\n'));
}

}  // namespace

Result<json> parse_json(std::string_view text) {
  if (text.empty()) return invalid("not valid JSON at byte 1, line 1: the file is empty");
  const char* position = text.data();
  std::vector<std::set<std::string>> open_objects;
  std::string problem;
  const auto watch = [&](int depth, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start) open_objects.emplace_back();
    if (event == json::parse_event_t::object_end) open_objects.pop_back();
    const bool starts = event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    const bool too_deep = starts && depth >= kMaxJsonNesting;
    if (too_deep && problem.empty()) {
      problem =
          "nested more than " + std::to_string(kMaxJsonNesting) + " levels deep on line " + line_before(text, position);
    }
    if (event == json::parse_event_t::key && problem.empty()) {
      const auto& key = value.get_ref<const std::string&>();
      if (!open_objects.back().insert(key).second) {
        problem = "the name " + halfstep::quoted(key) + " occurs twice in one object, again on line " +
                  line_before(text, position);
      }
    }
    return !too_deep;
  };
  try {
    json document =
        json::parse(WatchedChar(text.data(), &position), WatchedChar(text.data() + text.size(), &position), watch);
    if (!problem.empty()) return invalid(problem);
    return document;
  } catch (const json::parse_error& e) {
    const std::string_view before = text.substr(0, std::min(e.byte, text.size()));
    return invalid("not valid JSON at byte " + std::to_string(e.byte) + ", line " +
                   std::to_string(1 + std::ranges::count(before, '\n')));
  } catch (const json::exception&) {
    return invalid("not valid JSON: a number on line " + line_before(text, position) + " is out of range");
  }
}

}  // namespace halfstep::io
