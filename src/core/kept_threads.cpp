// kept_threads.cpp: a list of threads that wait.
#include "core/kept_threads.hpp"

#include <unistd.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/spin.hpp"

namespace halfstep {
namespace {

class KeptThread {
 public:
  KeptThread() : thread_([this] { work(); }) {}
  ~KeptThread() {
    set(kEnds);
    thread_.join();
  }
  KeptThread(const KeptThread&) = delete;
  KeptThread& operator=(const KeptThread&) = delete;

  /// Calls run(index) there. Requires: wait() has returned since the last call.
  void start(const std::function<void(int)>& run, int index) {
    run_ = &run;
    index_ = index;
    set(kRuns);
  }

  /// Returns when what start() began is done.
  void wait() const { await_other_than(kRuns); }

 private:
  enum State : int { kWaits, kRuns, kEnds };

  void set(State state) {
    state_.store(state, std::memory_order_release);
    state_.notify_one();
  }

  State await_other_than(int state) const {
    const auto now = [this] { return state_.load(std::memory_order_acquire); };
    if (!spin_until([&] { return now() != state; })) state_.wait(state, std::memory_order_acquire);
    return static_cast<State>(now());
  }

  void work() {
    while (await_other_than(kWaits) != kEnds) {
      (*run_)(index_);
      set(kWaits);
    }
  }

  std::atomic<int> state_ = kWaits;
  const std::function<void(int)>* run_ = nullptr;  // These two are written while the thread waits.
  int index_ = 0;
  std::thread thread_;
};

class Pool {
 public:
  std::vector<std::unique_ptr<KeptThread>> take(std::size_t count) {
    std::vector<std::unique_ptr<KeptThread>> taken;
    {
      const std::lock_guard lock(mutex_);
      while (taken.size() < count && !waiting_.empty()) {
        taken.push_back(std::move(waiting_.back()));
        waiting_.pop_back();
      }
    }
    while (taken.size() < count) taken.push_back(std::make_unique<KeptThread>());
    return taken;
  }

  void give_back(std::vector<std::unique_ptr<KeptThread>> threads) {
    const std::lock_guard lock(mutex_);
    for (auto& thread : threads) waiting_.push_back(std::move(thread));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<KeptThread>> waiting_;
};

/// A forked process has none of its parent's threads: it starts with a pool of its own and leaves the other alone.
Pool& pool() {
  struct Owner {
    ::pid_t process = 0;
    Pool* pool = nullptr;
    ~Owner() {
      if (process == ::getpid()) delete pool;
    }
  };
  static Owner owner;
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (owner.process != ::getpid()) {
    owner.process = ::getpid();
    owner.pool = new Pool;
  }
  return *owner.pool;
}

}  // namespace

void run_on_threads(int count, const std::function<void(int)>& run) {
  if (count <= 1) return run(0);
  Pool& threads = pool();
  std::vector<std::unique_ptr<KeptThread>> taken = threads.take(static_cast<std::size_t>(count - 1));
  for (std::size_t i = 0; i < taken.size(); ++i) taken[i]->start(run, static_cast<int>(i) + 1);
  run(0);
  for (const auto& thread : taken) thread->wait();
  threads.give_back(std::move(taken));
}

}  // namespace halfstep
