// statistics.hpp: what calibration saw, kept in files, of parts or of all samples.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "calib/observe.hpp"
#include "graph/graph.hpp"
#include "halfstep/quantize.hpp"
#include "halfstep/result.hpp"
#include "io/json/statistics_json.hpp"
#include "io/samples/sample_reader.hpp"
#include "ops/infer_graph.hpp"
#include "pipeline/load_model.hpp"
#include "precision/plan.hpp"

namespace halfstep::pipeline {

/// What to watch so that ranges can be estimated later by any method: what `plan` asks for, histograms, and each
/// sample's extremes. Channels only where the plan has a grid for each, for they cost more than all the rest; the
/// samples' extremes of single channels only where its rule reads them.
std::vector<calib::Watch> watches_for_any_method(const graph::Graph& graph, const ops::Facts& facts,
                                                 const precision::Plan& plan);

/// The samples shard.index, shard.index + shard.count, ... of `samples`, which must outlive it.
exec::SampleSource part_of(exec::SampleSource samples, const Shard& shard);

/// Statistics without observations: whose they would be.
/// Errors: kInvalidInput if the list can't be read.
Result<io::Statistics> statistics_header(const graph::Graph& prepared, const ops::InputShapes& shapes,
                                         const std::filesystem::path& model, const io::SampleReader& reader,
                                         const Shard& shard);

/// Several files read and found to be parts of one whole.
struct MergedStatistics {
  std::string fingerprint;
  std::string first_file;
  ops::InputShapes inputs;
  calib::Observations observations;
  std::int64_t num_samples = 0;
};

/// Reads and merges. Shards of one list keep the order of that list; lists follow each other in the order of `files`.
/// Errors: those of io::read_statistics(); kUsage for a file, a shard or a list given twice, and for files of different
/// models, versions of halfstep or sets of tensors, or with shards missing (each named).
Result<MergedStatistics> read_statistics(const std::vector<std::filesystem::path>& files);

/// Errors: kUsage naming the file if the model has other inputs than the statistics were made for.
Result<void> check_inputs(const MergedStatistics& statistics, const RawModel& model);

/// Errors: kUsage naming the file if they were made with another model than `prepared`; kCalibration if they lack what
/// `watches` asks for, with what to do.
Result<void> check_statistics(const MergedStatistics& statistics, const graph::Graph& prepared,
                              const std::vector<calib::Watch>& watches);

}  // namespace halfstep::pipeline
