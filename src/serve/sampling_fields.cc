#include "serve/sampling_fields.h"

#include <algorithm>
#include <array>
#include <cfloat>
#include <charconv>
#include <limits>
#include <random>

#include "base/limits.h"
#include "base/random.h"

namespace minnow {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();
constexpr double kMaxPenalty = 1e6;
// OpenAI: "-100 or 100 should result in a ban or exclusive selection".
constexpr double kBan = -100, kMaxBias = 100;

struct ModelDefault {
  std::string_view key;
  double lo, hi;
  void (*set)(SamplingParams&, double);
};

const std::array<ModelDefault, 11>& model_defaults() {
  static const std::array<ModelDefault, 11> kDefaults = {{
      {"general.sampling.temp", 0, 100, [](SamplingParams& p, double v) { p.temperature = static_cast<float>(v); }},
      {"general.sampling.top_k", 0, kMaxInt, [](SamplingParams& p, double v) { p.top_k = static_cast<int>(v); }},
      {"general.sampling.top_p", 1e-6, 1, [](SamplingParams& p, double v) { p.top_p = static_cast<float>(v); }},
      {"general.sampling.min_p", 0, 1, [](SamplingParams& p, double v) { p.min_p = static_cast<float>(v); }},
      {"general.sampling.xtc_probability", 0, 1, [](SamplingParams& p, double v) { p.xtc_probability = static_cast<float>(v); }},
      {"general.sampling.xtc_threshold", 0, 1, [](SamplingParams& p, double v) { p.xtc_threshold = static_cast<float>(v); }},
      {"general.sampling.penalty_last_n", -1, kMaxInt, [](SamplingParams& p, double v) { p.penalty_last_n = static_cast<int>(v); }},
      {"general.sampling.penalty_repeat", 1e-6, 1e6, [](SamplingParams& p, double v) { p.repetition_penalty = static_cast<float>(v); }},
      {"general.sampling.mirostat", 0, 2, [](SamplingParams& p, double v) { p.mirostat = static_cast<int>(v); }},
      {"general.sampling.mirostat_tau", 0, 1e6, [](SamplingParams& p, double v) { p.mirostat_tau = static_cast<float>(v); }},
      {"general.sampling.mirostat_eta", 0, 1, [](SamplingParams& p, double v) { p.mirostat_eta = static_cast<float>(v); }},
  }};
  return kDefaults;
}

SamplingParams dialect_defaults(Dialect dialect) {
  SamplingParams p;
  switch (dialect) {
    case Dialect::kOpenAi:
    case Dialect::kAnthropic:
      p.temperature = 1;
      p.top_k = 0;
      p.top_p = 1;
      p.min_p = 0;
      p.penalty_last_n = -1;  // presence and frequency are those of the whole text
      break;
    case Dialect::kOllama:
      p.top_p = 0.9f;
      p.min_p = 0;
      break;
    case Dialect::kLlamaServer: break;  // the defaults of SamplingParams
  }
  return p;
}

// A field that would change the answer, and is not supported.
struct Unsupported {
  std::string_view name;
  OrderedJson neutral;                       // asks for nothing
  bool (*is_off)(double value) = nullptr;    // numbers that ask for nothing as well
};

const std::vector<Unsupported>& unsupported_fields() {
  constexpr auto kUpToZero = [](double value) { return value <= 0; };
  constexpr auto kBelowZero = [](double value) { return value < 0; };
  static const std::vector<Unsupported> kFields = {
      {"use_beam_search", false},
      {"length_penalty", 1},
      {"spaces_between_special_tokens", true},
      {"truncate_prompt_tokens", nullptr},
      {"prompt_logprobs", nullptr},
      {"bad_words", OrderedJson::array()},
      {"logits_processors", OrderedJson::array()},
      {"thinking_token_budget", nullptr},
      {"lora", OrderedJson::array()},
      {"top_n_sigma", -1, kUpToZero},
      {"dynatemp_range", 0, kUpToZero},
      {"adaptive_target", -1, kBelowZero},
      {"t_max_predict_ms", 0, kUpToZero},
      {"n_indent", 0},
      {"samplers", nullptr},
      {"prompt_embeds", nullptr},
      {"mm_processor_kwargs", nullptr},
      {"kv_transfer_params", nullptr},
      {"vllm_xargs", nullptr},
      {"return_tokens_as_token_ids", false},
      {"post_sampling_probs", false},
      {"chat_template", nullptr},
  };
  return kFields;
}

void refuse_unsupported(const RequestFields& body, std::string_view own) {
  for (const auto& [name, neutral, is_off] : unsupported_fields()) {
    const OrderedJson* value = body.find(name);
    if (!value || *value == neutral || name == own) continue;
    if (is_off != nullptr && value->is_number() && is_off(value->get<double>())) continue;
    body.refuse(name, "is not supported", neutral.is_null() ? "leave it out" : fmt::format("leave it out, or give {}", neutral.dump()));
  }
}

double bias_value(const OrderedJson& value, const std::string& path) {
  if (value.is_boolean() && !value.get<bool>()) return -std::numeric_limits<double>::infinity();  // llama-server's way to say never
  if (!value.is_number()) throw RequestError(path, fmt::format("{}: must be a number, is {}", path, json_type_name(value)));
  const double bias = value.get<double>();
  if (!(bias >= kBan && bias <= kMaxBias)) throw RequestError(path, fmt::format("{}: must be from {} to {}", path, kBan, kMaxBias));
  return bias == kBan ? -std::numeric_limits<double>::infinity() : bias;
}

TokenId bias_token(std::string_view text, const std::string& path) {
  TokenId id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id < 0) {
    throw RequestError(path, path + ": its keys must be token ids", "POST /tokenize gives those of a text");
  }
  return id;
}

