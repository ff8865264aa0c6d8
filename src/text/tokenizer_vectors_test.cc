// Token ids that other programs made of the same texts and vocabularies. Needs ../shared/data.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "formats/gguf.h"
#include "formats/tokenizer_files.h"
#include "formats/tokenizer_gguf.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

const fs::path kData = fs::path(MINNOW_SOURCE_DIR) / ".." / "shared" / "data";

class TokenizerVectors : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(kData / "tokenizers")) GTEST_SKIP() << "no shared data beside the source tree";
  }
};

std::string read(const fs::path& path) { return read_text_file(path, limits::kMaxJsonFileBytes); }

std::shared_ptr<const Tokenizer> from_folder(const fs::path& path) {
  return Tokenizer::build(load_tokenizer_folder(kData / path));
}

std::shared_ptr<const Tokenizer> from_gguf(const fs::path& path) {
  return Tokenizer::build(tokenizer_spec_from_gguf(GgufFile::open(kData / path).metadata()));
}

// The .inp texts are divided by a marker line; line i of .out has the ids of text i.
void expect_ggml_vectors(const Tokenizer& tokenizer, const std::string& name) {
  const fs::path stem = kData / "tokenizers" / "ggml-vocab" / ("ggml-vocab-" + name + ".gguf");
  std::string input = read(stem.string() + ".inp");
  std::istringstream output(read(stem.string() + ".out"));
  const std::string marker = "\n__ggml_vocab_test__\n";
  int n = 0;
  for (std::string line; std::getline(output, line); ++n) {
    const std::size_t end = input.find(marker);
    const std::string text = input.substr(0, end);
    input.erase(0, end == std::string::npos ? end : end + marker.size());
    std::vector<TokenId> expected;
    std::istringstream ids(line);
    for (TokenId id; ids >> id;) expected.push_back(id);
    EXPECT_EQ(tokenizer.encode(text, {.add_special = false}), expected) << name << ": " << text;
    EXPECT_EQ(tokenizer.decode(expected), text) << name;
  }
  EXPECT_GT(n, 40);
}

TEST_F(TokenizerVectors, Gpt2Gguf) {
  expect_ggml_vectors(*from_gguf("tokenizers/ggml-vocab/ggml-vocab-gpt-2.gguf"), "gpt-2");
}

TEST_F(TokenizerVectors, MptGguf) {
  expect_ggml_vectors(*from_gguf("tokenizers/ggml-vocab/ggml-vocab-mpt.gguf"), "mpt");
}

TEST_F(TokenizerVectors, Phi3Gguf) {
  const auto tokenizer = from_gguf("tokenizers/ggml-vocab/ggml-vocab-phi-3.gguf");
  expect_ggml_vectors(*tokenizer, "phi-3");
  expect_ggml_vectors(*tokenizer, "llama-spm");
}

TEST_F(TokenizerVectors, Phi3TokenizerJson) {
  expect_ggml_vectors(*from_folder("tokenizers/phi-3-mini"), "phi-3");
}

TEST_F(TokenizerVectors, Qwen2VocabAndMerges) {
  const auto tokenizer = from_folder("tokenizers/qwen3");
  expect_ggml_vectors(*tokenizer, "qwen2");
  expect_ggml_vectors(*tokenizer, "deepseek-r1-qwen");
}

TEST_F(TokenizerVectors, Gpt2VocabAndMerges) {
  expect_ggml_vectors(*from_folder("tokenizers/gpt2"), "gpt-2");
}

