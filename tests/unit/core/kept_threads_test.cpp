// Contract under test: core/kept_threads.hpp.
#include "core/kept_threads.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

namespace halfstep {
namespace {

TEST(RunOnThreads, CallsEachIndexOnceOnItsOwnThread) {
  for (const int count : {1, 2, 7, 3, 7}) {
    std::array<std::atomic<int>, 7> calls = {};
    std::atomic<int> num_here = 0;
    std::mutex mutex;
    std::set<std::thread::id> threads;
    run_on_threads(count, [&](int i) {
      ++calls[static_cast<std::size_t>(i)];
      ++num_here;
      while (num_here < count) std::this_thread::yield();  // All at the same time.
      const std::lock_guard lock(mutex);
      threads.insert(std::this_thread::get_id());
    });
    for (int i = 0; i < 7; ++i) EXPECT_EQ(calls[static_cast<std::size_t>(i)], i < count ? 1 : 0);
    EXPECT_EQ(threads.size(), static_cast<std::size_t>(count));
    EXPECT_TRUE(threads.contains(std::this_thread::get_id()));
  }
}

TEST(RunOnThreads, KeepsItsThreads) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  for (int round = 0; round < 100; ++round) {
    run_on_threads(3, [&](int) {
      if (round % 10 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // They go to sleep, too.
      const std::lock_guard lock(mutex);
      threads.insert(std::this_thread::get_id());
    });
  }
  EXPECT_LE(threads.size(), 7U);  // This one, and at most those of the test before.
}

TEST(RunOnThreads, MayBeCalledByItsThreads) {
  std::atomic<int> calls = 0;
  run_on_threads(3, [&](int) { run_on_threads(3, [&](int) { ++calls; }); });
  EXPECT_EQ(calls, 9);
}

TEST(RunOnThreads, WorksInAForkedProcess) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer starts no threads in a forked process";
#endif
  std::atomic<int> calls = 0;
  run_on_threads(2, [&](int) { ++calls; });
  const pid_t child = ::fork();
  if (child == 0) {
    run_on_threads(2, [&](int) { ++calls; });
    ::_exit(calls == 4 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace halfstep
