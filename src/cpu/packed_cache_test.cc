#include "cpu/packed_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <optional>
#include <vector>

namespace minnow {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

constexpr uint64_t kBytes = 100'000, kFileBytes = (2 << 20) + kBytes;

class PackedCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "minnow-cache-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  PackedCacheSettings settings() const { return {.folder = folder_ / "deep/packed", .min_bytes = 0, .max_bytes = 10 * kFileBytes, .keep_free = 0, .settled = seconds(0)}; }

  static std::vector<std::byte> panels(int seed) {
    std::vector<std::byte> bytes(kBytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7 + static_cast<std::size_t>(seed) * 31);
    return bytes;
  }
  static bool keep(const PackedCache& cache, const std::string& manifest, int seed) {
    const auto draft = cache.begin(manifest, kBytes);
    if (!draft || !draft->write(0, panels(seed))) return false;
    draft->publish();
    return true;
  }
  static bool holds(const PackedCache& cache, const std::string& manifest, int seed) {
    const auto found = cache.find(manifest, kBytes);
    return found && std::equal(found.get(), found.get() + kBytes, panels(seed).begin());
  }
  std::vector<fs::path> files() const {
    std::vector<fs::path> all;
    for (const auto& entry : fs::directory_iterator(settings().folder)) all.push_back(entry.path());
    return all;
  }
  void age(const fs::path& path, int minutes) const { fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::minutes(minutes)); }

  fs::path folder_;
};

TEST_F(PackedCacheTest, FindsWhatWasKeptUnderTheSameManifestOnly) {
  const PackedCache cache(settings());
  EXPECT_EQ(cache.find("a", kBytes), nullptr);
  ASSERT_TRUE(keep(cache, "a", 1));
  EXPECT_TRUE(holds(cache, "a", 1));
  EXPECT_TRUE(holds(PackedCache(settings()), "a", 1));
  EXPECT_EQ(cache.find("b", kBytes), nullptr);
  EXPECT_EQ(cache.usage().files, 1u);
}

