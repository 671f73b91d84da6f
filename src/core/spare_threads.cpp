// spare_threads.cpp: threads that wait for parts of others' work.
//
// A part is often a few microseconds long: a thread that waits first spins, and sleeps only when nothing came for
// longer than a run usually stays away. On a busy machine a lent thread may not be running at all: a part that it has
// not begun is taken back, and a thread that kept its caller waiting is left alone for a while.
#include "core/spare_threads.hpp"

#include <atomic>
#include <chrono>
#include <thread>

namespace halfstep {
namespace {

using Clock = std::chrono::steady_clock;

/// How long a wait spins. By the clock: how long a pause takes differs tenfold between processors. A thread that sleeps
/// takes about as long to wake.
constexpr std::chrono::microseconds kSpinTime{250};
constexpr int kPausesPerLook = 16;  // At the clock.

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Spins until `done`; false if that took longer than kSpinTime.
template <class Done>
bool spin_until(const Done& done) {
  const Clock::time_point end = Clock::now() + kSpinTime;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      if (done()) return true;
      relax();
    }
  } while (Clock::now() < end);
  return false;
}

constexpr int kSplitsToSkip = 256;  // After a thread was late.

enum State : int { kAway, kFree, kClaimed, kOffered, kRunning, kClosed };

/// Waits until `state` is none of kFree and kClaimed; returns what it is.
int await_work(std::atomic<int>& state) {
  const auto waits = [](int now) { return now == kFree || now == kClaimed; };
  spin_until([&] { return !waits(state.load(std::memory_order_acquire)); });
  for (;;) {
    const int now = state.load(std::memory_order_acquire);
    if (!waits(now)) return now;
    state.wait(now, std::memory_order_acquire);
  }
}

bool change(std::atomic<int>& state, int from, int to) {
  return state.compare_exchange_strong(from, to, std::memory_order_acq_rel);
}

/// Waits while `state` is kRunning; false if that took longer than parts usually differ.
bool await_part(const std::atomic<int>& state) {
  if (spin_until([&] { return state.load(std::memory_order_acquire) != kRunning; })) return true;
  while (state.load(std::memory_order_acquire) == kRunning) std::this_thread::yield();
  return false;
}

thread_local SpareThreads* current_threads = nullptr;

}  // namespace

struct alignas(64) SpareThreads::Lent {
  std::atomic<int> state = kAway;
  std::atomic<int> splits_to_skip = 0;
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
    Lent& lent = lent_[static_cast<std::size_t>(i)];
    if (lent.state.load(std::memory_order_relaxed) != kFree) continue;
    if (const int skip = lent.splits_to_skip.load(std::memory_order_relaxed); skip > 0) {
      lent.splits_to_skip.store(skip - 1, std::memory_order_relaxed);
    } else if (change(lent.state, kFree, kClaimed)) {
      helpers[num_helpers++] = &lent;
    }
  }
  for (int h = 0; h < num_helpers; ++h) {
    helpers[h]->run = &run;
    helpers[h]->part = h + 1;
    helpers[h]->num_parts = num_helpers + 1;
    helpers[h]->state.store(kOffered, std::memory_order_release);
    helpers[h]->state.notify_one();
  }
  run(0, num_helpers + 1);
  for (int h = 0; h < num_helpers; ++h) {
    std::atomic<int>& state = helpers[h]->state;
    if (change(state, kOffered, kClaimed)) {
      run(h + 1, num_helpers + 1);
    } else if (!await_part(state)) {
      helpers[h]->splits_to_skip.store(kSplitsToSkip, std::memory_order_relaxed);
    }
    change(state, kClaimed, kFree);
  }
}

void SpareThreads::lend(int index) {
  Lent& mine = lent_[static_cast<std::size_t>(index)];
  if (!change(mine.state, kAway, kFree)) return;  // Closed.
  while (await_work(mine.state) != kClosed) {
    if (!change(mine.state, kOffered, kRunning)) continue;
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
