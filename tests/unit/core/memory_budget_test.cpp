// memory_budget_test.cpp: limits, sizes as text, reservations, control groups.
#include "core/memory_budget.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/machine_memory.hpp"

namespace halfstep {
namespace {

namespace fs = std::filesystem;

class MemoryLimit : public testing::Test {
 protected:
  ~MemoryLimit() override { set_memory_limit(0); }
};

TEST(MemorySize, UnderstandsUnits) {
  EXPECT_EQ(*parse_memory_size("2G"), std::int64_t{2} << 30);
  EXPECT_EQ(*parse_memory_size("512M"), std::int64_t{512} << 20);
  EXPECT_EQ(*parse_memory_size("1.5G"), std::int64_t{1536} << 20);
  EXPECT_EQ(*parse_memory_size("2048K"), std::int64_t{2} << 20);
  EXPECT_EQ(*parse_memory_size("1T"), std::int64_t{1} << 40);
  EXPECT_EQ(*parse_memory_size("3000000"), 3000000);
}

TEST(MemorySize, RefusesTheRest) {
  for (const char* text :
       {"", "G", "2GB", "2X", "-1G", "nan", "inf", "1e3G", "0", "1023K", "99999999999G", "2 G", "2G "}) {
    const Result<std::int64_t> size = parse_memory_size(text);
    ASSERT_FALSE(size.ok()) << text;
    EXPECT_EQ(size.error().code, ErrorCode::kUsage);
    EXPECT_NE(size.error().message.find("such as 512M"), std::string::npos);
  }
}

TEST(MemorySize, PrintsItself) {
  EXPECT_EQ(bytes_text(100), "100 bytes");
  EXPECT_EQ(bytes_text(std::int64_t{3} << 19), "1.5 MiB");
  EXPECT_EQ(bytes_text(std::int64_t{5} << 29), "2.5 GiB");
}

TEST_F(MemoryLimit, IsThreeQuartersOfTheMachineByDefault) {
  EXPECT_EQ(memory_limit(), machine_memory_bytes() / 4 * 3);
  set_memory_limit(std::int64_t{64} << 20);
  EXPECT_EQ(memory_limit(), std::int64_t{64} << 20);
  set_memory_limit(0);
  EXPECT_EQ(memory_limit(), machine_memory_bytes() / 4 * 3);
}

TEST_F(MemoryLimit, BoundsOneTensor) {
  set_memory_limit(std::int64_t{64} << 20);
  EXPECT_TRUE(check_tensor_memory({DType::kFloat32, Shape{16, 1024, 1024}}).ok());
  const Result<void> large = check_tensor_memory({DType::kFloat32, Shape{17, 1024, 1024}});
  ASSERT_FALSE(large.ok());
  EXPECT_EQ(large.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(large.error().message,
            "float32[17, 1024, 1024] needs 68.0 MiB, the limit of memory is 64.0 MiB; give smaller inputs or a larger "
            "--memory_limit");
}

TEST_F(MemoryLimit, IsSharedByReservations) {
  set_memory_limit(std::int64_t{64} << 20);
  constexpr std::int64_t kForty = std::int64_t{40} << 20;
  Result<MemoryReservation> first = MemoryReservation::of(kForty, "these");
  ASSERT_TRUE(first.ok());
  const Result<MemoryReservation> second = MemoryReservation::of(kForty, "those");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(
      second.error().message,
      "those need 40.0 MiB, the limit of memory is 64.0 MiB of which 40.0 MiB are in use; give smaller inputs or a "
      "larger --memory_limit");
  EXPECT_FALSE(first->grow_to(std::int64_t{65} << 20, "these").ok());
  EXPECT_EQ(first->num_bytes(), kForty);
  EXPECT_TRUE(first->grow_to(std::int64_t{64} << 20, "these").ok());
  { const MemoryReservation gone = *std::move(first); }
  EXPECT_TRUE(MemoryReservation::of(kForty, "those").ok());
  EXPECT_FALSE(MemoryReservation::of(-1, "a size_t that overflowed").ok());
}

TEST(UnlessOutOfMemory, TurnsAllocationsIntoErrors) {
  const Result<void> failed = unless_out_of_memory([]() -> Result<void> { throw std::bad_alloc(); });
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(unless_out_of_memory([]() -> Result<void> { return {}; }).ok());
}

class ControlGroups : public testing::Test {
 protected:
  ControlGroups() : root_(fs::temp_directory_path() / ("halfstep_groups_" + std::to_string(::getpid()))) {}
  ~ControlGroups() override { fs::remove_all(root_); }

  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }
  std::int64_t found() const { return machine_memory_bytes(root_); }

  fs::path root_;
};

constexpr std::int64_t kSmall = std::int64_t{96} << 20;

TEST_F(ControlGroups, AreNotNeeded) { EXPECT_EQ(found(), machine_memory_bytes("/nowhere")); }

TEST_F(ControlGroups, OfVersionTwoCountWithThoseAroundThem) {
  write("proc/self/cgroup", "0::/outer/inner\n");
  write("sys/fs/cgroup/outer/memory.max", std::to_string(kSmall) + "\n");
  write("sys/fs/cgroup/outer/inner/memory.max", "max\n");
  EXPECT_EQ(found(), kSmall);
}

TEST_F(ControlGroups, OfAContainerAreTheMount) {
  write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/memory.max", std::to_string(kSmall) + "\n");
  EXPECT_EQ(found(), kSmall);
}

TEST_F(ControlGroups, OfVersionOneHaveAFolderForMemory) {
  write("proc/self/cgroup", "9:cpu,cpuacct:/docker/1\n8:memory:/docker/1\n");
  write("sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", std::to_string(kSmall) + "\n");
  EXPECT_EQ(found(), kSmall);
}

TEST_F(ControlGroups, MayAllowMoreThanThereIs) {
  write("proc/self/cgroup", "0::/\n8:memory:/\n");
  write("sys/fs/cgroup/memory.max", "max\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(found(), machine_memory_bytes("/nowhere"));
}

}  // namespace
}  // namespace halfstep