TEST_F(PackedCacheTest, NobodyElseMayReadIt) {
  ASSERT_TRUE(keep(PackedCache(settings()), "a", 1));
  EXPECT_EQ(fs::status(settings().folder).permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(files()[0]).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(PackedCacheTest, ADraftHasNoNameBeforeItIsPublished) {
  const PackedCache cache(settings());
  {
    const auto draft = cache.begin("a", kBytes);
    ASSERT_TRUE(draft);
    ASSERT_TRUE(draft->write(0, panels(1)));
    const auto own = draft->map();
    ASSERT_TRUE(own);
    EXPECT_EQ(own.get()[5], panels(1)[5]);
    EXPECT_TRUE(files().empty());
  }
  EXPECT_TRUE(files().empty());
}

TEST_F(PackedCacheTest, TheFirstOfTwoDraftsCounts) {
  const PackedCache cache(settings());
  const auto first = cache.begin("a", kBytes), second = cache.begin("a", kBytes);
  ASSERT_TRUE(first && second);
  ASSERT_TRUE(first->write(0, panels(1)) && second->write(0, panels(2)));
  const auto mapped = second->map();
  first->publish();
  second->publish();
  EXPECT_TRUE(holds(cache, "a", 1));
  EXPECT_EQ(files().size(), 1u);
  EXPECT_EQ(mapped.get()[9], panels(2)[9]) << "the other one goes on with its own";
}

TEST_F(PackedCacheTest, DamagedTruncatedAndForeignFilesAreRemovedAndReplaced) {
  const PackedCache cache(settings());
  ASSERT_TRUE(keep(cache, "manifest", 1));
  const fs::path path = files()[0];
  const auto spoil = [&](const char* what, const std::function<void()>& how) {
    how();
    EXPECT_EQ(cache.find("manifest", kBytes), nullptr) << what;
    EXPECT_FALSE(fs::exists(path)) << what;
    ASSERT_TRUE(keep(cache, "manifest", 2)) << what;
    EXPECT_TRUE(holds(cache, "manifest", 2)) << what;
  };
  const auto overwrite = [&](std::streamoff at, char byte) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(at).put(byte);
  };
  spoil("cut off", [&] { fs::resize_file(path, fs::file_size(path) - 1); });
  spoil("too long", [&] { fs::resize_file(path, fs::file_size(path) + 1); });
  spoil("empty", [&] { fs::resize_file(path, 0); });
  for (std::streamoff at = 0; at < 48; ++at) spoil("header or manifest", [&] { overwrite(at, '\xA5'); });
  spoil("foreign", [&] { std::ofstream(path) << "not ours"; });
  spoil("writable by others", [&] { ::chmod(path.c_str(), 0666); });
  ASSERT_TRUE(keep(cache, "other", 3));
  spoil("of another model", [&] {
    for (const fs::path& other : files()) {
      if (other != path) fs::rename(other, path);
    }
  });
}

TEST_F(PackedCacheTest, WhatWasNotUsedForLongestGoesFirst) {
  PackedCacheSettings tight = settings();
  tight.max_bytes = 3 * (kFileBytes);
  const PackedCache cache(tight);
  for (const char* name : {"a", "b", "c"}) {
    ASSERT_TRUE(keep(cache, name, 1));
    for (const fs::path& path : files()) age(path, 60);
  }
  ASSERT_TRUE(holds(cache, "a", 1));  // used just now
  ASSERT_TRUE(holds(cache, "c", 1));
  ASSERT_TRUE(keep(cache, "d", 1));
  EXPECT_TRUE(holds(cache, "a", 1));
  EXPECT_FALSE(holds(cache, "b", 1));
  EXPECT_TRUE(holds(cache, "c", 1));
  EXPECT_TRUE(holds(cache, "d", 1));
  EXPECT_LE(cache.usage().bytes, tight.max_bytes);
}

TEST_F(PackedCacheTest, WhatIsLargerThanTheLimitIsNotKeptAndCostsNothingElse) {
  PackedCacheSettings tight = settings();
  ASSERT_TRUE(keep(PackedCache(tight), "a", 1));
  tight.max_bytes = kFileBytes - 1;
  EXPECT_EQ(PackedCache(tight).begin("b", kBytes), nullptr);
  EXPECT_TRUE(holds(PackedCache(settings()), "a", 1));
}

TEST_F(PackedCacheTest, SmallWeightsAndNoFolderMeanNoCache) {
  PackedCacheSettings other = settings();
  other.min_bytes = kBytes + 1;
  EXPECT_EQ(PackedCache(other).begin("a", kBytes), nullptr);
  other = settings();
  other.folder.clear();
  EXPECT_EQ(PackedCache(other).begin("a", kBytes), nullptr);
  EXPECT_EQ(PackedCache(other).find("a", kBytes), nullptr);
  EXPECT_EQ(PackedCache(other).usage().files, 0u);
}

TEST_F(PackedCacheTest, FoldersThatCannotBeTrustedOrMadeMeanNoCache) {
  fs::create_directories(settings().folder);
  ::chmod(settings().folder.c_str(), 0777);
  EXPECT_EQ(PackedCache(settings()).begin("a", kBytes), nullptr) << "others could put files there";
  PackedCacheSettings other = settings();
  std::ofstream(folder_ / "file") << "x";
  other.folder = folder_ / "file";
  EXPECT_EQ(PackedCache(other).begin("a", kBytes), nullptr);
  other.folder = folder_ / "file" / "below";
  EXPECT_EQ(PackedCache(other).begin("a", kBytes), nullptr);
  other.folder = "/proc/minnow";
  EXPECT_EQ(PackedCache(other).begin("a", kBytes), nullptr);
}

TEST_F(PackedCacheTest, ManyProcessesMayWriteReadAndRemoveAtOnce) {
  PackedCacheSettings tight = settings();
  tight.max_bytes = 2 * (kFileBytes);  // of three that are wanted
  std::vector<pid_t> children;
  for (int p = 0; p < 6; ++p) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const PackedCache cache(tight);
      bool good = true;
      for (int i = 0; i < 30; ++i) {
        const int which = (i + p) % 3;
        const std::string manifest = "model " + std::to_string(which);
        if (const auto found = cache.find(manifest, kBytes)) {
          good &= std::equal(found.get(), found.get() + kBytes, panels(which).begin());
        } else {
          keep(cache, manifest, which);
        }
      }
      ::_exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_GE(PackedCache(tight).usage().files, 1u);
}

TEST(PackedCacheFolder, ComesFromTheEnvironment) {
  const auto with = [](const char* own, const char* xdg, const char* home) {
    const auto set = [](const char* name, const char* value) { value != nullptr ? ::setenv(name, value, 1) : ::unsetenv(name); };
    const auto saved = [](const char* name) {
      const char* value = std::getenv(name);
      return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
    };
    const char* const names[] = {"MINNOW_CACHE", "XDG_CACHE_HOME", "HOME"};
    const char* const values[] = {own, xdg, home};
    std::optional<std::string> before[3];
    for (std::size_t i = 0; i < 3; ++i) {
      before[i] = saved(names[i]);
      set(names[i], values[i]);
    }
    const fs::path folder = default_packed_cache_folder();
    for (std::size_t i = 0; i < 3; ++i) set(names[i], before[i] ? before[i]->c_str() : nullptr);
    return folder;
  };
  EXPECT_EQ(with("/c", "/x", "/h"), "/c");
  EXPECT_EQ(with("", "/x", "/h"), "") << "set but empty: none";
  EXPECT_EQ(with(nullptr, "/x", "/h"), "/x/minnow/packed");
  EXPECT_EQ(with(nullptr, "relative", "/h"), "/h/.cache/minnow/packed");
  EXPECT_EQ(with(nullptr, nullptr, "/h"), "/h/.cache/minnow/packed");
  EXPECT_EQ(with(nullptr, nullptr, nullptr), "");
}

}  // namespace
}  // namespace minnow
