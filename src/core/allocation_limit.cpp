// allocation_limit.cpp: the system's own limit on a process's data, RLIMIT_DATA.
#include "core/allocation_limit.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/ordered_parallel.hpp"
#include "halfstep/memory_limit.hpp"

namespace halfstep {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;  // Shadow memory counts as data, and there are terabytes of it.
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif
#else
constexpr bool kIsSanitized = false;
#endif

/// Libraries, the model as protobuf holds it while it is read, and what malloc keeps.
constexpr rlim_t kRoomBytes = rlim_t{256} << 20;
/// A thread's stack and its part of malloc.
constexpr rlim_t kRoomPerThreadBytes = rlim_t{16} << 20;

std::atomic<bool> was_enforced = false;
std::atomic<std::uint64_t> soft_before = 0;

}  // namespace

void enforce_memory_limit(int num_threads) noexcept {
  rlimit limit{};
  if (kIsSanitized || getrlimit(RLIMIT_DATA, &limit) != 0) return;
  if (!was_enforced.load()) soft_before.store(limit.rlim_cur);
  const auto threads = static_cast<rlim_t>(num_threads > 0 ? num_threads : default_num_threads());
  const rlim_t wanted = static_cast<rlim_t>(memory_limit()) + kRoomBytes + threads * kRoomPerThreadBytes;
  limit.rlim_cur = std::min<rlim_t>(wanted, soft_before.load());  // RLIM_INFINITY is the largest.
  if (setrlimit(RLIMIT_DATA, &limit) == 0) was_enforced.store(true);
}

std::string undo_allocation_limit_in_shell() {
  if (!was_enforced.load()) return "";
  const std::uint64_t before = soft_before.load();
  return "ulimit -S -d " + (before == RLIM_INFINITY ? "unlimited" : std::to_string(before / 1024)) + "; ";
}

}  // namespace halfstep
