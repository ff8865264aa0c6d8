#include "train/checkpoint.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "base/error.h"

namespace minnow {
namespace {

class CheckpointFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / (std::string("checkpoint-") + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    saved_ = {.step = 7, .tokens = 900, .position = {1, 2, 3}, .settings = {{"lr", 0.5}}, .state = {std::as_writable_bytes(std::span(values_))}};
    save_checkpoint(folder_, saved_, 2);
    std::ifstream file(*newest_checkpoint(folder_), std::ios::binary);
    text_.assign(std::istreambuf_iterator<char>(file), {});
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Checkpoint empty() { return {.settings = {{"lr", 0.5}}, .state = {std::as_writable_bytes(std::span(read_))}}; }
  static void read(const std::string& text, Checkpoint& c) { read_checkpoint(std::as_bytes(std::span(text)), "file", c); }

  std::filesystem::path folder_;
  float values_[3] = {1, -2, 0.25f}, read_[3] = {9, 9, 9};
  Checkpoint saved_;
  std::string text_;
};

TEST_F(CheckpointFile, GivesBackAllThatWasSaved) {
  Checkpoint c = empty();
  load_checkpoint(*newest_checkpoint(folder_), c);
  EXPECT_EQ(c.step, 7);
  EXPECT_EQ(c.tokens, 900);
  EXPECT_EQ(c.position.epoch, 1u);
  EXPECT_EQ(c.position.record, 2u);
  EXPECT_EQ(c.position.offset, 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(read_[i], values_[i]);
}

TEST_F(CheckpointFile, CutAnywhereIsRefusedAndChangesNothing) {
  for (std::size_t n = 0; n < text_.size(); ++n) {
    Checkpoint c = empty();
    EXPECT_THROW(read(text_.substr(0, n), c), Error) << n;
    EXPECT_EQ(c.step, 0);
    EXPECT_EQ(read_[0], 9);
  }
}

TEST_F(CheckpointFile, ADamagedStateIsRefused) {
  text_.back() = static_cast<char>(text_.back() ^ 1);
  Checkpoint c = empty();
  EXPECT_THROW(read(text_, c), Error);
  EXPECT_EQ(read_[2], 9);
}

TEST_F(CheckpointFile, AnErrorNamesTheSettingThatDiffers) {
  Checkpoint c = empty();
  c.settings["lr"] = 0.25;
  try {
    read(text_, c);
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("lr = 0.5, not 0.25"), std::string::npos) << e.what();
  }
}

TEST_F(CheckpointFile, OnlyTheNewestAreKept) {
  for (const int64_t step : {8, 20}) {
    saved_.step = step;
    save_checkpoint(folder_, saved_, 2);
  }
  EXPECT_EQ(newest_checkpoint(folder_)->filename(), "step-00000020.ckpt");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "step-00000007.ckpt"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "step-00000008.ckpt"));
}

}  // namespace
}  // namespace minnow
