// Contract under test: pipeline/score_cache.hpp.
#include "pipeline/score_cache.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "io/json/sensitivity_results.hpp"
#include "unit/exec/temporary_environment.hpp"

namespace halfstep::pipeline {
namespace {

using exec::TemporaryEnvironment;
using testing::HasSubstr;
namespace fs = std::filesystem;

const OutputScore kPlain{.sqnr_db = 1.0 / 3.0};
const OutputScore kFull{-12.5, 99.5, 71.0 / 3.0, 100.0, 0.1};

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void write(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

class ScoreCaches : public testing::Test {
 protected:
  ScoreCaches() : folder_(fs::path(testing::TempDir()) / ("halfstep_score_cache_" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
  }
  ~ScoreCaches() override { fs::remove_all(folder_); }

  ScoreCache open(const std::string& key = "k", const std::vector<fs::path>& more = {}) const {
    Result<ScoreCache> cache = ScoreCache::open(folder_, more, key);
    EXPECT_TRUE(cache.ok()) << (cache.ok() ? "" : cache.error().message);
    return *std::move(cache);
  }
  fs::path file(const std::string& key = "k") const { return folder_ / ("sensitivity-" + key + ".jsonl"); }

  fs::path folder_;
};

TEST_F(ScoreCaches, WhatWasAddedIsThereTheNextTime) {
  {
    ScoreCache cache = open();
    EXPECT_EQ(cache.known("a"), std::nullopt);
    ASSERT_TRUE(cache.add("a", kPlain).ok());
    ASSERT_TRUE(cache.add("b", kFull).ok());
    EXPECT_EQ(cache.known("a"), kPlain);
  }
  const ScoreCache cache = open();
  EXPECT_EQ(cache.known("a"), kPlain);
  EXPECT_EQ(cache.known("b"), kFull);
  EXPECT_EQ(cache.known("c"), std::nullopt);
}

TEST_F(ScoreCaches, EachScoreIsInTheFileAtOnce) {
  ScoreCache cache = open();
  ASSERT_TRUE(cache.add("a", kPlain).ok());
  EXPECT_EQ(text_of(file()), io::results_header("k") + io::results_line({"a", {.sqnr_db = 1.0 / 3.0}}));
}

TEST_F(ScoreCaches, KeysHaveFilesOfTheirOwn) {
  ScoreCache one = open("one");
  ASSERT_TRUE(one.add("a", kPlain).ok());
  EXPECT_EQ(open("two").known("a"), std::nullopt);
  EXPECT_TRUE(fs::exists(file("one")));
  EXPECT_TRUE(fs::exists(file("two")));
}

TEST_F(ScoreCaches, AnUnfinishedLineIsCutOff) {
  ASSERT_TRUE(open().add("a", kPlain).ok());
  const std::string whole = text_of(file());
  for (const char* rest : {"{", "{\"form\":\"b\",\"sqnr_db\":3}"}) {
    write(file(), whole + rest);
    ScoreCache cache = open();
    EXPECT_EQ(cache.known("a"), kPlain);
    EXPECT_EQ(cache.known("b"), std::nullopt);
    EXPECT_EQ(text_of(file()), whole);
    ASSERT_TRUE(cache.add("b", kFull).ok());
    EXPECT_EQ(open().known("b"), kFull);
  }
  write(file(), "{\"halfstep_sens");  // Killed while the file was made.
  EXPECT_EQ(open().known("a"), std::nullopt);
  EXPECT_EQ(text_of(file()), io::results_header("k"));
}

TEST_F(ScoreCaches, ABrokenFileIsNamed) {
  fs::create_directories(folder_);
  write(file(), "something else\n");
  const Result<ScoreCache> cache = ScoreCache::open(folder_, {}, "k");
  ASSERT_FALSE(cache.ok());
  EXPECT_EQ(cache.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(cache.error().message, HasSubstr(file().string() + ":1"));
  EXPECT_EQ(text_of(file()), "something else\n");
}

TEST_F(ScoreCaches, OtherFilesAreReadToo) {
  ScoreCache cache = open();
  ASSERT_TRUE(cache.add("a", kPlain).ok());
  const fs::path share = folder_ / "share.jsonl";
  write(share, io::results_header("k") + io::results_line({"b", {.sqnr_db = 2.0}}));
  const ScoreCache both = open("k", {share});
  EXPECT_EQ(both.known("a"), kPlain);
  EXPECT_EQ(both.known("b"), OutputScore{.sqnr_db = 2.0});
  EXPECT_EQ(both.text(), io::results_header("k") + io::results_line({"a", {.sqnr_db = 1.0 / 3.0}}) +
                             io::results_line({"b", {.sqnr_db = 2.0}}));
  const Result<ScoreCache> none = ScoreCache::open(std::nullopt, {share}, "k");
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->known("a"), std::nullopt);
}

TEST_F(ScoreCaches, AFileOfAnotherKeyIsRefused) {
  fs::create_directories(folder_);
  const fs::path share = folder_ / "share.jsonl";
  write(share, io::results_header("other"));
  const Result<ScoreCache> cache = ScoreCache::open(std::nullopt, {share}, "k");
  ASSERT_FALSE(cache.ok());
  EXPECT_EQ(cache.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(cache.error().message, HasSubstr("share.jsonl: was measured with other models, samples or options"));
  EXPECT_THAT(cache.error().message, HasSubstr("its key is other, this run's is k"));
}

TEST_F(ScoreCaches, WithoutAFolderNothingIsKept) {
  Result<ScoreCache> cache = ScoreCache::open(std::nullopt, {}, "k");
  ASSERT_TRUE(cache.ok());
  ASSERT_TRUE(cache->add("a", kPlain).ok());
  EXPECT_EQ(cache->known("a"), kPlain);
  EXPECT_FALSE(fs::exists(folder_));
}

TEST_F(ScoreCaches, AFolderThatCannotBeIsNamed) {
  write(folder_, "a file");
  const Result<ScoreCache> cache = ScoreCache::open(folder_ / "below", {}, "k");
  ASSERT_FALSE(cache.ok());
  EXPECT_EQ(cache.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(cache.error().message, HasSubstr("below"));
  EXPECT_THAT(cache.error().message, HasSubstr("--cache_dir"));
}

TEST_F(ScoreCaches, SeveralMayAppendAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      ScoreCache cache = open();
      for (int i = 0; i < 50; ++i) {
        EXPECT_TRUE(cache.add("form " + std::to_string(t) + "/" + std::to_string(i), kFull).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const ScoreCache cache = open();
  for (int t = 0; t < 4; ++t) {
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(cache.known("form " + std::to_string(t) + "/" + std::to_string(i)), kFull);
    }
  }
}

TEST(DefaultCacheFolder, FollowsTheEnvironment) {
  const TemporaryEnvironment home("HOME", "/home/someone");
  {
    const TemporaryEnvironment named("XDG_CACHE_HOME", "/caches");
    EXPECT_EQ(default_cache_folder(), fs::path("/caches/halfstep"));
  }
  const TemporaryEnvironment empty("XDG_CACHE_HOME", "");
  EXPECT_EQ(default_cache_folder(), fs::path("/home/someone/.cache/halfstep"));
  const TemporaryEnvironment nowhere("HOME", "");
  EXPECT_EQ(default_cache_folder(), std::nullopt);
}

}  // namespace
}  // namespace halfstep::pipeline
