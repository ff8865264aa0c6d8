#include "train/sample.h"

#include <filesystem>

#include "base/file.h"
#include "formats/test_bytes.h"
#include "formats/tokenizer_files.h"
#include "train/test_chats.h"

namespace minnow {
namespace {

using minnow::testing::expect_refused;
using namespace testing_chats;

Record record(const char* line) { return parse_record(line, "test"); }

Record chat(const char* messages) {
  return parse_record(std::string("{\"messages\": ") + messages + "}", "test");
}

constexpr const char* kTwoTurns =
    R"([{"role":"user","content":"Hi"},{"role":"assistant","content":"Yo"},{"role":"user","content":"And?"},{"role":"assistant","content":"No"}])";

// The text of the tokens with (carries loss) or without loss; control tokens spelled, stretches apart by '|'.
std::string text_where(const Tokenizer& tokenizer, const Sample& sample, bool loss) {
  std::string text;
  for (std::size_t i = 0; i < sample.tokens.size(); ++i) {
    if ((sample.loss[i] != 0) != loss) continue;
    if (!text.empty() && i > 0 && (sample.loss[i - 1] != 0) != loss) text += '|';
    text += tokenizer.piece(sample.tokens[i], true);
  }
  return text;
}

struct Rendered {
  std::string learned, given;
  bool operator==(const Rendered&) const = default;
};

Rendered render(const Record& r, const std::string& chat_template, SampleOptions options = {}) {
  const auto tokenizer = byte_tokenizer(chat_template);
  const auto samples = SampleRenderer(tokenizer, std::move(options)).render(r);
  EXPECT_FALSE(samples.empty());
  if (samples.empty()) return {};
  return {text_where(*tokenizer, samples[0], true), text_where(*tokenizer, samples[0], false)};
}

void PrintTo(const Rendered& r, std::ostream* out) { *out << "learned " << r.learned << " given " << r.given; }

TEST(SampleRenderer, LearnsAllOfATextButItsFirstToken) {
  EXPECT_EQ(render(record(R"({"text": "abc"})"), ""), (Rendered{"abc</s>", "<s>"}));
  Record piece = record(R"({"text": "abc"})");
  piece.begins_document = piece.ends_document = false;
  EXPECT_EQ(render(piece, ""), (Rendered{"bc", "a"})) << "pieces from the middle of a document have neither BOS nor EOS";
}

TEST(SampleRenderer, LearnsTheCompletionOfAPrompt) {
  const Record r = record(R"({"prompt": "2+2=", "completion": "4"})");
  EXPECT_EQ(render(r, ""), (Rendered{"4</s>", "<s>2+2="}));
  EXPECT_EQ(render(r, "", {.mask_prompt = false}), (Rendered{"2+2=4</s>", "<s>"}));
  EXPECT_EQ(render(r, kTemplate), (Rendered{"4<|end|>", "<s><|user|>2+2=<|end|>\n<|bot|>|\n"}));
  EXPECT_EQ(render(r, kTemplate, {.raw = true}), (Rendered{"4</s>", "<s>2+2="}));
}

TEST(SampleRenderer, LearnsTheOutputOfAnInstruction) {
  const Record r = record(R"({"instruction": "Add.", "input": "1 2", "output": "3"})");
  EXPECT_EQ(render(r, "").given, "<s>### Instruction:\nAdd.\n\n### Input:\n1 2\n\n### Response:\n");
  EXPECT_EQ(render(r, "").learned, "3</s>");
  EXPECT_EQ(render(r, kTemplate), (Rendered{"3<|end|>", "<s><|user|>Add.\n\n1 2<|end|>\n<|bot|>|\n"}));
}

TEST(SampleRenderer, LearnsTheTurnsOfTheAssistant) {
  EXPECT_EQ(render(chat(kTwoTurns), kTemplate),
            (Rendered{"Yo<|end|>|No<|end|>", "<s><|user|>Hi<|end|>\n<|bot|>|\n<|user|>And?<|end|>\n<|bot|>|\n"}));
  EXPECT_EQ(render(chat(kTwoTurns), kTemplate, {.turns = TrainedTurns::kLast}).learned, "No<|end|>");
  EXPECT_EQ(render(chat(kTwoTurns), kTemplate, {.mask_prompt = false}).given, "<s>");
}

TEST(SampleRenderer, LearnsCallsOfTools) {
  const Record r = record(
      R"({"messages": [{"role": "user", "content": "t"}, {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f"}}]}],
          "tools": [{"type": "function"}, {}]})");
  EXPECT_EQ(render(r, kTemplate), (Rendered{"!f<|end|>", "<s>2 tools <|user|>t<|end|>\n<|bot|>|\n"}));
}

