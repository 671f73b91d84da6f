// ordered_parallel.hpp: run independent jobs on several threads, consume their
// results in index order.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

#include "halfstep/result.hpp"

namespace halfstep {

/// Number of threads to use when the user names none: the processors of this
/// process's affinity mask, at least 1.
int default_num_threads();

/// Runs produce(i, worker) for i in [0, count) on at most `num_threads` workers
/// (worker in [0, min(count, num_threads))), then consume(i, worker), one call at a time and
/// in increasing i, on the thread that produced i. So whatever consume
/// accumulates does not depend on the number of threads. A worker starts its
/// next job only after its previous one was consumed: memory stays bounded by
/// one job a worker. Threads without a job, because there are fewer jobs than
/// threads or no more are left, are lent to those that have one: spare_threads().
/// Errors: the error of the lowest failing index; later jobs are abandoned.
Result<void> ordered_parallel_for(std::int64_t count, int num_threads,
                                  const std::function<Result<void>(std::int64_t, int)>& produce,
                                  const std::function<Result<void>(std::int64_t, int)>& consume);

}  // namespace halfstep
