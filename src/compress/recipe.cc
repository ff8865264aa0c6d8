#include "compress/recipe.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "base/error.h"
#include "base/suggest.h"

namespace minnow {
namespace {

using enum DType;
using enum TensorKind;

// The mixes and numbers of llama.cpp; I2_S and its number are bitnet.cpp's.
constexpr Recipe kRecipes[] = {
    {"F32", 0, kF32, kF32, {}},
    {"F16", 1, kF16, kF16, {}},
    {"BF16", 32, kBF16, kBF16, {}},
    {"Q8_0", 7, kQ8_0, kQ8_0, {}},
    {"Q6_K", 18, kQ6_K, kQ6_K, {}},
    {"Q5_K_M", 17, kQ5_K, kQ6_K,
     {{{kAttnV, When::kMore, kQ6_K}, {kFfnDown, When::kMore, kQ6_K}, {kAttnQkv, When::kAlways, kQ6_K}}}},
    {"Q5_K_S", 16, kQ5_K, kQ6_K, {}},
    {"Q5_1", 9, kQ5_1, kQ6_K, {}},
    {"Q5_0", 8, kQ5_0, kQ6_K, {{{kFfnDown, When::kFirstEighthWeighted, kQ5_1}}}},
    {"Q4_K_M", 15, kQ4_K, kQ6_K,
     {{{kAttnV, When::kMore, kQ6_K}, {kFfnDown, When::kMore, kQ6_K}, {kAttnQkv, When::kAlways, kQ5_K}}}},
    {"Q4_K_S", 14, kQ4_K, kQ6_K, {{{kAttnV, When::kFirst4, kQ5_K}, {kFfnDown, When::kFirstEighth, kQ5_K}}}},
    {"Q4_1", 3, kQ4_1, kQ6_K, {}},
    {"Q4_0", 2, kQ4_0, kQ6_K, {{{kFfnDown, When::kFirstEighthWeighted, kQ4_1}}}},
    {"IQ4_NL", 25, kIQ4_NL, kQ6_K,
     {{{kAttnV, When::kSharedKv, kQ5_K}, {kFfnDown, When::kFirstEighthUnweighted, kQ5_K}}}},
    {"IQ4_XS", 30, kIQ4_XS, kQ6_K,
     {{{kAttnV, When::kSharedKv, kQ5_K}, {kFfnDown, When::kFirstEighthUnweighted, kQ5_K}}}},
    {"NVFP4", 39, kNVFP4, kQ6_K, {}},
    {"MXFP4", 38, kMXFP4, kQ8_0, {}},
    {"MXFP4_MOE", 38, kQ8_0, kQ8_0, {{{kExperts, When::kAlways, kMXFP4}}}},
    {"Q3_K_L", 13, kQ3_K, kQ6_K,
     {{{kAttnV, When::kAlways, kQ5_K}, {kFfnDown, When::kAlways, kQ5_K}, {kAttnOutput, When::kAlways, kQ5_K},
       {kAttnQkv, When::kAlways, kQ4_K}}}},
    {"Q3_K_M", 12, kQ3_K, kQ6_K,
     {{{kAttnV, When::kFirst2, kQ5_K}, {kAttnV, When::kAlways, kQ4_K}, {kFfnDown, When::kFirstSixteenth, kQ5_K},
       {kFfnDown, When::kAlways, kQ4_K}, {kAttnOutput, When::kAlways, kQ4_K}, {kAttnQkv, When::kAlways, kQ4_K}}}},
    {"Q3_K_S", 11, kQ3_K, kQ6_K, {}},
    {"Q2_K", 10, kQ2_K, kQ6_K,
     {{{kAttnV, When::kSharedKv, kQ4_K}, {kAttnV, When::kAlways, kQ3_K}, {kFfnDown, When::kAlways, kQ3_K},
       {kAttnOutput, When::kAlways, kQ3_K}}}},
    {"Q2_0", 41, kQ2_0, kQ6_K, {{{kEmbedding, When::kAlways, kQ4_K}}}},
    {"TQ2_0", 37, kTQ2_0, kQ6_K, {{{kEmbedding, When::kAlways, kQ4_K}}}},
    {"I2_S", 40, kI2_S, kQ6_K, {{{kEmbedding, When::kAlways, kQ4_K}}}},
    {"TQ1_0", 36, kTQ1_0, kQ6_K, {{{kEmbedding, When::kAlways, kQ4_K}}}},
    {"Q1_0", 40, kQ1_0, kQ6_K, {}},
};

struct Alias {
  std::string_view name, means;
};
constexpr Alias kAliases[] = {{"Q3_K", "Q3_K_M"}, {"Q4_K", "Q4_K_M"}, {"Q5_K", "Q5_K_M"}};

struct Fallback {
  DType from, to;
};
constexpr Fallback kFallbacks[] = {
    {kQ2_K, kQ4_0}, {kQ3_K, kQ4_0}, {kTQ1_0, kQ4_0}, {kTQ2_0, kQ4_0}, {kI2_S, kQ4_0},     {kQ1_0, kQ4_0},
    {kQ2_0, kQ4_0}, {kQ4_K, kQ5_0}, {kQ5_K, kQ5_1},  {kQ6_K, kQ8_0},  {kIQ4_XS, kIQ4_NL}, {kNVFP4, kMXFP4},
};

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::toupper(static_cast<unsigned char>(x)) == std::toupper(static_cast<unsigned char>(y));
  });
}

