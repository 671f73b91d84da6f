// run.hpp: a model over samples, results to files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "halfstep/arithmetic.hpp"
#include "halfstep/model_source.hpp"
#include "halfstep/observer.hpp"
#include "halfstep/result.hpp"

namespace halfstep {

/// How a model that carries encodings is run.
enum class RunMode {
  kFloat,      ///< Encodings are ignored.
  kSimulated,  ///< Float arithmetic, encoded tensors rounded onto their grids.
  kFixed,      ///< Integer arithmetic, as an int8 or int16 device computes.
};

struct RunRequest {
  ModelSource model;                               ///< Float, QDQ or QOperator.
  std::optional<std::filesystem::path> encodings;  ///< JSON, for a float model; not with kFloat.
  std::filesystem::path input_list;
  std::filesystem::path input_images;  ///< A folder of photos instead of input_list.
  std::string preprocess;              ///< Name or file that says how photos become inputs; empty: as model records it.
  std::filesystem::path output_dir;
  std::optional<std::filesystem::path> save_inputs;  ///< What the model is fed goes here, as .npy.
  RunMode mode = RunMode::kFloat;
  FixedPointRequest fixed;                ///< With kFixed.
  std::vector<std::string> dump_tensors;  ///< Names beside the outputs; {"all"}: every tensor.
  /// The part between tensors: the samples are of these tensors (empty: of the model's inputs), and these are the
  /// outputs (empty: the model's). Shapes are the model's own, or given by ModelSource::input_dims.
  std::vector<std::string> from;
  std::vector<std::string> to;
  /// Not with kFloat: only these tensors, and what they are computed from, are quantized; the rest runs in float.
  std::vector<std::string> quantized_until;
  int num_threads = 0;  ///< 0: one for each processor.
};

struct RunOutcome {
  std::int64_t num_samples = 0;
  std::int64_t num_files = 0;
  std::string arithmetic;  ///< Rule of a fixed-point run; else empty.
};

/// Writes <output_dir>/Result_<i>/<tensor>.raw for sample i (from 0): raw
/// little-endian in the tensor's own type. Characters a file name can't hold
/// become '_'; `#` and `%` lines of the list choose the outputs. In mode kFixed
/// encoded tensors are written twice: real values as float32 in <tensor>.raw, the
/// integer codes in the storage type of their grid in <tensor>.codes.raw.
/// With save_inputs, also <save_inputs>/Result_<i>/<input>.npy.
/// Errors: those of reading; kUsage for a name that is no tensor, a part that
/// depends on more than `from`, or a mode that has no effect; kUnsupported if
/// `from` names a tensor whose type is decided while running; kInvalidInput if
/// a file can't be written.
Result<RunOutcome> run(const RunRequest& request, const Observer& observer = {});

}  // namespace halfstep
