// sample_reader_test.cpp: contract under test: io/samples/sample_reader.hpp and input_spec.hpp.
#include "io/samples/sample_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/io_samples/temporary_folder.hpp"

namespace halfstep::io {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

InputSpec spec(std::vector<DeclaredDim> dims, DType dtype = DType::kFloat32) {
  return {"image", dtype, std::move(dims), std::nullopt};
}
DeclaredDim named(std::string symbol) { return {-1, std::move(symbol)}; }

std::string size_error(const InputSpec& s, std::uint64_t num_bytes) {
  const auto shape = shape_from_size(s, num_bytes);
  return shape.ok() ? to_string(*shape) : shape.error().message;
}

TEST(ShapeFromSize, KnownShapesMustMatch) {
  const InputSpec s = spec({{1, ""}, {1, ""}, {16, ""}, {16, ""}});
  EXPECT_EQ(size_error(s, 1024), "[1, 1, 16, 16]");
  EXPECT_EQ(size_error(s, 1000), "has 1000 bytes, expected 1024 (float32[1, 1, 16, 16])");
  EXPECT_EQ(size_error(s, 2048),
            "has 2048 bytes, expected 1024 (float32[1, 1, 16, 16]); shapes that would fit: [2, 1, 16, 16]");
  EXPECT_EQ(size_error(s, 256),
            "has 256 bytes, expected 1024 (float32[1, 1, 16, 16]); it has the size of uint8 elements, expected "
            "float32");
  EXPECT_EQ(size_error(spec({}), 4), "[]");
  EXPECT_EQ(size_error(spec({{0, ""}}), 0), "[0]");
}

TEST(ShapeFromSize, OneUnknownExtentIsSolved) {
  EXPECT_EQ(size_error(spec({named("N"), {3, ""}, {2, ""}}), 48), "[2, 3, 2]");
  EXPECT_EQ(size_error(spec({{1, ""}, {3, ""}, named("W")}), 24), "[1, 3, 2]");
  EXPECT_EQ(size_error(spec({named("N"), {3, ""}}), 10), "has 10 bytes, expected a multiple of 12 (float32[N, 3])");
  EXPECT_THAT(size_error(spec({named("N"), {3, ""}}), 0), HasSubstr("expected a multiple of 12"));
  EXPECT_THAT(size_error(spec({named("N"), {0, ""}}), 8), HasSubstr("expected a multiple of 0"));
}

TEST(ShapeFromSize, SeveralUnknownExtentsNeedTheOption) {
  EXPECT_EQ(size_error(spec({named("N"), {3, ""}, named("H"), {-1, ""}}), 4 * 3 * 64),
            "leaves several extents of float32[N, 3, H, ?] open: give --input_dim image N,3,H,? with numbers; shapes "
            "that would fit: [1, 3, 8, 8], [1, 3, 1, 64]");
  InputSpec fixed = spec({named("N"), {3, ""}, named("H"), named("W")});
  fixed.fixed = Shape{1, 3, 4, 16};
  EXPECT_EQ(size_error(fixed, 4 * 3 * 64), "[1, 3, 4, 16]");
  EXPECT_EQ(size_error({"image", DType::kFloat32, std::nullopt, std::nullopt}, 4),
            "has no declared shape to fit: give --input_dim image and the extents");
}

TEST(ShapeFromSize, DoesNotOverflow) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  EXPECT_THAT(size_error(spec({{kMax, ""}, {kMax, ""}}), 4), HasSubstr("too large"));
  EXPECT_THAT(size_error(spec({{0, ""}, {kMax, ""}, {kMax, ""}}), 0), HasSubstr("larger than the limit"));
  EXPECT_THAT(size_error(spec({named("N")}), std::numeric_limits<std::uint64_t>::max()), HasSubstr("more than"));
}

TEST(DefaultShape, BatchDefaultsToOne) {
  EXPECT_EQ(*default_shape(spec({named("N"), {3, ""}})), (Shape{1, 3}));
  EXPECT_THAT(default_shape(spec({named("N"), named("C")})).error().message,
              EndsWith("give --input_dim image N,C with numbers"));
}

class SampleReaderTest : public TemporaryFolder {
 protected:
  Result<SampleReader> reader(std::string_view text, std::vector<InputSpec> specs) const {
    auto list = parse_input_list(text, folder() / "calib.txt");
    if (!list.ok()) return list.error();
    return SampleReader::make(*std::move(list), std::move(specs));
  }
  std::string error_of(std::string_view text, std::vector<InputSpec> specs) const {
    const auto made = reader(text, std::move(specs));
    std::string message = "ok";
    if (!made.ok()) {
      message = made.error().message;
    } else if (const auto tensors = made->read(0); !tensors.ok()) {
      message = tensors.error().message;
    }
    const std::string prefix = folder().string() + "/";
    for (auto at = message.find(prefix); at != std::string::npos; at = message.find(prefix)) {
      message.erase(at, prefix.size());
    }
    return message;
  }
};

