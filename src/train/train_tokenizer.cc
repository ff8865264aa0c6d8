#include "train/train_tokenizer.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "base/error.h"
#include "base/limits.h"
#include "base/thread_pool.h"
#include "base/topology.h"
#include "base/utf8.h"
#include "formats/byte_letters.h"
#include "formats/quote_name.h"
#include "formats/tokenizer_pre.h"
#include "train/bpe_trainer.h"

namespace minnow {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string known_name(const std::string& name) {
  if (name == "gpt2") return "gpt-2";
  if (name == "llama3") return "llama-bpe";
  return name;
}

TokenId find_special(const TokenizerSpec& spec, const std::string& text, const char* option) {
  for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
    if (spec.tokens[id].text == text) return static_cast<TokenId>(id);
  }
  fail(ErrorCode::kUsage, "{} {} is not one of the special tokens", option, quote_name(text));
}

// A token that is not made of merges.
void add_whole(TokenizerSpec& spec, const std::string& text, TokenType type) {
  if (text.empty() || text.size() > limits::kMaxPieceBytes || !is_valid_utf8(text)) {
    fail(ErrorCode::kUsage, "a special or added token must be 1 to {} bytes of UTF-8", limits::kMaxPieceBytes);
  }
  if (std::ranges::find(spec.tokens, text, &TokenEntry::text) != spec.tokens.end()) {
    fail(ErrorCode::kUsage, "token {} is named twice", quote_name(text));
  }
  spec.tokens.push_back({.text = text, .type = type});
}

// Special and added tokens and the pre-tokenizer; the learned tokens come later.
TokenizerSpec begin_spec(const TokenizerTrainingOptions& options) {
  TokenizerSpec spec{.kind = TokenizerKind::kByteBpe, .source = "new tokenizer", .pre = known_name(options.pre_tokenizer)};
  const KnownPreTokenizer known = find_pre_tokenizer(spec.pre);
  if (known.patterns.empty()) {
    throw Error(ErrorCode::kUsage, fmt::format("pre-tokenizer {} is not known", quote_name(options.pre_tokenizer)),
                "gpt2, llama3, qwen2, smollm, tekken, gpt-4o and minnow are");
  }
  spec.ignore_merges = known.ignore_merges;
  for (const std::string& text : options.special) add_whole(spec, text, TokenType::kControl);
  if (!options.eos.empty()) {
    spec.eos = find_special(spec, options.eos, "--eos");
  } else if (!spec.tokens.empty()) {
    spec.eos = 0;
  }
  if (!options.bos.empty()) {
    spec.bos = find_special(spec, options.bos, "--bos");
    spec.add_bos = true;
  }
  for (const std::string& text : options.added) add_whole(spec, text, TokenType::kUserDefined);
  const std::size_t least = spec.tokens.size() + 256;
  if (options.vocab_size < static_cast<int64_t>(least) || options.vocab_size > static_cast<int64_t>(limits::kMaxVocab)) {
    fail(ErrorCode::kUsage, "a vocabulary of {} tokens: it must have at least {} (the bytes, special and added tokens) and at most {}",
         options.vocab_size, least, limits::kMaxVocab);
  }
  return spec;
}

// Bytes in the order of their letters, as vocabularies have them, then what was learned.
void add_symbols(TokenizerSpec& spec, const BpeSymbols& symbols) {
  std::vector<std::size_t> order(symbols.bytes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order.begin(), order.begin() + 256, {}, [](std::size_t byte) { return kByteLetters[byte]; });
  for (const std::size_t symbol : order) spec.tokens.push_back({.text = to_byte_letters(symbols.bytes[symbol])});
  for (const auto& [left, right] : symbols.merges) {
    spec.merges.push_back(to_byte_letters(symbols.bytes[left]) + " " + to_byte_letters(symbols.bytes[right]));
  }
}

void check_against_specials(const TokenizerSpec& spec, std::size_t n_special) {
  for (std::size_t id = n_special; id < spec.tokens.size(); ++id) {
    for (std::size_t special = 0; special < n_special; ++special) {
      if (spec.tokens[id].text == spec.tokens[special].text) {
        fail(ErrorCode::kUsage, "token {} is a word of the texts as well; name it otherwise", quote_name(spec.tokens[id].text));
      }
    }
  }
}

}  // namespace

uint64_t total_bytes(const std::vector<std::filesystem::path>& paths) {
  uint64_t total = 0;
  for (const std::filesystem::path& path : find_data_files(paths).files) {
    std::error_code error;
    const uint64_t size = std::filesystem::file_size(path, error);
    if (!error) total += size;
  }
  return total;
}

TokenizerSpec train_tokenizer(const std::vector<std::filesystem::path>& paths, const TokenizerTrainingOptions& options,
                              TokenizerTrainingReport* report) {
  TokenizerSpec spec = begin_spec(options);
  const std::size_t n_special = spec.tokens.size();
  SpecialTokenMatcher specials;
  for (std::size_t id = 0; id < n_special; ++id) specials.add(spec.tokens[id].text, static_cast<TokenId>(id));
  const PreTokenizer splitter(spec);
  ThreadPool pool(options.n_threads > 0 ? options.n_threads : available_cores());

  TokenizerTrainingReport r;
  auto start = std::chrono::steady_clock::now();
  const std::vector<WordCount> words =
      count_words(find_data_files(paths), {.splitter = splitter, .specials = specials, .progress = options.on_bytes}, pool);
  r.count_seconds = seconds_since(start);
  start = std::chrono::steady_clock::now();
  const BpeSymbols symbols = learn_bpe(words, {.n_symbols = static_cast<std::size_t>(options.vocab_size) - n_special,
                                               .min_frequency = options.min_frequency,
                                               .on_symbol = options.on_token});
  r.merge_seconds = seconds_since(start);
  add_symbols(spec, symbols);
  check_against_specials(spec, n_special);
  if (report != nullptr) {
    r.bytes = total_bytes(paths);
    r.distinct_words = words.size();
    for (const WordCount& word : words) {
      r.words += word.count;
      r.word_bytes += word.count * word.word.size();
    }
    r.tokens = symbols.n_tokens;
    r.vocab_size = static_cast<int64_t>(spec.tokens.size());
    *report = r;
  }
  return spec;
}

}  // namespace minnow
