// SentencePiece and llama2.c files made by hand, whole and broken.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/error.h"
#include "formats/test_bytes.h"
#include "formats/tokenizer_files.h"

namespace minnow {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

template <typename T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out += static_cast<char>(value);
}
std::string number_field(uint64_t field, uint64_t value) { return varint(field << 3) + varint(value); }
std::string bytes_field(uint64_t field, const std::string& value) {
  return varint(field << 3 | 2) + varint(value.size()) + value;
}
std::string float_field(uint64_t field, float value) { return varint(field << 3 | 5) + raw(value); }

std::string piece(const std::string& text, float score, int type = 1) {
  return bytes_field(
      1, bytes_field(1, text) + float_field(2, score) + number_field(3, static_cast<uint64_t>(type)));
}

std::string model(const std::string& trainer = number_field(3, 2) + number_field(43, UINT64_MAX),
                  const std::string& normalizer = number_field(3, 0) + number_field(4, 0)) {
  return piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3) + piece("<0x41>", 0, 6) +
         piece("▁a", -1) + piece("▁▁", 0, 4) + bytes_field(2, trainer) + bytes_field(3, normalizer) +
         bytes_field(9, "unknown field");
}

ErrorCode model_error(const std::string& bytes) {
  try {
    parse_sentencepiece_model(bytes_of(bytes), "x.model");
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::kInternal;
}

TEST(SentencePieceModel, ReadsPiecesIdsAndNormalizer) {
  const std::string bytes = model();
  const TokenizerSpec spec = parse_sentencepiece_model(bytes_of(bytes), "x.model");
  EXPECT_EQ(spec.kind, TokenizerKind::kSpmBpe);
  ASSERT_EQ(spec.tokens.size(), 6u);
  EXPECT_EQ(spec.tokens[4].text, "▁a");
  EXPECT_EQ(spec.tokens[4].score, -1);
  EXPECT_EQ(spec.tokens[3].type, TokenType::kByte);
  EXPECT_EQ(spec.tokens[5].text, "  ") << "a user-defined token holds the text that it stands for";
  EXPECT_EQ(spec.unk, 0);
  EXPECT_EQ(spec.bos, 1);
  EXPECT_EQ(spec.eos, 2);
  EXPECT_EQ(spec.pad, kNoToken) << "-1 is a varint of ten bytes";
  EXPECT_FALSE(spec.add_space_prefix);
  EXPECT_FALSE(spec.remove_extra_whitespaces);
  EXPECT_TRUE(spec.add_bos);
}

TEST(SentencePieceModel, TakesTheDefaultsOfTheFormat) {
  const std::string bytes = model(number_field(3, 2), "");
  const TokenizerSpec spec = parse_sentencepiece_model(bytes_of(bytes), "x.model");
  EXPECT_TRUE(spec.add_space_prefix);
  EXPECT_TRUE(spec.remove_extra_whitespaces);
}

TEST(SentencePieceModel, RefusesOtherKindsByName) {
  EXPECT_EQ(model_error(model(number_field(3, 3))), ErrorCode::kUnsupported);
  EXPECT_EQ(model_error(model(number_field(3, 77))), ErrorCode::kUnsupported);
  EXPECT_EQ(model_error(model(number_field(3, 1) + number_field(24, 1))), ErrorCode::kUnsupported)
      << "spaces after words";
  EXPECT_EQ(model_error(model(number_field(3, 2), number_field(5, 0))), ErrorCode::kUnsupported);
}

TEST(SentencePieceModel, ReadsUnigramModelsWithTheirTables) {
  const std::string bytes = model(number_field(3, 1), bytes_field(2, "table"));
  const TokenizerSpec spec = parse_sentencepiece_model(std::as_bytes(std::span(bytes)), "test.model");
  EXPECT_EQ(spec.kind, TokenizerKind::kUnigram);
  EXPECT_FALSE(spec.add_bos);
  EXPECT_TRUE(spec.add_eos);
  ASSERT_EQ(spec.normalizers.size(), 1u);
  EXPECT_EQ(spec.normalizers[0].kind, NormalizerStep::Kind::kPrecompiled);
  EXPECT_EQ(spec.normalizers[0].content, "table");
}

TEST(SentencePieceModel, RefusesBrokenFiles) {
  EXPECT_EQ(model_error(""), ErrorCode::kInvalidInput);
  EXPECT_EQ(model_error(number_field(9, 1)), ErrorCode::kInvalidInput);
  EXPECT_EQ(model_error(std::string(20, '\xff')), ErrorCode::kInvalidInput) << "a varint without end";
  EXPECT_EQ(model_error(varint(1 << 3 | 3)), ErrorCode::kInvalidInput) << "groups are not of this format";
  EXPECT_EQ(model_error(varint(1 << 3 | 2) + varint(UINT64_MAX)), ErrorCode::kInvalidInput);
  EXPECT_EQ(model_error(model() + piece("x", 0, 9)), ErrorCode::kInvalidInput);
  EXPECT_EQ(model_error(model() + piece("x", std::numeric_limits<float>::infinity())),
            ErrorCode::kInvalidInput);
  EXPECT_EQ(model_error(model(number_field(3, 2) + number_field(41, 6))), ErrorCode::kInvalidInput);
}

TEST(SentencePieceModel, SurvivesEveryTruncation) {
  const std::string whole = model();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    try {
      parse_sentencepiece_model(bytes_of(whole).first(size), "x.model");
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == ErrorCode::kInvalidInput || error.code() == ErrorCode::kUnsupported)
          << error.what();
    }
  }
}