TEST_F(SampleReaderTest, ReadsRawFilesByNameAndByPosition) {
  write("a.raw", bytes_of<float>({1, 2}));
  write("b.raw", bytes_of<std::int64_t>({7}));
  const std::vector<InputSpec> specs = {{"x", DType::kFloat32, {{named("N")}}, std::nullopt},
                                        {"y", DType::kInt64, {{{1, ""}}}, std::nullopt}};
  for (const char* text : {"y:=b.raw x:=a.raw", "a.raw b.raw"}) {
    const auto made = reader(text, specs);
    ASSERT_TRUE(made.ok()) << made.error().message;
    EXPECT_EQ(made->num_samples(), 1);
    const auto tensors = made->read(0);
    ASSERT_TRUE(tensors.ok()) << tensors.error().message;
    EXPECT_THAT((*tensors)[0].values<float>(), ElementsAre(1, 2));
    EXPECT_THAT((*tensors)[1].values<std::int64_t>(), ElementsAre(7));
  }
}

TEST_F(SampleReaderTest, ErrorsNameListLineInputAndFile) {
  write("a.raw", std::string(1000, 'x'));
  EXPECT_EQ(error_of("\n\na.raw", {spec({{1, ""}, {1, ""}, {16, ""}, {16, ""}})}),
            "calib.txt:3: input 'image': file 'a.raw' has 1000 bytes, expected 1024 (float32[1, 1, 16, 16])");
}

TEST_F(SampleReaderTest, FilesAndInputsMustMatch) {
  write("a.raw", "");
  const InputSpec x{"left", DType::kFloat32, {{{1, ""}}}, std::nullopt};
  const InputSpec y{"right", DType::kFloat32, {{{1, ""}}}, std::nullopt};
  EXPECT_EQ(error_of("a.raw", {x, y}), "calib.txt:1: names 1 file, the model has 2 inputs ('left', 'right')");
  EXPECT_EQ(error_of("left:=a.raw", {x, y}), "calib.txt:1: input 'right' is missing");
  EXPECT_EQ(error_of("left:=a.raw rigth:=a.raw", {x, y}),
            "calib.txt:1: the model has no input 'rigth', did you mean 'right'?");
  EXPECT_EQ(error_of("left:=a.raw left:=a.raw", {x, y}), "calib.txt:1: input 'left' is given twice");
}

TEST_F(SampleReaderTest, BoolsMustBeZeroOrOne) {
  write("a.raw", std::string_view("\0\1", 2));
  write("b.raw", std::string_view("\0\2", 2));
  EXPECT_EQ(error_of("a.raw", {spec({{2, ""}}, DType::kBool)}), "ok");
  EXPECT_THAT(error_of("b.raw", {spec({{2, ""}}, DType::kBool)}), HasSubstr("has at byte 1 neither 0 nor 1"));
}

TEST_F(SampleReaderTest, FilesThatVanishOrAreFoldersAreErrors) {
  const auto path = write("a.raw", "1234");
  const auto made = reader("a.raw", {spec({{1, ""}})});
  ASSERT_TRUE(made.ok());
  std::filesystem::remove(path);
  ASSERT_FALSE(made->read(0).ok());
  EXPECT_THAT(made->read(0).error().message, EndsWith("a.raw': no such file"));
  std::filesystem::create_directory(path);
  ASSERT_FALSE(made->read(0).ok());
  EXPECT_THAT(made->read(0).error().message, EndsWith("a.raw': not a regular file"));
}

TEST_F(SampleReaderTest, NpyShapesMustFit) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }";
  const std::string file =
      std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header + bytes_of<float>({3, 4});
  write("a.NPY", file);
  EXPECT_EQ(error_of("a.NPY", {spec({named("N"), {1, ""}})}), "ok");
  EXPECT_EQ(error_of("a.NPY", {spec({{1, ""}, {2, ""}})}),
            "calib.txt:1: input 'image': file 'a.NPY' has shape [2, 1], expected float32[1, 2]");
  EXPECT_EQ(error_of("a.NPY", {{"image", DType::kFloat32, std::nullopt, std::nullopt}}), "ok");
}

}  // namespace
}  // namespace halfstep::io
