// sample_reader.hpp: from the files of a sample to tensors that fit the model.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor.hpp"
#include "halfstep/preprocess.hpp"
#include "halfstep/result.hpp"
#include "io/samples/image.hpp"
#include "io/samples/input_list.hpp"
#include "io/samples/input_spec.hpp"
#include "io/samples/photo_input.hpp"

namespace halfstep::io {

/// Reads one file for one input that is no photo: .npy by its header, anything else as raw
/// little-endian elements of the input's type.
/// Errors: "input 'image': file 'a.raw': ..." with what was found and expected.
Result<Tensor> read_input(const InputSpec& spec, const std::filesystem::path& path);

/// The samples of an input list for a model with the given inputs.
class SampleReader {
 public:
  /// Matches files with inputs and checks the sizes of raw files, for every line
  /// at once; opens no file.
  /// Errors: kInvalidInput naming list and line: an input that is missing,
  /// unknown or given twice, a wrong number of files, a file that does not fit; those of photo_input().
  /// `preprocess` is for files that is_photo() is true of. Requires it where there are some.
  static Result<SampleReader> make(InputList list, std::vector<InputSpec> specs,
                                   const std::optional<Preprocess>& preprocess = std::nullopt);

  std::int64_t num_samples() const { return static_cast<std::int64_t>(paths_.size()); }
  const InputList& list() const { return list_; }

  /// "calib.txt:3": how messages name a sample.
  std::string place(std::int64_t sample) const { return list_.place(list_.samples[static_cast<std::size_t>(sample)]); }

  /// The tensors of a sample, in the order of the specs; photos are decoded here. Thread-safe.
  /// Errors: kInvalidInput or kUsage, as read_input() and decode_image(), with list and line in front.
  Result<std::vector<Tensor>> read(std::int64_t sample) const;

  /// The first photo of a sample as the model sees it, before mean and scale; empty if it has none.
  /// Errors: those of decode_image().
  Result<std::optional<Image>> picture(std::int64_t sample) const;

  /// How photos become the first input that has some; empty if there are none.
  std::optional<PhotoInput> first_photo_input() const;

  /// What read() left out of photos without an error, one line; empty if nothing.
  std::string warning() const;

 private:
  /// What read() notes; shared, so that a reader can be moved.
  struct Notes;

  SampleReader();
  Result<Image> read_photo(std::int64_t sample, std::size_t input) const;
  std::string place_of_errors(std::int64_t sample) const;

  InputList list_;
  std::vector<InputSpec> specs_;
  std::vector<std::vector<std::filesystem::path>> paths_;  ///< By sample, then by spec.
  std::vector<std::optional<PhotoInput>> photos_;          ///< By spec; empty: no file of it is a photo.
  std::shared_ptr<Notes> notes_;
};

}  // namespace halfstep::io