TEST(SampleRenderer, TakesTheTemplateForToolsWhereThereAreSome) {
  TokenizerSpec spec = byte_spec(kTemplate);
  spec.tool_template = std::string("{{ bos_token }}T") + (kTemplate + std::string_view("{{ bos_token }}").size());
  const auto tokenizer = Tokenizer::build(spec);
  const auto given = [&](const Record& r, SampleOptions options) {
    return text_where(*tokenizer, SampleRenderer(tokenizer, std::move(options)).render(r).at(0), false);
  };
  const Record tools = record(R"({"messages": [{"role": "user", "content": "t"}, {"role": "assistant", "content": "a"}], "tools": [{}]})");
  EXPECT_EQ(given(tools, {}), "<s>T1 tools <|user|>t<|end|>\n<|bot|>|\n");
  EXPECT_EQ(given(tools, {.chat_template = kTemplate}), "<s>1 tools <|user|>t<|end|>\n<|bot|>|\n");
  EXPECT_EQ(given(record(R"({"prompt": "2+2=", "completion": "4"})"), {}), "<s><|user|>2+2=<|end|>\n<|bot|>|\n");
}

TEST(SampleRenderer, TakesTheAnswersFromGenerationBlocks) {
  // This template shortens earlier answers, so that no prefix of the chat is a prefix of the text.
  const std::string marked =
      "{% for m in messages %}{% if m.role == 'assistant' %}<|bot|>{% generation %}{{ m.content if loop.last else '-' }}<|end|>"
      "{% endgeneration %}{% else %}<|user|>{{ m.content }}{% endif %}{% endfor %}";
  EXPECT_EQ(render(chat(kTwoTurns), marked), (Rendered{"-<|end|>|No<|end|>", "<s><|user|>Hi<|bot|>|<|user|>And?<|bot|>"}));
  std::string end_outside = marked;
  end_outside.replace(end_outside.find("<|end|>{% endgeneration %}"), 26, "{% endgeneration %}<|end|>");
  EXPECT_EQ(render(chat(kTwoTurns), end_outside).learned, "-<|end|>|No<|end|>") << "the end is learned, too";
}

TEST(SampleRenderer, RefusesATemplateThatRewritesEarlierTurns) {
  const std::string rewrites =
      "{% for m in messages %}{{ '<|bot|>' if m.role == 'assistant' else '<|user|>' }}"
      "{{ '(thought)' if loop.last and m.role == 'assistant' }}{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|bot|>{% endif %}";
  expect_refused([&] { render(chat(kTwoTurns), rewrites); }, ErrorCode::kInvalidInput, "the answer of message 2 ends");
  expect_refused([&] { render(chat(kTwoTurns), rewrites); }, ErrorCode::kInvalidInput, "each answer a document of its own");
  EXPECT_EQ(render(chat(kTwoTurns), rewrites, {.turns = TrainedTurns::kLast}).learned, "(thought)No<|end|>");
  const auto tokenizer = byte_tokenizer(rewrites);
  const auto each = SampleRenderer(tokenizer, {.turns = TrainedTurns::kEach}).render(chat(kTwoTurns));
  ASSERT_EQ(each.size(), 2u);
  EXPECT_EQ(text_where(*tokenizer, each[0], true), "(thought)Yo<|end|>");
  EXPECT_EQ(text_where(*tokenizer, each[1], false), "<s><|user|>Hi<|end|><|bot|>Yo<|end|><|user|>And?<|end|><|bot|>");
}

TEST(SampleRenderer, AMessageNeverBecomesAControlToken) {
  const Record r = chat(R"([{"role":"user","content":"a<|end|>"},{"role":"assistant","content":"b<|end|>c"}])");
  const auto tokenizer = byte_tokenizer(kTemplate);
  const Sample sample = SampleRenderer(tokenizer, {}).render(r)[0];
  EXPECT_EQ(std::ranges::count(sample.tokens, kEnd), 2);
  EXPECT_EQ(text_where(*tokenizer, sample, true), "b<|end|>c<|end|>");
}

TEST(SampleRenderer, APreferenceIsTwoDocuments) {
  const auto tokenizer = byte_tokenizer(kTemplate);
  const SampleRenderer renderer(tokenizer, {.mask_prompt = false});
  const auto pair = renderer.render(record(R"({"prompt": "q", "chosen": "yes", "rejected": "no"})"));
  ASSERT_EQ(pair.size(), 2u);
  EXPECT_EQ(text_where(*tokenizer, pair[0], true), "yes<|end|>");
  EXPECT_EQ(text_where(*tokenizer, pair[1], true), "no<|end|>");
  EXPECT_EQ(text_where(*tokenizer, pair[1], false), "<s><|user|>q<|end|>\n<|bot|>|\n") << "the prompt is always masked";
}

TEST(SampleRenderer, HasOneBos) {
  std::string twice = kTemplate;
  twice.insert(0, "{{ bos_token }}");
  expect_refused([&] { render(chat(kTwoTurns), twice); }, ErrorCode::kInvalidInput, "stands twice");
  EXPECT_EQ(render(chat(kTwoTurns), std::string(kTemplate).substr(15)).given.substr(0, 11), "<s><|user|>") << "added where the template has none";
  expect_refused([&] { render(record(R"({"text": "<s>abc"})"), ""); }, ErrorCode::kInvalidInput, "begins with '<s>'");
  EXPECT_EQ(render(record(R"({"text": "<s>abc</s>"})"), "", {.parse_special = true}), (Rendered{"abc</s>", "<s>"}));
  expect_refused([&] { render(record(R"({"text": "<s><s>abc"})"), "", {.parse_special = true}); }, ErrorCode::kInvalidInput, "twice");
}

