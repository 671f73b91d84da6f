// comparison.hpp: a float Graph against its simulated quantization, for reports.
#pragma once

#include <cstdint>
#include <vector>

#include "compare/compare_runs.hpp"
#include "encoding/encoding_set.hpp"
#include "exec/samples.hpp"
#include "graph/graph.hpp"
#include "halfstep/observer.hpp"
#include "halfstep/result.hpp"
#include "report/report.hpp"

namespace halfstep::pipeline {

/// Runs both over all samples. Layers compared: every activation that
/// `encodings` rounds in `quantized` and that `reference` computes under the same name.
Result<compare::Comparison> compare_with_float(const graph::Graph& reference, const graph::Graph& quantized,
                                               const EncodingSet& encodings, const exec::SampleSource& samples,
                                               int num_threads, std::vector<std::int64_t> labels,
                                               const Observer& observer);

/// Fills the report's numbers of encodings by role.
void count_encodings(const EncodingSet& encodings, report::Report& report);

}  // namespace halfstep::pipeline
