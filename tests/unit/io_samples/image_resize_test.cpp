// image_resize_test.cpp: contract under test: io/samples/image_resize.hpp. Against Pillow: tests/oracle/photos.py.
#include "io/samples/image_resize.hpp"

#include <gmock/gmock.h>

#include <random>

namespace halfstep::io {
namespace {

using testing::ElementsAre;

/// One row of gray levels, resized to `width`.
std::vector<std::uint8_t> row_of(const std::vector<std::uint8_t>& levels, std::int64_t width, PhotoFilter filter,
                                 Resampling resampling) {
  const Image image{.height = 1, .width = static_cast<std::int64_t>(levels.size()), .channels = 1, .pixels = levels};
  return resize(image, {1, width}, {0, 0, 1, width}, filter, resampling).pixels;
}

// From 4 pixels to 2, Pillow's triangle spans 4 pixels: pixel 0 of the result is at 1.0, with weights 1.5, 1.5, 0.5
// of 3.5 for the pixels at 0.5, 1.5, 2.5. OpenCV reads the two pixels beside the position alone.
TEST(Resize, PillowAntialiasesAndOpenCvDoesNot) {
  const std::vector<std::uint8_t> levels{0, 0, 210, 210};
  EXPECT_THAT(row_of(levels, 2, PhotoFilter::kBilinear, Resampling::kPillow), ElementsAre(30, 180));
  EXPECT_THAT(row_of(levels, 2, PhotoFilter::kBilinear, Resampling::kOpenCv), ElementsAre(0, 210));
}

// From 2 to 4: positions -0.25, 0.25, 0.75, 1.25 between pixel centres, the outer ones at the border.
TEST(Resize, BilinearEnlargesAlikeInBoth) {
  for (const Resampling resampling : {Resampling::kPillow, Resampling::kOpenCv}) {
    EXPECT_THAT(row_of({0, 100}, 4, PhotoFilter::kBilinear, resampling), ElementsAre(0, 25, 75, 100));
  }
}

// OpenCV, a = -0.75, at 0.25 behind pixel 1 of five: -0.10546875, 0.87890625, 0.26171875, -0.03515625.
TEST(Resize, BicubicOfOpenCv) {
  const std::vector<std::uint8_t> levels{0, 100, 200, 0, 0, 0, 0, 0};
  const auto row = row_of(levels, 16, PhotoFilter::kBicubic, Resampling::kOpenCv);
  EXPECT_EQ(row[3], 140);  // Position 1.25: 87.890625 + 52.34375 = 140.23.
}

TEST(Resize, AreaIsTheMeanOfWhatAPixelCovers) {
  // 3 pixels to 2: each covers one and a half.
  EXPECT_THAT(row_of({30, 60, 90}, 2, PhotoFilter::kArea, Resampling::kOpenCv), ElementsAre(40, 80));
  EXPECT_THAT(row_of({10, 20, 30, 40}, 2, PhotoFilter::kArea, Resampling::kOpenCv), ElementsAre(15, 35));
  EXPECT_THAT(row_of({10, 20, 30, 40}, 2, PhotoFilter::kArea, Resampling::kPillow), ElementsAre(15, 35));
}

TEST(Resize, NearestAsksAtTheCentreOrAtTheEdge) {
  EXPECT_THAT(row_of({1, 2, 3, 4}, 2, PhotoFilter::kNearest, Resampling::kPillow), ElementsAre(2, 4));
  EXPECT_THAT(row_of({1, 2, 3, 4}, 2, PhotoFilter::kNearest, Resampling::kOpenCv), ElementsAre(1, 3));
}

TEST(Resize, AWindowIsThatPartOfTheWhole) {
  std::mt19937 random(5);
  Image image = blank_image(37, 53, 3);
  for (std::uint8_t& level : image.pixels) level = static_cast<std::uint8_t>(random());
  for (const Resampling resampling : {Resampling::kPillow, Resampling::kOpenCv}) {
    for (const PhotoFilter filter :
         {PhotoFilter::kNearest, PhotoFilter::kBilinear, PhotoFilter::kBicubic, PhotoFilter::kArea}) {
      for (const PhotoSize size : {PhotoSize{20, 31}, PhotoSize{37, 53}, PhotoSize{80, 60}}) {
        const Image whole = resize(image, size, {0, 0, size.height, size.width}, filter, resampling);
        const Image part = resize(image, size, {5, 7, 11, 13}, filter, resampling);
        for (std::int64_t y = 0; y < 11; ++y) {
          const std::vector<std::uint8_t> ours(part.row(y), part.row(y) + 39);
          const std::vector<std::uint8_t> theirs(whole.row(y + 5) + 21, whole.row(y + 5) + 60);
          ASSERT_EQ(ours, theirs);
        }
        if (size == PhotoSize{37, 53}) {
          EXPECT_EQ(whole.pixels, image.pixels);
        }
      }
    }
  }
}

TEST(Resize, AConstantImageStaysConstant) {
  Image image = blank_image(19, 23, 3);
  std::ranges::fill(image.pixels, std::uint8_t{255});
  for (const Resampling resampling : {Resampling::kPillow, Resampling::kOpenCv}) {
    for (const PhotoFilter filter : {PhotoFilter::kBilinear, PhotoFilter::kBicubic, PhotoFilter::kArea}) {
      EXPECT_THAT(resize(image, {7, 50}, {0, 0, 7, 50}, filter, resampling).pixels, testing::Each(255));
    }
  }
}

}  // namespace
}  // namespace halfstep::io
