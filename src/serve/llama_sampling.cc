#include "serve/llama_sampling.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/limits.h"

namespace minnow {
namespace {

struct Step {
  std::string_view name, other_name;
  char letter;
  void (*switch_off)(SamplingParams&);
  bool (*is_off)(const SamplingParams&);
};

void penalties_off(SamplingParams& p) {
  p.repetition_penalty = 1;
  p.presence_penalty = p.frequency_penalty = 0;
}

bool are_penalties_off(const SamplingParams& p) {
  return p.penalty_last_n == 0 || (p.repetition_penalty == 1 && p.presence_penalty == 0 && p.frequency_penalty == 0);
}

enum : std::size_t { kPenalties, kDry, kTopNSigma, kTopK, kTypical, kTopP, kMinP, kXtc, kInfill, kTemperature, kNumSteps };

// In the order of Sampler, which is llama.cpp's default. top_n_sigma is there by name only: it is always off; infill is on only
// where it is named.
constexpr std::array<Step, kNumSteps> kSteps = {{
    {"penalties", "", 'e', penalties_off, are_penalties_off},
    {"dry", "", 'd', [](SamplingParams& p) { p.dry_multiplier = 0; }, [](const SamplingParams& p) { return p.dry_multiplier == 0; }},
    {"top_n_sigma", "", 's', [](SamplingParams&) {}, [](const SamplingParams&) { return true; }},
    {"top_k", "", 'k', [](SamplingParams& p) { p.top_k = 0; }, [](const SamplingParams& p) { return p.top_k == 0; }},
    {"typ_p", "typical_p", 'y', [](SamplingParams& p) { p.typical_p = 1; }, [](const SamplingParams& p) { return p.typical_p == 1; }},
    {"top_p", "", 'p', [](SamplingParams& p) { p.top_p = 1; }, [](const SamplingParams& p) { return p.top_p == 1; }},
    {"min_p", "", 'm', [](SamplingParams& p) { p.min_p = 0; }, [](const SamplingParams& p) { return p.min_p == 0; }},
    {"xtc", "", 'x', [](SamplingParams& p) { p.xtc_probability = 0; },
     [](const SamplingParams& p) { return p.xtc_probability == 0 || p.xtc_threshold > 0.5f; }},
    {"infill", "", 'i', [](SamplingParams& p) { p.infill = false; }, [](const SamplingParams& p) { return !p.infill; }},
    {"temperature", "temp", 't', [](SamplingParams& p) { p.temperature = 1; }, [](const SamplingParams& p) { return p.temperature == 1; }},
}};

// Whether two steps, the first of which comes first here, leave the same tokens with the same probabilities the other way round.
bool commute(std::size_t first, std::size_t second, const SamplingParams& p) {
  if (kSteps[first].is_off(p) || kSteps[second].is_off(p)) return true;
  if (first == kPenalties) return second == kDry && p.repetition_penalty == 1;  // both subtract
  if (p.temperature == 0 && !p.infill) return first >= kTopK;                   // the likeliest token, whatever they leave
  // The best k stay the best at any temperature, and min_p asks for the ratio to the best alone.
  return first == kTopK && (second == kMinP || second == kTemperature);
}

std::string joined_names() {
  std::string names;
  for (const Step& step : kSteps) names += fmt::format("{}{}", names.empty() ? "" : ", ", step.name);
  return names;
}

std::size_t find_step(const RequestFields& body, std::string_view name) {
  for (std::size_t i = 0; i < kSteps.size(); ++i) {
    if (name == kSteps[i].name || (!name.empty() && name == kSteps[i].other_name)) return i;
  }
  body.refuse("samplers", "names a step that does not exist here", "known are " + joined_names());
}

std::vector<std::size_t> named_steps(const RequestFields& body) {
  std::vector<std::size_t> steps;
  const OrderedJson* samplers = body.find("samplers");
  if (samplers->is_string()) {
    for (const char letter : samplers->get<std::string>()) {
      const auto step = std::find_if(kSteps.begin(), kSteps.end(), [&](const Step& s) { return s.letter == letter; });
      if (step == kSteps.end()) body.refuse("samplers", "has a letter that stands for no step here", "give names: " + joined_names());
      steps.push_back(static_cast<std::size_t>(step - kSteps.begin()));
    }
    return steps;
  }
  for (const std::string& name : body.texts("samplers", limits::kMaxSamplers)) steps.push_back(find_step(body, name));
  return steps;
}

// Ids of an entry's token: a number, or a text.
std::vector<TokenId> bias_tokens(const OrderedJson& token, const std::string& path, const Tokenizer& tokenizer) {
  if (token.is_string()) return tokenizer.encode(token.get<std::string>(), {.add_special = false, .parse_special = true});
  return read_token_ids(OrderedJson::array({token}), path, 1);
}

// A key of an object, which is a number or a text.
OrderedJson bias_key(const std::string& text) {
  TokenId id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  return is_number ? OrderedJson(id) : OrderedJson(text);
}

OrderedJson number_or_null(float value) { return std::isfinite(value) ? OrderedJson(value) : OrderedJson(nullptr); }

}  // namespace

std::vector<std::string> sampler_names() {
  std::vector<std::string> names;
  for (const Step& step : kSteps) {
    if (&step != &kSteps[kInfill]) names.emplace_back(step.name);
  }
  return names;
}

void apply_samplers(const RequestFields& body, SamplingParams& sampling) {
  if (!body.has("samplers")) return;
  const std::vector<std::size_t> steps = named_steps(body);
  const auto is_named = [&](std::size_t step) { return std::find(steps.begin(), steps.end(), step) != steps.end(); };
  for (std::size_t i = 0; i < kSteps.size(); ++i) {
    if (!is_named(i)) kSteps[i].switch_off(sampling);
  }
  sampling.infill = is_named(kInfill);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    for (std::size_t j = i + 1; j < steps.size(); ++j) {
      const Step &before = kSteps[steps[i]], &after = kSteps[steps[j]];
      if (steps[i] == steps[j]) body.refuse("samplers", fmt::format("names {} twice", before.name));
      if (steps[i] > steps[j] && !commute(steps[j], steps[i], sampling)) {
        body.refuse("samplers", fmt::format("{} cannot come before {} here", before.name, after.name),
                    "the order is " + joined_names());
      }
    }
  }
}

