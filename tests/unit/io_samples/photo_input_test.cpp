// photo_input_test.cpp: contract under test: io/samples/photo_input.hpp, photo_folder.hpp, npy_writer.hpp, and what
// sample_reader.hpp does with photos.
#include "io/samples/photo_input.hpp"

#include <gmock/gmock.h>

#include "io/samples/npy.hpp"
#include "io/samples/npy_writer.hpp"
#include "io/samples/photo_folder.hpp"
#include "io/samples/sample_reader.hpp"
#include "io/samples/text_lines.hpp"
#include "unit/io_samples/photo_files.hpp"
#include "unit/io_samples/temporary_folder.hpp"

namespace halfstep::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

InputSpec spec_of(std::vector<std::int64_t> extents, DType dtype = DType::kFloat32) {
  std::vector<DeclaredDim> dims;
  for (const std::int64_t extent : extents) dims.push_back({extent, ""});
  return {"x", dtype, std::move(dims), std::nullopt};
}

std::string told(const InputSpec& spec, const Preprocess& preprocess = {}) {
  const auto input = photo_input(spec, preprocess);
  if (!input.ok()) return input.error().message;
  return to_string(input->type) + (input->layout == PhotoLayout::kNchw ? " NCHW" : " NHWC");
}

/// 2 x 4: red and blue halves.
Image two_halves() {
  Image image = blank_image(2, 4, 3);
  for (std::int64_t y = 0; y < 2; ++y) {
    for (std::int64_t x = 0; x < 4; ++x) image.row(y)[3 * x + (x < 2 ? 0 : 2)] = 200;
  }
  return image;
}

TEST(PhotoInput, TheLayoutFollowsFromAPlainShape) {
  EXPECT_EQ(told(spec_of({1, 3, 8, 9})), "float32[1, 3, 8, 9] NCHW");
  EXPECT_EQ(told(spec_of({-1, 8, 9, 3})), "float32[1, 8, 9, 3] NHWC");
  EXPECT_EQ(told(spec_of({3, 8, 9}, DType::kUint8)), "uint8[3, 8, 9] NCHW");
  EXPECT_EQ(told(spec_of({1, 1, 8, 9}), {.channels = PhotoChannels::kGray}), "float32[1, 1, 8, 9] NCHW");
  EXPECT_THAT(told(spec_of({1, 3, 8, 3})), HasSubstr("does not tell where the channels are"));
  EXPECT_EQ(told(spec_of({1, 3, 8, 3}), {.layout = PhotoLayout::kNhwc}), "float32[1, 3, 8, 3] NHWC");
  EXPECT_THAT(told(spec_of({1, 1, 8, 9})), HasSubstr("makes 3 channels"));
}

TEST(PhotoInput, TheSizeComesFromTheInputOrTheFile) {
  EXPECT_EQ(told(spec_of({1, 3, -1, -1}), {.size = PhotoSize{5, 6}}), "float32[1, 3, 5, 6] NCHW");
  EXPECT_THAT(told(spec_of({1, 3, -1, -1})), HasSubstr("give --input_dim x"));
  EXPECT_THAT(told(spec_of({1, 3, 8, 9}), {.size = PhotoSize{5, 6}}), HasSubstr("makes photos of 5 x 6"));
  EXPECT_THAT(told(spec_of({1, 3, 8, 9}), {.resize = PhotoResize::kCrop, .shorter_side = 7}),
              HasSubstr("shorter side is 7"));
}

TEST(PhotoInput, WhatIsNoInputForPhotosIsRefused) {
  EXPECT_THAT(told(spec_of({1, 3, 8, 9}, DType::kInt64)), HasSubstr("photos become float32 or uint8"));
  EXPECT_THAT(told(spec_of({4, 3, 8, 9})), HasSubstr("is a batch of 4"));
  EXPECT_THAT(told(spec_of({1, 10})), HasSubstr("photos become [1, C, H, W]"));
  EXPECT_THAT(told({"x", DType::kFloat32, std::nullopt, std::nullopt}), HasSubstr("--input_dim x"));
}

TEST(PhotoInput, CropCutsTheCentre) {
  const auto input = photo_input(spec_of({1, 3, 2, 2}), {.resize = PhotoResize::kCrop, .crop_fraction = 1.0});
  const Image image = fitted(two_halves(), *input);
  EXPECT_THAT(image.pixels, ElementsAre(200, 0, 0, 0, 0, 200, 200, 0, 0, 0, 0, 200));
}

TEST(PhotoInput, LetterboxFillsTheRest) {
  Preprocess box{.resize = PhotoResize::kLetterbox, .color = {1, 2, 3}};
  const auto rows = [&] {
    const Image image = fitted(two_halves(), *photo_input(spec_of({1, 3, 4, 4}), box));
    std::vector<int> blues;
    for (std::int64_t y = 0; y < 4; ++y) blues.push_back(image.row(y)[2]);
    return blues;
  };
  EXPECT_THAT(rows(), ElementsAre(3, 0, 0, 3));
  box.centered = false;
  EXPECT_THAT(rows(), ElementsAre(0, 0, 3, 3));
}