TEST_F(TokenizerVectors, Stories260kInAllItsFiles) {
  const std::vector<std::pair<std::string, std::vector<TokenId>>> reference = {
      {"Once upon a time", {1, 403, 407, 261, 378}},
      {"Lily and Tom", {1, 317, 269, 274, 287}},
      {"Ünïcode 🙂 test 123", {1,   410, 198, 159, 416, 198, 178, 429, 414, 418, 411, 410,
                                   243, 162, 156, 133, 259, 411, 356, 410, 475, 479, 472}}};
  for (const auto& tokenizer :
       {from_folder("models/stories260k/tok512.bin"), from_gguf("models/stories260k/stories260K-f32.gguf"),
        from_gguf("models/stories260k/stories260K-F16.gguf")}) {
    for (const auto& [text, ids] : reference) {
      EXPECT_EQ(tokenizer->encode(text), ids) << tokenizer->spec().source;
      EXPECT_EQ(tokenizer->decode(ids), text) << tokenizer->spec().source;
    }
  }
}

TEST_F(TokenizerVectors, Gpt2LongTextOfTransformers) {
  const Json vector =
      parse_json(read(kData / "tokenizers/vectors/swift-transformers/gpt2_encoded_tokens.json"), "gpt2");
  const auto tokenizer = from_folder("tokenizers/gpt2");
  const auto ids = vector.at("token_ids").get<std::vector<TokenId>>();
  EXPECT_EQ(tokenizer->encode(vector.at("text").get<std::string>()), ids);
  EXPECT_EQ(tokenizer->decode(ids), vector.at("text").get<std::string>());
}

// Llama 2 and Phi-3 share their first 32,000 pieces.
TEST_F(TokenizerVectors, Llama2LongTextOfTransformers) {
  const Json vector =
      parse_json(read(kData / "tokenizers/vectors/swift-transformers/llama_encoded.json"), "llama");
  const auto tokenizer = from_gguf("tokenizers/ggml-vocab/ggml-vocab-phi-3.gguf");
  EXPECT_EQ(tokenizer->encode(vector.at("text").get<std::string>()),
            vector.at("token_ids").get<std::vector<TokenId>>());
}

TEST_F(TokenizerVectors, ShortTextsOfTransformers) {
  const Json all =
      parse_json(read(kData / "tokenizers/vectors/swift-transformers/tokenizer_tests.json"), "tests");
  const auto expect = [&](const char* name, const Tokenizer& tokenizer) {
    for (const Json& test : all.at(name)) {
      const auto text = test.at("input").get<std::string>();
      const auto ids = test.at("encoded").at("input_ids").get<std::vector<TokenId>>();
      EXPECT_EQ(tokenizer.encode(text), ids) << name << ": " << text;
      EXPECT_EQ(tokenizer.decode(ids), text) << name;
    }
  };
  expect("distilgpt2", *from_folder("tokenizers/gpt2"));
  expect("coreml-projects/Llama-2-7b-chat-coreml", *from_gguf("tokenizers/ggml-vocab/ggml-vocab-phi-3.gguf"));
}

// The same model's pieces from a SentencePiece file and from a GGUF differ only in what converters add.
TEST_F(TokenizerVectors, MistralSentencePiece) {
  const auto tokenizer =
      Tokenizer::build(load_tokenizer_folder(kData / "tokenizers/mistral/tokenizer.model.v1"));
  EXPECT_EQ(tokenizer->n_vocab(), 32000);
  EXPECT_EQ(tokenizer->encode("Hello, world!"), (std::vector<TokenId>{1, 22557, 28725, 1526, 28808}));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("Hello, world! 🙂")), "Hello, world! 🙂");
}

TEST_F(TokenizerVectors, MistralInstructControlTokens) {
  const auto tokenizer = from_folder("tokenizers/mistral");  // the newest version of the two
  EXPECT_EQ(tokenizer->n_vocab(), 32768);
  const auto ids = tokenizer->encode("[INST] hi [/INST]", {.parse_special = true});
  EXPECT_EQ(ids.front(), tokenizer->spec().bos);
  EXPECT_EQ(ids[1], tokenizer->find("[INST]"));
  EXPECT_EQ(ids.back(), tokenizer->find("[/INST]"));
}

