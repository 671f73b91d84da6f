// image_test.cpp: contract under test: io/samples/image.hpp and image_exif.hpp. Against Pillow: tests/oracle/photos.py.
#include "io/samples/image.hpp"

#include <gmock/gmock.h>

#include "io/samples/image_exif.hpp"
#include "unit/io_samples/photo_files.hpp"

namespace halfstep::io {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

/// 2 x 3 gray pixels, 1 to 6.
Image six_pixels() { return {.height = 2, .width = 3, .channels = 1, .pixels = {1, 2, 3, 4, 5, 6}}; }

std::string error_of(const std::string& file) {
  const auto decoded = decode_image(as_file(file));
  return decoded.ok() ? "ok" : decoded.error().message;
}

TEST(Image, PhotosAreToldByTheirNames) {
  for (const char* name : {"a.jpg", "b.JPEG", "c/d.Png"}) EXPECT_TRUE(is_photo(name)) << name;
  for (const char* name : {"a.raw", "jpg", "a.jpg.npy", "a.jpgx"}) EXPECT_FALSE(is_photo(name)) << name;
}

TEST(Image, EachOrientationPutsTheFirstPixelWhereItBelongs) {
  EXPECT_THAT(oriented(six_pixels(), 1).pixels, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(oriented(six_pixels(), 2).pixels, ElementsAre(3, 2, 1, 6, 5, 4));
  EXPECT_THAT(oriented(six_pixels(), 3).pixels, ElementsAre(6, 5, 4, 3, 2, 1));
  EXPECT_THAT(oriented(six_pixels(), 4).pixels, ElementsAre(4, 5, 6, 1, 2, 3));
  EXPECT_THAT(oriented(six_pixels(), 5).pixels, ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_THAT(oriented(six_pixels(), 6).pixels, ElementsAre(4, 1, 5, 2, 6, 3));
  EXPECT_THAT(oriented(six_pixels(), 7).pixels, ElementsAre(6, 3, 5, 2, 4, 1));
  EXPECT_THAT(oriented(six_pixels(), 8).pixels, ElementsAre(3, 6, 2, 5, 1, 4));
  EXPECT_EQ(oriented(six_pixels(), 6).height, 3);
}

TEST(Image, OrientationIsReadInBothOrdersOfBytes) {
  for (const bool big_endian : {false, true}) {
    const std::string segment = exif_segment(6, big_endian);
    EXPECT_EQ(exif_orientation(exif_of_app1(as_file(segment))), 6);
    for (std::size_t length = 0; length < segment.size(); ++length) {
      const std::string cut = segment.substr(0, length);  // Any answer, but no read beyond the end.
      const int orientation = exif_orientation(exif_of_app1(as_file(cut)));
      EXPECT_TRUE(orientation == 1 || orientation == 6);
    }
  }
  EXPECT_EQ(exif_orientation(exif_of_app1(as_file(exif_segment(9)))), 1);
  EXPECT_TRUE(exif_of_app1(as_file("http://something else")).empty());
}

TEST(Image, JpegsAreDecodedAndTurned) {
  const auto plain = decode_image(as_file(jpeg_of(20, 33, 200)));
  ASSERT_TRUE(plain.ok()) << plain.error().message;
  EXPECT_EQ(plain->image.height, 20);
  EXPECT_EQ(plain->image.width, 33);
  EXPECT_THAT(plain->image.pixels, Each(200));
  const auto turned = decode_image(as_file(jpeg_of(20, 33, 9, {.progressive = true, .app1 = exif_segment(8)})));
  ASSERT_TRUE(turned.ok()) << turned.error().message;
  EXPECT_EQ(turned->image.height, 33);
  const auto gray = decode_image(as_file(jpeg_of(8, 8, 77, {.space = JCS_GRAYSCALE, .components = 1})));
  ASSERT_TRUE(gray.ok()) << gray.error().message;
  EXPECT_EQ(gray->image.channels, 1);
  EXPECT_THAT(gray->image.pixels, Each(77));
}

TEST(Image, CmykIsRefusedWithAWord) {
  EXPECT_THAT(error_of(jpeg_of(8, 8, 77, {.space = JCS_CMYK, .components = 4})), HasSubstr("CMYK"));
}

TEST(Image, CutAndDamagedJpegsAreErrors) {
  for (const bool progressive : {false, true}) {
    const std::string whole = jpeg_of(64, 64, 100, {.progressive = progressive});
    for (std::size_t length = 3; length + 2 < whole.size(); length += 7) {
      EXPECT_THAT(error_of(whole.substr(0, length)), HasSubstr("cannot be decoded as JPEG")) << length;
    }
  }
  std::string damaged = jpeg_of(64, 64, 100);
  damaged[damaged.size() - 20] = '\xFF';
  damaged[damaged.size() - 19] = '\xC0';
  EXPECT_NE(error_of(damaged), "ok");
}

TEST(Image, AHugeSizeIsRefusedBeforeItIsAllocated) {
  std::string jpeg = jpeg_of(8, 8, 0);
  const std::size_t frame = jpeg.find("\xFF\xC0");
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, "\xFE\xFE\xFE\xFE");
  EXPECT_THAT(error_of(jpeg), HasSubstr("65278 x 65278 pixels"));
  EXPECT_FALSE(check_image_size(0, 5).ok());
  EXPECT_TRUE(check_image_size(kMaxImagePixels, 1).ok());
  EXPECT_FALSE(check_image_size(kMaxImagePixels, 2).ok());
}

TEST(Image, EveryKindOfPngBecomesEightBits) {
  const auto pixels = [](const std::string& file) { return decode_image(as_file(file))->image.pixels; };
  EXPECT_THAT(pixels(png_of(2, 8, PNG_COLOR_TYPE_RGB, {"abcdef"})), ElementsAre('a', 'b', 'c', 'd', 'e', 'f'));
  EXPECT_THAT(pixels(png_of(1, 16, PNG_COLOR_TYPE_RGB,
                            {std::string("a\xFF"
                                         "b\0c\x80",
                                         6)})),
              ElementsAre('a', 'b', 'c'));
  EXPECT_THAT(pixels(png_of(2, 16, PNG_COLOR_TYPE_GRAY, {"a1b2"})), ElementsAre('a', 'b'));
  EXPECT_THAT(pixels(png_of(4, 1, PNG_COLOR_TYPE_GRAY, {"\x50"})), ElementsAre(0, 255, 0, 255));
  EXPECT_THAT(pixels(png_of(2, 4, PNG_COLOR_TYPE_GRAY, {"\x1F"})), ElementsAre(0x11, 0xFF));
}

TEST(Image, AlphaIsDroppedAndTold) {
  const auto rgba = decode_image(as_file(png_of(1, 8, PNG_COLOR_TYPE_RGB_ALPHA, {std::string("abc\0", 4)})));
  ASSERT_TRUE(rgba.ok());
  EXPECT_THAT(rgba->image.pixels, ElementsAre('a', 'b', 'c'));
  EXPECT_TRUE(rgba->dropped_alpha);
  const auto gray = decode_image(as_file(png_of(2, 8, PNG_COLOR_TYPE_GRAY_ALPHA, {"a1b2"})));
  EXPECT_THAT(gray->image.pixels, ElementsAre('a', 'b'));
  EXPECT_TRUE(gray->dropped_alpha);
  EXPECT_FALSE(decode_image(as_file(png_of(1, 8, PNG_COLOR_TYPE_RGB, {"abc"})))->dropped_alpha);
}

TEST(Image, InterlacedPngs) {
  const std::vector<std::string> rows{"abcdefghi", "jklmnopqr", "stuvwxyz."};
  const auto plain = decode_image(as_file(png_of(3, 8, PNG_COLOR_TYPE_RGB, rows)));
  const auto interlaced = decode_image(as_file(png_of(3, 8, PNG_COLOR_TYPE_RGB, rows, PNG_INTERLACE_ADAM7)));
  ASSERT_TRUE(plain.ok() && interlaced.ok());
  EXPECT_EQ(plain->image.pixels, interlaced->image.pixels);
}

TEST(Image, CutPngsAndOtherFormatsAreErrors) {
  const std::string whole = png_of(3, 8, PNG_COLOR_TYPE_RGB, {"abcdefghi", "jklmnopqr"});
  for (std::size_t length = 8; length < whole.size(); ++length) {
    EXPECT_THAT(error_of(whole.substr(0, length)), HasSubstr("cannot be decoded as PNG")) << length;
  }
  EXPECT_EQ(error_of(""), "is empty");
  EXPECT_THAT(error_of("RIFF1234WEBPVP8 "), HasSubstr("WebP"));
  EXPECT_EQ(error_of("nothing known"), "is neither JPEG nor PNG");
}

// Room for an interlaced image is made before its pixels come.
TEST(Image, PngsThatAreTooShortForTheirPixelsAreErrors) {
  const std::vector<std::string> black(2000, std::string(2000, '\0'));
  const std::string whole = png_of(2000, 8, PNG_COLOR_TYPE_GRAY, black, PNG_INTERLACE_ADAM7);
  EXPECT_EQ(decode_image(as_file(whole))->image.pixels, std::vector<std::uint8_t>(2000 * 2000, 0));
  const std::string other = png_of(3, 8, PNG_COLOR_TYPE_GRAY, {"abc"}, PNG_INTERLACE_ADAM7);
  constexpr std::size_t kHeader = 33;
  EXPECT_EQ(error_of(whole.substr(0, kHeader) + other.substr(kHeader)),
            "cannot be decoded as PNG (the file is too short for its pixels)");
}

TEST(Image, WrittenPngsAreReadBack) {
  Image image = blank_image(3, 5, 3);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i * 5);
  const auto png = encode_png(image);
  ASSERT_TRUE(png.ok()) << png.error().message;
  EXPECT_EQ(decode_image(as_file(*png))->image.pixels, image.pixels);
  EXPECT_EQ(*encode_png(image), *png);
  EXPECT_EQ(decode_image(as_file(*encode_png(six_pixels())))->image.pixels, six_pixels().pixels);
}

}  // namespace
}  // namespace halfstep::io
