#include "formats/tokenizer_pre.h"

#include <algorithm>
#include <array>

namespace minnow {
namespace {

using split_patterns::kDigit;
using split_patterns::kDigits;
using split_patterns::kGpt2;
using split_patterns::kLlama3;
using split_patterns::kPunctuation;
using split_patterns::kQwen2;
using split_patterns::kThreeDigitsFromEnd;
using split_patterns::kThreeDigitsFromWordEnd;
using split_patterns::kTrailingSpace;

constexpr std::string_view kNewline = R"([\r\n])";
constexpr std::string_view kThreeAsciiDigits = R"([0-9][0-9][0-9])";
constexpr std::string_view kUpToThreeDigits = R"(\p{N}{1,3})";
constexpr std::string_view kFalconPunctuation = R"([\p{P}\$\+<=>\^~\|`]+)";
constexpr std::string_view kDefaultPunctuation = R"([\p{P}\$\+<=>\^~\|]+)";
constexpr std::string_view kHanAndHangul = R"([一-龥ࠀ-一가-퟿]+)";
constexpr std::string_view kHanAndKana = R"([一-龥぀-ゟ゠-ヿ]+)";
constexpr std::string_view kBloom = R"( ?[^(\s|.,!?…。，、।۔،)]+)";
// Letters that editors like to normalize to others are written as escapes.
constexpr std::string_view kDeepseekLetters =
    R"(\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-)"
    "\u1F7D"
    R"(ᾀ-ᾴᾶ-ᾼ)"
    "\u1FBE"
    R"(ῂ-ῄῆ-ῌῐ-)"
    "\u1FD3"
    R"(ῖ-)"
    "\u1FDB"
    R"(ῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ)"
    "\u2126"
    R"(ℨ)"
    "\u212A"
    R"(-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+)";
constexpr std::string_view kDeepseekPunctuation = R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)";
constexpr std::string_view kDeepseek3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kGpt4o =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kBailing =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view kSeedCoder =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kSentinel = R"(<sentinel:[0-9]+>)";
constexpr std::string_view kImageToken = R"((IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z)";
constexpr std::string_view kTabOrSpaces = R"(([\t\n]|    |  ))";
// Kimi K2's, with the Han letters taken out of its letter classes by looking ahead.
constexpr std::string_view kKimiK2 =
    R"([\p{Han}]+|[^\r\n\p{L}\p{N}]?(?:(?!\p{Han})[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])*(?:(?!\p{Han})[\p{Ll}\p{Lm}\p{Lo}\p{M}])+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?(?:(?!\p{Han})[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])+(?:(?!\p{Han})[\p{Ll}\p{Lm}\p{Lo}\p{M}])*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kJais2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})";
constexpr std::string_view kSpark =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view kYoutuScripts =
    R"([가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+)";
constexpr std::string_view kYoutu =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kUfakzeka =
    R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kAfmoeScripts =
    R"([一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+)";
constexpr std::string_view kLines = R"([^\n]+|[\n]+)";
constexpr std::string_view kExaoneMoe =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view kMiniCpm5 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// Words with a capital and digits stand without the space before them, so that a name has the same tokens wherever it is. The space between
// two of them, or a mark and one of them, belongs to the first: it says that more follows.
constexpr std::string_view kCopyable =
    R"('(?:[sdmt]|ll|ve|re)| ?\p{Ll}[\p{Ll}\p{M}]*|\p{Lu}[\p{L}\p{M}]*(?: (?=[\p{Lu}\p{N}]))?|[\p{L}\p{M}]+|\p{N}(?: (?=[\p{Lu}\p{N}]))?| ?[^\s\p{L}\p{M}\p{N}]+(?: (?=[\p{Lu}\p{N}]))?|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::size_t kMaxKnownPattern = 4096;  // bytes; no longer one is known

struct Family {
  std::vector<std::string_view> names;  // the first one is written into files
  KnownPreTokenizer facts;
};

// In order of preference where several families have the same expressions.
std::vector<Family> families() {
  return {
      {{"gpt-2", "phi-2", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "gigachat", "a.x-4.0", "mellum",
        "modern-bert", "exaone4", "mpt", "olmo", "jais", "trillion", "granite-docling"},
       {{kGpt2}}},
      {{"roberta-bpe", "jina-v1-en", "jina-v2-code"}, {{kGpt2}, false, false, true}},
      {{"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2",
        "jina-v5-nano"},
       {{kLlama3}, true, true}},
      {{"dbrx", "smaug-bpe", "glm4", "chatglm-bpe"}, {{kLlama3}}},
      {{"qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "stablelm2", "megrez", "hunyuan", "solar-open",
        "grok-2"},
       {{kQwen2}}},
      {{"qwen35"}, {{kQwen35}}},
      {{"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"},
       {{kDigit, kGpt2}}},
      {{"tekken"}, {{kTekken}, true, true}},
      {{"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"}, {{kGpt4o}}},
      {{"granite-embed-multi-97m"}, {{kGpt4o}, true}},
      {{"tiny_aya", "cohere2moe"}, {{kThreeDigitsFromWordEnd, kGpt4o}}},
      {{"kimi-k2"}, {{kKimiK2}}},
      {{"jais-2"}, {{kJais2}}},
      {{"youtu"}, {{kYoutuScripts, kYoutu}, true}},
      {{"ufakzeka"}, {{kUfakzeka}}},
      {{"laguna"}, {{kLines, kQwen2}}},
      {{"exaone-moe"}, {{kExaoneMoe}}},
      {{"minicpm5"}, {{kUpToThreeDigits, kMiniCpm5}, true}},
      {{"superbpe"}, {{kDigits, kThreeDigitsFromEnd}}},
      {{"afmoe"}, {{kDigits, kThreeDigitsFromEnd, kAfmoeScripts, kDeepseek3}}},
      {{"spark2_5"}, {{kUpToThreeDigits, kHanAndKana, kSpark, kDigit}}},
      {{"falcon"}, {{kFalconPunctuation, kGpt2, kThreeAsciiDigits}}},
      {{"deepseek-llm"},
       {{kNewline, kDeepseekLetters, kDeepseekPunctuation, kTrailingSpace, kHanAndHangul, kDigits}}},
      {{"deepseek-coder"}, {{kNewline, R"(\s?\p{L}+)", R"(\s?\p{P}+)", kHanAndHangul, kDigit}}},
      {{"deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"}, {{kUpToThreeDigits, kHanAndKana, kDeepseek3}}},
      {{"bloom", "poro-chat", "gpt3-finnish"}, {{kBloom}}},
      {{"viking"}, {{kBloom, kDigit}}},
      {{"bailingmoe", "bailingmoe2", "llada-moe"}, {{kBailing}}},
      {{"seed-coder"}, {{kSeedCoder}}},
      {{"chameleon"}, {{kSentinel, kImageToken, kTabOrSpaces, kDigit, kPunctuation, kGpt2}, false, true}},
      {{"minnow"}, {{kCopyable}}},
      {{"default"}, {{kDefaultPunctuation, kGpt2, kDigits, kThreeAsciiDigits}}},
  };
}

}  // namespace

