// observe_float.cpp: sessions and progress for calibration.
#include "pipeline/observe_float.hpp"

#include "pipeline/load_model.hpp"

namespace halfstep::pipeline {

Result<calib::Observations> observe_float(const graph::Graph& graph, std::vector<calib::Watch> watches,
                                          const exec::SampleSource& samples, int num_threads, std::string_view stage,
                                          const Observer& observer,
                                          std::function<std::int64_t(std::int64_t)> place_in_list) {
  exec::Session session = float_session(graph, num_threads);
  calib::ObserveRequest request;
  request.samples = samples;
  request.num_threads = num_threads;
  request.watches = std::move(watches);
  request.place_in_list = std::move(place_in_list);
  request.executor = [&](int worker, std::span<const Tensor> inputs) { return session.executor(worker, inputs); };
  if (observer.progress) {
    request.progress = [&](std::int64_t done, std::int64_t total) { observer.progress(stage, done, total); };
  }
  return calib::observe(graph, request);
}

}  // namespace halfstep::pipeline
