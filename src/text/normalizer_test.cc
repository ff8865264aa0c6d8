#include "text/normalizer.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "text/charsmap.h"

namespace minnow {
namespace {

using Kind = NormalizerStep::Kind;

std::string normalized(const std::vector<NormalizerStep>& steps, std::string_view text) {
  const Normalizer normalizer({.source = "test", .normalizers = steps});
  PreTokenizerScratch scratch;
  std::string out;
  return std::string(normalizer.apply(text, scratch, out));
}

TEST(Normalizer, KnowsTheUnicodeForms) {
  EXPECT_EQ(normalized({{.kind = Kind::kNfc}}, "cafe\u0301 ﬁ"), "caf\u00e9 ﬁ");
  EXPECT_EQ(normalized({{.kind = Kind::kNfd}}, "x caf\u00e9 한"), "x cafe\u0301 \u1112\u1161\u11ab");
  EXPECT_EQ(normalized({{.kind = Kind::kNfkc}}, "e\u0301 ﬁ ① Ａ"), "\u00e9 fi 1 A");
  EXPECT_EQ(normalized({{.kind = Kind::kNfkd}}, "\u00e9 ﬁ"), "e\u0301 fi");
}

TEST(Normalizer, LowersCharactersByThemselves) {
  EXPECT_EQ(normalized({{.kind = Kind::kLowercase}}, "ÀÉ ΣΑΣ İ Z\xff"), "àé σασ i\u0307 z\xff");
}

TEST(Normalizer, StripsAccentsOnlyWhereTheyStandApart) {
  EXPECT_EQ(normalized({{.kind = Kind::kStripAccents}}, "e\u0301 \u00e9"), "e \u00e9");
  EXPECT_EQ(normalized({{.kind = Kind::kNfd}, {.kind = Kind::kStripAccents}}, "\u00e9"), "e");
}

TEST(Normalizer, StripsWhiteSpaceOfAllKindsAtTheEnds) {
  const std::string text = " \t\u3000a b\u00a0\n";
  EXPECT_EQ(normalized({{.kind = Kind::kStrip}}, text), "a b");
  EXPECT_EQ(normalized({{.kind = Kind::kStrip, .right = false}}, text), "a b\u00a0\n");
  EXPECT_EQ(normalized({{.kind = Kind::kStrip, .left = false}}, text), " \t\u3000a b");
  EXPECT_EQ(normalized({{.kind = Kind::kStrip}}, "\u3000 \n"), "");
}

TEST(Normalizer, ReplacesTextsAndExpressionsInOrder) {
  EXPECT_EQ(normalized({{.kind = Kind::kReplace, .pattern = "ab", .content = "b"},
                        {.kind = Kind::kReplace, .pattern = "b", .content = "c"},
                        {.kind = Kind::kPrepend, .content = "_"}},
                       "aabb"),
            "_acc");
  EXPECT_EQ(normalized({{.kind = Kind::kReplaceRegex, .pattern = " {2,}", .content = "▁"}}, "a  b c    "), "a▁b c▁");
  EXPECT_EQ(normalized({{.kind = Kind::kReplaceRegex, .pattern = "[0-9]", .content = "#"}}, "a12b"), "a##b");
  EXPECT_EQ(normalized({{.kind = Kind::kReplaceRegex, .pattern = R"(\s+)", .content = " "}}, std::string(100'000, '\n')),
            " ");
}

TEST(Normalizer, CleansAsBertDoes) {
  const std::vector<NormalizerStep> uncased = {{.kind = Kind::kBert}};
  EXPECT_EQ(normalized(uncased, std::string("H\u00c9llo\t\u0000wor\u200bld 中x\ufffd", 24)), "hello world  中 x");
  const std::vector<NormalizerStep> cased = {{.kind = Kind::kBert, .strip_accents = false, .lowercase = false}};
  EXPECT_EQ(normalized(cased, "\u00c9 A"), "\u00c9 A");
  EXPECT_EQ(normalized({{.kind = Kind::kBert, .clean_text = false, .handle_chinese_chars = false}}, "\tA中"), "\ta中");
}

TEST(Normalizer, KeepsBytesThatAreNotUtf8) {
  for (const Kind kind : {Kind::kNfc, Kind::kNfkd, Kind::kLowercase, Kind::kStripAccents, Kind::kBert, Kind::kStrip}) {
    EXPECT_EQ(normalized({{.kind = kind}}, "a\xff\xc3z"), "a\xff\xc3z") << static_cast<int>(kind);
  }
}

TEST(Normalizer, BoundsHowMuchATextGrows) {
  const std::vector<NormalizerStep> doubling(40, {.kind = Kind::kReplace, .pattern = "a", .content = "aa"});
  EXPECT_THROW(normalized(doubling, std::string(1000, 'a')), Error);
  EXPECT_THROW(normalized(std::vector<NormalizerStep>(1000, {.kind = Kind::kNfc}), "a"), Error);
  EXPECT_THROW(normalized({{.kind = Kind::kReplaceRegex, .pattern = "(a"}}, "a"), Error);
}

// Darts' units for one key of one byte: the root's children lie from unit 64 on, the child's value behind it.
std::string charsmap_of(char key, const std::string& replacement) {
  std::vector<uint32_t> units(256);
  const auto byte = static_cast<uint8_t>(key);
  units[0] = 64u << 10;
  units[64u ^ byte] = byte | 1u << 8 | 128u << 10;
  units[64u ^ byte ^ 128u] = 1u << 31;
  const auto size = static_cast<uint32_t>(units.size() * 4);
  std::string bytes(4 + size, '\0');
  std::memcpy(bytes.data(), &size, 4);
  std::memcpy(bytes.data() + 4, units.data(), size);
  return bytes + replacement + '\0';
}

TEST(Charsmap, ReplacesWhatItKnowsAndRepairsUtf8) {
  const std::string table = charsmap_of('a', "xyz");
  EXPECT_EQ(normalized({{.kind = Kind::kPrecompiled, .content = table}}, "aba\xff"), "xyzbxyz\ufffd");
}

TEST(Charsmap, RefusesSizesThatDoNotFitAndSurvivesAnyBytes) {
  const std::string table = charsmap_of('a', "xyz");
  for (const std::size_t cut : {0u, 3u, 4u, 500u}) EXPECT_THROW(Charsmap(table.substr(0, cut), "test"), Error) << cut;
  std::string out;
  for (std::size_t at = 4; at < table.size(); ++at) {
    for (const char value : {'\x00', '\x7f', '\xff'}) {
      std::string spoiled = table;
      spoiled[at] = value;
      Charsmap(spoiled, "test").apply("aaa bcd \xe4\xb8\xad", 1 << 16, out);
    }
  }
}

TEST(Charsmap, StopsWhenTheTextGrowsTooMuch) {
  const Charsmap map(charsmap_of('a', std::string(1000, 'x')), "test");
  std::string out;
  EXPECT_FALSE(map.apply(std::string(1000, 'a'), 5000, out));
  EXPECT_LE(out.size(), 7000u);
  EXPECT_THROW(normalized({{.kind = Kind::kPrecompiled, .content = charsmap_of('a', std::string(1000, 'x'))}},
                          std::string(1000, 'a')),
               Error);
}

}  // namespace
}  // namespace minnow
