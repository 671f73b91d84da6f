// cause_words.cpp: figures in words.
#include "sensitivity/cause_words.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace halfstep::sensitivity::words {
namespace {

constexpr std::size_t kNamedChannels = 4;

std::string printed(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

}  // namespace

std::string number(double value) { return printed("%.3g", value); }

std::string percent(double share) { return printed("%.3g %%", 100.0 * share); }

std::string codes(double share, IntGrid grid) {
  const double all = static_cast<double>(grid.q_max) - static_cast<double>(grid.q_min) + 1.0;
  return printed("%.0f of ", std::min(all, std::ceil(share * (all - 1.0)) + 1.0)) + printed("%.0f", all);
}

std::string of_channels(const std::vector<std::size_t>& some, std::size_t all, const char* one, const char* many) {
  std::string text = std::to_string(some.size()) + " of " + std::to_string(all) + " channels (";
  for (std::size_t i = 0; i < std::min(some.size(), kNamedChannels); ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(some[i]);
  }
  return text + (some.size() > kNamedChannels ? ", ...) " : ") ") + (some.size() == 1 ? one : many);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace halfstep::sensitivity::words
