// Contract under test: exec/activation_store.hpp.
#include "exec/activation_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "core/ordered_parallel.hpp"
#include "unit/exec/temporary_environment.hpp"

namespace halfstep::exec {
namespace {

Tensor numbered(std::int64_t count, int first) {
  Tensor tensor(TensorType{DType::kInt16, Shape{count}});
  for (std::int64_t i = 0; i < count; ++i)
    tensor.mutable_data<std::int16_t>()[i] = static_cast<std::int16_t>(first + i);
  return tensor;
}

void expect_kept(const ActivationStore& store, const std::string& name, std::int64_t sample, const Tensor& want) {
  const Result<Tensor> kept = store.get(name, sample);
  ASSERT_TRUE(kept.ok());
  EXPECT_TRUE(identical(*kept, want)) << name << " of " << sample;
}

TEST(ActivationStore, KeepsInMemoryUpToTheBudgetAndInAFileBeyond) {
  ActivationStore store(250);
  for (int sample = 0; sample < 5; ++sample) {
    ASSERT_TRUE(store.put("a", sample, numbered(50, 100 * sample).view()).ok());  // 100 bytes each.
  }
  EXPECT_EQ(store.bytes_in_memory(), 200U);
  EXPECT_EQ(store.bytes_in_file(), 300U);
  for (int sample = 0; sample < 5; ++sample) expect_kept(store, "a", sample, numbered(50, 100 * sample));
  ASSERT_TRUE(store.put("b", 0, numbered(20, 7).view()).ok());  // There is room for a small one.
  EXPECT_EQ(store.bytes_in_memory(), 240U);
  expect_kept(store, "b", 0, numbered(20, 7));
}

TEST(ActivationStore, RoomIsUsedAgain) {
  ActivationStore store(100);
  for (int round = 0; round < 20; ++round) {
    for (int sample = 0; sample < 4; ++sample) {
      ASSERT_TRUE(store.put("a", sample, numbered(50, round + sample).view()).ok());
    }
    for (int sample = 0; sample < 4; ++sample) {
      expect_kept(store, "a", sample, numbered(50, round + sample));
      store.drop("a", sample);
    }
    EXPECT_EQ(store.bytes_in_memory(), 0U);
    EXPECT_EQ(store.num_tensors(), 0U);
  }
  EXPECT_EQ(store.peak_bytes_in_memory(), 100U);
  EXPECT_EQ(store.bytes_in_file(), 300U);
  store.drop("never there", 3);
}

TEST(ActivationStore, TensorsOutliveTheirPlace) {
  ActivationStore store(1000);
  ASSERT_TRUE(store.put("a", 0, numbered(50, 1).view()).ok());
  const Result<Tensor> kept = store.get("a", 0);
  store.drop("a", 0);
  ASSERT_TRUE(kept.ok());
  EXPECT_TRUE(identical(*kept, numbered(50, 1)));
}

TEST(ActivationStore, EmptyTensorsNeedNoFile) {
  const TemporaryEnvironment absent("TMPDIR", "/nonexistent/halfstep");
  ActivationStore store(0);
  const Tensor empty(TensorType{DType::kFloat32, Shape{3, 0}});
  ASSERT_TRUE(store.put("a", 0, empty.view()).ok());
  expect_kept(store, "a", 0, empty);
}

TEST(ActivationStore, NamesTheFolderThatTakesNoFile) {
  const TemporaryEnvironment absent("TMPDIR", "/nonexistent/halfstep");
  ActivationStore store(0);
  const Result<void> kept = store.put("a", 0, numbered(5, 0).view());
  ASSERT_FALSE(kept.ok());
  EXPECT_EQ(kept.error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(kept.error().message,
            "/nonexistent/halfstep: cannot make a temporary file for activations: No such file or directory; set "
            "TMPDIR to a folder with room");
  EXPECT_EQ(store.num_tensors(), 0U);
}

TEST(ActivationStore, TheFileHasNoName) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "halfstep_store";
  std::filesystem::create_directory(folder);
  {
    const TemporaryEnvironment there("TMPDIR", folder.string());
    ActivationStore store(0);
    ASSERT_TRUE(store.put("a", 0, numbered(5, 0).view()).ok());
    EXPECT_TRUE(std::filesystem::is_empty(folder));
  }
  std::filesystem::remove(folder);
}

TEST(ActivationStore, ThreadsDoNotDisturbEachOther) {
  for (const std::size_t budget : {0, 700, 1 << 20}) {
    ActivationStore store(budget);
    const auto turn = [&](std::int64_t i, int) -> Result<void> {
      const Tensor mine = numbered(10 + i % 7, static_cast<int>(i));
      if (auto put = store.put("t", i, mine.view()); !put.ok()) return put;
      expect_kept(store, "t", i, mine);
      if (i % 3 != 0) store.drop("t", i);
      return {};
    };
    ASSERT_TRUE(ordered_parallel_for(300, 5, turn, [](std::int64_t, int) -> Result<void> { return {}; }).ok());
    for (std::int64_t i = 0; i < 300; i += 3) expect_kept(store, "t", i, numbered(10 + i % 7, static_cast<int>(i)));
    EXPECT_EQ(store.num_tensors(), 100U);
    EXPECT_LE(store.peak_bytes_in_memory(), budget);
  }
}

}  // namespace
}  // namespace halfstep::exec
