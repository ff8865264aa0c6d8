#include "train/overlap.h"

#include <gtest/gtest.h>

#include <set>

#include "base/random.h"
#include "formats/test_bytes.h"

namespace minnow {
namespace {

std::vector<std::string> random_words(Random& random, std::size_t n) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < n; ++i) words.push_back("w" + std::to_string(random.below(100000)));
  return words;
}

std::string text_of(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += word + " ";
  return text;
}

double jaccard(const std::string& a, const std::string& b, std::size_t n) {
  const auto x = word_gram_hashes(a, n), y = word_gram_hashes(b, n);
  const std::set<uint64_t> first(x.begin(), x.end()), second(y.begin(), y.end());
  std::size_t common = 0;
  for (const uint64_t gram : first) common += second.contains(gram) ? 1 : 0;
  return static_cast<double>(common) / static_cast<double>(first.size() + second.size() - common);
}

TEST(WordGrams, DoNotDependOnCaseAndPunctuation) {
  EXPECT_EQ(word_gram_hashes("The cat, sat!", 2), word_gram_hashes("  the CAT sat", 2));
  EXPECT_EQ(word_gram_hashes("a b c d", 2).size(), 3u);
  EXPECT_EQ(word_gram_hashes("a b", 5).size(), 1u);
  EXPECT_NE(word_gram_hashes("ab", 5), word_gram_hashes("a b", 5));
  EXPECT_TRUE(word_gram_hashes(" ... ", 5).empty());
}

TEST(ContaminationCheck, FindsThirteenWordsInARow) {
  Random random(1);
  const auto question = random_words(random, 30);
  ContaminationCheck check;
  check.add_reference(text_of(question));
  check.add_reference("too short to count");
  EXPECT_EQ(check.n_references(), 1u);
  auto around = random_words(random, 50);
  std::copy(question.begin() + 5, question.begin() + 17, around.begin() + 20);
  EXPECT_FALSE(check.contains(text_of(around))) << "twelve words";
  around[32] = question[17];
  EXPECT_TRUE(check.contains(text_of(around)));
  EXPECT_FALSE(check.contains("too short to count"));
  EXPECT_FALSE(check.contains(""));
}

TEST(NearDuplicates, AreTheTextsThatShareMostSequences) {
  Random random(2);
  std::vector<std::string> texts;
  std::vector<std::pair<std::size_t, std::size_t>> copies;  // copy, original
  for (int i = 0; i < 300; ++i) {
    const auto words = random_words(random, 200);
    const std::size_t original = texts.size();
    texts.push_back(text_of(words));
    if (i % 3 != 0) continue;
    auto changed = words;
    for (std::size_t n = random.below(12); n > 0; --n) changed[random.below(200)] = "changed" + std::to_string(random.below(1000));
    copies.emplace_back(texts.size(), original);
    texts.push_back(text_of(changed));
  }
  const auto first = find_near_duplicates(texts.size(), [&](std::size_t i) { return texts[i]; });
  std::size_t n_found = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) n_found += first[i] != i ? 1 : 0;
  for (const auto& [copy, original] : copies) {
    const double exact = jaccard(texts[copy], texts[original], 5);
    // Four standard errors of the estimate around the threshold may go either way.
    if (exact > 0.94) {
      EXPECT_EQ(first[copy], original) << exact;
    }
    if (exact < 0.66) {
      EXPECT_EQ(first[copy], copy) << exact;
    }
  }
  EXPECT_GT(n_found, 10u);
  EXPECT_LE(n_found, copies.size()) << "unlike texts are no duplicates";
}

TEST(NearDuplicates, PointToTheFirstOfThem) {
  const std::vector<std::string> texts = {"", "one two three four five six", "other words", "One, two, three: four five six!", "one two three four five six", ""};
  EXPECT_EQ(find_near_duplicates(texts.size(), [&](std::size_t i) { return texts[i]; }), (std::vector<uint32_t>{0, 1, 2, 1, 1, 5}));
}

TEST(NearDuplicates, AreFoundAsTextsCome) {
  NearDuplicates seen({.n = 3, .threshold = 0.7});
  EXPECT_EQ(seen.add("name three rivers of europe"), 0u);
  EXPECT_TRUE(seen.contains("Name three rivers of Europe!"));
  EXPECT_FALSE(seen.contains("explain why the sky is blue"));
  EXPECT_EQ(seen.add("explain why the sky is blue"), 1u) << "asking remembers nothing";
  EXPECT_EQ(seen.add("Name three rivers of Europe."), 0u);
  EXPECT_FALSE(seen.contains(""));
}

TEST(NearDuplicates, LeaveASplit) {
  const minnow::testing::TemporaryFolder folder;
  const auto path = folder.write("a.jsonl",
                                 "{\"prompt\": \"what is the answer to all of it\", \"completion\": \"forty two\"}\n"
                                 "{\"prompt\": \"What is the answer to all of it?\", \"completion\": \"Forty two.\"}\n"
                                 "{\"prompt\": \"what is the answer to another\", \"completion\": \"I do not know\"}\n");
  DataSplit split = DataSet::open({.files = {path}}).train;
  EXPECT_EQ(drop_near_duplicates(split), 1u);
  EXPECT_EQ(split.records, (std::vector<uint32_t>{0, 2}));
  ContaminationCheck check(4);
  check.add_reference("so: the answer to another question");
  EXPECT_EQ(drop_contaminated(split, check), 1u);
  EXPECT_EQ(split.records, std::vector<uint32_t>{0});
}

}  // namespace
}  // namespace minnow
