// observe_float.hpp: what the float model's tensors are over samples.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "calib/observe.hpp"
#include "exec/samples.hpp"
#include "graph/graph.hpp"
#include "halfstep/observer.hpp"

namespace halfstep::pipeline {

/// calib::observe() of `graph` in float, with progress told as `stage`. `place_in_list`: ObserveRequest::place_in_list.
Result<calib::Observations> observe_float(const graph::Graph& graph, std::vector<calib::Watch> watches,
                                          const exec::SampleSource& samples, int num_threads, std::string_view stage,
                                          const Observer& observer,
                                          std::function<std::int64_t(std::int64_t)> place_in_list = {});

}  // namespace halfstep::pipeline
