#include "text/normalizer.h"

#include "base/error.h"
#include "base/utf8.h"
#include "formats/tokenizer_vocabulary.h"
#include "text/charsmap.h"
#include "text/unicode_class.h"
#include "text/unicode_forms.h"

namespace minnow {

// One step. `apply` returns false when nothing changes, else puts the new text into `out`, of at most about max_bytes.
class Normalizer::Step {
 public:
  virtual ~Step() = default;
  virtual bool apply(std::string_view text, std::size_t max_bytes, PreTokenizerScratch& scratch,
                     std::string& out) const = 0;
};

namespace {

constexpr std::size_t kMaxSteps = 256;  // each looks at the whole text; one real tokenizer has 35
// The longest character of a real table (an Arabic ligature) becomes 11 times as long.
constexpr std::size_t kMaxGrowth = 32, kMinRoom = 4096;

// BERT's ranges of Chinese characters.
bool is_chinese(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

// Controls, formats, private use: dropped by BERT, but for the white space among them.
bool is_dropped_by_bert(char32_t c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  if (c == 0 || c == kReplacementCharacter) return true;
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF || category == UTF8PROC_CATEGORY_CO;
}

// Drops controls, makes all white space spaces and puts spaces around Chinese characters.
void clean_for_bert(bool clean, bool chinese, std::string_view text, std::string& out) {
  out.clear();
  while (!text.empty()) {
    const Utf8Char c = decode_utf8(text);
    const std::string_view bytes = text.substr(0, c.length);
    text.remove_prefix(c.length);
    if (c.valid && chinese && is_chinese(c.code_point)) {
      out.append(" ").append(bytes).append(" ");
    } else if (c.valid && clean && is_dropped_by_bert(c.code_point)) {
      continue;
    } else if (c.valid && clean && is_unicode_space(c.code_point)) {
      out += ' ';
    } else {
      out += bytes;
    }
  }
}

std::string_view strip(std::string_view text, bool left, bool right) {
  while (left && !text.empty()) {
    const Utf8Char c = decode_utf8(text);
    if (!c.valid || !is_unicode_space(c.code_point)) break;
    text.remove_prefix(c.length);
  }
  while (right && !text.empty()) {
    std::size_t begin = text.size() - 1;
    while (begin > 0 && text.size() - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
    const Utf8Char c = decode_utf8(text.substr(begin));
    if (!c.valid || begin + c.length != text.size() || !is_unicode_space(c.code_point)) break;
    text.remove_suffix(c.length);
  }
  return text;
}

}  // namespace

namespace {

using Scratch = PreTokenizerScratch;

// Makes a Step of a function (text, max_bytes, scratch, out) -> whether anything changed.
template <typename StepType, typename Apply>
auto step_of(Apply apply) {
  class Made final : public StepType {
   public:
    explicit Made(Apply a) : apply_(std::move(a)) {}
    bool apply(std::string_view text, std::size_t max_bytes, Scratch& scratch, std::string& out) const override {
      return apply_(text, max_bytes, scratch, out);
    }

   private:
    Apply apply_;
  };
  return std::make_unique<Made>(std::move(apply));
}

auto apply_form(UnicodeForm form) {
  return [form](std::string_view text, std::size_t, Scratch&, std::string& out) {
    return to_unicode_form(form, text, out);
  };
}

auto apply_bert(const NormalizerStep& step) {
  return [step](std::string_view text, std::size_t, Scratch&, std::string& out) {
    std::string other;
    clean_for_bert(step.clean_text, step.handle_chinese_chars, text, out);
    if (step.strip_accents) {
      if (to_unicode_form(UnicodeForm::kNfd, out, other)) std::swap(out, other);
      drop_marks(Marks::kNonspacing, out, other);
      std::swap(out, other);
    }
    if (step.lowercase) {
      to_lower_case(out, other);
      std::swap(out, other);
    }
    return true;
  };
}

auto apply_replace(const NormalizerStep& step) {
  return [step](std::string_view text, std::size_t max_bytes, Scratch&, std::string& out) {
    std::size_t at = text.find(step.pattern);
    if (at == std::string_view::npos) return false;
    out.clear();
    for (; at != std::string_view::npos && out.size() <= max_bytes; at = text.find(step.pattern)) {
      out.append(text.substr(0, at)).append(step.content);
      text.remove_prefix(at + step.pattern.size());
    }
    out += text;
    return true;
  };
}

auto apply_replace_regex(const NormalizerStep& step, const std::string& source) {
  const std::shared_ptr<const SplitRule> rule = make_split_rule({step.pattern, SplitBehavior::kRemoved}, source);
  return [rule, content = step.content](std::string_view text, std::size_t max_bytes, Scratch& scratch,
                                        std::string& out) {
    scratch.ends.clear();
    rule->split(text, 0, scratch, scratch.ends);
    out.clear();
    std::size_t begin = 0;
    for (const uint32_t flagged : scratch.ends) {
      if (out.size() > max_bytes) break;
      const std::size_t end = flagged & ~kLeftOut;
      out += (flagged & kLeftOut) != 0 ? std::string_view(content) : text.substr(begin, end - begin);
      begin = end;
    }
    return true;
  };
}

}  // namespace

Normalizer::~Normalizer() = default;

Normalizer::Normalizer(const TokenizerSpec& spec) : source_(spec.source) {
  using Kind = NormalizerStep::Kind;
  if (spec.normalizers.size() > kMaxSteps) {
    fail(ErrorCode::kLimit, "{}: {} normalizers are too many", source_, spec.normalizers.size());
  }
  const auto add = [&](auto apply) { steps_.push_back(step_of<Step>(std::move(apply))); };
  for (const NormalizerStep& step : spec.normalizers) {
    switch (step.kind) {
      case Kind::kNfc:
        add(apply_form(UnicodeForm::kNfc));
        break;
      case Kind::kNfd:
        add(apply_form(UnicodeForm::kNfd));
        break;
      case Kind::kNfkc:
        add(apply_form(UnicodeForm::kNfkc));
        break;
      case Kind::kNfkd:
        add(apply_form(UnicodeForm::kNfkd));
        break;
      case Kind::kLowercase:
        add([](std::string_view text, std::size_t, Scratch&, std::string& out) {
          to_lower_case(text, out);
          return true;
        });
        break;
      case Kind::kStripAccents:
        add([](std::string_view text, std::size_t, Scratch&, std::string& out) {
          drop_marks(Marks::kAll, text, out);
          return true;
        });
        break;
      case Kind::kStrip:
        add([step](std::string_view text, std::size_t, Scratch&, std::string& out) {
          out = strip(text, step.left, step.right);
          return out.size() != text.size();
        });
        break;
      case Kind::kPrepend:
        add([step](std::string_view text, std::size_t, Scratch&, std::string& out) {
          out.assign(step.content).append(text);
          return !text.empty();
        });
        break;
      case Kind::kReplace:
        if (step.pattern.empty()) fail(ErrorCode::kInvalidInput, "{}: Replace normalizer of an empty text", source_);
        add(apply_replace(step));
        break;
      case Kind::kReplaceRegex:
        add(apply_replace_regex(step, source_));
        break;
      case Kind::kBert:
        add(apply_bert(step));
        break;
      case Kind::kPrecompiled:
        add([map = std::make_shared<const Charsmap>(step.content, source_)](std::string_view text, std::size_t max_bytes,
                                                                            Scratch&, std::string& out) {
          map->apply(text, max_bytes, out);
          return true;
        });
        break;
    }
  }
}

std::string_view Normalizer::apply(std::string_view text, PreTokenizerScratch& scratch, std::string& out) const {
  const std::size_t max_bytes = std::min<std::size_t>(text.size() * kMaxGrowth + kMinRoom, kMaxSplitText);
  std::string other;
  for (const auto& step : steps_) {
    if (!step->apply(text, max_bytes, scratch, other)) continue;
    if (other.size() > max_bytes) {
      fail(ErrorCode::kLimit, "{}: its normalizers make a text more than {} times as long", source_, kMaxGrowth);
    }
    std::swap(out, other);
    text = out;
  }
  return text;
}

}  // namespace minnow
