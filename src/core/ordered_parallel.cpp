// ordered_parallel.cpp: worker threads that hand in results in order.
#include "core/ordered_parallel.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

#include "core/kept_threads.hpp"
#include "core/memory_budget.hpp"
#include "core/spare_threads.hpp"

namespace halfstep {

int default_num_threads() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof(mask), &mask) == 0) return std::max(1, CPU_COUNT(&mask));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

Result<void> ordered_parallel_for(std::int64_t count, int num_threads,
                                  const std::function<Result<void>(std::int64_t, int)>& produce,
                                  const std::function<Result<void>(std::int64_t, int)>& consume) {
  num_threads = std::max(1, num_threads);
  const int num_workers = static_cast<int>(std::clamp<std::int64_t>(count, 1, num_threads));
  std::mutex mutex;
  std::condition_variable turn;
  std::int64_t next_to_start = 0;    // guarded by mutex
  std::int64_t next_to_consume = 0;  // guarded by mutex
  std::optional<Error> failure;      // guarded by mutex

  // The consumer of index i waits for next_to_consume == i. Indices are handed
  // out in order, so the holder of the smallest one never waits: no deadlock.
  auto work = [&](int worker) {
    for (;;) {
      std::int64_t index = 0;
      {
        std::lock_guard lock(mutex);
        if (failure || next_to_start >= count) return;
        index = next_to_start++;
      }
      // An exception must not leave a thread.
      Result<void> outcome = unless_out_of_memory([&] { return produce(index, worker); });
      std::unique_lock lock(mutex);
      turn.wait(lock, [&] { return next_to_consume == index; });
      // A failure recorded by now belongs to a smaller index and wins.
      if (!failure && outcome.ok()) {
        lock.unlock();
        outcome = unless_out_of_memory([&] { return consume(index, worker); });
        lock.lock();
      }
      if (!failure && !outcome.ok()) failure = outcome.error();
      next_to_consume = index + 1;
      turn.notify_all();
    }
  };

  SpareThreads spare(num_threads);
  std::atomic<int> num_working = num_workers;
  // Until the last worker is done, the others help it, and so do the threads for which there was no job.
  const auto work_then_help = [&](int thread) {
    const SpareThreadsScope scope(num_threads > 1 ? &spare : nullptr);
    if (thread < num_workers) {
      work(thread);
      if (--num_working == 0) spare.close();
    }
    spare.lend(thread);
  };

  run_on_threads(num_threads, work_then_help);
  if (failure) return *failure;
  return {};
}

}  // namespace halfstep
