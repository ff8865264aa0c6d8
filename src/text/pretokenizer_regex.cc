// Split expressions that are not hand-written, run by PCRE2 with its just-in-time compiler.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "text/pretokenizer.h"

namespace minnow {
namespace {

constexpr uint32_t kMatchLimit =
    1'000'000;  // steps of one match; honest expressions need a few for each character
constexpr uint32_t kHeapLimitKib = 16 << 10;
constexpr std::size_t kJitStackBytes = 1 << 20;
constexpr std::size_t kMaxPatternBytes = 64 << 10;

struct Deleter {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
  void operator()(pcre2_jit_stack* p) const { pcre2_jit_stack_free(p); }
};
template <typename T>
using Owned = std::unique_ptr<T, Deleter>;

}  // namespace

struct PreTokenizerScratch::Regex {
  // One pair of offsets: only the whole match matters.
  Owned<pcre2_match_data> match{pcre2_match_data_create(1, nullptr)};
  Owned<pcre2_match_context> context{pcre2_match_context_create(nullptr)};
  Owned<pcre2_jit_stack> stack{pcre2_jit_stack_create(32 << 10, kJitStackBytes, nullptr)};

  Regex() {
    if (!match || !context || !stack) fail(ErrorCode::kLimit, "not enough memory to tokenize");
    pcre2_set_match_limit(context.get(), kMatchLimit);
    pcre2_set_heap_limit(context.get(), kHeapLimitKib);
    pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
  }
};

PreTokenizerScratch::PreTokenizerScratch() = default;
PreTokenizerScratch::~PreTokenizerScratch() = default;

namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Where to end a piece of a longer text: at a place between words if there is one, else between characters.
std::size_t window_end(std::string_view text) {
  if (text.size() <= kMaxRegexPiece) return text.size();
  for (std::size_t at = kMaxRegexPiece - 1; at > kMaxRegexPiece / 2; --at) {
    if (is_space(text[at]) && !is_space(text[at - 1]) && !is_space(text[at + 1])) return at;
  }
  const std::size_t cut = kMaxRegexPiece;
  return cut - incomplete_utf8_tail(text.substr(0, cut));
}

class RegexRule final : public SplitRule {
 public:
  RegexRule(const std::string& pattern, PieceFlags flags, const std::string& source) : source_(source), flags_(flags) {
    if (pattern.size() > kMaxPatternBytes) {
      fail(ErrorCode::kLimit, "{}: a split expression of {} bytes is too long", source, pattern.size());
    }
    int error = 0;
    PCRE2_SIZE error_offset = 0;
    constexpr uint32_t kOptions = PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), kOptions, &error,
                              &error_offset, nullptr));
    if (!code_) {
      fail(ErrorCode::kInvalidInput, "{}: a split expression cannot be compiled: {} at offset {}", source,
           message(error), error_offset);
    }
    // Where there is no just-in-time compiler, PCRE2 interprets.
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);
  }

  void split(std::string_view text, uint32_t offset, PreTokenizerScratch& scratch,
             std::vector<uint32_t>& ends) const override {
    if (!scratch.regex) scratch.regex = std::make_unique<PreTokenizerScratch::Regex>();
    while (!text.empty()) {
      const std::size_t window = window_end(text);
      split_window(text.substr(0, window), offset, *scratch.regex, ends);
      text.remove_prefix(window);
      offset += static_cast<uint32_t>(window);
    }
  }

 private:
  void split_window(std::string_view text, uint32_t offset, PreTokenizerScratch::Regex& regex,
                    std::vector<uint32_t>& ends) const {
    std::size_t last = 0;  // the end of the last piece
    const auto end_piece = [&](std::size_t at, uint32_t flag) {
      if (at > last) ends.push_back((static_cast<uint32_t>(at) + offset) | flag);
      last = std::max(last, at);
    };
    for (std::size_t from = 0; from < text.size();) {
      const int found = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                                    0, regex.match.get(), regex.context.get());
      if (found == PCRE2_ERROR_NOMATCH) break;
      if (found < 0) {
        fail(ErrorCode::kLimit, "{}: a split expression gave up on this text: {}", source_, message(found));
      }
      const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(regex.match.get());
      end_piece(bounds[0], flags_.between);
      end_piece(bounds[1], flags_.match);
      // An empty match only cuts; the search goes on after the next character.
      from = std::max<std::size_t>(from, bounds[1]);
      if (bounds[0] == bounds[1] && from < text.size()) from += decode_utf8(text.substr(from)).length;
    }
    end_piece(text.size(), flags_.between);
  }

  static std::string message(int error) {
    PCRE2_UCHAR buffer[160];
    pcre2_get_error_message(error, buffer, sizeof buffer);
    return reinterpret_cast<const char*>(buffer);
  }

  std::string source_;
  PieceFlags flags_;
  Owned<pcre2_code> code_;
};

}  // namespace

std::unique_ptr<SplitRule> make_regex_rule(const std::string& pattern, PieceFlags flags, const std::string& source) {
  return std::make_unique<RegexRule>(pattern, flags, source);
}

}  // namespace minnow
