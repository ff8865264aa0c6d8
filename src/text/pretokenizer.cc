#include "text/pretokenizer.h"

#include "base/error.h"
#include "formats/quote_name.h"
#include "formats/tokenizer_pre.h"

namespace minnow {

PreTokenizer::PreTokenizer(const TokenizerSpec& spec) {
  std::vector<std::string> patterns = spec.split_patterns;
  if (patterns.empty()) {
    for (const std::string_view pattern : find_pre_tokenizer(spec.pre).patterns)
      patterns.emplace_back(pattern);
  }
  if (patterns.empty()) {
    fail(ErrorCode::kUnsupported, "{}: pre-tokenizer {} is not known", spec.source, quote_name(spec.pre));
  }
  for (const std::string& pattern : patterns) {
    rules_.push_back(make_split_rule(canonical_split_pattern(pattern), spec.source));
  }
}

const std::vector<uint32_t>& PreTokenizer::split(std::string_view text, PreTokenizerScratch& scratch) const {
  if (text.size() >= UINT32_MAX)
    fail(ErrorCode::kLimit, "a text of {} bytes is too long to tokenize", text.size());
  scratch.ends.clear();
  if (text.empty()) return scratch.ends;
  rules_.front()->split(text, 0, scratch, scratch.ends);
  for (std::size_t i = 1; i < rules_.size(); ++i) {
    scratch.other_ends.clear();
    uint32_t begin = 0;
    for (const uint32_t end : scratch.ends) {
      rules_[i]->split(text.substr(begin, end - begin), begin, scratch, scratch.other_ends);
      begin = end;
    }
    std::swap(scratch.ends, scratch.other_ends);
  }
  return scratch.ends;
}

}  // namespace minnow
