// Weights in files, packed with and without a cache.
#include "cpu/packed_weights.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "cpu/pack.h"
#include "cpu/test_values.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using test::kWeightTypes;
using test::random_matrix;

class PackedWeightsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "minnow-weights-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    settings_ = {.folder = folder_ / "packed", .min_bytes = 0, .keep_free = 0, .settled = seconds(0)};
  }
  void TearDown() override { fs::remove_all(folder_); }

  // A matrix of every type, one after another in a file; the odd sizes leave the last panel of each unfinished.
  void write_file(uint64_t seed) const {
    Random random(seed);
    std::ofstream file(folder_ / "weights", std::ios::binary);
    for (const DType dtype : kWeightTypes) {
      const Tensor t = random_matrix(random, dtype, kRows, kColumns);
      file.write(reinterpret_cast<const char*>(t.data), static_cast<std::streamsize>(t.bytes()));
    }
  }
  std::vector<WeightMatrix> matrices() const {
    const auto file = MappedFile::open(folder_ / "weights");
    std::vector<WeightMatrix> all;
    const std::byte* at = file->bytes().data();
    for (const DType dtype : kWeightTypes) {
      all.push_back({fmt::format("w{}", all.size()), {dtype, {kRows, kColumns}, at, file}});
      at += all.back().tensor.bytes();
    }
    return all;
  }
  std::vector<std::byte> expected(const WeightMatrix& m) {
    std::vector<std::byte> memory(packed_bytes(m.tensor.dtype, m.tensor.shape));
    PackedMatrix(m.name, m.tensor, memory.data(), pool_);
    return memory;
  }
  // Whether the panels are those that packing one matrix after another makes.
  bool right(const PackedWeights& packed, const std::vector<WeightMatrix>& all) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto wanted = expected(all[i]);
      if (!wanted.empty() && std::memcmp(packed.panels(i), wanted.data(), wanted.size()) != 0) return false;
    }
    return true;
  }
  std::string manifest() const { return packed_manifest(matrices(), seconds(0)); }

  static constexpr int64_t kRows = 50, kColumns = 1024;
  fs::path folder_;
  PackedCacheSettings settings_;
  ThreadPool pool_{3};
};

TEST_F(PackedWeightsTest, AreTheSameBytesPackedInMemoryInAFileAndFoundThere) {
  write_file(1);
  const auto all = matrices();
  EXPECT_TRUE(right(PackedWeights(all, pool_, {}, {}), all));
  {
    const PackedWeights first(all, pool_, settings_, {});
    EXPECT_FALSE(first.found());
    EXPECT_TRUE(right(first, all));
  }
  const PackedWeights second(matrices(), pool_, settings_, {});
  EXPECT_TRUE(second.found());
  EXPECT_TRUE(right(second, all));
}

TEST_F(PackedWeightsTest, ManyRunsAndThreadsGiveTheSameBytes) {
  Random random(3);
  std::vector<WeightMatrix> all;
  for (int i = 0; i < 3; ++i) all.push_back({"w", random_matrix(random, DType::kQ4_0, 5000 + i, 2048)});
  all.push_back({"f", random_matrix(random, DType::kF16, 10, 64)});
  all.push_back({"w", random_matrix(random, DType::kQ6_K, 4000, 2048)});
  const PackedWeights packed(all, pool_, {}, {});
  EXPECT_GT(packed.bytes(), 20u << 20);
  EXPECT_TRUE(right(packed, all));
}

TEST_F(PackedWeightsTest, ProgressReachesTheBytesOfAllMatrices) {
  write_file(1);
  uint64_t last = 0, wanted = 0;
  const auto all = matrices();
  for (const WeightMatrix& m : all) wanted += m.tensor.bytes();
  for (const PackedCacheSettings& settings : {PackedCacheSettings(), settings_, settings_}) {
    last = 0;
    PackedWeights(all, pool_, settings, [&](uint64_t done) {
      EXPECT_GE(done, last);
      last = done;
    });
    EXPECT_EQ(last, wanted);
  }
}

TEST_F(PackedWeightsTest, AChangedFileIsNoticedEvenWhenItsTimesAndSizeAreNot) {
  write_file(1);
  { const PackedWeights first(matrices(), pool_, settings_, {}); }
  const fs::path path = folder_ / "weights";
  const auto modified = fs::last_write_time(path);
  write_file(2);
  fs::last_write_time(path, modified);
  const auto all = matrices();
  const PackedWeights again(all, pool_, settings_, {});
  EXPECT_FALSE(again.found());
  EXPECT_TRUE(right(again, all));
}

TEST_F(PackedWeightsTest, ManifestsTellWeightsApart) {
  write_file(1);
  const std::string first = manifest();
  EXPECT_EQ(first, manifest());
  write_file(2);
  const auto lines_after_file = [](const std::string& s) { return s.substr(s.find('\n')); };
  EXPECT_NE(lines_after_file(first), lines_after_file(manifest())) << "samples of the blocks differ";
  auto all = matrices();
  all[3].tensor.shape = {kRows / 2, kColumns};
  EXPECT_NE(packed_manifest(all, seconds(0)), manifest());
  std::swap(all[3], all[4]);
  EXPECT_NE(packed_manifest(all, seconds(0)), manifest());
}

TEST_F(PackedWeightsTest, FilesThatChangedJustNowAndWeightsInMemoryAreNotKept) {
  write_file(1);
  EXPECT_FALSE(manifest().empty());
  EXPECT_EQ(packed_manifest(matrices(), seconds(3600)), "");
  Random random(1);
  EXPECT_EQ(packed_manifest({{"w", random_matrix(random, DType::kQ4_0, kRows, kColumns)}}, seconds(0)), "");
  settings_.settled = seconds(3600);
  { const PackedWeights packed(matrices(), pool_, settings_, {}); }
  EXPECT_FALSE(fs::exists(settings_.folder));
}

TEST_F(PackedWeightsTest, DamagedWeightsAreRefusedAndNotKept) {
  Random random(1);
  const Tensor t = random_matrix(random, DType::kQ4_0, kRows, kColumns);
  std::vector<std::byte> bytes(t.data, t.data + t.bytes());
  const uint16_t infinity = 0x7C00;
  std::memcpy(bytes.data() + 18 * 40, &infinity, 2);
  std::ofstream(folder_ / "bad", std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  const auto file = MappedFile::open(folder_ / "bad");
  for (int i = 0; i < 2; ++i) {
    try {
      const PackedWeights packed({{"blk.0.bad", {DType::kQ4_0, {kRows, kColumns}, file->bytes().data(), file}}}, pool_, settings_, {});
      FAIL() << "an infinite scale was taken";
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("blk.0.bad"), std::string::npos);
    }
  }
  EXPECT_EQ(PackedCache(settings_).usage().files, 0u);
}

TEST_F(PackedWeightsTest, AFolderThatCannotBeMadeIsNoHindrance) {
  write_file(1);
  settings_.folder = "/proc/minnow";
  const auto all = matrices();
  const PackedWeights packed(all, pool_, settings_, {});
  EXPECT_FALSE(packed.found());
  EXPECT_TRUE(right(packed, all));
}

}  // namespace
}  // namespace minnow
