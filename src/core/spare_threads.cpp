// spare_threads.cpp: threads that wait for parts of others' work.
//
// A part is often a few microseconds long: a thread that waits first spins, and sleeps only when nothing came for
// longer than a run usually stays away.
#include "core/spare_threads.hpp"

#include <atomic>
#include <thread>

namespace halfstep {
namespace {

constexpr int kSpins = 4000;  // Some 50 to 200 microseconds.

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

enum State : int { kAway, kFree, kClaimed, kWorking, kClosed };

/// Waits until `state` is none of kFree and kClaimed; returns what it is.
int await_work(std::atomic<int>& state) {
  const auto waits = [](int now) { return now == kFree || now == kClaimed; };
  for (int i = 0; i < kSpins; ++i) {
    if (const int now = state.load(std::memory_order_acquire); !waits(now)) return now;
    relax();
  }
  for (;;) {
    const int now = state.load(std::memory_order_acquire);
    if (!waits(now)) return now;
    state.wait(now, std::memory_order_acquire);
  }
}

thread_local SpareThreads* current_threads = nullptr;

}  // namespace

struct alignas(64) SpareThreads::Lent {
  std::atomic<int> state = kAway;
  const std::function<void(int, int)>* run = nullptr;  // These three are written while claimed.
  int part = 0;
  int num_parts = 1;
};

SpareThreads::SpareThreads(int num_threads)
    : num_threads_(num_threads), lent_(std::make_unique<Lent[]>(static_cast<std::size_t>(num_threads))) {}

SpareThreads::~SpareThreads() = default;

void SpareThreads::split(const std::function<void(int, int)>& run) {
  Lent* helpers[kMaxParts];
  int num_helpers = 0;
  for (int i = 0; i < num_threads_ && num_helpers + 1 < kMaxParts; ++i) {
    int expected = kFree;
    if (lent_[static_cast<std::size_t>(i)].state.compare_exchange_strong(expected, kClaimed,
                                                                         std::memory_order_acquire)) {
      helpers[num_helpers++] = &lent_[static_cast<std::size_t>(i)];
    }
  }
  for (int h = 0; h < num_helpers; ++h) {
    helpers[h]->run = &run;
    helpers[h]->part = h + 1;
    helpers[h]->num_parts = num_helpers + 1;
    helpers[h]->state.store(kWorking, std::memory_order_release);
    helpers[h]->state.notify_one();
  }
  run(0, num_helpers + 1);
  for (int h = 0; h < num_helpers; ++h) {
    // The other parts are about as long as this one.
    for (int i = 0; helpers[h]->state.load(std::memory_order_acquire) == kWorking; ++i) {
      i < kSpins ? relax() : std::this_thread::yield();
    }
    int expected = kClaimed;
    helpers[h]->state.compare_exchange_strong(expected, kFree, std::memory_order_release);
  }
}

void SpareThreads::lend(int index) {
  Lent& mine = lent_[static_cast<std::size_t>(index)];
  int expected = kAway;
  if (!mine.state.compare_exchange_strong(expected, kFree, std::memory_order_release)) return;  // Closed.
  while (await_work(mine.state) == kWorking) {
    (*mine.run)(mine.part, mine.num_parts);
    mine.state.store(kClaimed, std::memory_order_release);  // Until the one that claimed it has seen it.
  }
}

void SpareThreads::close() {
  for (int i = 0; i < num_threads_; ++i) {
    std::atomic<int>& state = lent_[static_cast<std::size_t>(i)].state;
    state.store(kClosed, std::memory_order_release);
    state.notify_one();
  }
}

SpareThreads* spare_threads() noexcept { return current_threads; }

SpareThreadsScope::SpareThreadsScope(SpareThreads* threads) noexcept : before_(current_threads) {
  current_threads = threads;
}

SpareThreadsScope::~SpareThreadsScope() { current_threads = before_; }

}  // namespace halfstep
