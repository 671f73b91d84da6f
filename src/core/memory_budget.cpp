// memory_budget.cpp: one limit and one sum for the process.
#include "core/memory_budget.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "core/errors.hpp"
#include "core/machine_memory.hpp"
#include "core/text.hpp"

namespace halfstep {
namespace {

constexpr std::int64_t kMinLimitBytes = std::int64_t{1} << 20;
constexpr const char* kRemedy = "give smaller inputs or a larger --memory_limit";

std::atomic<std::int64_t> limit_bytes = 0;  // 0: the default.
std::atomic<std::int64_t> reserved_bytes = 0;

}  // namespace

std::int64_t memory_limit() noexcept {
  const std::int64_t given = limit_bytes.load(std::memory_order_relaxed);
  if (given > 0) return given;
  static const std::int64_t three_quarters = machine_memory_bytes() / 4 * 3;
  return three_quarters;
}

void set_memory_limit(std::int64_t num_bytes) noexcept {
  limit_bytes.store(std::max<std::int64_t>(num_bytes, 0), std::memory_order_relaxed);
}

Result<std::int64_t> parse_memory_size(std::string_view text) {
  const auto illegal = [&] { return usage(quoted(text) + " is not a size of at least 1M, such as 512M or 1.5G"); };
  double number = 0.0;
  const auto [stop, failure] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (failure != std::errc()) return illegal();
  const std::string_view unit = text.substr(static_cast<std::size_t>(stop - text.data()));
  constexpr std::string_view kUnits = "KMGT";
  if (unit.size() > 1 || (!unit.empty() && kUnits.find(unit[0]) == std::string_view::npos)) return illegal();
  if (!unit.empty()) number = std::ldexp(number, 10 * (static_cast<int>(kUnits.find(unit[0])) + 1));
  if (!(number >= static_cast<double>(kMinLimitBytes) && number < 0x1p62)) return illegal();
  return static_cast<std::int64_t>(number);
}

std::string bytes_text(std::int64_t num_bytes) {
  constexpr double kMiB = 1048576.0;
  const double mebibytes = static_cast<double>(num_bytes) / kMiB;
  if (mebibytes < 1.0) return std::to_string(num_bytes) + " bytes";
  char text[32];
  const bool is_large = mebibytes >= 1024.0;
  std::snprintf(text, sizeof(text), "%.1f %s", is_large ? mebibytes / 1024.0 : mebibytes, is_large ? "GiB" : "MiB");
  return text;
}

Result<void> check_tensor_memory(const TensorType& type) {
  const std::int64_t limit = memory_limit();
  if (type.num_bytes() <= limit) return {};
  return unsupported(to_string(type) + " needs " + bytes_text(type.num_bytes()) + ", the limit of memory is " +
                     bytes_text(limit) + "; " + kRemedy);
}

Result<MemoryReservation> MemoryReservation::of(std::int64_t num_bytes, const std::string& what) {
  MemoryReservation reservation;
  if (Result<void> grown = reservation.grow_to(num_bytes, what); !grown.ok()) return grown.error();
  return reservation;
}

Result<void> MemoryReservation::grow_to(std::int64_t num_bytes, const std::string& what) {
  if (num_bytes < 0) num_bytes = std::numeric_limits<std::int64_t>::max();  // Of a size_t that does not fit.
  if (num_bytes <= num_bytes_) return {};
  const std::int64_t limit = memory_limit();
  const std::int64_t more = num_bytes - num_bytes_;
  std::int64_t reserved = reserved_bytes.load(std::memory_order_relaxed);
  do {
    if (more > limit - reserved) {
      const std::int64_t others = reserved - num_bytes_;
      return unsupported(what + " need " + bytes_text(num_bytes) + ", the limit of memory is " + bytes_text(limit) +
                         (others > 0 ? " of which " + bytes_text(others) + " are in use" : std::string()) + "; " +
                         kRemedy);
    }
  } while (!reserved_bytes.compare_exchange_weak(reserved, reserved + more, std::memory_order_relaxed));
  num_bytes_ = num_bytes;
  return {};
}

void MemoryReservation::shrink_to(std::int64_t num_bytes) noexcept {
  reserved_bytes.fetch_sub(num_bytes_ - num_bytes, std::memory_order_relaxed);
  num_bytes_ = num_bytes;
}

Error out_of_memory() {
  return unsupported("out of memory: more is needed than the limit of " + bytes_text(memory_limit()) +
                     " or this machine allows; give fewer --threads, smaller inputs or a larger --memory_limit");
}

}  // namespace halfstep