std::string llama2c_token(const std::string& text, float score) {
  return raw(score) + raw(static_cast<int32_t>(text.size())) + text;
}

TEST(Llama2cTokenizer, ReadsTokensWithTheirRoles) {
  const std::string bytes = raw(int32_t{7}) + llama2c_token("<unk>", 0) + llama2c_token("\n<s>\n", 0) +
                            llama2c_token("\n</s>\n", 0) + llama2c_token("<0x0A>", 0) +
                            llama2c_token(" the", -2);
  const TokenizerSpec spec = parse_llama2c_tokenizer(bytes_of(bytes), "tokenizer.bin");
  ASSERT_EQ(spec.tokens.size(), 5u);
  EXPECT_EQ(spec.tokens[1].text, "<s>");
  EXPECT_EQ(spec.tokens[1].type, TokenType::kControl);
  EXPECT_EQ(spec.tokens[3].type, TokenType::kByte);
  EXPECT_EQ(spec.tokens[4].text, "▁the");
  EXPECT_EQ(spec.tokens[4].score, -2);
  EXPECT_EQ(spec.bos, 1);
  EXPECT_EQ(spec.eos, 2);
}

TEST(Llama2cTokenizer, RefusesBrokenFiles) {
  const std::string three = llama2c_token("a", 0) + llama2c_token("b", 0) + llama2c_token("c", 0);
  const auto refuses = [](const std::string& bytes) {
    EXPECT_THROW(parse_llama2c_tokenizer(bytes_of(bytes), "tokenizer.bin"), Error);
  };
  refuses("");
  refuses(raw(int32_t{4}));
  refuses(raw(int32_t{0}) + three);
  refuses(raw(int32_t{-1}) + three);
  refuses(raw(int32_t{4}) + three + raw(0.0f) + raw(int32_t{-1}));
  refuses(raw(int32_t{INT32_MAX}) + three + raw(0.0f) + raw(int32_t{INT32_MAX}));
  refuses(raw(int32_t{4}) + three + raw(0.0f));
  refuses(raw(int32_t{4}) + three + llama2c_token("d", std::numeric_limits<float>::quiet_NaN()));
}

class TokenizerFolder : public ::testing::Test {
 protected:
  void put(const char* name, const std::string& text) const { std::ofstream(folder_ / name) << text; }

  const testing::TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
};

TEST_F(TokenizerFolder, PicksWhatIsThere) {
  put("tokenizer.model", model());
  EXPECT_EQ(load_tokenizer_folder(folder_).tokens.size(), 6u);
  put("vocab.json", R"({"a": 0})");
  EXPECT_EQ(load_tokenizer_folder(folder_).tokens.size(), 6u) << "a vocabulary without merges is not one";
  put("merges.txt", "");
  EXPECT_EQ(load_tokenizer_folder(folder_).tokens.size(), 1u);
  EXPECT_EQ(load_tokenizer_folder(folder_ / "tokenizer.model").tokens.size(), 6u);
}

TEST_F(TokenizerFolder, ReadsTheFilesBeside) {
  put("tokenizer.model", model());
  put("tokenizer_config.json", R"({"add_bos_token": false, "eos_token": "▁a"})");
  put("chat_template.jinja", "hello");
  std::filesystem::create_directory(folder_ / "additional_chat_templates");
  put("additional_chat_templates/tool_use.jinja", "hello, tools");
  const TokenizerSpec spec = load_tokenizer_folder(folder_);
  EXPECT_FALSE(spec.add_bos);
  EXPECT_EQ(spec.eos, 4);
  EXPECT_EQ(spec.chat_template, "hello");
  EXPECT_EQ(spec.tool_template, "hello, tools");
}

TEST_F(TokenizerFolder, SaysWhenThereIsNothing) {
  for (const auto& path : {folder_, folder_ / "missing.json", folder_ / "missing"}) {
    try {
      load_tokenizer_folder(path);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == ErrorCode::kNotFound || error.code() == ErrorCode::kUnsupported)
          << error.what();
    }
  }
}

TEST_F(TokenizerFolder, WritesAFolderThatReadsBack) {
  const std::string bytes = model();
  write_tokenizer_folder(parse_sentencepiece_model(bytes_of(bytes), "x.model"), folder_);
  const TokenizerSpec spec = load_tokenizer_folder(folder_);
  EXPECT_EQ(spec.kind, TokenizerKind::kSpmBpe);
  EXPECT_EQ(spec.tokens.size(), 6u);
  EXPECT_EQ(spec.bos, 1);
  EXPECT_TRUE(spec.add_bos);
  EXPECT_EQ(spec.tokens[5].type, TokenType::kUserDefined);
}

}  // namespace
}  // namespace minnow
