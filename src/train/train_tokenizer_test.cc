#include "train/train_tokenizer.h"

#include <algorithm>

#include "base/file.h"
#include "base/json.h"
#include "formats/test_bytes.h"
#include "formats/tokenizer_files.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

using minnow::testing::expect_refused;
using minnow::testing::TemporaryFolder;

const std::string kText =
    "It was the best of times, it was the worst of times, it was the age of wisdom…<|endoftext|>it was the age of foolishness, 1859.\n";

TEST(TrainTokenizer, GivesOneThatFilesKeepAsItIs) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.txt", kText);
  for (const char* pre : {"gpt2", "llama3", "qwen2", "smollm", "tekken", "gpt-4o"}) {
    TokenizerTrainingReport report;
    TokenizerSpec spec = train_tokenizer({path}, {.vocab_size = 290, .min_frequency = 1, .pre_tokenizer = pre}, &report);
    EXPECT_EQ(spec.tokens.size(), 290u);
    EXPECT_EQ(report.vocab_size, 290);
    EXPECT_EQ(spec.eos, 0);
    write_tokenizer_folder(spec, folder.path());
    const TokenizerSpec again = load_tokenizer_folder(folder.path());
    EXPECT_EQ(again.merges, spec.merges);
    EXPECT_EQ(again.eos, 0);
    EXPECT_EQ(tokenizer_json_text(again), tokenizer_json_text(spec));
    const auto tokenizer = Tokenizer::build(spec), reread = Tokenizer::build(again);
    const std::string text = kText + "\xff ünseen 漢字\n\n  12345";
    EXPECT_EQ(tokenizer->encode(text, {.parse_special = true}), reread->encode(text, {.parse_special = true})) << pre;
    EXPECT_EQ(tokenizer->decode(tokenizer->encode("ünseen  漢字\n")), "ünseen  漢字\n");
    // What it reports of the text is what encoding the text gives, without the special token.
    EXPECT_EQ(report.tokens + 1, tokenizer->encode(kText, {.parse_special = true}).size()) << pre;
    EXPECT_EQ(report.word_bytes + 13, kText.size());
  }
}

TEST(TrainTokenizer, PutsSpecialTokensFirst) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.txt", kText);
  const TokenizerSpec spec =
      train_tokenizer({path}, {.vocab_size = 270, .special = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}, .eos = "<|im_end|>", .bos = "<|endoftext|>"});
  EXPECT_EQ(spec.tokens[1].text, "<|im_start|>");
  EXPECT_EQ(spec.tokens[2].type, TokenType::kControl);
  EXPECT_EQ(spec.tokens[3].text, "!");
  EXPECT_EQ(spec.eos, 2);
  EXPECT_EQ(spec.bos, 0);
  EXPECT_TRUE(spec.add_bos);
  const auto ids = Tokenizer::build(spec)->encode("<|im_start|>", {.parse_special = true});
  EXPECT_EQ(ids, (std::vector<TokenId>{0, 1}));
}

TEST(TrainTokenizer, RefusesWhatCannotBe) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.txt", kText);
  const auto refused = [&](TokenizerTrainingOptions options, const char* part) {
    expect_refused([&] { train_tokenizer({path}, options); }, ErrorCode::kUsage, part);
  };
  refused({.vocab_size = 256}, "at least 257");
  refused({.vocab_size = 1 << 30}, "at most");
  refused({.vocab_size = 300, .special = {"a", "a"}}, "named twice");
  refused({.vocab_size = 300, .special = {""}}, "1 to");
  refused({.vocab_size = 300, .eos = "</s>"}, "--eos '</s>'");
  refused({.vocab_size = 300, .pre_tokenizer = "gpt9"}, "gpt9");
  refused({.vocab_size = 300, .special = {"a"}}, "name it otherwise");
  expect_refused([&] { train_tokenizer({folder / "none"}, {.vocab_size = 300}); }, ErrorCode::kNotFound, "none");
}

// Merges and vocabulary that another program learned from the same text (stanford-cs336/assignment1-basics).
TEST(TrainTokenizer, LearnsTheReferenceMerges) {
  const auto data = minnow::testing::shared_data() / "data/corpora/bpe-training";
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "no shared data beside the source tree";
  const TemporaryFolder folder;
  const auto text = folder.write("corpus.txt", read_text_file(data / "corpus.en", 1 << 20));
  const TokenizerSpec spec = train_tokenizer({text}, {.vocab_size = 500});
  std::string merges;
  for (const std::string& merge : spec.merges) merges += merge + "\n";
  std::string expected = read_text_file(data / "train-bpe-reference-merges.txt", 1 << 20);
  if (!expected.ends_with('\n')) expected += '\n';
  EXPECT_EQ(merges, expected);
  const Json vocabulary = parse_json(read_text_file(data / "train-bpe-reference-vocab.json", 1 << 20), "vocabulary");
  ASSERT_EQ(vocabulary.size(), spec.tokens.size());
  for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
    EXPECT_EQ(vocabulary.value(spec.tokens[id].text, -1), static_cast<int64_t>(id)) << spec.tokens[id].text;
  }
}

}  // namespace
}  // namespace minnow
