#include "respond/copied_text.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace minnow {
namespace {

bool has(const std::vector<std::string>& runs, const std::string& run) { return std::find(runs.begin(), runs.end(), run) != runs.end(); }

TEST(CopiedText, RunsGoFromWordToWord) {
  const auto runs = word_runs("Call Dr. Šárka (+42 123), now");
  for (const char* run : {"Call", "Dr", "Dr.", "Dr. Šárka", "Šárka", "+42 123", "42 123)", "now", "Call Dr. Šárka (+42 123), now"}) EXPECT_TRUE(has(runs, run)) << run;
  for (const char* run : {"all", "Dr. Š", " Dr", "now,", ""}) EXPECT_FALSE(has(runs, run)) << run;
}

TEST(CopiedText, ManyWordsGiveABoundedNumberOfRuns) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i) + " ";
  EXPECT_LT(word_runs(text).size(), kMaxCopies + 3 * kMaxCopiedWords);
}

TEST(CopiedText, TakesThePlaceOfWhatIsMarked) {
  const OrderedJson schema = OrderedJson::parse(R"({"properties": {"text": {"type": "string", "x-copied": true}, "n": {"type": "integer"}}})");
  EXPECT_TRUE(has_copied_texts(schema));
  const OrderedJson made = with_copied_texts(schema, "a b");
  EXPECT_EQ(made.dump(), R"({"properties":{"text":{"enum":["a","a b","b"]},"n":{"type":"integer"}}})");
  EXPECT_FALSE(has_copied_texts(made));
  EXPECT_EQ(with_copied_texts(schema, "?")["properties"]["text"].dump(), R"({"enum":["?"]})");
}

}  // namespace
}  // namespace minnow
