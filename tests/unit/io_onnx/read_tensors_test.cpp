// read_tensors_test.cpp: every storage form of tensors, and data that does not fit.
#include <gmock/gmock.h>

#include "reader_support.hpp"

namespace halfstep::io {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A graph whose only node reads the initializer 'w' under test.
Result<ReadModel> read_with(const std::string& initializer) {
  return read_graph("initializer { name: 'w' " + initializer +
                    "} node { op_type: 'Identity' input: 'w' output: 'y' } " + output_text("y"));
}

Tensor weight(const std::string& initializer) {
  const auto model = read_with(initializer);
  EXPECT_TRUE(model.ok()) << error_of(model);
  return model.ok() ? constant_named(model->graph, "w") : Tensor();
}

TEST(ReadTensors, RawAndTypedFloatsAreTheSame) {
  const Tensor raw = weight(R"(data_type: 1 dims: 2 raw_data: "\000\000\200\077\000\000\000\300")");
  const Tensor typed = weight("data_type: 1 dims: 2 float_data: 1 float_data: -2");
  EXPECT_THAT(raw.values<float>(), ElementsAre(1.0F, -2.0F));
  EXPECT_TRUE(identical(raw, typed));
}

TEST(ReadTensors, NarrowIntegersLieInInt32Data) {
  EXPECT_THAT(weight("data_type: 3 dims: 2 int32_data: -128 int32_data: 127").values<std::int8_t>(),
              ElementsAre(-128, 127));
  EXPECT_THAT(weight("data_type: 2 dims: 1 int32_data: 255").values<std::uint8_t>(), ElementsAre(255));
  EXPECT_THAT(weight("data_type: 4 dims: 1 int32_data: 65535").values<std::uint16_t>(), ElementsAre(65535));
  EXPECT_THAT(weight("data_type: 5 dims: 1 int32_data: -32768").values<std::int16_t>(), ElementsAre(-32768));
  EXPECT_THAT(weight("data_type: 9 dims: 2 int32_data: 0 int32_data: 1").values<bool>(), ElementsAre(false, true));
  EXPECT_THAT(weight("data_type: 12 dims: 1 uint64_data: 4294967295").values<std::uint32_t>(),
              ElementsAre(4294967295U));
  EXPECT_THAT(weight("data_type: 7 dims: 1 int64_data: -5").values<std::int64_t>(), ElementsAre(-5));
}

TEST(ReadTensors, BoolBytesBecomeZeroOrOne) {
  EXPECT_THAT(weight(R"(data_type: 9 dims: 3 raw_data: "\000\001\377")").values<bool>(),
              ElementsAre(false, true, true));
}

TEST(ReadTensors, OtherFloatsBecomeFloat32) {
  // float16: 1.5, -infinity, the smallest subnormal.
  const Tensor half = weight("data_type: 10 dims: 3 int32_data: 0x3e00 int32_data: 0xfc00 int32_data: 1");
  EXPECT_THAT(half.values<float>(), ElementsAre(1.5F, -std::numeric_limits<float>::infinity(), 0x1p-24F));
  EXPECT_THAT(weight(R"(data_type: 10 dims: 1 raw_data: "\000\076")").values<float>(), ElementsAre(1.5F));
  EXPECT_THAT(weight(R"(data_type: 16 dims: 1 raw_data: "\300\077")").values<float>(), ElementsAre(1.5F));
  EXPECT_THAT(weight("data_type: 11 dims: 2 double_data: 0.5 double_data: 1e300").values<float>(),
              ElementsAre(0.5F, std::numeric_limits<float>::infinity()));
}

TEST(ReadTensors, PackedIntegersAreWidened) {
  const auto model = read_with(R"(data_type: 22 dims: 3 raw_data: "\370\007")");
  ASSERT_TRUE(model.ok()) << error_of(model);
  const graph::ValueId id = graph::find_value(model->graph, "w");
  EXPECT_EQ(model->graph.value(id).narrow_bits, 4);
  EXPECT_THAT(model->graph.value(id).constant->values<std::int8_t>(), ElementsAre(-8, -1, 7));
  EXPECT_THAT(weight("data_type: 21 dims: 3 int32_data: 0xf8 int32_data: 7").values<std::uint8_t>(),
              ElementsAre(8, 15, 7));
  EXPECT_THAT(weight(R"(data_type: 26 dims: 4 raw_data: "\344")").values<std::int8_t>(), ElementsAre(0, 1, -2, -1));
}

TEST(ReadTensors, SizesAreCheckedBeforeTheyAreBelieved) {
  EXPECT_EQ(error_of(read_with(R"(data_type: 1 dims: 3 raw_data: "1234")")),
            "invalid: initializer 'w' has 4 bytes of data, its shape [3] needs 12");
  EXPECT_EQ(error_of(read_with("data_type: 1 dims: 3 float_data: 1")),
            "invalid: initializer 'w' has data for 1 elements, its shape [3] needs 3");
  EXPECT_THAT(error_of(read_with("data_type: 1 dims: -1")), HasSubstr("negative extent"));
  EXPECT_THAT(error_of(read_with("data_type: 1 dims: 4611686018427387904 dims: 4")), HasSubstr("limit of 8 GiB"));
  EXPECT_THAT(error_of(read_with("data_type: 1 dims: 1000000000")), HasSubstr("needs 1000000000"));
}

TEST(ReadTensors, StringsAndUnknownTypesAreUnsupported) {
  EXPECT_EQ(error_of(read_with("data_type: 8 dims: 1 string_data: 'a'")),
            "unsupported: initializer 'w' has element type string, which is not supported");
  EXPECT_THAT(error_of(read_with("data_type: 17 dims: 1")), HasSubstr("float8e4m3fn"));
  EXPECT_THAT(error_of(read_with("data_type: 99 dims: 1")), HasSubstr("type 99"));
  EXPECT_THAT(error_of(read_with("dims: 1")), HasSubstr("has no element type"));
}

// External data.

std::string external_model(const std::string& entries) {
  return model_bytes(model_text("initializer { name: 'w' data_type: 1 dims: 2 data_location: EXTERNAL " + entries +
                                "} node { op_type: 'Identity' input: 'w' output: 'y' } " + output_text("y")));
}

std::string entry(const std::string& key, const std::string& value) {
  return "external_data { key: '" + key + "' value: '" + value + "' } ";
}

class ReadExternalTensors : public ::testing::Test {
 protected:
  std::string error_with(const std::string& entries) {
    return error_of(read_onnx(folder_.write("m.onnx", external_model(entries))));
  }
  const std::string floats_ = std::string("\x00\x00\x80\x3f\x00\x00\x00\xc0", 8);
  TemporaryFolder folder_;
};

TEST_F(ReadExternalTensors, AreSharedOrCopiedByAlignment) {
  folder_.write("w.bin", "xxxx" + floats_ + "y" + floats_);
  for (const char* offset : {"4", "13"}) {
    const auto model = read_onnx(folder_.write(
        "m.onnx", external_model(entry("location", "w.bin") + entry("offset", offset) + entry("length", "8"))));
    ASSERT_TRUE(model.ok()) << error_of(model);
    EXPECT_THAT(constant_named(model->graph, "w").values<float>(), ElementsAre(1.0F, -2.0F));
  }
}

TEST_F(ReadExternalTensors, StayInsideTheFolder) {
  EXPECT_THAT(error_with(entry("location", "/etc/passwd")), HasSubstr("is an absolute path"));
  EXPECT_THAT(error_with(entry("location", "a/../../w.bin")), HasSubstr("'..'"));
  EXPECT_THAT(error_with(entry("location", "missing.bin")), HasSubstr("is missing in the model's folder"));
  std::filesystem::create_symlink("/etc/passwd", folder_.path() / "link");
  EXPECT_THAT(error_with(entry("location", "link")), HasSubstr("a link that leads out"));
  std::filesystem::create_directory(folder_.path() / "sub");
  EXPECT_THAT(error_with(entry("location", "sub")), HasSubstr("not a regular file"));
  EXPECT_THAT(error_with(""), HasSubstr("is not a file name"));
}

TEST_F(ReadExternalTensors, FitTheirFile) {
  folder_.write("w.bin", floats_);
  EXPECT_THAT(error_with(entry("location", "w.bin") + entry("offset", "4")),
              HasSubstr("'w.bin' has 8 bytes, expected 8 at offset 4"));
  EXPECT_THAT(error_with(entry("location", "w.bin") + entry("length", "4")), HasSubstr("its shape needs 8"));
  EXPECT_THAT(error_with(entry("location", "w.bin") + entry("offset", "-4")), HasSubstr("expected a count of bytes"));
  EXPECT_THAT(error_with(entry("location", "w.bin") + entry("offset", "9223372036854775807")), HasSubstr("at offset"));
}

TEST_F(ReadExternalTensors, NeedAFile) {
  EXPECT_THAT(error_of(read_bytes(external_model(entry("location", "w.bin")))),
              HasSubstr("needs the model to be a file"));
}

}  // namespace
}  // namespace halfstep::io
