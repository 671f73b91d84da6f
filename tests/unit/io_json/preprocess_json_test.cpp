// preprocess_json_test.cpp: contract under test: io/json/preprocess_json.hpp.
#include "io/json/preprocess_json.hpp"

#include <gmock/gmock.h>

namespace halfstep::io {
namespace {

using testing::HasSubstr;

std::string error_of(const std::string& members) {
  const auto read = read_preprocess("{" + members + "}", "p.json");
  return read.ok() ? "ok" : read.error().message;
}

std::string with(const std::string& members) {
  return error_of(R"("resize": "stretch", "resampling": "pillow", )" + members);
}

TEST(PreprocessJson, EveryKeyIsReadAndWrittenBack) {
  const std::string text =
      R"({"size": [320, 640], "resize": "letterbox", "color": [1, 2, 3], "position": "top_left", "filter": "area",)"
      R"( "resampling": "opencv", "channels": "BGR", "mean": [123.675, 116.28, 103.53], "std": 57.12, "layout": "NHWC"})";
  const auto read = read_preprocess(text, "p.json");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->size, (PhotoSize{320, 640}));
  EXPECT_EQ(read->resize, PhotoResize::kLetterbox);
  EXPECT_EQ(read->color[2], 3);
  EXPECT_FALSE(read->centered);
  EXPECT_EQ(read->filter, PhotoFilter::kArea);
  EXPECT_EQ(read->resampling, Resampling::kOpenCv);
  EXPECT_EQ(read->channels, PhotoChannels::kBgr);
  EXPECT_EQ(read->mean[0], 123.675F);
  EXPECT_EQ(read->std[2], 57.12F);
  EXPECT_EQ(read->layout, PhotoLayout::kNhwc);
  const std::string written = write_preprocess(*read);
  EXPECT_THAT(written, HasSubstr(R"("mean":[123.675,116.28,103.53])"));
  EXPECT_EQ(*read_preprocess(written, "again"), *read);
}

TEST(PreprocessJson, OtherModesAreWrittenBack) {
  for (const char* members : {R"("resize": "crop", "shorter_side": 256, "resampling": "pillow", "scale": 0.0078125)",
                              R"("resize": "crop", "crop_fraction": 0.9, "resampling": "pillow", "channels": "gray")",
                              R"("resize": "letterbox", "color": 7, "resampling": "opencv", "channels": "gray")"}) {
    const auto read = read_preprocess("{" + std::string(members) + "}", "p.json");
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(*read_preprocess(write_preprocess(*read), "again"), *read) << members;
  }
}

TEST(PreprocessJson, MistakesAreNamed) {
  EXPECT_EQ(with(R"("mean": 1)"), "ok");
  EXPECT_EQ(error_of(""), "p.json: there is no key 'resize' (stretch, crop or letterbox)");
  EXPECT_THAT(error_of(R"("resize": "crop")"), HasSubstr("no key 'resampling'"));
  EXPECT_THAT(with(R"("maen": 1)"), HasSubstr("'maen', did you mean 'mean'?"));
  EXPECT_THAT(with(R"("filter": "cubic")"), HasSubstr("one of bilinear, bicubic, area, nearest"));
  EXPECT_THAT(with(R"("mean": [1, 2])"), HasSubstr("a list of 3"));
  EXPECT_THAT(with(R"("mean": [1, 2, 3], "channels": "gray")"), HasSubstr("a list of 1"));
  EXPECT_THAT(with(R"("mean": 1e300)"), HasSubstr("float32"));
  EXPECT_THAT(with(R"("std": 0)"), HasSubstr("other than 0"));
  EXPECT_THAT(with(R"("size": [0, 5])"), HasSubstr("from 1 to 16384"));
  EXPECT_THAT(with(R"("size": 224)"), HasSubstr("[height, width]"));
  EXPECT_THAT(with(R"("description": 5)"), HasSubstr("not a text"));
  EXPECT_THAT(read_preprocess("[]", "p.json").error().message, HasSubstr("not an object"));
  EXPECT_THAT(read_preprocess("{", "p.json").error().message, HasSubstr("not valid JSON"));
}

TEST(PreprocessJson, KeysWithoutEffectAreErrors) {
  EXPECT_THAT(with(R"("shorter_side": 256)"), HasSubstr("'shorter_side' has no effect without 'resize' being crop"));
  EXPECT_THAT(with(R"("crop_fraction": 0.5)"), HasSubstr("'crop_fraction' has no effect"));
  EXPECT_THAT(with(R"("color": 0)"), HasSubstr("'color' has no effect"));
  EXPECT_THAT(with(R"("position": "center")"), HasSubstr("'position' has no effect"));
  EXPECT_THAT(with(R"("std": 2, "scale": 2)"), HasSubstr("'std' has no effect"));
  EXPECT_THAT(error_of(R"("resize": "crop", "resampling": "pillow", "shorter_side": 9, "crop_fraction": 0.5)"),
              HasSubstr("'crop_fraction' has no effect without 'shorter_side' being left out"));
}

}  // namespace
}  // namespace halfstep::io
