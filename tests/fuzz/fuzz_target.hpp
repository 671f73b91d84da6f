// fuzz_target.hpp: what every fuzz target defines, and how it sees its input and judges errors.
//
// A target is one *_fuzz.cpp. libFuzzer drives it in the preset `fuzz` (tools/dev/fuzz.sh); in all others
// replay_main.cpp runs it over files that are known, as a test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "halfstep/result.hpp"

/// Runs what is under test on these bytes. Whatever they are, it must come back: with a value or an error.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace halfstep::fuzz {

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline std::span<const std::byte> as_bytes(const std::uint8_t* data, std::size_t size) {
  return std::as_bytes(std::span(data, size));
}

/// Ends the process, which is a finding, if `holds` is false.
inline void expect(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz target: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

/// Expects what every message promises: one line that says something.
inline void expect_sound(const Error& error) {
  expect(!error.message.empty(), "an error without a message");
  expect(error.message.find('\n') == std::string::npos, "a message of several lines: " + error.message);
}

/// True if there is a value; else the error is sound.
template <class T>
bool succeeded(const Result<T>& result) {
  if (!result.ok()) expect_sound(result.error());
  return result.ok();
}

}  // namespace halfstep::fuzz
