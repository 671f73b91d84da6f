// cause_words.hpp: figures in the sentences of causes.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "encoding/encoding.hpp"

namespace halfstep::sensitivity::words {

/// With three significant digits.
std::string number(double value);

/// Of a share, 0 to 1: "12.5 %".
std::string percent(double share);

/// How many codes of `grid` that share of it holds: "3 of 256".
std::string codes(double share, IntGrid grid);

/// "3 of 64 channels (0, 5, 17) " and the verb for one or for many; at most the first four are named.
/// Requires: `some` is not empty.
std::string of_channels(const std::vector<std::size_t>& some, std::size_t all, const char* one, const char* many);

/// The middle value, the lower one of two. Requires: not empty.
double median(std::vector<double> values);

}  // namespace halfstep::sensitivity::words
