#include "base/map_guard.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/test_refusal.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

class MapGuardTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "minnow-guard-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, std::size_t bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << std::string(bytes, 'x');
    return folder_ / name;
  }
  static std::size_t count(const MappedFile& file, char c) {
    std::size_t n = 0;
    for (const std::byte b : file.bytes()) n += b == static_cast<std::byte>(c) ? 1 : 0;
    return n;
  }

  fs::path folder_;
};

constexpr std::size_t kPages = 256 * 1024, kRest = 64 * 1024;  // whole pages of any machine

TEST_F(MapGuardTest, AFileThatBecomesShorterReadsAsZerosFromThereOnAndIsDamaged) {
  const auto path = write("a", kPages + 100);
  const auto file = MappedFile::open(path), other = MappedFile::open(write("b", kPages));
  EXPECT_EQ(count(*file, 'x'), kPages + 100);
  EXPECT_FALSE(file->is_damaged());
  file->check_whole();
  const uint64_t damaged = MapGuard::n_damaged(), now = MapGuard::n_damaged_now();
  fs::resize_file(path, kRest);
  EXPECT_EQ(count(*file, 'x'), kRest);
  EXPECT_EQ(count(*file, '\0'), kPages + 100 - kRest);
  EXPECT_TRUE(file->is_damaged());
  const std::string refusal = test::refusal([&] { file->check_whole(); });
  EXPECT_EQ(refusal, "a: became shorter while it was in use; put it back, or replace files by renaming") << "without its folder: clients see it";
  EXPECT_FALSE(other->is_damaged());
  EXPECT_EQ(count(*other, 'x'), kPages);
  EXPECT_EQ(MapGuard::n_damaged(), damaged + 1) << "once for each mapping";
  EXPECT_EQ(MapGuard::n_damaged_now(), now + 1);
}

TEST_F(MapGuardTest, TheNextMappingOfTheSameFileIsWholeAgain) {
  const auto path = write("a", kPages);
  auto file = MappedFile::open(path);
  const uint64_t now = MapGuard::n_damaged_now();
  fs::resize_file(path, 0);
  EXPECT_EQ(count(*file, '\0'), kPages);
  file.reset();
  EXPECT_EQ(MapGuard::n_damaged_now(), now);
  write("a", kPages);
  file = MappedFile::open(path);
  EXPECT_EQ(count(*file, 'x'), kPages);
  EXPECT_FALSE(file->is_damaged());
}

TEST_F(MapGuardTest, ManyThreadsMayMeetTheSameLoss) {
  const auto path = write("a", kPages);
  const auto file = MappedFile::open(path);
  fs::resize_file(path, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] { EXPECT_EQ(count(*file, '\0'), kPages); });
  }
  for (auto& t : threads) t.join();
  EXPECT_TRUE(file->is_damaged());
}

TEST_F(MapGuardTest, NothingIsWrittenOfWhatADamagedFileGave) {
  const auto path = write("a", kPages);
  auto file = MappedFile::open(path);
  fs::resize_file(path, 0);
  EXPECT_EQ(count(*file, '\0'), kPages);
  AtomicFile out(folder_ / "out");
  out.write("made of zeros");
  EXPECT_NE(test::refusal([&] { out.commit(); }).find("became shorter"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder_ / "out"));
  file.reset();
  out.commit();
  EXPECT_TRUE(fs::exists(folder_ / "out"));
}

using MapGuardDeathTest = MapGuardTest;

TEST_F(MapGuardDeathTest, FaultsElsewhereEndTheProcessAsEver) {
  const auto file = MappedFile::open(write("a", kPages));  // the handler is there
  const auto lose = [this] {
    const auto path = write("b", kPages);
    const int fd = ::open(path.c_str(), O_RDONLY);
    const auto* bytes = static_cast<const volatile char*>(::mmap(nullptr, kPages, PROT_READ, MAP_SHARED, fd, 0));
    fs::resize_file(path, 0);
    return bytes[kPages - 1];
  };
  EXPECT_DEATH(lose(), "");
}

}  // namespace
}  // namespace minnow