TEST_F(TokenizerVectors, Gpt2TiktokenFile) {
  const auto tiktoken = from_folder("tokenizers/gpt2/gpt2.tiktoken");
  expect_ggml_vectors(*tiktoken, "gpt-2");
  for (TokenId id = 0; id < tiktoken->n_vocab(); ++id) {
    const std::string piece = tiktoken->piece(id);
    // A piece that the expression cuts is not made again.
    if (tiktoken->encode(piece).size() == 1) continue;
    const bool cut = piece.find_first_of(" \n\t'0123456789") != std::string::npos || !is_valid_utf8(piece);
    EXPECT_TRUE(cut || static_cast<unsigned char>(piece.front()) >= 0x80) << piece;
  }
}

TEST_F(TokenizerVectors, Phi4TiktokenFileWithItsConfig) {
  const auto tokenizer = from_folder("tokenizers/phi-4");
  EXPECT_EQ(tokenizer->encode("hello world"), (std::vector<TokenId>{15339, 1917}));
  EXPECT_EQ(tokenizer->encode("<|im_start|>", {.parse_special = true}), std::vector<TokenId>{100264});
}

void expect_ids_of_ggml_vectors(const Tokenizer& tokenizer, const std::string& name) {
  const fs::path stem = kData / "tokenizers" / "ggml-vocab" / ("ggml-vocab-" + name + ".gguf");
  std::string input = read(stem.string() + ".inp");
  std::istringstream output(read(stem.string() + ".out"));
  const std::string marker = "\n__ggml_vocab_test__\n";
  int n = 0;
  for (std::string line; std::getline(output, line); ++n) {
    const std::size_t end = input.find(marker);
    const std::string text = input.substr(0, end);
    input.erase(0, end == std::string::npos ? end : end + marker.size());
    std::vector<TokenId> expected;
    std::istringstream ids(line);
    for (TokenId id; ids >> id;) expected.push_back(id);
    EXPECT_EQ(tokenizer.encode(text, {.add_special = false}), expected) << name << ": " << text;
  }
  EXPECT_GT(n, 40);
}

TEST_F(TokenizerVectors, BertInAllItsFiles) {
  expect_ids_of_ggml_vectors(*from_gguf("tokenizers/ggml-vocab/ggml-vocab-bert-bge.gguf"), "bert-bge");
  expect_ids_of_ggml_vectors(*from_folder("tokenizers/bert-base-uncased"), "bert-bge");
  expect_ids_of_ggml_vectors(*from_folder("tokenizers/bert-base-uncased/vocab.txt"), "bert-bge");
}

TEST_F(TokenizerVectors, BertOfTransformers) {
  const Json all =
      parse_json(read(kData / "tokenizers/vectors/swift-transformers/tokenizer_tests.json"), "tests");
  for (const auto& tokenizer : {from_folder("tokenizers/bert-base-uncased"),
                                from_gguf("tokenizers/ggml-vocab/ggml-vocab-bert-bge.gguf")}) {
    for (const char* name : {"bert-base-uncased", "google-bert/bert-base-uncased"}) {
      for (const Json& test : all.at(name)) {
        const auto ids = test.at("encoded").at("input_ids").get<std::vector<TokenId>>();
        EXPECT_EQ(tokenizer->encode(test.at("input").get<std::string>()), ids) << test.at("input");
        EXPECT_EQ(tokenizer->decode(ids, true), test.at("decoded_with_special").get<std::string>());
        EXPECT_EQ(tokenizer->decode(ids), test.at("decoded_without_special").get<std::string>());
      }
    }
  }
}

TEST_F(TokenizerVectors, LongTextsOfBertAndT5) {
  const auto expect = [](const Tokenizer& tokenizer, const char* file) {
    const Json vector = parse_json(read(kData / "tokenizers/vectors/swift-transformers" / file), file);
    const auto ids = vector.at("token_ids").get<std::vector<TokenId>>();
    EXPECT_EQ(tokenizer.encode(vector.at("text").get<std::string>()), ids) << file;
  };
  expect(*from_folder("tokenizers/bert-base-uncased"), "bert_uncased_encoded.json");
  expect(*from_folder("tokenizers/t5-small"), "t5_base_encoded.json");
}