OrderedJson logit_bias_of_ids(const RequestFields& body, const Tokenizer& tokenizer) {
  const OrderedJson* value = body.find("logit_bias");
  if (!value) return nullptr;
  if (!value->is_object() && !value->is_array()) body.refuse("logit_bias", "must be an object, or an array of pairs");
  if (value->size() > limits::kMaxLogitBias) {
    body.refuse("logit_bias", fmt::format("has {} entries, allowed: {}", value->size(), limits::kMaxLogitBias));
  }
  OrderedJson out = OrderedJson::array();
  const auto add = [&](const OrderedJson& token, const OrderedJson& bias, const std::string& path) {
    if (!bias.is_number() && !bias.is_boolean()) {
      throw RequestError(path, fmt::format("{}: must be a number or false, is {}", path, json_type_name(bias)));
    }
    for (const TokenId id : bias_tokens(token, path, tokenizer)) {
      if (out.size() >= limits::kMaxLogitBias) {
        body.refuse("logit_bias", fmt::format("its texts have more tokens than the {} that are allowed", limits::kMaxLogitBias));
      }
      out.push_back(OrderedJson::array({id, bias}));
    }
  };
  if (value->is_object()) {
    for (const auto& [key, bias] : value->items()) {
      add(bias_key(key), bias, body.path("logit_bias"));
    }
    return out;
  }
  std::size_t index = 0;
  for (const OrderedJson& pair : *value) {
    const std::string path = element_path(body.path("logit_bias"), index++);
    if (!pair.is_array() || pair.size() != 2) throw RequestError(path, path + ": must be a pair of a token id or a text, and a number or false");
    add(pair[0], pair[1], path);
  }
  return out;
}

namespace {

// Empty stop strings ask for nothing here.
void drop_empty_stops(OrderedJson& body) {
  if (!body.contains("stop")) return;
  OrderedJson& stop = body["stop"];
  if (stop == "") stop = nullptr;
  if (!stop.is_array()) return;
  OrderedJson kept = OrderedJson::array();
  for (OrderedJson& text : stop) {
    if (text != "") kept.push_back(std::move(text));
  }
  stop = std::move(kept);
}

}  // namespace

SamplingFields read_llama_sampling(const RequestFields& body, const Tokenizer& tokenizer, const GgufMetadata& metadata) {
  OrderedJson plain = body.json();
  for (const char* own : {"samplers", "n_indent", "t_max_predict_ms"}) plain.erase(own);
  drop_empty_stops(plain);
  if (body.has("logit_bias")) plain["logit_bias"] = logit_bias_of_ids(body, tokenizer);
  SamplingFields fields = read_sampling(RequestFields(plain, body.path()), default_sampling(Dialect::kLlamaServer, metadata));
  apply_samplers(body, fields.sampling);
  // Every step keeps one token at least, but not more.
  if (body.integer("min_keep", 0, 0, limits::kMaxVocab) > 1) body.refuse("min_keep", "is not supported beyond 1", "leave it out");
  return fields;
}

OrderedJson llama_settings_json(const SamplingFields& fields) {
  const SamplingParams& p = fields.sampling;
  std::vector<std::string> samplers = sampler_names();
  if (p.infill) samplers.insert(samplers.end() - 1, "infill");
  OrderedJson biases = OrderedJson::array();
  for (const auto& [token, bias] : p.logit_bias) biases.push_back({{"token", token}, {"bias", number_or_null(bias)}});
  return {{"seed", p.seed},
          {"temperature", p.temperature},
          {"dynatemp_range", 0.0},
          {"dynatemp_exponent", 1.0},
          {"top_k", p.top_k},
          {"top_p", p.top_p},
          {"min_p", p.min_p},
          {"top_n_sigma", -1.0},
          {"xtc_probability", p.xtc_probability},
          {"xtc_threshold", p.xtc_threshold},
          {"typical_p", p.typical_p},
          {"repeat_last_n", p.penalty_last_n},
          {"repeat_penalty", p.repetition_penalty},
          {"presence_penalty", p.presence_penalty},
          {"frequency_penalty", p.frequency_penalty},
          {"dry_multiplier", p.dry_multiplier},
          {"dry_base", p.dry_base},
          {"dry_allowed_length", p.dry_allowed_length},
          {"dry_penalty_last_n", p.dry_last_n},
          {"dry_sequence_breakers", p.dry_sequence_breakers},
          {"mirostat", p.mirostat},
          {"mirostat_tau", p.mirostat_tau},
          {"mirostat_eta", p.mirostat_eta},
          {"stop", fields.stop},
          {"max_tokens", fields.max_tokens},
          {"n_predict", fields.max_tokens},
          {"n_keep", 0},
          {"n_discard", 0},
          {"ignore_eos", fields.ignore_end},
          {"min_keep", 0},
          {"logit_bias", std::move(biases)},
          {"samplers", std::move(samplers)},
          {"post_sampling_probs", false},
          {"lora", OrderedJson::array()},
          {"stream", false},
          {"n_probs", 0},
          {"grammar", ""},
          {"timings_per_token", false},
          {"n_indent", 0},
          {"t_max_predict_ms", 0}};
}

}  // namespace minnow
