// Tokenizer files other than GGUF: Hugging Face folders, SentencePiece models, tiktoken files, llama2.c's
// tokenizer.bin.
//
// The parse functions work on bytes in memory, which may come from anybody. All throw kInvalidInput for a
// file that breaks its format and kUnsupported for a kind of tokenizer that minnow does not run, each naming
// `source`.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "formats/tokenizer_spec.h"

namespace minnow {

// tokenizer.json with a BPE model (byte-level, or SentencePiece-like: U+2581 for space, byte fallback), a
// Unigram or a WordPiece model.
TokenizerSpec parse_tokenizer_json(std::string_view text, const std::string& source);

// vocab.json and merges.txt of GPT-2 and its heirs. `pre` stays "gpt-2" until a tokenizer_config.json says
// otherwise.
TokenizerSpec parse_vocab_and_merges(std::string_view vocab_json, std::string_view merges_txt,
                                     const std::string& source);

// vocab.txt of BERT: a token on each line, cleaned and cut as BERT does.
TokenizerSpec parse_wordpiece_vocabulary(std::string_view text, const std::string& source);

// tiktoken's ranks; the last part of `source` tells the encoding.
TokenizerSpec parse_tiktoken(std::string_view text, const std::string& source);
// Whether the first line is one of a tiktoken file.
bool looks_like_tiktoken(std::string_view text);

// SentencePiece tokenizer.model: BPE or unigram.
TokenizerSpec parse_sentencepiece_model(std::span<const std::byte> bytes, const std::string& source);

// llama2.c's tokenizer.bin: ids 0, 1, 2 are unknown, begin and end.
TokenizerSpec parse_llama2c_tokenizer(std::span<const std::byte> bytes, const std::string& source);

// Texts of the files that may lie beside a vocabulary; an absent one is nullopt.
struct TokenizerSideFiles {
  std::optional<std::string> tokenizer_config;    // tokenizer_config.json
  std::optional<std::string> special_tokens_map;  // special_tokens_map.json
  std::optional<std::string> added_tokens;        // added_tokens.json
  std::optional<std::string> generation_config;   // generation_config.json
  std::optional<std::string> chat_template;       // chat_template.jinja
  std::optional<std::string> tool_template;       // additional_chat_templates/tool_use.jinja
  bool split_by_class = false;  // the vocabulary is vocab.json + merges.txt: see tokenizer_class
};

// Adds what they say to a spec made by one of the functions above.
void apply_tokenizer_side_files(TokenizerSpec& spec, const TokenizerSideFiles& files);

// The first of tokenizer.json, vocab.json + merges.txt, tokenizer.model (or *.model.v*), *.tiktoken,
// vocab.txt and tokenizer.bin that is in the folder, with its side files. A path to one of these files itself
// works too. kNotFound when there is none.
TokenizerSpec load_tokenizer_folder(const std::filesystem::path& path);

// Whether load_tokenizer_folder() finds one in this folder.
bool has_tokenizer_files(const std::filesystem::path& folder);

// The way back to a Hugging Face folder. SPM specs without merges get them from their scores.
std::string tokenizer_json_text(const TokenizerSpec& spec);
std::string tokenizer_config_text(const TokenizerSpec& spec);
// Writes tokenizer.json and tokenizer_config.json into an existing folder.
void write_tokenizer_folder(const TokenizerSpec& spec, const std::filesystem::path& folder);

}  // namespace minnow
