#include "train/word_counts.h"

#include <map>

#include "base/random.h"
#include "formats/test_bytes.h"

namespace minnow {
namespace {

using minnow::testing::expect_refused;
using minnow::testing::TemporaryFolder;

std::vector<WordCount> count(const DataFiles& files, int n_threads = 2) {
  const PreTokenizer splitter(TokenizerSpec{.source = "test", .pre = "gpt-2"});
  SpecialTokenMatcher specials;
  specials.add("<|x|>", 0);
  ThreadPool pool(n_threads);
  return count_words(files, {.splitter = splitter, .specials = specials}, pool);
}

TEST(CountWords, CountsWordsAndEndsThemAtSpecialTokens) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.txt", "\xEF\xBB\xBFthe cat the<|x|>cat the");
  EXPECT_EQ(count({DataFormat::kText, {path}, {}}),
            (std::vector<WordCount>{{" cat", 1}, {" the", 2}, {"cat", 1}, {"the", 1}}));
}

TEST(CountWords, ReadsTheStringsOfJsonLinesButRoles) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.jsonl", "{\"messages\": [{\"role\": \"user\", \"content\": \"hi hi\"}], \"n\": 3}\n\n{\"text\": \"hi\"}");
  EXPECT_EQ(count({DataFormat::kJsonLines, {path}, {}}), (std::vector<WordCount>{{" hi", 1}, {"hi", 2}}));
}

TEST(CountWords, IsTheSameForAnyNumberOfThreads) {
  const TemporaryFolder folder;
  Random random(3);
  std::string text;
  std::map<std::string, uint64_t> expected;
  while (text.size() < (5u << 20)) {
    std::string line = "w";
    line += static_cast<char>('a' + random.below(26));
    ++expected[line];
    ++expected["\n"];
    text += line + "\n";
  }
  const DataFiles files{DataFormat::kText, {folder.write("a.txt", text)}, {}};
  const auto words = count(files, 1);
  EXPECT_EQ(words, count(files, 4));
  std::map<std::string, uint64_t> counted;
  for (const WordCount& w : words) counted[w.word] = w.count;
  EXPECT_EQ(counted, expected);
}

TEST(CountWords, RefusesWhatIsNoText) {
  const TemporaryFolder folder;
  const auto text = folder.write("a.txt", "not \xE9 fine");
  expect_refused([&] { count({DataFormat::kText, {text}, {}}); }, ErrorCode::kInvalidInput, "a.txt: not UTF-8");
  const auto json = folder.write("a.jsonl", "{}\n{\"text\": }\n");
  expect_refused([&] { count({DataFormat::kJsonLines, {json}, {}}); }, ErrorCode::kInvalidInput, "the line at byte 3");
}

TEST(WordTable, KeepsManyWordsApart) {
  WordTable table;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20000; ++i) table.add("word" + std::to_string(i), static_cast<uint64_t>(1 + i % 2));
  }
  EXPECT_EQ(table.size(), 20000u);
  uint64_t total = 0;
  table.for_each([&](std::string_view word, uint64_t n) {
    EXPECT_EQ(n % 3, 0u) << word;
    total += n;
  });
  EXPECT_EQ(total, 3u * 30000);
}

}  // namespace
}  // namespace minnow
