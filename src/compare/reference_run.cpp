// reference_run.cpp: what is read where it lies, and what is copied because somebody is late.
#include "compare/reference_run.hpp"

#include <optional>
#include <utility>

namespace halfstep::compare {

ReferenceRun::ReferenceRun(const Watched& watched, exec::Executor& executor, std::span<exec::Executor* const> readers)
    : watched_(watched), executor_(executor), tensors_(watched.layers.size()) {
  for (std::size_t w = 0; w < tensors_.size(); ++w) {
    tensors_[w].past = !executor.completes(watched.layers[w].reference);
    for (const exec::Executor* reader : readers) {
      if (reader->completes(watched.layers[w].other)) ++tensors_[w].num_readers;
    }
  }
}

void ReferenceRun::leave() {
  for (const std::size_t w : current_) {
    Waiting& waiting = tensors_[w];
    const ConstView here = std::exchange(waiting.here, ConstView{});
    if (waiting.num_readers == 0) continue;
    waiting.copy = Tensor::copy_of(here);
    waiting.copied = true;
  }
  current_.clear();
}

Result<bool> ReferenceRun::advance() {
  leave();
  for (;;) {
    const Result<std::optional<exec::Tapped>> next = executor_.advance();
    if (!next.ok()) return next.error();
    if (!*next) return false;
    const exec::Tapped& tapped = **next;
    bool watched = false;
    watched_.for_each_of_reference(tapped.value, [&](std::size_t w) {
      watched = true;
      tensors_[w].past = true;
      if (tapped.view.dtype() != DType::kFloat32) return;
      tensors_[w].here = tapped.view;
      current_.push_back(w);
    });
    if (watched) return true;
  }
}

ConstView ReferenceRun::values(std::size_t w) const {
  const Waiting& waiting = tensors_[w];
  return waiting.copied ? waiting.copy.view() : waiting.here;
}

void ReferenceRun::read(std::size_t w) {
  Waiting& waiting = tensors_[w];
  if (--waiting.num_readers > 0 || !waiting.copied) return;
  waiting.copy = Tensor();
  waiting.copied = false;
}

}  // namespace halfstep::compare