// {"id": bias}, or llama-server's [[id, bias], ...].
std::vector<std::pair<TokenId, float>> read_logit_bias(const RequestFields& body) {
  const OrderedJson* value = body.find("logit_bias");
  if (!value) return {};
  const std::string path = body.path("logit_bias");
  std::vector<std::pair<TokenId, float>> biases;
  if (value->is_object()) {
    for (const auto& [key, bias] : value->items()) {
      biases.emplace_back(bias_token(key, path), static_cast<float>(bias_value(bias, path + "." + std::to_string(bias_token(key, path)))));
    }
    return biases;
  }
  if (!value->is_array()) body.refuse("logit_bias", "must be an object from token ids to numbers");
  for (const OrderedJson& pair : body.array("logit_bias", limits::kMaxLogitBias)) {
    const std::string place = element_path(path, biases.size());
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number_integer()) {
      throw RequestError(place, place + ": must be a token id and a number", "POST /tokenize gives the ids of a text");
    }
    const OrderedJson id = OrderedJson::array({pair[0]});
    biases.emplace_back(read_token_ids(id, place, 1).front(), static_cast<float>(bias_value(pair[1], place)));
  }
  return biases;
}

float share(const RequestFields& body, std::string_view name, float fallback) {
  // 0 leaves the likeliest token, which the smallest share does as well.
  return std::max(static_cast<float>(body.number(name, fallback, 0, 1)), FLT_MIN);
}

float number(const RequestFields& body, std::string_view name, float fallback, double lo, double hi) {
  return static_cast<float>(body.number(name, fallback, lo, hi));
}

// The first of two names that is given.
float either(const RequestFields& body, std::string_view one, std::string_view other, float fallback, double lo, double hi) {
  return number(body, body.has(one) ? one : other, fallback, lo, hi);
}

int whole(const RequestFields& body, std::string_view name, int fallback, int64_t lo, int64_t hi) {
  return static_cast<int>(body.integer(name, fallback, lo, hi));
}

void read_dry(const RequestFields& body, SamplingParams& p) {
  p.dry_multiplier = number(body, "dry_multiplier", p.dry_multiplier, 0, kMaxPenalty);
  p.dry_base = number(body, "dry_base", p.dry_base, 1, kMaxPenalty);
  p.dry_allowed_length = whole(body, "dry_allowed_length", p.dry_allowed_length, 1, kMaxInt);
  p.dry_last_n = whole(body, "dry_penalty_last_n", p.dry_last_n, -1, kMaxInt);
  if (!body.has("dry_sequence_breakers")) return;
  p.dry_sequence_breakers = body.texts("dry_sequence_breakers", limits::kMaxDryBreakers);
  for (const std::string& breaker : p.dry_sequence_breakers) {
    if (breaker.empty() || breaker.size() > limits::kMaxDryBreakerBytes) {
      body.refuse("dry_sequence_breakers", fmt::format("each must have 1 to {} bytes", limits::kMaxDryBreakerBytes));
    }
  }
}

void read_penalties(const RequestFields& body, SamplingParams& p) {
  p.repetition_penalty = either(body, "repetition_penalty", "repeat_penalty", p.repetition_penalty, 1e-6, kMaxPenalty);
  p.presence_penalty = number(body, "presence_penalty", p.presence_penalty, -2, 2);
  p.frequency_penalty = number(body, "frequency_penalty", p.frequency_penalty, -2, 2);
  p.penalty_last_n = whole(body, "repeat_last_n", p.penalty_last_n, -1, kMaxInt);
  read_dry(body, p);
}