KnownPreTokenizer find_pre_tokenizer(std::string_view name) {
  for (const Family& family : families()) {
    if (std::ranges::find(family.names, name) != family.names.end()) return family.facts;
  }
  return {};
}

std::string canonical_split_pattern(std::string_view pattern) {
  std::string text(pattern);
  if (text.size() > kMaxKnownPattern) return text;
  // Two spellings of the English contractions, and of "one digit".
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kSpellings = {{
      {"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])", "(?i:'s|'t|'re|'ve|'m|'ll|'d)"},
      {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+)", R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+)"},
      {R"(|\p{N}{1}|)", R"(|\p{N}|)"},
  }};
  for (const auto& [from, to] : kSpellings) {
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
      text.replace(at, from.size(), to);
    }
  }
  // Without its last alternative the GPT-2 expression leaves the same text as a gap.
  if (text + R"(|\s+)" == kGpt2) text = kGpt2;
  return text;
}

std::vector<SplitStep> split_steps(const TokenizerSpec& spec) {
  if (!spec.splits.empty() || spec.kind != TokenizerKind::kByteBpe) return spec.splits;
  std::vector<SplitStep> steps;
  for (const std::string_view pattern : find_pre_tokenizer(spec.pre).patterns)
    steps.push_back({std::string(pattern)});
  return steps;
}

std::string pre_tokenizer_name(std::span<const SplitStep> splits, bool ignore_merges) {
  const auto same = [](std::string_view ours, const SplitStep& theirs) {
    const std::string pattern = canonical_split_pattern(theirs.pattern);
    // Nothing lies between the matches of an expression that matches everything.
    const bool keeps_all = theirs.behavior == SplitBehavior::kIsolated ||
                           (theirs.behavior == SplitBehavior::kKept &&
                            (pattern == kGpt2 || pattern == kLlama3 || pattern == kQwen2));
    return keeps_all && canonical_split_pattern(ours) == pattern;
  };
  for (const Family& family : families()) {
    if (family.facts.ignore_merges == ignore_merges &&
        std::ranges::equal(family.facts.patterns, splits, same)) {
      return std::string(family.names.front());
    }
  }
  return {};
}

}  // namespace minnow
