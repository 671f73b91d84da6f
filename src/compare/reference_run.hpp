// reference_run.hpp: the reference's run of one sample, in step with the runs that are compared with it.
#pragma once

#include <span>
#include <vector>

#include "compare/watched.hpp"
#include "core/tensor.hpp"
#include "exec/executor.hpp"
#include "halfstep/result.hpp"

namespace halfstep::compare {

/// Stops at every watched tensor, which the other runs read where it lies. One that some of them reach later, because
/// their order of steps is another, is copied and dropped as soon as the last has read it: so memory holds what is
/// waited for and nothing else.
class ReferenceRun {
 public:
  /// `executor` has been started. `readers` are those of the other runs, each of which reads every watched tensor that
  /// it completes once. All must outlive this.
  ReferenceRun(const Watched& watched, exec::Executor& executor, std::span<exec::Executor* const> readers);

  /// Goes on to the next watched tensor. False: there is none, the run is over.
  /// Errors: those of Executor::advance().
  Result<bool> advance();

  /// Whether it has come to watched tensor `w`, or never will.
  bool is_past(std::size_t w) const { return tensors_[w].past; }

  /// Its values, float32; absent if it has none. Requires: is_past(w), and a reader that has not read it.
  ConstView values(std::size_t w) const;

  /// One of the readers needs it no more.
  void read(std::size_t w);

 private:
  struct Waiting {
    int num_readers = 0;  ///< That are to come.
    bool past = false;
    ConstView here;  ///< Where the executor stands now.
    Tensor copy;
    bool copied = false;
  };

  void leave();

  const Watched& watched_;
  exec::Executor& executor_;
  std::vector<Waiting> tensors_;      // By watched tensor.
  std::vector<std::size_t> current_;  // Those that are `here`.
};

}  // namespace halfstep::compare