TEST_F(TokenizerVectors, TenThousandQuestionsForBert) {
  const fs::path folder = kData / "tokenizers/vectors/swift-transformers";
  const Json questions = parse_json(read(folder / "question_tokens.json"), "questions");
  const Json expected = parse_json(read(folder / "tokenized_questions.json"), "ids");
  const auto tokenizer = from_folder("tokenizers/bert-base-uncased");
  ASSERT_EQ(questions.size(), expected.size());
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const auto text = questions[i].at("original").get<std::string>();
    ASSERT_EQ(tokenizer->encode(text, {.add_special = false}), expected[i].get<std::vector<TokenId>>()) << text;
  }
}

TEST_F(TokenizerVectors, T5OfTransformers) {
  const Json all =
      parse_json(read(kData / "tokenizers/vectors/swift-transformers/tokenizer_tests.json"), "tests");
  const auto tokenizer = from_folder("tokenizers/t5-small");
  for (const Json& test : all.at("t5-base")) {
    const auto ids = test.at("encoded").at("input_ids").get<std::vector<TokenId>>();
    EXPECT_EQ(tokenizer->encode(test.at("input").get<std::string>()), ids) << test.at("input");
  }
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("Hi  Hello, world.\n")), "Hi Hello, world.");
}

// Ids that SentencePiece 0.1.97 gives.
TEST_F(TokenizerVectors, SentencePieceUnigramModels) {
  const auto english = from_folder("tokenizers/sentencepiece/test_model.model");
  EXPECT_EQ(english->encode("I have a pen.  ﬁne ①", {.add_special = false}), (std::vector<TokenId>{9, 76, 11, 68, 98, 6, 706, 4, 357}));
  const auto japanese = from_folder("tokenizers/sentencepiece/test_ja_model.model");
  EXPECT_EQ(japanese->encode("吾輩は猫である。ｱｲｳｴｵ ㍿", {.add_special = false}), (std::vector<TokenId>{6, 3973, 6019, 9, 6022, 24, 5, 4588, 491, 788, 464, 6, 4579}));
  EXPECT_EQ(japanese->decode(japanese->encode("吾輩は猫である。ｱｲｳｴｵ")), "吾輩は猫である。アイウエオ");
}

// The same tokenizer through files of another kind.
TEST_F(TokenizerVectors, UnigramAndWordPieceSurviveTheWayThroughOtherFiles) {
  const auto through_gguf = [](const TokenizerSpec& spec) {
    GgufMetadata metadata("again.gguf");
    tokenizer_spec_to_gguf(spec, metadata);
    return Tokenizer::build(tokenizer_spec_from_gguf(metadata));
  };
  const auto through_json = [](const TokenizerSpec& spec) {
    return Tokenizer::build(parse_tokenizer_json(tokenizer_json_text(spec), "again/tokenizer.json"));
  };
  const std::string text = read(kData / "tokenizers/ggml-vocab/ggml-vocab-gpt-2.gguf.inp") + " ﬁne ① ｱｲｳｴｵ ㍿  x";
  for (const char* path : {"tokenizers/t5-small", "tokenizers/bert-base-uncased",
                           "tokenizers/sentencepiece/test_model.model", "tokenizers/sentencepiece/test_ja_model.model"}) {
    const TokenizerSpec spec = load_tokenizer_folder(kData / path);
    const auto ids = Tokenizer::build(spec)->encode(text);
    EXPECT_EQ(through_gguf(spec)->encode(text), ids) << path;
    EXPECT_EQ(through_json(spec)->encode(text), ids) << path;
  }
}

}  // namespace
}  // namespace minnow
