// diagnosis.hpp: what quantize-eval --diagnose found, as values. Schema: docs/report.md; what it means:
// docs/diagnose.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace halfstep::report {

/// One rung of the ladder.
struct DiagnosisRung {
  std::string question;                          ///< "quantized", "16-bit", "parts", "layers", "causes".
  std::string answer;                            ///< Whole sentences.
  std::optional<double> sqnr_db = std::nullopt;  ///< Of the outputs, where one form was measured.
};

struct DiagnosedCause {
  std::string kind;  ///< sensitivity::name_of(CauseKind).
  std::string tensor;
  std::string sentence;
};

/// A layer whose quantization costs much.
struct DiagnosedLayer {
  std::string name;
  std::string op;                    ///< "" for an input.
  std::string part;                  ///< "weights", "activations" or "both": what of it costs.
  double gain_db = 0.0;              ///< What the outputs win when it stays in float.
  double noise_share_percent = 0.0;  ///< Of the error power at the outputs, gone with that.
  std::vector<DiagnosedCause> causes;
};

/// What to try next.
struct DiagnosisStep {
  std::string options;  ///< Of quantize, as a shell reads them.
  std::string reason;
  double sqnr_db = 0.0;  ///< Of the outputs afterwards.
  double gain_db = 0.0;
  bool measured = false;
  bool is_bound = true;  ///< Not measured: `sqnr_db` is what it reaches at most; else an estimate.
};

struct Diagnosis {
  std::int64_t num_samples = 0;
  std::string verdict;  ///< One sentence.
  std::vector<DiagnosisRung> rungs;
  std::vector<DiagnosedLayer> layers;  ///< The dearest first.
  std::vector<DiagnosisStep> next;     ///< The best first, what was measured before what was not.
};

/// For a terminal, ending in a line feed. `model`: the path of the float model, for the commands.
std::string to_text(const Diagnosis& diagnosis, const std::string& model);

/// "conv1 (Conv)", "input 'x'".
std::string layer_words(const DiagnosedLayer& layer);

/// "measured: 31.2 dB, +10.4 dB" or "predicted: at most 31.2 dB, +10.4 dB".
std::string gain_words(const DiagnosisStep& step);

/// "quantize ... OPTIONS model.onnx".
std::string command_of(const DiagnosisStep& step, const std::string& model);

}  // namespace halfstep::report
