// sensitivity_report.hpp: what each layer's quantization costs, as a document. Schema: docs/sensitivity.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/output_score.hpp"

namespace halfstep::report {

/// One quantizer group: a layer with the tensors that it and the activation behind it write.
struct GroupSensitivity {
  std::string name;
  std::string op;                        ///< "" for an input of the model.
  std::vector<std::string> activations;  ///< Tensors with encodings.
  std::vector<std::string> weights;      ///< Constants with encodings that are no biases.
  std::int64_t num_weights = 0;          ///< Elements.
  std::int64_t num_activations = 0;      ///< Elements, one sample.
  std::int64_t macs = 0;                 ///< Multiply-accumulates, one sample.
  PartScores only;                       ///< Only this group is quantized ("enable one").
  PartScores all_but;                    ///< All but this group are quantized ("disable one").

  /// By how many dB the outputs get better without the group's quantization. Requires: all_but.both.
  double gain_db(const OutputScore& quantized) const { return all_but.both->sqnr_db - quantized.sqnr_db; }
};

struct SensitivityReport {
  std::string tool_version;
  std::string model;      ///< Path as the user gave it.
  std::string quantized;  ///< Path of the quantized model or encodings.
  std::string input_list;
  std::string arithmetic;
  std::int64_t num_samples = 0;
  OutputScore float_figures;             ///< Of the float model: top-1 and the like where it has them.
  PartScores whole;                      ///< Everything quantized; all weights; all activations.
  std::vector<GroupSensitivity> groups;  ///< In the order of the network, inputs first.
  std::vector<std::string> warnings;
};

/// Indices of the groups by what their quantization costs, the dearest first: by gain_db() where all-but runs are
/// there, else by the SQNR of the group alone. Groups without figures are left out. Ties: the order of the network.
std::vector<std::size_t> by_cost(const SensitivityReport& report);

/// The document as JSON text, ending in a line feed. The same report gives the same bytes.
std::string to_json(const SensitivityReport& report);

/// The document as Markdown, ending in a line feed.
std::string to_markdown(const SensitivityReport& report);

/// The document as one self-contained HTML page.
std::string to_html(const SensitivityReport& report);

/// The `num_groups` dearest groups and what the whole model has, for a terminal.
std::string to_table(const SensitivityReport& report, int num_groups);

}  // namespace halfstep::report