SamplingParams read_params(const RequestFields& body, SamplingParams p) {
  p.temperature = number(body, "temperature", p.temperature, 0, 100);
  p.top_k = std::max(0, whole(body, "top_k", p.top_k, -1, kMaxInt));  // vLLM: -1 is off as well
  p.top_p = share(body, "top_p", p.top_p);
  p.min_p = number(body, "min_p", p.min_p, 0, 1);
  p.typical_p = share(body, "typical_p", p.typical_p);
  p.xtc_probability = number(body, "xtc_probability", p.xtc_probability, 0, 1);
  p.xtc_threshold = number(body, "xtc_threshold", p.xtc_threshold, 0, 1);
  p.mirostat = whole(body, "mirostat", p.mirostat, 0, 2);
  p.mirostat_tau = number(body, "mirostat_tau", p.mirostat_tau, 0, kMaxPenalty);
  p.mirostat_eta = number(body, "mirostat_eta", p.mirostat_eta, 0, 1);
  read_penalties(body, p);
  p.logit_bias = read_logit_bias(body);
  p.allowed_tokens = body.token_ids("allowed_token_ids", limits::kMaxAllowedTokens);
  const auto seed = body.optional_integer("seed", std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max());
  p.seed = seed && *seed >= 0 ? static_cast<uint64_t>(*seed) : random_seed();
  return p;
}

}  // namespace

SamplingParams default_sampling(Dialect dialect, const GgufMetadata& metadata) {
  SamplingParams params = dialect_defaults(dialect);
  for (const ModelDefault& entry : model_defaults()) {
    if (!metadata.has(entry.key)) continue;
    const double value = metadata.number(entry.key, 0);
    if (value >= entry.lo && value <= entry.hi) entry.set(params, value);
  }
  return params;
}

SamplingFields read_sampling(const RequestFields& body, SamplingParams defaults, std::string_view own) {
  refuse_unsupported(body, own);
  SamplingFields fields;
  fields.sampling = read_params(body, std::move(defaults));
  for (const std::string_view name : {"n_predict", "max_tokens", "max_completion_tokens"}) {
    fields.max_tokens = body.integer(name, fields.max_tokens, -1, kMaxInt);
  }
  fields.stop = read_stop(body, "stop");
  fields.stop_tokens = body.token_ids("stop_token_ids", limits::kMaxStopTokens);
  fields.min_tokens = body.integer("min_tokens", 0, 0, kMaxInt);
  fields.ignore_end = body.boolean("ignore_eos", false);
  fields.include_stop = body.boolean("include_stop_str_in_output", false);
  fields.show_special = !body.boolean("skip_special_tokens", true);
  if (fields.max_tokens >= 0 && fields.min_tokens > fields.max_tokens) {
    body.refuse("min_tokens", fmt::format("is {}, more than the {} that may be made", fields.min_tokens, fields.max_tokens));
  }
  return fields;
}

void read_slot_fields(const RequestFields& body, std::vector<std::string>& unused) {
  if (body.integer("id_slot", -1, -1, kMaxInt) >= 0) unused.emplace_back("id_slot");
  if (body.integer("t_max_prompt_ms", 0, -1, kMaxInt) > 0) unused.emplace_back("t_max_prompt_ms");
  if (body.integer("n_keep", 0, -1, kMaxInt) > 0) unused.emplace_back("n_keep");  // -1: all, which holds
  for (const char* name : {"n_discard", "n_cache_reuse"}) {
    if (body.integer(name, 0, 0, kMaxInt) > 0) unused.emplace_back(name);
  }
}

std::vector<std::string> read_stop(const RequestFields& body, std::string_view name) {
  std::vector<std::string> stop = body.texts(name, limits::kMaxStopStrings);
  for (const std::string& text : stop) {
    if (text.empty()) body.refuse(name, "must not be empty: every text contains it", "leave it out");
    if (text.size() > limits::kMaxStopBytes) body.refuse(name, fmt::format("one has {} bytes, allowed: {}", text.size(), limits::kMaxStopBytes));
  }
  return stop;
}

uint64_t choice_seed(uint64_t seed, int index) {
  if (index == 0) return seed;
  return Random(seed + static_cast<uint64_t>(index) * 0x9e3779b97f4a7c15ull).next();
}

uint64_t random_seed() { return std::random_device()(); }

}  // namespace minnow
