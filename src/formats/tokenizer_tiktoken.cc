// tiktoken files: lines of a token's bytes in base64 and its rank, which is its id. Meta's tokenizer.model of Llama 3
// is one too. They say neither how text is split nor which tokens are special: the name of the file tells the first,
// the files beside it the second.
#include <algorithm>
#include <charconv>
#include <limits>
#include <unordered_map>

#include "base/base64.h"
#include "base/error.h"
#include "base/limits.h"
#include "formats/byte_letters.h"
#include "formats/tokenizer_files.h"
#include "formats/tokenizer_vocabulary.h"

namespace minnow {
namespace {

constexpr std::size_t kMaxTokenBytes = 256;  // real ones have up to 128; merges are looked for at every place

struct Encoding {
  std::string_view name;  // a part of the file's name
  std::string_view pre;
  bool ignore_merges;  // only where the name of the pre-tokenizer says so too
};
constexpr Encoding kEncodings[] = {
    {"cl100k", "llama-bpe", true}, {"o200k", "gpt-4o", false},      {"gpt2", "gpt-2", false},  {"r50k", "gpt-2", false},
    {"p50k", "gpt-2", false},      {"tokenizer.model", "llama-bpe", true}, {"qwen", "qwen2", false},
    {"tiktoken.model", "kimi-k2", false},
};

const Encoding& encoding_of(const std::string& source) {
  const std::string name = source.substr(source.find_last_of('/') + 1);
  for (const Encoding& encoding : kEncodings) {
    if (name.find(encoding.name) != std::string::npos) return encoding;
  }
  throw Error(ErrorCode::kUnsupported, fmt::format("{}: a tiktoken file does not say how it splits text", source),
              "name it after its encoding: cl100k_base, o200k_base, gpt2, r50k_base, p50k_base or qwen");
}

struct Line {
  std::string bytes;
  int64_t rank;
};

Line parse_line(std::string_view line, const std::string& source, std::size_t number) {
  Line result{.rank = -1};
  const std::size_t space = line.find(' ');
  if (space != std::string_view::npos) {
    const std::string_view rank = line.substr(space + 1);
    const auto [end, error] = std::from_chars(rank.data(), rank.data() + rank.size(), result.rank);
    if (error != std::errc() || end != rank.data() + rank.size()) result.rank = -1;
  }
  if (result.rank < 0 || result.rank >= std::numeric_limits<TokenId>::max() ||
      !decode_base64(line.substr(0, space), result.bytes) || result.bytes.empty()) {
    fail(ErrorCode::kInvalidInput, "{}: line {} is not a token in base64 and its rank", source, number);
  }
  if (result.bytes.size() > kMaxTokenBytes) {
    fail(ErrorCode::kLimit, "{}: line {}: a token of {} bytes is too long", source, number, result.bytes.size());
  }
  return result;
}

std::vector<Line> parse_lines(std::string_view text, const std::string& source) {
  std::vector<Line> lines;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) lines.push_back(parse_line(line, source, number));
  }
  return lines;
}

// tiktoken joins any two neighbours that are a token together, the lowest rank first: every way to cut a token into
// two tokens is a merge.
std::vector<std::string> merges_of(const std::vector<Line>& by_rank) {
  std::unordered_map<std::string_view, int64_t> ranks;
  for (const Line& token : by_rank) ranks.emplace(token.bytes, token.rank);
  std::vector<std::string> merges;
  std::vector<std::pair<std::pair<int64_t, int64_t>, std::size_t>> cuts;
  for (const Line& token : by_rank) {
    const std::string_view bytes = token.bytes;
    cuts.clear();
    for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
      const auto left = ranks.find(bytes.substr(0, cut)), right = ranks.find(bytes.substr(cut));
      if (left != ranks.end() && right != ranks.end()) cuts.push_back({{left->second, right->second}, cut});
    }
    std::ranges::sort(cuts);
    for (const auto& cut : cuts) {
      merges.push_back(to_byte_letters(bytes.substr(0, cut.second)) + " " + to_byte_letters(bytes.substr(cut.second)));
    }
  }
  return merges;
}

}  // namespace

bool looks_like_tiktoken(std::string_view text) {
  const std::string_view line = text.substr(0, std::min(text.find('\n'), text.size()));
  const std::size_t space = line.find(' ');
  std::string bytes;
  return space != std::string_view::npos && space < 2 * kMaxTokenBytes && decode_base64(line.substr(0, space), bytes);
}

TokenizerSpec parse_tiktoken(std::string_view text, const std::string& source) {
  TokenizerSpec spec{.kind = TokenizerKind::kByteBpe, .source = source};
  const Encoding& encoding = encoding_of(source);
  spec.pre = encoding.pre;
  spec.ignore_merges = encoding.ignore_merges;
  std::vector<Line> lines = parse_lines(text, source);
  if (lines.empty()) fail(ErrorCode::kInvalidInput, "{}: no tokens", source);
  std::ranges::stable_sort(lines, {}, &Line::rank);
  grow_vocabulary(spec, lines.back().rank + 1, lines.size());
  for (const Line& line : lines) {
    TokenEntry& entry = spec.tokens[static_cast<std::size_t>(line.rank)];
    if (entry.type != TokenType::kUnused) {
      fail(ErrorCode::kInvalidInput, "{}: two tokens have the rank {}", source, line.rank);
    }
    entry = {.text = to_byte_letters(line.bytes)};
  }
  spec.merges = merges_of(lines);
  return spec;
}

}  // namespace minnow
