// spare_threads.hpp: threads that have no job of their own left help those that have.
#pragma once

#include <functional>
#include <memory>

namespace halfstep {

/// Threads lent to others' work. All members are thread-safe.
class SpareThreads {
 public:
  /// Of one call of split().
  static constexpr int kMaxParts = 64;

  /// At most `num_threads` of them may lend themselves.
  explicit SpareThreads(int num_threads);
  ~SpareThreads();
  SpareThreads(const SpareThreads&) = delete;
  SpareThreads& operator=(const SpareThreads&) = delete;

  /// Calls run(part, num_parts) for every part: part 0 on the calling thread, one on each thread that is lent and free
  /// right now, or on the calling thread where that one does not begin in time. Returns when all are done. `run` must
  /// not throw, and must do the same whatever num_parts is.
  void split(const std::function<void(int part, int num_parts)>& run);

  /// Lends the calling thread, known as `index` in [0, num_threads), until close() is called.
  void lend(int index);

  /// Sends the lent threads home, and those that come later.
  void close();

 private:
  struct Lent;
  int num_threads_;
  std::unique_ptr<Lent[]> lent_;
};

/// The threads that may help the calling thread; null: none. Set by ordered_parallel_for() for its workers.
SpareThreads* spare_threads() noexcept;

/// Sets spare_threads() of the calling thread while it lives.
class SpareThreadsScope {
 public:
  explicit SpareThreadsScope(SpareThreads* threads) noexcept;
  ~SpareThreadsScope();
  SpareThreadsScope(const SpareThreadsScope&) = delete;
  SpareThreadsScope& operator=(const SpareThreadsScope&) = delete;

 private:
  SpareThreads* before_;
};

}  // namespace halfstep
