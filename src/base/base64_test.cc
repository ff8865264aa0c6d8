#include "base/base64.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

std::string decoded(std::string_view text) {
  std::string out;
  return decode_base64(text, out) ? out : "refused";
}

TEST(Base64, GivesTheVectorsOfItsStandard) {
  const std::pair<const char*, const char*> kVectors[] = {{"", ""},         {"f", "Zg=="},       {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},  {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : kVectors) {
    EXPECT_EQ(encode_base64(bytes), text);
    EXPECT_EQ(decoded(text), bytes);
  }
}

TEST(Base64, KeepsEveryByte) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  EXPECT_EQ(decoded(encode_base64(bytes)), bytes);
}

TEST(Base64, TakesTextWithoutPaddingAndRefusesOtherCharacters) {
  EXPECT_EQ(decoded("Zg"), "f");
  for (const char* text : {"Zg=", "Z", "Zm9v!", "Zm 9v", "Z===", "=Zg=", "Zm9v===="}) EXPECT_EQ(decoded(text), "refused") << text;
}

}  // namespace
}  // namespace minnow
