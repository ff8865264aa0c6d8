// Normalizers: any charsmap, and any chain of steps on any text. What comes out is bounded by what goes in.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "text/normalizer.h"

namespace {

using minnow::NormalizerStep;
using Kind = NormalizerStep::Kind;

// Each byte of `recipe` is a step.
minnow::TokenizerSpec spec_of(std::string_view recipe, std::string_view charsmap) {
  static const std::pair<const char*, const char*> kReplace[] = {{" ", "\u2581"}, {"a", " a "}, {"\u00e9", ""}};
  static const std::pair<const char*, const char*> kRegex[] = {{"\\s+", " "}, {" {2,}", "\u2581"}, {"[ab]+?", "xy"}};
  minnow::TokenizerSpec spec{.kind = minnow::TokenizerKind::kUnigram, .source = "fuzz"};
  for (const char c : recipe) {
    const auto byte = static_cast<unsigned char>(c);
    NormalizerStep step{.kind = static_cast<Kind>(byte % (static_cast<int>(Kind::kPrecompiled) + 1))};
    step.left = step.clean_text = (byte & 16) != 0;
    step.right = step.handle_chinese_chars = (byte & 32) != 0;
    step.lowercase = (byte & 64) != 0;
    step.strip_accents = (byte & 128) != 0;
    if (step.kind == Kind::kPrepend) step.content = "\u2581";
    if (step.kind == Kind::kReplace) step.pattern = kReplace[byte % 3].first, step.content = kReplace[byte % 3].second;
    if (step.kind == Kind::kReplaceRegex) step.pattern = kRegex[byte % 3].first, step.content = kRegex[byte % 3].second;
    if (step.kind == Kind::kPrecompiled) step.content = charsmap;
    spec.normalizers.push_back(step);
  }
  return spec;
}

}  // namespace

// A byte n, n steps, a byte m, 4 * m bytes of charsmap, the text.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto take = [&](std::size_t unit) {
    if (input.empty()) return std::string_view();
    const std::size_t n = std::min(static_cast<unsigned char>(input[0]) * unit, input.size() - 1);
    const std::string_view part = input.substr(1, n);
    input.remove_prefix(1 + n);
    return part;
  };
  const std::string_view recipe = take(1).substr(0, 8), charsmap = take(4);
  try {
    const minnow::Normalizer normalizer(spec_of(recipe, charsmap));
    minnow::PreTokenizerScratch scratch;
    std::string out;
    const std::string_view text = normalizer.apply(input, scratch, out);
    if (text.size() > input.size() * 32 + 4096) std::abort();
  } catch (const minnow::Error&) {
  }
  return 0;
}
