// spare_threads.cpp: threads that wait for parts of others' work.
//
// A part is often a few microseconds long: a thread that waits first spins, and sleeps only when nothing came for
// longer than a run usually stays away. On a busy machine a lent thread may not be running at all: a part that it has
// not begun is taken back, and a thread that kept its caller waiting is left alone for a while.
#include "core/spare_threads.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "core/spin.hpp"

namespace halfstep {
namespace {

using Clock = std::chrono::steady_clock;

/// A thread that kept its caller waiting is left alone for so many times as long: what a busy machine costs stays a
/// small share, and a single pause, as virtual machines make them, is soon forgotten.
constexpr int kRestPerWait = 8;

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

/// Waits while `state` is kRunning; for how long, if that is longer than parts usually differ: more than kSpinTime and
/// than `own_time`, which the caller's part took.
Clock::duration await_part(const std::atomic<int>& state, Clock::duration own_time) {
  const Clock::time_point start = Clock::now();
  const auto is_done = [&] { return state.load(std::memory_order_acquire) != kRunning; };
  if (spin_until(is_done, std::max<Clock::duration>(kSpinTime, own_time))) return {};
  while (!is_done()) std::this_thread::yield();
  return Clock::now() - start;
}

thread_local SpareThreads* current_threads = nullptr;

}  // namespace

struct alignas(64) SpareThreads::Lent {
  std::atomic<int> state = kAway;
  std::atomic<Clock::rep> rests_until = 0;             // Since the clock's epoch.
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
  const Clock::time_point start = Clock::now();
  for (int i = 0; i < num_threads_ && num_helpers + 1 < kMaxParts; ++i) {
    Lent& lent = lent_[static_cast<std::size_t>(i)];
    if (lent.state.load(std::memory_order_relaxed) != kFree) continue;
    if (lent.rests_until.load(std::memory_order_relaxed) > start.time_since_epoch().count()) continue;
    if (change(lent.state, kFree, kClaimed)) helpers[num_helpers++] = &lent;
  }
  if (num_helpers == 0) return run(0, 1);
  for (int h = 0; h < num_helpers; ++h) {
    helpers[h]->run = &run;
    helpers[h]->part = h + 1;
    helpers[h]->num_parts = num_helpers + 1;
    helpers[h]->state.store(kOffered, std::memory_order_release);
    helpers[h]->state.notify_one();
  }
  run(0, num_helpers + 1);
  const Clock::duration own_time = Clock::now() - start;
  for (int h = 0; h < num_helpers; ++h) {
    std::atomic<int>& state = helpers[h]->state;
    if (change(state, kOffered, kClaimed)) {
      run(h + 1, num_helpers + 1);
    } else if (const Clock::duration lost = await_part(state, own_time); lost > Clock::duration::zero()) {
      const Clock::time_point until = Clock::now() + kRestPerWait * lost;
      helpers[h]->rests_until.store(until.time_since_epoch().count(), std::memory_order_relaxed);
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
