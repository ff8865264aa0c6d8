// Real tokenizers on real and nasty texts: whatever goes in comes out. Needs ../shared/data.
#include <gtest/gtest.h>

#include <filesystem>

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

class TokenizerCorpus : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!fs::exists(kData / "tokenizers")) GTEST_SKIP() << "no shared data beside the source tree";
    const fs::path path = kData / GetParam();
    tokenizer_ = Tokenizer::build(path.extension() == ".gguf"
                                      ? tokenizer_spec_from_gguf(GgufFile::open(path).metadata())
                                      : load_tokenizer_folder(path));
  }

  // U+2581 is how SPM writes a space, NFC changes letters, and a vocabulary may lack control characters.
  bool comes_back(const std::string& text) const {
    const TokenizerSpec& spec = tokenizer_->spec();
    if (!spec.normalizers.empty() || (spec.kind == TokenizerKind::kSpmBpe && text.find("▁") != std::string::npos))
      return false;
    for (const char c : text) {
      const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
      if (control && c != '\n' && c != '\t' && c != '\r') return false;
    }
    return is_valid_utf8(text);
  }

  void expect_round_trip(const std::string& text) const {
    const auto ids = tokenizer_->encode(text, {.add_special = false});
    const std::string decoded = tokenizer_->decode(ids);
    EXPECT_TRUE(is_valid_utf8(decoded));
    if (comes_back(text)) {
      EXPECT_TRUE(decoded == text) << text.substr(0, 200);
    }
  }

  std::shared_ptr<const Tokenizer> tokenizer_;
};

TEST_P(TokenizerCorpus, RoundTripsNaughtyStrings) {
  const fs::path file = kData / "conformance/naughty-strings/blns.json";
  for (const Json& text : parse_json(read_text_file(file, limits::kMaxJsonFileBytes), "blns")) {
    expect_round_trip(text.get<std::string>());
  }
}

TEST_P(TokenizerCorpus, RoundTripsBooks) {
  for (const char* name :
       {"carroll-alice.txt", "wagahaiwa_nekodearu_ja.txt", "chesterton-ball.txt", "blake-poems.txt"}) {
    const fs::path file = kData / "corpora/gutenberg" / name;
    expect_round_trip(read_text_file(file, limits::kMaxJsonFileBytes).substr(0, 200'000));
  }
}

INSTANTIATE_TEST_SUITE_P(All, TokenizerCorpus,
                         testing::Values("tokenizers/gpt2", "tokenizers/qwen3", "tokenizers/smollm2",
                                         "tokenizers/phi-2", "tokenizers/phi-3-mini", "tokenizers/minimind",
                                         "tokenizers/mistral/tokenizer.model.v1",
                                         "tokenizers/ggml-vocab/ggml-vocab-mpt.gguf",
                                         "models/stories260k/tok512.bin"));

}  // namespace
}  // namespace minnow
