// overrides_support.hpp: a model's tensors and short ways to write and read overrides files, for the tests of this
// folder.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "io/json/encodings_json.hpp"
#include "io/json/overrides_json.hpp"

namespace halfstep::io {

inline OverrideContext context(bool lenient = false) {
  const EncodingTarget activation{.role = TensorRole::kActivation, .channel_axis = 1, .shape = {}};
  const EncodingTarget weight{.role = TensorRole::kWeight, .channel_axis = 0, .shape = Shape{2, 3}};
  const EncodingTarget bias{.role = TensorRole::kBias, .channel_axis = 0, .shape = Shape{2}};
  EncodingTargets targets{
      {"conv1", activation}, {"conv2", activation}, {"out", activation}, {"w", weight}, {"b", bias}};
  const auto moved = [](const std::string& name) -> std::optional<MovedName> {
    if (name == "same") return MovedName{MoveKind::kSame, "conv1", "goes on as 'conv1'"};
    if (name == "pre") return MovedName{MoveKind::kFused, "conv2", "is the input of Relu 'r', which is part of 'c2'"};
    if (name == "high") return MovedName{MoveKind::kBound, "conv2", "is a bound of Clip 'c', which is part of 'c2'"};
    if (name == "bn") return MovedName{MoveKind::kFolded, "conv2", "is the input of BatchNormalization 'bn'"};
    if (name == "gamma") return MovedName{MoveKind::kFolded, "w", "is a parameter of BatchNormalization 'bn'"};
    if (name == "dead") return MovedName{MoveKind::kPart, "", "is not needed for any output of the model"};
    return std::nullopt;
  };
  return {.targets = std::move(targets), .lenient = lenient, .find_moved = moved};
}

/// A file of version 1 with these activation entries and parameter entries.
inline std::string version1(const std::string& activations, const std::string& parameters = "") {
  return R"({"version":"1.0.0","activation_encodings":[)" + activations + R"(],"param_encodings":[)" + parameters +
         "]}";
}
inline std::string version0(const std::string& activations, const std::string& parameters = "") {
  return R"({"activation_encodings":{)" + activations + R"(},"param_encodings":{)" + parameters + "}}";
}
inline std::string version2(const std::string& entries) {
  return R"({"version":"2.1.0","encodings":[)" + entries + "]}";
}

inline OverridesFile read(const std::string& text, const OverrideContext& with = context()) {
  const auto file = read_overrides(text, "ov.json", with);
  if (file.ok()) return *file;
  ADD_FAILURE() << file.error().message << "\n" << text;
  return {};
}

/// The only override of the file; no warnings.
inline Override read_one(const std::string& text) {
  const OverridesFile file = read(text);
  EXPECT_TRUE(file.warnings.empty()) << file.warnings.front();
  if (file.overrides.size() == 1) return file.overrides[0];
  ADD_FAILURE() << file.overrides.size() << " overrides in " << text;
  return {};
}

inline std::string error_of(const std::string& text) {
  const auto file = read_overrides(text, "ov.json", context());
  return file.ok() ? "none" : file.error().message;
}

inline EncodingsHeader own_header(EncodingsVersion version) {
  EncodingsHeader header;
  header.version = version;
  header.producer = "halfstep 0.1.0";
  return header;
}

/// "conv1=8 conv2=f16 out=grid", in the order of the file.
inline std::string summary(const OverridesFile& file) {
  std::string text;
  for (const Override& one : file.overrides) {
    text += (text.empty() ? "" : " ") + one.tensor + "=" +
            (one.encoding     ? "grid"
             : one.float_bits ? "f" + std::to_string(*one.float_bits)
                              : std::to_string(one.bits.value_or(0)));
  }
  return text;
}

}  // namespace halfstep::io
