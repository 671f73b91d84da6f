// npy_test.cpp: contract under test: io/samples/npy.hpp.
#include "io/samples/npy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "unit/io_samples/temporary_folder.hpp"

namespace halfstep::io {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string npy(const std::string& dictionary, const std::string& data, int version = 1) {
  std::string file = "\x93NUMPY";
  file += static_cast<char>(version);
  file += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) file += static_cast<char>(dictionary.size() >> (8 * i));
  return file + dictionary + data;
}

std::string header(const std::string& descr, const std::string& shape, const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }          \n";
}

Result<Tensor> parse(const std::string& file, DType dtype) { return parse_npy(std::as_bytes(std::span(file)), dtype); }

std::vector<float> floats_of(const std::string& file, DType dtype = DType::kFloat32) {
  const auto tensor = parse(file, dtype);
  EXPECT_TRUE(tensor.ok()) << tensor.error().message;
  return tensor.ok() ? to_floats(tensor->view()) : std::vector<float>();
}

std::string error_of(const std::string& file, DType dtype = DType::kFloat32) {
  const auto tensor = parse(file, dtype);
  return tensor.ok() ? "ok" : tensor.error().message;
}

TEST(Npy, EveryVersionAndLayoutOfTheHeader) {
  const std::string data = bytes_of<float>({1, 2});
  for (int version : {1, 2, 3}) EXPECT_THAT(floats_of(npy(header("<f4", "(2,)"), data, version)), ElementsAre(1, 2));
  EXPECT_THAT(floats_of(npy("{\"shape\":(1L,2L),\"descr\":\"<f4\",\"fortran_order\":False}", data)), ElementsAre(1, 2));
  EXPECT_EQ(parse(npy(header("<f4", "()"), bytes_of<float>({5})), DType::kFloat32)->shape(), Shape{});
  EXPECT_EQ(parse(npy(header("<f4", "(0, 3)"), ""), DType::kFloat32)->shape(), (Shape{0, 3}));
}

TEST(Npy, FortranOrderIsTurnedRowMajor) {
  // Rows (1, 2, 3) and (4, 5, 6), stored column by column.
  const std::string file = npy(header("<f4", "(2, 3)", "True"), bytes_of<float>({1, 4, 2, 5, 3, 6}));
  EXPECT_THAT(floats_of(file), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(Npy, HalvesAreExact) {
  // 1, -2, the smallest subnormal, the largest finite, infinity, -0.
  const std::vector<std::uint16_t> halves = {0x3C00, 0xC000, 0x0001, 0x7BFF, 0x7C00, 0x8000};
  const auto values = floats_of(npy(header("<f2", "(6,)"), bytes_of(halves)));
  EXPECT_THAT(values, ElementsAre(1, -2, 0x1p-24F, 65504, std::numeric_limits<float>::infinity(), 0));
  EXPECT_TRUE(std::signbit(values[5]));
}

TEST(Npy, DoublesAreRoundedButStayFinite) {
  EXPECT_THAT(floats_of(npy(header("<f8", "(2,)"), bytes_of<double>({0.1, -1e-60}))), ElementsAre(0.1F, 0));
  EXPECT_THAT(error_of(npy(header("<f8", "(2,)"), bytes_of<double>({0, 1e39}))),
              HasSubstr("holds at element 1 a value (of type f8) that is not exact as float32"));
}

TEST(Npy, OtherConversionsKeepEveryValueExactly) {
  EXPECT_THAT(floats_of(npy(header("|u1", "(2,)"), bytes_of<std::uint8_t>({0, 255}))), ElementsAre(0, 255));
  EXPECT_THAT(floats_of(npy(header("<i4", "(1,)"), bytes_of<std::int32_t>({-(1 << 24)}))), ElementsAre(-16777216.0F));
  EXPECT_NE(error_of(npy(header("<i4", "(1,)"), bytes_of<std::int32_t>({(1 << 24) + 1}))), "ok");
  EXPECT_THAT(floats_of(npy(header("|b1", "(2,)"), std::string("\1\0", 2))), ElementsAre(1, 0));
  EXPECT_THAT(floats_of(npy(header("<f4", "(2,)"), bytes_of<float>({-128, 127})), DType::kInt8),
              ElementsAre(-128, 127));
  EXPECT_NE(error_of(npy(header("<f4", "(1,)"), bytes_of<float>({0.5F})), DType::kInt8), "ok");
  EXPECT_NE(error_of(npy(header("<f4", "(1,)"), bytes_of<float>({128})), DType::kInt8), "ok");
  EXPECT_NE(
      error_of(npy(header("<f4", "(1,)"), bytes_of<float>({std::numeric_limits<float>::quiet_NaN()})), DType::kInt64),
      "ok");
  EXPECT_NE(error_of(npy(header("<f4", "(1,)"), bytes_of<float>({0x1p63F})), DType::kInt64), "ok");
  EXPECT_NE(error_of(npy(header("<i8", "(1,)"), bytes_of<std::int64_t>({-1})), DType::kUint64), "ok");
  EXPECT_NE(error_of(npy(header("<u2", "(1,)"), bytes_of<std::uint16_t>({2})), DType::kBool), "ok");
}

TEST(Npy, MalformedFilesAreErrors) {
  const std::string good = npy(header("<f4", "(2,)"), bytes_of<float>({1, 2}));
  for (std::size_t length = 0; length < good.size(); ++length) EXPECT_NE(error_of(good.substr(0, length)), "ok");
  EXPECT_THAT(error_of(good + "x"), HasSubstr("holds 9 bytes after its .npy header, which announces 8"));
  EXPECT_THAT(error_of(npy(header(">f4", "(2,)"), std::string(8, 'x'))), HasSubstr("has element type '>f4'"));
  EXPECT_NE(error_of(npy(header("<c8", "(1,)"), std::string(8, 'x'))), "ok");
  EXPECT_NE(error_of(npy(header("<f1", "(8,)"), std::string(8, 'x'))), "ok");
  EXPECT_NE(error_of(npy(header("|O", "(1,)"), std::string(8, 'x'))), "ok");
  EXPECT_NE(error_of(npy(header("<f4", "(-2,)"), std::string(8, 'x'))), "ok");
  EXPECT_NE(error_of(npy(header("<f4", "(9223372036854775807, 2, 0)"), "")), "ok");
  EXPECT_NE(error_of(npy(header("<f4", "(99999999999999999999,)"), "")), "ok");
  EXPECT_NE(error_of(npy(header("<f4", "(0, 8000000000, 8000000000, 8000000000)"), "")), "ok");
  EXPECT_THAT(error_of(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "1234")),
              HasSubstr("structured"));
  EXPECT_NE(error_of(npy("{'descr': '<f4', 'shape': (2,)}", bytes_of<float>({1, 2}))), "ok");
  EXPECT_NE(error_of(npy("", bytes_of<float>({1, 2}))), "ok");
}

}  // namespace
}  // namespace halfstep::io