TEST(PhotoInput, NumbersAndOrderOfChannels) {
  Image pixel = blank_image(1, 1, 3);
  pixel.pixels = {10, 20, 30};
  const Preprocess bgr{.channels = PhotoChannels::kBgr, .mean = {1, 2, 3}, .std = {2, 3, 4}};
  const auto input = photo_input(spec_of({1, 3, 1, 1}), bgr);
  const Tensor fed = tensor_of(fitted(pixel, *input), *input);
  EXPECT_THAT(fed.values<float>(), ElementsAre(29.0F / 2, 6.0F, 7.0F / 4));
  Preprocess scaled{.mean = {10, 10, 10}, .layout = PhotoLayout::kNhwc};
  scaled.scale = 0.5F;
  const auto by_scale = photo_input(spec_of({1, 1, 1, 3}), scaled);
  EXPECT_THAT(tensor_of(fitted(pixel, *by_scale), *by_scale).values<float>(), ElementsAre(0, 5, 10));
  const auto bytes = photo_input(spec_of({1, 1, 1, 3}, DType::kUint8), scaled);
  EXPECT_THAT(tensor_of(fitted(pixel, *bytes), *bytes).values<std::uint8_t>(), ElementsAre(10, 20, 30));
  const auto gray =
      photo_input(spec_of({1, 1, 1, 1}), {.channels = PhotoChannels::kGray, .layout = PhotoLayout::kNchw});
  EXPECT_THAT(tensor_of(fitted(pixel, *gray), *gray).values<float>(), ElementsAre(18));  // 2.99 + 11.74 + 3.42.
}

using PhotoFolderTest = TemporaryFolder;

TEST_F(PhotoFolderTest, IsSortedAndRecursiveAndLeavesOthersOut) {
  for (const char* name : {"b.png", "a/z.JPG", "a/b/c.jpeg", ".hidden.jpg", ".cache/x.jpg", "notes.txt"})
    write(name, "");
  const auto photos = read_photo_folder(folder().string() + "/");
  ASSERT_TRUE(photos.ok()) << photos.error().message;
  EXPECT_EQ(photos->list.text, "a/b/c.jpeg\na/z.JPG\nb.png\n");
  EXPECT_EQ(photos->list.path, folder());
  EXPECT_EQ(photos->num_others, 1);
  EXPECT_EQ(photos->list.place(photos->list.samples[1]), (folder() / "a/z.JPG").string());
}

TEST_F(PhotoFolderTest, WithoutPhotosOrNoFolder) {
  const auto file = write("sub/x.txt", "");
  EXPECT_THAT(read_photo_folder(folder()).error().message, HasSubstr("holds no .jpg"));
  EXPECT_THAT(read_photo_folder(file).error().message, HasSubstr("is no folder"));
  EXPECT_THAT(read_photo_folder(folder() / "absent").error().message, HasSubstr("no such folder"));
}

TEST_F(PhotoFolderTest, FoldersAreClasses) {
  for (const char* name : {"dog/1.jpg", "cat/deep/2.jpg", "cat/1.jpg"}) write(name, "");
  const auto labels = labels_from_folders(read_photo_folder(folder())->list);
  ASSERT_TRUE(labels.ok()) << labels.error().message;
  EXPECT_THAT(labels->classes, ElementsAre("cat", "dog"));
  EXPECT_THAT(labels->classes_of, ElementsAre(0, 0, 1));
  write("classes.txt", "ant\ndog\ncat\n");
  const auto named = labels_from_folders(read_photo_folder(folder())->list);
  ASSERT_TRUE(named.ok()) << named.error().message;
  EXPECT_THAT(named->classes_of, ElementsAre(2, 2, 1));
  EXPECT_EQ(read_photo_folder(folder())->num_others, 0);
  write("classes.txt", "dog\ncta\n");
  EXPECT_THAT(labels_from_folders(read_photo_folder(folder())->list).error().message,
              HasSubstr("does not name folder 'cat', did you mean 'cta'?"));
  write("classes.txt", "dog\ndog\n");
  EXPECT_THAT(labels_from_folders(read_photo_folder(folder())->list).error().message, HasSubstr("classes.txt:2"));
  write("loose.jpg", "");
  EXPECT_THAT(labels_from_folders(read_photo_folder(folder())->list).error().message, HasSubstr("loose.jpg"));
}

TEST_F(PhotoFolderTest, ReaderDecodesAndTellsOfAlpha) {
  write("a.png", png_of(1, 8, PNG_COLOR_TYPE_RGB, {"abc"}));
  write("b.png", png_of(1, 8, PNG_COLOR_TYPE_RGB_ALPHA, {"abcd"}));
  write("c.jpg", "no photo");
  const Preprocess plain{.layout = PhotoLayout::kNchw};
  const auto reader = SampleReader::make(read_photo_folder(folder())->list, {spec_of({1, 3, 1, 1})}, plain);
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EXPECT_THAT((*reader->read(0))[0].values<float>(), ElementsAre('a', 'b', 'c'));
  EXPECT_EQ(reader->warning(), "");
  EXPECT_THAT((*reader->read(1))[0].values<float>(), ElementsAre('a', 'b', 'c'));
  EXPECT_THAT(reader->warning(), HasSubstr("b.png: the photo has an alpha channel"));
  EXPECT_EQ(reader->read(2).error().message,
            folder().string() + ": input 'x': file '" + folder().string() + "/c.jpg' is neither JPEG nor PNG");
  EXPECT_THAT((**reader->picture(0)).pixels, ElementsAre('a', 'b', 'c'));
}

TEST_F(PhotoFolderTest, NpyFilesAreReadBack) {
  const Tensor tensor = Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  ASSERT_TRUE(write_npy(folder() / "t.npy", tensor.view()).ok());
  const InputSpec spec = spec_of({2, 3});
  EXPECT_TRUE(identical(*read_input(spec, folder() / "t.npy"), tensor));
  for (const Tensor& other : {Tensor::of<std::int64_t>({1}, {-7}), Tensor::of<std::uint8_t>({}, {9})}) {
    ASSERT_TRUE(write_npy(folder() / "o.npy", other.view()).ok());
    const InputSpec same{"x", other.dtype(), std::nullopt, other.shape()};
    EXPECT_TRUE(identical(*read_input(same, folder() / "o.npy"), other));
  }
}

}  // namespace
}  // namespace halfstep::io
