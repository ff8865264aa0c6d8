#include "serve/target.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string path_of(std::string_view text) {
  const auto target = parse_target(text);
  return target ? target->path : "refused";
}

TEST(Target, PathsAreDecodedAndNormalized) {
  EXPECT_EQ(path_of("/v1/models"), "/v1/models");
  EXPECT_EQ(path_of("/v1//models/"), "/v1/models");
  EXPECT_EQ(path_of("/v1/./models/."), "/v1/models");
  EXPECT_EQ(path_of("/a/../v1/models"), "/v1/models");
  EXPECT_EQ(path_of("/../../v1"), "/v1");
  EXPECT_EQ(path_of("/%76%31/models"), "/v1/models");
  EXPECT_EQ(path_of("/v1/%2e%2e/x"), "/x");
  EXPECT_EQ(path_of("/v1/models/a%2Fb"), "/v1/models/a/b");
  EXPECT_EQ(path_of("/a+b"), "/a+b");
  EXPECT_EQ(path_of("/"), "/");
  EXPECT_EQ(path_of("//"), "/");
  EXPECT_EQ(path_of("/?x=1"), "/");
  EXPECT_EQ(path_of("*"), "*");
}

TEST(Target, EncodingIsUndoneOnce) { EXPECT_EQ(path_of("/%252e%252e/x"), "/%2e%2e/x"); }

TEST(Target, BrokenTargetsAreRefused) {
  for (const char* text : {"", "v1", "/%", "/%2", "/%zz", "/%00", "/%0a", "/a%7f", "/%ff", "/a#b", "http://", "ftp://a/b", "/?a=%", "/?a=%00", "/?%00=a", "/?a=%ff"}) {
    EXPECT_EQ(path_of(text), "refused") << text;
  }
}

TEST(Target, QueriesAreDecodedInOrder) {
  const auto target = parse_target("/x?a=1&b=two+words&&c&a=%26%3D&=empty");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->query, (Pairs{{"a", "1"}, {"b", "two words"}, {"c", ""}, {"a", "&="}, {"", "empty"}}));
}

TEST(Target, AbsoluteFormNamesItsAuthority) {
  const auto target = parse_target("http://example.com:80/v1/x?y=z");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->authority, "example.com:80");
  EXPECT_EQ(target->path, "/v1/x");
  EXPECT_EQ(target->query, (Pairs{{"y", "z"}}));
  EXPECT_EQ(parse_target("http://example.com")->path, "/");
  EXPECT_EQ(parse_target("http://example.com?a=b")->path, "/");
}

}  // namespace
}  // namespace minnow
