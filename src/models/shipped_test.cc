#include "models/shipped.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.h"
#include "formats/test_bytes.h"
#include "models/model.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

class Shipped : public ::testing::Test {
 protected:
  void SetUp() override { ::setenv("MINNOW_MODELS", folder_.path().c_str(), 1); }
  void TearDown() override { ::unsetenv("MINNOW_MODELS"); }
  testing::TemporaryFolder folder_;
};

TEST_F(Shipped, finds_a_name_in_the_folder_that_the_environment_names) {
  const fs::path file = folder_.write("some-model.gguf", "x");
  EXPECT_EQ(find_shipped_model("some-model"), file);
  EXPECT_EQ(shipped_models().front().empty(), false);
}

TEST_F(Shipped, leaves_paths_and_unknown_names_alone) {
  folder_.write("some-model.gguf", "x");
  EXPECT_EQ(find_shipped_model("elsewhere/some-model"), "elsewhere/some-model");
  EXPECT_EQ(find_shipped_model("no-such-model"), "no-such-model");
}

TEST_F(Shipped, an_unknown_name_is_an_error_that_lists_what_there_is) {
  folder_.write("some-model.gguf", "x");
  try {
    load_model("no-such-model");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(e.hint().find("some-model"), std::string::npos);
  }
}

}  // namespace
}  // namespace minnow
