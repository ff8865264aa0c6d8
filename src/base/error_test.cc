#include "base/error.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

TEST(Error, SaysWhatHappenedAndThenWhatToDo) {
  const Error error(ErrorCode::kNotFound, "model.gguf: no such file", "check the path");
  EXPECT_STREQ(error.what(), "model.gguf: no such file; check the path");
  EXPECT_EQ(error.hint(), "check the path");
  EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  EXPECT_STREQ(Error(ErrorCode::kIo, "disk full").what(), "disk full");
}

TEST(Error, FailFormatsAndKeepsTheCode) {
  try {
    fail(ErrorCode::kLimit, "{}: {} of {}", "a.json", 5, 3);
    FAIL() << "fail() returned";
  } catch (const std::exception& e) {
    EXPECT_STREQ(e.what(), "a.json: 5 of 3");
    EXPECT_EQ(dynamic_cast<const Error&>(e).code(), ErrorCode::kLimit);
  }
}

}  // namespace
}  // namespace minnow
