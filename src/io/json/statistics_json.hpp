// statistics_json.hpp: what calibration saw, as a file. Keys: docs/statistics.md.
//
// Everything is kept to the bit, so that merging the files of parts gives what one run over all samples gives: sums as
// integers in hexadecimal (calib::ExactSum), counts of histograms as text in which "0*12" stands for twelve zeros.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "calib/observe.hpp"
#include "core/shape.hpp"
#include "halfstep/result.hpp"
#include "halfstep/shard.hpp"

namespace halfstep::io {

/// Version of the layout; rises when older files can't be read any more.
inline constexpr int kStatisticsVersion = 1;

struct Statistics {
  std::string tool_version;
  std::string model;                                 ///< Its file, for messages.
  std::string fingerprint;                           ///< Of the model as prepared.
  std::map<std::string, Shape, std::less<>> inputs;  ///< The shapes that the model was prepared for.
  std::string input_list;                            ///< Its file, for messages.
  std::string list_fingerprint;                      ///< Of its text.
  std::int64_t num_listed = 0;                       ///< Samples in the whole list.
  Shard shard;
  calib::Observations observations;
};

std::string write_statistics(const Statistics& statistics);

/// `file` is its name in messages.
/// Errors: kInvalidInput naming file and place: not JSON (cut short), another format or version of it, a missing or
/// mistyped field, counts that contradict each other.
Result<Statistics> read_statistics(std::string_view text, const std::string& file);

}  // namespace halfstep::io
