#include <gtest/gtest.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "text/grammar/test_match.h"

namespace minnow::grammar {
namespace {

using test::compile;
using test::Kind;
using test::matches;
using test::refusal;

// PCRE2 as the judge of whole matches.
class Pcre {
 public:
  explicit Pcre(const std::string& pattern) {
    int error = 0;
    PCRE2_SIZE where = 0;
    const std::string whole = "\\A(?:" + pattern + ")\\z";
    code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(whole.data()), whole.size(), PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, &error, &where, nullptr);
    if (code_ != nullptr) data_ = pcre2_match_data_create_from_pattern(code_, nullptr);
  }
  ~Pcre() {
    pcre2_match_data_free(data_);
    pcre2_code_free(code_);
  }
  Pcre(const Pcre&) = delete;
  Pcre& operator=(const Pcre&) = delete;
  bool compiles() const { return code_ != nullptr; }
  bool matches(const std::string& text) const {
    return pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0, data_, nullptr) >= 0;
  }

 private:
  pcre2_code* code_ = nullptr;
  pcre2_match_data* data_ = nullptr;
};

class RandomRegex {
 public:
  explicit RandomRegex(Random& random) : r_(random) {}

  std::string make(int depth) {
    std::string out;
    const uint64_t n = 1 + r_.below(3);
    for (uint64_t i = 0; i < n; ++i) out += (i > 0 && r_.below(4) == 0 ? "|" : "") + piece(depth);
    return out;
  }

 private:
  std::string piece(int depth) {
    static constexpr const char* kAtoms[] = {"a", "b", "é", ".", "[ab]", "[^a]", "[a-cé]", "\\d", "\\W", "\\.", "[\\s-]", "\\x41", "^", "$", "x{", "[]a]"};
    static constexpr const char* kOperators[] = {"*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "{,2}"};
    const std::string atom = depth > 0 && r_.below(3) == 0 ? (r_.below(2) == 0 ? "(" : "(?:") + make(depth - 1) + ")" : kAtoms[r_.below(std::size(kAtoms))];
    return atom != "^" && atom != "$" && r_.below(3) == 0 ? atom + kOperators[r_.below(std::size(kOperators))] : atom;
  }
  Random& r_;
};

std::string random_word(Random& random) {
  static constexpr const char* kLetters[] = {"a", "b", "c", "é", "A", ".", "1", " ", "\n", "x", "{", "]", "-", ",", "2", "}"};
  std::string text;
  for (uint64_t n = random.below(6); n > 0; --n) text += kLetters[random.below(std::size(kLetters))];
  return text;
}

// Or a word, where the end hangs on one rare byte.
std::string random_match(const std::shared_ptr<const Automaton>& automaton, Random& random) {
  try {
    return test::random_text(automaton, random, 4);
  } catch (const Error&) {
    return random_word(random);
  }
}

TEST(Regex, AgreesWithPcreOnRandomTexts) {
  Random random(7);
  int compared = 0, taken = 0;
  for (int i = 0; i < 600; ++i) {
    const std::string pattern = RandomRegex(random).make(2);
    const Pcre judge(pattern);
    if (!judge.compiles()) continue;
    const auto automaton = [&]() -> std::shared_ptr<const Automaton> {
      try {
        return compile(Kind::kRegex, pattern);
      } catch (const Error& e) {
        // An anchor may leave nothing; PCRE does not see that.
        EXPECT_NE(std::string(e.what()).find("no text at all"), std::string::npos) << pattern << "  " << e.what();
        return nullptr;
      }
    }();
    for (int k = 0; k < 30; ++k) {
      const std::string text = automaton && k < 8 ? random_match(automaton, random) : random_word(random);
      const bool own = automaton && matches(automaton, text);
      EXPECT_EQ(own, judge.matches(text)) << pattern << "  on  " << text;
      ++compared;
      taken += own ? 1 : 0;
    }
  }
  EXPECT_GT(compared, 9000);
  EXPECT_GT(taken, compared / 8);
}

TEST(Regex, MatchesTheWholeText) {
  struct Case {
    const char* pattern;
    std::vector<std::string> yes, no;
  };
  const Case cases[] = {
      {"[A-Z]{2}\\d+", {"AB1", "ZZ99"}, {"A1", "AB", "xAB1"}},
      {"^(yes|no)$", {"yes", "no"}, {"yesno"}},
      {"a(?:b|c)*?d", {"ad", "abcbd"}, {"a"}},
      {"(?<year>\\d{4})-(?P<month>\\d\\d)", {"2024-05"}, {"2024-5"}},
      {"\\p{Lu}\\p{L}*", {"Élan", "A"}, {"élan", "1"}},
      {"[^\\W\\d]+", {"ab_"}, {"a1", "é"}},
      {"^^a$$|^$", {"a", ""}, {"aa"}},
      {"\\x{1F642}", {"🙂"}, {"x"}},
      {"a{,2}", {"a{,2}"}, {"aa"}},
  };
  for (const Case& c : cases) {
    const auto automaton = compile(Kind::kRegex, c.pattern);
    for (const auto& text : c.yes) EXPECT_TRUE(matches(automaton, text)) << c.pattern << "  should take  " << text;
    for (const auto& text : c.no) EXPECT_FALSE(matches(automaton, text)) << c.pattern << "  should refuse  " << text;
  }
}

TEST(Regex, LargeClassesMayBeRepeatedOften) {
  const std::pair<std::string, std::string> takes[] = {{"\\p{L}{1,10}", "Straße"}, {"[\\p{L}\\p{N}]{1,200}", "北京2008é"}, {"\\p{Lu}[\\p{L} '-]{1,30}", "Élodie O'Neil-Ğ"}, {"^.*a.{5}b$", "xa12345b"}};
  for (const auto& [pattern, text] : takes) {
    const auto automaton = compile(Kind::kRegex, pattern);
    EXPECT_TRUE(matches(automaton, text)) << pattern;
    EXPECT_FALSE(matches(automaton, text + "!")) << pattern;
  }
}

TEST(Regex, RefusesByNameWhatItDoesNotDo) {
  const std::pair<const char*, const char*> cases[] = {
      {"(a)\\1", "back reference"}, {"a(?=b)", "look ahead"}, {"(?<!a)b", "look behind"}, {"\\bword", "word boundary"},
      {"(?i)a", "the group (?i"}, {"a++", "possessive"}, {"[[:alpha:]]", "POSIX"}, {"(a", "parenthesis"}, {"a)", "parenthesis"},
      {"[a", "bracket"}, {"*a", "before a repetition"}, {"a**", "repetition of a repetition"}, {"a{3,1}", "wrong order"}, {"[z-a]", "wrong order"},
      {"\\p{Klingon}", "property"}, {"\\G", "escape"}, {"a\\", "too early"}, {"a^b", "no text at all"}, {"^*a", "repeated anchor"},
  };
  for (const auto& [pattern, part] : cases) {
    EXPECT_NE(refusal(Kind::kRegex, pattern).find(part), std::string::npos) << pattern << "  said  " << refusal(Kind::kRegex, pattern);
  }
  EXPECT_NE(refusal(Kind::kRegex, std::string(300, '(') + std::string(300, ')')).find("deep"), std::string::npos);
  EXPECT_NE(refusal(Kind::kRegex, "(a{1000}){1000}"), "");
}

}  // namespace
}  // namespace minnow::grammar
