// override_errors_test.cpp: every error of overrides files, its exact text, and what lenient reading makes of it.
#include <gtest/gtest.h>

#include "unit/io_json/overrides_support.hpp"

namespace halfstep::io {
namespace {

struct Bad {
  std::string text;
  std::string message;
};

TEST(ReadOverrides, ErrorsWhateverHowStrict) {
  const std::vector<Bad> bad = {
      {"{", "ov.json: not valid JSON at byte 2, line 1"},
      {"[]", "ov.json: the document is not an object"},
      {"{}",
       "ov.json: there is no 'activation_encodings': files of versions below 2 hold both 'activation_encodings' and "
       "'param_encodings', even if empty"},
      {R"({"version":"0.6.1","activation_encodings":{}})",
       "ov.json: there is no 'param_encodings': files of versions below 2 hold both 'activation_encodings' and "
       "'param_encodings', even if empty"},
      {R"({"version":"2.0.0","activation_encodings":{},"param_encodings":{}})",
       "ov.json: there is no 'encodings': files of version 2 hold their entries there"},
      {R"({"version":"2.0.0","encodings":3})", "ov.json:1: encodings is neither a list nor an object"},
      {version0(R"("conv1":1,"conv1":2)"), "ov.json: the name 'conv1' occurs twice in one object, again on line 1"},
      {version0(R"("conv1":[{"bitwidth":8}])", R"("conv1":[{"bitwidth":8}])"),
       "ov.json:1: param_encodings 'conv1': the tensor has an entry already, on line 1"},
      {version1(R"({"name":"conv1","bw":8},)"
                "\n\n"
                R"({"name":"conv1","bw":8})"),
       "ov.json:3: activation_encodings 'conv1': the tensor has an entry already, on line 1"},
  };
  for (const Bad& file : bad) {
    EXPECT_EQ(error_of(file.text), file.message);
    EXPECT_FALSE(read_overrides(file.text, "ov.json", context(true)).ok()) << file.text;
  }
}

TEST(ReadOverrides, ErrorsThatLenientReadingSkips) {
  const std::string act = "ov.json:1: activation_encodings ";
  const std::string param = "ov.json:1: param_encodings ";
  const std::vector<Bad> bad = {
      {R"({"version":"3.0.0","activation_encodings":{},"param_encodings":{}})",
       "ov.json:1: version '3.0.0' is not one of 0.4.0, 0.5.0, 0.6.1, 1.0.0, 2.0.0 and 2.1.0"},
      {R"({"activation_encodings":{},"param_encodings":{},"produser":1})",
       "ov.json:1: unknown key 'produser', did you mean 'producer'?"},
      {version1(R"({"bw":8})"), "ov.json:1: entry 0 of activation_encodings has no name"},
      {version1(R"({"name":8})"), "ov.json:1: entry 0 of activation_encodings has a name that is not a string"},
      {version1("8"), "ov.json:1: entry 0 of activation_encodings is not an object"},
      {version0(R"("con1":[{"bitwidth":8}])"),
       act + "'con1': the model has no tensor of that name, did you mean 'conv1'?"},
      {version0(R"("zzzzzzzz":[{"bitwidth":8}])"), act + "'zzzzzzzz': the model has no tensor of that name"},
      {version0(R"("cnv1*":[{"bitwidth":8}])"),
       act + "'cnv1*': no activation matches the pattern, did you mean 'conv1'?"},
      {version0("", R"("conv*":[{"bitwidth":8}])"), param + "'conv*': no parameter matches the pattern, did you mean "
                                                            "'conv1'?"},
      {version0(R"("conv1":[{"bitwidth":8,"pattern":"maybe"}])"),
       act + "'conv1': field 'pattern' is neither true nor false"},
      {version0(R"("conv1":[{"bitwidth":7}])"),
       act + "'conv1': a width of 7 bits without a grid is none of 4, 8, 16 and 32"},
      {version0(R"("conv1":[{"bitwidth":33,"min":0,"max":1}])"),
       act + "'conv1': a width of 33 bits is outside 2 to 32"},
      {version0(R"("conv1":[{"bitwidth":10000000000000000,"min":0,"max":1}])"),
       act + "'conv1': field 'bitwidth' is out of range"},
      {version0(R"("conv1":[{"bitwidth":8,"dtype":"float"}])"),
       act + "'conv1': real numbers of 8 bits are neither float16 nor float32"},
      {version0(R"("conv1":[{"dtype":"float"}])"), act + "'conv1': field 'bitwidth' is missing"},
      {version0(R"("conv1":[{"bitwidth":8,"dtype":"bool"}])"), act + "'conv1': field 'dtype' is neither int nor float"},
      {version0(R"("conv1":[{"bitwidth":8,"min":0}])"), act + "'conv1': field 'max' is missing"},
      {version0(R"("conv1":1)"), act + "'conv1': it is neither an object nor a list"},
      {version0(R"("conv1":[])"), act + "'conv1': the list is empty"},
      {version0(R"("conv1":{})"), act + "'conv1': it has none of the fields 'bw', 'bitwidth' and 'output_dtype'"},
      {version0("", R"("conv1":[{"bitwidth":8}])"),
       param + "'conv1': the tensor is an activation: its entry belongs into activation_encodings"},
      {version1(R"({"name":"conv1","bw":8,"is_sym":false,"scale":[0.5],"offset":[64]})"),
       act + "'conv1': offset 64 is positive: version 1 counts from -(2^bw - 1) to 0"},
      {version1(
           "",
           R"({"name":"w","enc_type":"PER_CHANNEL","bw":8,"is_sym":true,"scale":[1,1,1],"offset":[-128,-128,-128]})"),
       param + "'w': the encoding has 3 channels, axis 0 of [2, 3] has 2"},
      {version1("",
                R"({"name":"w","enc_type":"PER_CHANNEL","bw":8,"is_sym":false,"scale":[1,1],"offset":[-128,-100]})"),
       param + "'w': the channels of a parameter must be symmetric: real 0 is not in the middle of their grids"},
      {version1(R"({"name":"conv1","bw":2,"is_sym":false,"scale":[1],"offset":[-1],"zero_point_shift":[0.5]})"),
       act + "'conv1': zero points between two codes (field 'zero_point_shift') are not supported"},
      {version1(R"({"name":"conv*","enc_type":"PER_CHANNEL","bw":8,"is_sym":false,"scale":[1,1],"offset":[0,0]})"),
       act + "'conv*': a pattern gives whole tensors a grid, not channels"},
      {version2(R"({"name":"conv1","output_dtype":"float8e5m2","y_scale":1})"),
       "ov.json:1: encodings 'conv1': output_dtype 'float8e5m2' is not supported"},
      {version2(R"({"name":"conv1","output_dtype":"uint7","y_scale":1})"),
       "ov.json:1: encodings 'conv1': output_dtype 'uint7' is not one of int2, int4, int8, int16, int32, uint2, uint4, "
       "uint8 and uint16"},
      {version2(R"({"name":"conv1","output_dtype":"int8","axis":1,"block_size":2,"y_scale":[[1]]})"),
       "ov.json:1: encodings 'conv1': only constants with axes have block-wise scales"},
      {version1(R"({"name":"conv1","bw":8,"enc_type":"PER_ROW","is_sym":false,"scale":[1],"offset":[0]})"),
       act + "'conv1': enc_type 'PER_ROW' is not one of PER_TENSOR, PER_CHANNEL, PER_BLOCK and LPBQ"},
      {version1(R"({"name":"conv1","bw":8,"enc_type":["PER_TENSOR"],"is_sym":false,"scale":[1],"offset":[0]})"),
       act + "'conv1': field 'enc_type' is not a string"},
      {version0(R"("pre":[{"bitwidth":8,"min":-1,"max":1}])"),
       act + "'pre': the tensor is the input of Relu 'r', which is part of 'c2'; write the entry for 'conv2', or a "
             "width without a grid"},
      {version0("", R"("gamma":[{"bitwidth":8}])"),
       param + "'gamma': the tensor is a parameter of BatchNormalization 'bn'; write the entry for 'w'"},
      {version0(R"("dead":[{"bitwidth":8}])"), act + "'dead': the tensor is not needed for any output of the model"},
  };
  for (const Bad& file : bad) {
    EXPECT_EQ(error_of(file.text), file.message);
    const OverridesFile lenient = read(file.text, context(true));
    EXPECT_TRUE(lenient.overrides.empty()) << file.text;
    EXPECT_EQ(lenient.warnings, std::vector<std::string>{file.message});
  }
}

TEST(ReadOverrides, ChannelsOfDataAreCountedWhereItsShapeIsKnown) {
  const std::string text = version1(R"({"name":"conv1","bw":8,"is_sym":false,"scale":[1,1],"offset":[0,0]})");
  EXPECT_EQ(error_of(text), "none");
  OverrideContext known = context();
  known.targets.at("conv1").data_shape = Shape{1, 3};
  const auto file = read_overrides(text, "ov.json", known);
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().message,
            "ov.json:1: activation_encodings 'conv1': the encoding has 2 channels, axis 1 of [1, 3] has 3");
}

TEST(ReadOverrides, TwoTensorsThatMovedToOne) {
  const std::string text = version0(R"("pre":[{"bitwidth":16}],"bn":[{"bitwidth":8}])");
  EXPECT_EQ(error_of(text),
            "ov.json:1: activation_encodings 'bn', moved from 'bn': 'conv2' has the entry of another tensor that moved "
            "to it, ov.json:1: activation_encodings 'pre', moved from 'pre'");
  EXPECT_EQ(summary(read(text, context(true))), "conv2=16");
}

TEST(ReadOverrides, UnknownKeysOfEntries) {
  const std::vector<Bad> bad = {
      {version0(R"("conv1":[{"bitwidth":8,"is_symetric":"True"}])"),
       "ov.json:1: activation_encodings 'conv1': unknown key 'is_symetric', did you mean 'is_symmetric'?"},
      {version0(R"("conv1":[{"bitwidth":8,"name":"conv1"}])"),
       "ov.json:1: activation_encodings 'conv1': unknown key 'name'"},
      {version1(R"({"name":"conv1","bw":8,"dtype":"INT","block_size":4})"),
       "ov.json:1: activation_encodings 'conv1': unknown key 'block_size'"},
      {version2(R"({"name":"conv1","output_dtype":"int8","y_scale":1,"zero":0})"),
       "ov.json:1: encodings 'conv1': unknown key 'zero'"},
  };
  for (const Bad& file : bad) {
    EXPECT_EQ(error_of(file.text), file.message);
    const OverridesFile lenient = read(file.text, context(true));
    EXPECT_EQ(lenient.overrides.size(), 1U) << file.text;  // Only the key is skipped.
    EXPECT_EQ(lenient.warnings, std::vector<std::string>{file.message});
  }
}

}  // namespace
}  // namespace halfstep::io