bool holds(When when, const TensorPlace& p) {
  switch (when) {
    case When::kNever: return false;
    case When::kAlways: return true;
    case When::kMore: return p.i < p.n / 8 || p.i >= 7 * p.n / 8 || (p.i - p.n / 8) % 3 == 2;
    case When::kFirst2: return p.i < 2;
    case When::kFirst4: return p.i < 4;
    case When::kFirstSixteenth: return p.i < p.n / 16;
    case When::kFirstEighth: return p.i < p.n / 8;
    case When::kFirstEighthUnweighted: return !p.weighted && p.i < p.n / 8;
    case When::kFirstEighthWeighted: return p.weighted && p.i < p.n / 8;
    case When::kSharedKv: return p.shared_kv;
  }
  return false;
}

}  // namespace

std::span<const Recipe> recipes() { return kRecipes; }

const Recipe& find_recipe(std::string_view text) {
  std::string_view wanted = text;
  for (const Alias& alias : kAliases) {
    if (same_word(text, alias.name)) wanted = alias.means;
  }
  std::vector<std::string_view> names;
  for (const Recipe& recipe : kRecipes) {
    if (same_word(wanted, recipe.name)) return recipe;
    names.push_back(recipe.name);
  }
  const std::string_view near = closest_word(text, names);
  throw Error(ErrorCode::kUsage, fmt::format("{}: no such recipe", text),
              near.empty() ? "'minnow quantize --help' lists them" : fmt::format("did you mean {}? ('minnow quantize --help' lists all)", near));
}

DType recipe_dtype(const Recipe& recipe, const TensorPlace& place) {
  if (place.kind == kOutput) return recipe.output;
  for (const Rule& rule : recipe.rules) {
    const bool meant = rule.kind == place.kind || (rule.kind == kExperts && place.in_experts);
    if (meant && holds(rule.when, place)) return rule.dtype;
  }
  return recipe.base;
}

DType fitting_dtype(DType wanted, int64_t n) {
  const auto fits = [n](DType dtype) { return n % info(dtype).block_size == 0; };
  if (fits(wanted)) return wanted;
  for (const Fallback& fallback : kFallbacks) {
    if (fallback.from == wanted && fits(fallback.to)) return fallback.to;
  }
  return kF16;
}

}  // namespace minnow
