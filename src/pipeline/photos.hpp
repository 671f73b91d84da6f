// photos.hpp: the samples of a request, and how photos among them become inputs.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "halfstep/preprocess.hpp"
#include "halfstep/result.hpp"
#include "io/samples/sample_reader.hpp"
#include "pipeline/load_model.hpp"
#include "report/report.hpp"

namespace halfstep::pipeline {

/// Key of the metadata entry in which a model records how photos became its inputs: io::write_preprocess().
inline constexpr const char* kPreprocessKey = "halfstep.preprocess";

/// Photos that the HTML report shows.
inline constexpr std::int64_t kMaxPictures = 4;

/// Where samples are, as a request says it. Exactly one of the first two is not empty: see check_samples().
struct SampleFiles {
  std::filesystem::path input_list;
  std::filesystem::path input_images;
  std::string preprocess;  ///< Name or file; empty: not given.
};

/// How photos become inputs, and who says so.
struct ChosenPreprocess {
  Preprocess value;
  std::string name;  ///< As it was asked for, or "recorded in x.onnx".
};

using Warn = std::function<void(const std::string&)>;

/// Errors: kUsage unless there is a list or a folder, but not both.
Result<void> check_samples(const SampleFiles& files);

/// Where preprocessing that ships with the tools lies.
std::filesystem::path preprocess_folder();

/// Reads one: a file of the user's, or the name of one in `folder`.
/// Errors: those of find_named_file(), read_text() and io::read_preprocess().
Result<ChosenPreprocess> find_preprocess(const std::string& name_or_file,
                                         const std::filesystem::path& folder = preprocess_folder());

/// The list, or the photos of the folder. Warns of files in the folder that are no photos.
/// Errors: those of io::read_input_list() and io::read_photo_folder().
Result<io::InputList> list_samples(const SampleFiles& files, const Warn& warn);

/// How the photos of a list become inputs: as asked for; else as `recorder` records it; else, for uint8 inputs whose
/// shape tells all, stretched and as they are. Empty if there are no photos. Warns where asked and recorded differ.
/// Errors: kUsage if nothing says it, with the names there are, and if it was asked for without photos; those of
/// find_preprocess() and of reading the record.
Result<std::optional<ChosenPreprocess>> choose_preprocess(const SampleFiles& files, const io::InputList& list,
                                                          const std::vector<io::InputSpec>& specs,
                                                          const RawModel& recorder, const Warn& warn);

/// Samples ready to be read.
struct OpenedSamples {
  io::SampleReader reader;
  std::optional<ChosenPreprocess> preprocess;  ///< Set: there are photos.
};

/// The samples of `list` for inputs that fit `specs`. Warns of mean and scale that a uint8 input does without.
/// Errors: those of choose_preprocess() and io::SampleReader::make().
Result<OpenedSamples> open_listed(const SampleFiles& files, io::InputList list, std::vector<io::InputSpec> specs,
                                  const RawModel& recorder, const Warn& warn);

/// The samples for the inputs of `model`. `recorder`: the model whose record of preprocessing counts.
/// Errors: those of list_samples(), listed_tensors() and open_listed().
Result<OpenedSamples> open_samples(const RawModel& model, const SampleFiles& files, const RawModel& recorder,
                                   const Warn& warn);

/// What the report says of photos; for the HTML page also the first of them.
/// Errors: those of decoding.
Result<void> put_photos(const OpenedSamples& samples, bool wants_pictures, report::Report& report);

}  // namespace halfstep::pipeline