TEST(SampleRenderer, RefusesWhatNeverEnds) {
  expect_refused([&] { render(chat(kTwoTurns), "{% for m in messages %}{{ m.content }}\n{% endfor %}"); }, ErrorCode::kInvalidInput, "never learn to stop");
  TokenizerSpec spec = byte_spec();
  spec.eos = kNoToken;
  const SampleRenderer renderer(Tokenizer::build(spec), {});
  expect_refused([&] { renderer.render(record(R"({"text": "a"})")); }, ErrorCode::kInvalidInput, "no end-of-text token");
}

TEST(SampleRenderer, RefusesWhatHasNothingToLearn) {
  expect_refused([&] { render(chat(R"([{"role":"user","content":"a"}])"), kTemplate); }, ErrorCode::kInvalidInput, "nothing to learn");
  expect_refused([&] { render(chat(kTwoTurns), ""); }, ErrorCode::kNotFound, "chat template");
}

TEST(SampleRenderer, CutsTheEndAndSaysSo) {
  const SampleRenderer renderer(byte_tokenizer(), {.max_length = 4});
  const auto text = renderer.render(record(R"({"text": "abcdef"})"));
  ASSERT_EQ(text.size(), 1u);
  EXPECT_TRUE(text[0].cut);
  EXPECT_EQ(text[0].tokens, (std::vector<TokenId>{kBos, 'a', 'b', 'c'}));
  EXPECT_FALSE(renderer.render(record(R"({"text": "ab"})"))[0].cut);
  const Sample nothing = renderer.render(record(R"({"prompt": "long prompt", "completion": "x"})"))[0];
  EXPECT_TRUE(nothing.cut && nothing.n_loss() == 0) << "nothing to learn is left";
}

// Templates of released models.
class ReleasedTemplates : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kData / "chat-templates")) GTEST_SKIP() << "no shared data beside the source tree";
  }
  const std::filesystem::path kData = minnow::testing::shared_data() / "data";
};

TEST_P(ReleasedTemplates, TellWhereTheLastAnswerLies) {
  // A vocabulary of bytes and the end marks of all these families.
  TokenizerSpec spec = testing_specs::byte_bpe({});
  for (const char* text : {"<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "<|end_of_text|>", "<|return|>"}) {
    spec.eos = testing_specs::add(spec, text, TokenType::kControl);
  }
  const auto tokenizer = Tokenizer::build(spec);
  const std::string source = read_text_file(kData / "chat-templates/llama.cpp" / (std::string(GetParam()) + ".jinja"), 1 << 20);
  SampleOptions options{.turns = TrainedTurns::kLast, .chat_template = source};
  const Sample sample = SampleRenderer(tokenizer, options).render(chat(kTwoTurns))[0];
  const std::string learned = text_where(*tokenizer, sample, true);
  EXPECT_NE(learned.find("No"), std::string::npos) << learned;
  EXPECT_EQ(learned.find("Yo"), std::string::npos) << learned;
  EXPECT_EQ(learned.find("And?"), std::string::npos) << learned;
  EXPECT_TRUE(tokenizer->is_end_of_generation(sample.tokens[static_cast<std::size_t>(
      std::find(sample.loss.rbegin(), sample.loss.rend(), 1).base() - sample.loss.begin() - 1)]));
}

INSTANTIATE_TEST_SUITE_P(All, ReleasedTemplates,
                         ::testing::Values("Qwen-Qwen3-0.6B", "Qwen-Qwen2.5-7B-Instruct", "HuggingFaceTB-SmolLM3-3B", "meta-llama-Llama-3.2-3B-Instruct",
                                           "google-gemma-2-2b-it", "microsoft-Phi-3.5-mini-instruct", "openai-gpt-oss-120b",
                                           "ibm-granite-granite-3.3-2B-Instruct", "LFM2.5-Instruct"));

TEST(SampleRenderer, ReadsRecordsOfPublicData) {
  const auto data = minnow::testing::shared_data() / "data";
  if (!std::filesystem::exists(data / "tokenizers")) GTEST_SKIP() << "no shared data beside the source tree";
  const auto tokenizer = Tokenizer::build(load_tokenizer_folder(data / "tokenizers/smollm2"));
  const SampleRenderer renderer(tokenizer, {});
  const Sample sample = renderer.render(record(R"({"prompt": "Two and two?", "completion": "Four."})"))[0];
  EXPECT_EQ(text_where(*tokenizer, sample, true), "Four.<|im_end|>");
  EXPECT_EQ(std::ranges::count(sample.tokens, tokenizer->find("<|im_start|>")), 3) << "the template's own system message, too";
}

}  // namespace
}  // namespace minnow
