#include "eval/peer_output.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <charconv>
#include <memory>

#include "base/error.h"
#include "eval/peer_rows.h"

namespace minnow {
namespace {

constexpr uint32_t kMatchLimit = 1'000'000;

double rate_of(const PeerRow& row, const BenchTest& t) {
  if (row.n_sequences != t.n_sequences || (row.depth != t.depth && !row.any_depth)) return 0;
  if (t.generates()) return row.n_generate == t.n_generate ? row.generate_rate : 0;
  return row.n_prompt == t.n_prompt ? row.prompt_rate : 0;
}

std::string name_of(const PeerRow& row) {
  std::string text;
  if (row.n_prompt > 0) text += BenchTest{.n_prompt = row.n_prompt, .depth = row.depth, .n_sequences = row.n_sequences}.name();
  if (row.n_prompt > 0 && row.n_generate > 0) text += "+";
  if (row.n_generate > 0) text += BenchTest{.n_generate = row.n_generate, .depth = row.depth, .n_sequences = row.n_sequences}.name();
  return text.empty() ? "a row of neither prompt nor generation" : text;
}

using Code = std::unique_ptr<pcre2_code, void (*)(pcre2_code*)>;

PCRE2_SPTR units(const std::string& text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

Code compile(const std::string& expression) {
  int error = 0;
  PCRE2_SIZE at = 0;
  Code code(pcre2_compile(units(expression), expression.size(), PCRE2_NEVER_BACKSLASH_C | PCRE2_MULTILINE, &error, &at, nullptr), pcre2_code_free);
  if (!code) {
    char text[128] = {};
    pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(text), sizeof text);
    fail(ErrorCode::kUsage, "--peer-pattern {}: {} at character {}", expression, text, at);
  }
  uint32_t groups = 0;
  pcre2_pattern_info(code.get(), PCRE2_INFO_CAPTURECOUNT, &groups);
  if (groups == 0) {
    throw Error(ErrorCode::kUsage, fmt::format("--peer-pattern {}: no group", expression), "put the number into parentheses");
  }
  return code;
}

}  // namespace

double tokens_per_second_in(const std::string& output, const BenchTest& test) {
  std::vector<PeerRow> rows = rows_of_json(output);
  if (rows.empty()) rows = rows_of_tables(output);
  std::string others;
  for (const PeerRow& row : rows) {
    const double rate = rate_of(row, test);
    if (rate > 0) return rate;
    if (others.size() < 100) others += (others.empty() ? "" : ", ") + name_of(row);
  }
  if (rows.empty()) {
    throw Error(ErrorCode::kInvalidInput, "its output has no tokens/s that minnow knows how to read",
                "let it print llama-bench's JSON, or say with --peer-pattern where they are");
  }
  fail(ErrorCode::kInvalidInput, "its output has no figure for {}, only for {}", test.name(), others);
}

void check_peer_pattern(const std::string& expression) { compile(expression); }

double tokens_per_second_by(const std::string& expression, const std::string& output) {
  const Code code = compile(expression);
  const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> match(pcre2_match_data_create_from_pattern(code.get(), nullptr),
                                                                            pcre2_match_data_free);
  const std::unique_ptr<pcre2_match_context, void (*)(pcre2_match_context*)> context(pcre2_match_context_create(nullptr),
                                                                                  pcre2_match_context_free);
  if (!match || !context) throw std::bad_alloc();
  pcre2_set_match_limit(context.get(), kMatchLimit);
  const int found = pcre2_match(code.get(), units(output), output.size(), 0, 0, match.get(), context.get());
  if (found < 0) fail(ErrorCode::kInvalidInput, "its output has nothing that --peer-pattern {} finds", expression);
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(match.get());
  double value = 0;
  if (found >= 2 && ends[2] != PCRE2_UNSET) std::from_chars(output.data() + ends[2], output.data() + ends[3], value);
  if (!(value > 0)) fail(ErrorCode::kInvalidInput, "what --peer-pattern {} finds is not a number above 0", expression);
  return value;
}

}  // namespace minnow
