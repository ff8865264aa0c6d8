#include "text/pretokenizer.h"

#include "base/error.h"
#include "formats/quote_name.h"
#include "formats/tokenizer_pre.h"

namespace minnow {
namespace {

constexpr std::size_t kMaxRules = 32;  // each looks at the whole text; real models have up to 6

// Joins matches with their neighbours; the rule inside marks matches with kLeftOut.
class MergingRule final : public SplitRule {
 public:
  MergingRule(std::unique_ptr<SplitRule> rule, SplitBehavior behavior) : rule_(std::move(rule)), behavior_(behavior) {}

  void split(std::string_view text, uint32_t offset, PreTokenizerScratch& scratch,
             std::vector<uint32_t>& ends) const override {
    const std::size_t first = ends.size();
    rule_->split(text, offset, scratch, ends);
    const auto is_match = [&](std::size_t i) { return (ends[i] & kLeftOut) != 0; };
    std::size_t out = first;
    for (std::size_t i = first; i < ends.size(); ++i) {
      const bool joins_next = i + 1 < ends.size() && joins(is_match(i), is_match(i + 1));
      if (!joins_next) ends[out++] = ends[i] & ~kLeftOut;
    }
    ends.resize(out);
  }

 private:
  bool joins(bool match, bool next_match) const {
    switch (behavior_) {
      case SplitBehavior::kMergedWithPrevious:
        return !match && next_match;
      case SplitBehavior::kMergedWithNext:
        return match && !next_match;
      default:
        return match && next_match;
    }
  }

  std::unique_ptr<SplitRule> rule_;
  SplitBehavior behavior_;
};

std::unique_ptr<SplitRule> make_rule(const std::string& pattern, PieceFlags flags, const std::string& source) {
  if (auto rule = make_word_rule(pattern, flags)) return rule;
  return make_regex_rule(pattern, flags, source);
}

}  // namespace

std::unique_ptr<SplitRule> make_split_rule(const SplitStep& step, const std::string& source) {
  const std::string pattern = canonical_split_pattern(step.pattern);
  switch (step.behavior) {
    case SplitBehavior::kIsolated:
      return make_rule(pattern, {}, source);
    case SplitBehavior::kRemoved:
      return make_rule(pattern, {.match = kLeftOut}, source);
    case SplitBehavior::kKept:
      return make_rule(pattern, {.between = kLeftOut}, source);
    default:
      return std::make_unique<MergingRule>(make_rule(pattern, {.match = kLeftOut}, source), step.behavior);
  }
}

PreTokenizer::PreTokenizer(const TokenizerSpec& spec) {
  const std::vector<SplitStep> steps = split_steps(spec);
  if (steps.empty() && spec.kind == TokenizerKind::kByteBpe) {
    fail(ErrorCode::kUnsupported, "{}: pre-tokenizer {} is not known", spec.source, quote_name(spec.pre));
  }
  if (steps.size() > kMaxRules) {
    fail(ErrorCode::kLimit, "{}: {} split expressions are too many", spec.source, steps.size());
  }
  for (const SplitStep& step : steps) rules_.push_back(make_split_rule(step, spec.source));
}

const std::vector<uint32_t>& PreTokenizer::split(std::string_view text, PreTokenizerScratch& scratch) const {
  scratch.ends.clear();
  if (text.empty()) return scratch.ends;
  if (rules_.empty()) {
    scratch.ends.push_back(static_cast<uint32_t>(text.size()));
    return scratch.ends;
  }
  rules_.front()->split(text, 0, scratch, scratch.ends);
  for (std::size_t i = 1; i < rules_.size(); ++i) {
    scratch.other_ends.clear();
    uint32_t begin = 0;
    for (const uint32_t flagged : scratch.ends) {
      const uint32_t end = flagged & ~kLeftOut;
      if ((flagged & kLeftOut) != 0) {
        scratch.other_ends.push_back(flagged);
      } else {
        rules_[i]->split(text.substr(begin, end - begin), begin, scratch, scratch.other_ends);
      }
      begin = end;
    }
    std::swap(scratch.ends, scratch.other_ends);
  }
  return scratch.ends;
}

}  // namespace minnow
