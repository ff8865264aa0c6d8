#include "base/utf8.h"

#include <gtest/gtest.h>

#include <vector>

namespace minnow {
namespace {

// By the table of RFC 3629 section 4, worked out by value: decode what the bytes spell, then refuse what has
// a shorter form, is a surrogate or is too large. 0 length: not a character.
Utf8Char by_value(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(text[i])); };
  const Utf8Char invalid{kReplacementCharacter, 1, false};
  const unsigned lead = at(0);
  const std::size_t length = lead < 0x80       ? 1
                             : lead >> 5 == 6  ? 2
                             : lead >> 4 == 14 ? 3
                             : lead >> 3 == 30 ? 4
                                               : 0;
  if (length == 0 || text.size() < length) return invalid;
  unsigned value = length == 1 ? lead : lead % (1u << (7 - length));
  for (std::size_t i = 1; i < length; ++i) {
    if (at(i) / 64 != 2) return invalid;
    value = value * 64 + at(i) % 64;
  }
  constexpr unsigned kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kSmallest[length] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return invalid;
  return {value, static_cast<uint8_t>(length), true};
}

void expect_same(std::string_view text) {
  const Utf8Char a = decode_utf8(text), b = by_value(text);
  ASSERT_EQ(a.valid, b.valid);
  ASSERT_EQ(a.code_point, b.code_point);
  ASSERT_EQ(a.length, b.length);
}

// Both sides of every border that a byte can lie at.
const std::vector<int> kEdges = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
                                 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};

TEST(Utf8, DecodesEverySequenceAsTheDefinitionDoes) {
  for (int a = 0; a < 256; ++a) {
    expect_same(std::string{static_cast<char>(a)});
    for (int b = 0; b < 256; ++b) {
      expect_same(std::string{static_cast<char>(a), static_cast<char>(b)});
      for (const int c : kEdges) {
        expect_same(std::string{static_cast<char>(a), static_cast<char>(b), static_cast<char>(c)});
        for (const int d : kEdges) {
          expect_same(std::string{static_cast<char>(a), static_cast<char>(b), static_cast<char>(c),
                                  static_cast<char>(d)});
        }
      }
    }
  }
}

TEST(Utf8, EveryCodePointComesBack) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    std::string text;
    append_utf8(text, c);
    const Utf8Char back = decode_utf8(text);
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    ASSERT_TRUE(back.valid);
    ASSERT_EQ(back.code_point, surrogate ? kReplacementCharacter : c);
    ASSERT_EQ(back.length, text.size());
  }
}

TEST(Utf8, NeverWritesInvalidText) {
  for (const char32_t c : {0xD800u, 0xDFFFu, 0x110000u, 0x200000u, 0xFFFFFFFFu}) {
    std::string text;
    append_utf8(text, c);
    EXPECT_EQ(text, "\uFFFD");
  }
}

TEST(Utf8, EveryInvalidByteBecomesOneReplacementCharacter) {
  EXPECT_EQ(to_valid_utf8("a\xffz"), "a\uFFFDz");
  EXPECT_EQ(to_valid_utf8("\xe2\x82"), "\uFFFD\uFFFD");
  EXPECT_EQ(to_valid_utf8("\xc0\x80"), "\uFFFD\uFFFD");
  EXPECT_EQ(to_valid_utf8("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(to_valid_utf8("h\u00e9llo \U0001F600"), "h\u00e9llo \U0001F600");
  EXPECT_TRUE(is_valid_utf8(""));
  EXPECT_TRUE(is_valid_utf8("h\u00e9llo \U0001F600"));
  EXPECT_FALSE(is_valid_utf8("\xf0\x9f\x98"));
}

TEST(Utf8, AnIncompleteTailIsWhatSomeContinuationWouldComplete) {
  constexpr int kContinuations[] = {0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF};
  const auto can_be_completed = [&](const std::string& tail) {
    if (decode_utf8(tail).valid) return false;
    for (const int a : kContinuations) {
      for (const int b : kContinuations) {
        for (const int c : kContinuations) {
          const std::string more{static_cast<char>(a), static_cast<char>(b), static_cast<char>(c)};
          const Utf8Char whole = decode_utf8(tail + more);
          if (whole.valid && whole.length > tail.size()) return true;
        }
      }
    }
    return false;
  };
  for (int a = 0x80; a < 256; ++a) {
    const std::string one{static_cast<char>(a)};
    ASSERT_EQ(incomplete_utf8_tail("x" + one), can_be_completed(one) ? 1u : 0u) << a;
    for (const int b : kEdges) {
      const std::string two = one + static_cast<char>(b);
      if (b < 0xC0) {
        ASSERT_EQ(incomplete_utf8_tail("x" + two), can_be_completed(two) ? 2u : 0u) << a << ' ' << b;
      }
      for (const int c : kEdges) {
        const std::string three = two + static_cast<char>(c);
        if (b < 0xC0 && b >= 0x80 && c < 0xC0) {
          ASSERT_EQ(incomplete_utf8_tail("x" + three), can_be_completed(three) ? 3u : 0u)
              << a << ' ' << b << ' ' << c;
        }
      }
    }
  }
  EXPECT_EQ(incomplete_utf8_tail(""), 0u);
  EXPECT_EQ(incomplete_utf8_tail("\u20ac"), 0u);
}

}  // namespace
}  // namespace minnow
