// result.hpp: a value or an error; how every fallible function here reports.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace halfstep {

/// Why something failed. Each code maps to one documented exit code.
enum class ErrorCode {
  kUsage,         ///< The command line or a request contradicts itself. Exit 2.
  kInvalidInput,  ///< A file is missing, unreadable, malformed or not writable. Exit 3.
  kUnsupported,   ///< The model uses something this tool has no form for. Exit 4.
  kCalibration,   ///< The data allows no encoding (NaN, infinity, no samples). Exit 5.
  kAccuracyGate,  ///< A threshold was missed. Exit 6.
};

/// Process exit status for `code`, as README.md documents it.
constexpr int exit_status(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kUsage:
      return 2;
    case ErrorCode::kInvalidInput:
      return 3;
    case ErrorCode::kUnsupported:
      return 4;
    case ErrorCode::kCalibration:
      return 5;
    case ErrorCode::kAccuracyGate:
      return 6;
  }
  return 3;
}

/// A failure: its kind and one line that names the place, the fact and, where
/// possible, the remedy. Lower case, no full stop, no line breaks.
struct Error {
  ErrorCode code;
  std::string message;

  /// The same error with the place it happened at put in front: "place: message".
  Error at(const std::string& place) const { return {code, place + ": " + message}; }
};

/// Either a T or an Error.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT: implicit on purpose
  Result(Error error) : state_(std::move(error)) {}  // NOLINT: implicit on purpose

  bool ok() const { return state_.index() == 0; }

  /// Requires: ok().
  const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  T& value() & {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

  /// Requires: !ok().
  const Error& error() const {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

/// Success, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit on purpose

  bool ok() const { return !error_.has_value(); }
  const Error& error() const {
    assert(!ok());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace halfstep
