// load_encodings.hpp: what readers of encodings files share.
#pragma once

#include <string>

#include "halfstep/result.hpp"
#include "io/json/own_records.hpp"
#include "pipeline/load_model.hpp"

namespace halfstep::pipeline {

/// Puts the converts that an encodings file records into `model`.
void restore_converts(const io::OwnRecords& own, PreparedModel& model);

/// Whether the weights of `graph` are those that the file's encodings were made for. Before any name is looked up:
/// biases that algorithms added are in no other model.
bool fits_weights(const io::OwnRecords& own, const graph::Graph& graph);

/// What to do about it. `file` and `model` are their names.
Error other_weights(const std::string& file, const std::string& model);

}  // namespace halfstep::pipeline
