// kept_threads.hpp: threads that outlive their work, for the next.
#pragma once

#include <functional>

namespace halfstep {

/// Calls run(i) for every i in [0, count): run(0) on the calling thread, each other one on a thread of its own. Returns
/// when all are done. The threads are kept for later calls: beside work of a few milliseconds new ones are slow to
/// come. `run` must not throw. Thread-safe; may be called from `run`.
void run_on_threads(int count, const std::function<void(int)>& run);

}  // namespace halfstep
