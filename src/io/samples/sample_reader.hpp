// sample_reader.hpp: from the files of a sample to tensors that fit the model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/tensor.hpp"
#include "halfstep/result.hpp"
#include "io/samples/input_list.hpp"
#include "io/samples/input_spec.hpp"

namespace halfstep::io {

/// Reads one file for one input: .npy by its header, anything else as raw
/// little-endian elements of the input's type.
/// Errors: "input 'image': file 'a.raw': ..." with what was found and expected.
Result<Tensor> read_input(const InputSpec& spec, const std::filesystem::path& path);

/// The samples of an input list for a model with the given inputs.
class SampleReader {
 public:
  /// Matches files with inputs and checks the sizes of raw files, for every line
  /// at once; opens no file.
  /// Errors: kInvalidInput naming list and line: an input that is missing,
  /// unknown or given twice, a wrong number of files, a file that does not fit.
  static Result<SampleReader> make(InputList list, std::vector<InputSpec> specs);

  std::int64_t num_samples() const { return static_cast<std::int64_t>(paths_.size()); }
  const InputList& list() const { return list_; }

  /// "calib.txt:3": how messages name a sample.
  std::string place(std::int64_t sample) const { return list_.place(list_.samples[static_cast<std::size_t>(sample)]); }

  /// The tensors of a sample, in the order of the specs. Thread-safe.
  /// Errors: kInvalidInput or kUsage, as read_input(), with list and line in front.
  Result<std::vector<Tensor>> read(std::int64_t sample) const;

 private:
  SampleReader() = default;

  InputList list_;
  std::vector<InputSpec> specs_;
  std::vector<std::vector<std::filesystem::path>> paths_;  ///< By sample, then by spec.
};

}  // namespace halfstep::io
