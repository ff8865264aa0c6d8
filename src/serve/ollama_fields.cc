#include "serve/ollama_fields.h"

#include <algorithm>
#include <array>
#include <cfloat>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

#include "base/limits.h"
#include "serve/openai_messages.h"
#include "serve/sampling_fields.h"
#include "serve/timestamp.h"

namespace minnow {
namespace {

using std::chrono::nanoseconds;

constexpr double kMaxNanoseconds = 9.2e18;
constexpr double kCentury = 100 * 365.25 * 86400 * 1e9;  // nanoseconds
constexpr nanoseconds kForEver{-1};
constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();

struct Unit {
  std::string_view name;
  double nanoseconds;
};
constexpr std::array<Unit, 8> kUnits = {{
    {"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"μs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9},
}};

bool is_above_zero(std::string_view digits) { return digits.find_first_of("123456789") != std::string_view::npos; }

// Takes "1.5h" from the front of the text.
std::optional<double> take_part(std::string_view& text) {
  if (text.front() != '.' && (text.front() < '0' || text.front() > '9')) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error == std::errc::invalid_argument) return std::nullopt;
  const std::string_view digits = text.substr(0, static_cast<std::size_t>(end - text.data()));
  if (error == std::errc::result_out_of_range) value = is_above_zero(digits.substr(0, digits.find('.'))) ? kMaxNanoseconds : 0;
  if (value == 0 && is_above_zero(digits)) value = DBL_MIN;
  text.remove_prefix(digits.size());
  const std::size_t letters = std::min(text.find_first_of("0123456789."), text.size());
  for (const Unit& unit : kUnits) {
    if (text.substr(0, letters) != unit.name) continue;
    text.remove_prefix(letters);
    return value * unit.nanoseconds;
  }
  return std::nullopt;
}

nanoseconds kept(double count) {
  if (count < 0 || count > kCentury) return kForEver;
  return nanoseconds(static_cast<int64_t>(count));
}

[[noreturn]] void refuse_option(std::string_view name, std::string_view what) {
  throw RequestError("options." + std::string(name), fmt::format("option \"{}\" {}", name, what));
}

[[noreturn]] void refuse_range(std::string_view name, double lo, double hi) {
  refuse_option(name, fmt::format("must be from {} to {}", lo, hi));
}

// A number, of which what is behind the point is dropped, as Ollama does.
int64_t whole_option(std::string_view name, const OrderedJson& value, int64_t lo, int64_t hi) {
  constexpr double kMax = 9.2e18;
  if (!value.is_number()) refuse_option(name, "must be of type integer");
  if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    refuse_range(name, static_cast<double>(lo), static_cast<double>(hi));
  }
  if (value.is_number_float() && !(std::abs(value.get<double>()) < kMax)) refuse_range(name, static_cast<double>(lo), static_cast<double>(hi));
  const auto number = value.is_number_float() ? static_cast<int64_t>(value.get<double>()) : value.get<int64_t>();
  if (number < lo || number > hi) refuse_range(name, static_cast<double>(lo), static_cast<double>(hi));
  return number;
}

float real_option(std::string_view name, const OrderedJson& value, double lo, double hi) {
  if (!value.is_number()) refuse_option(name, "must be of type float32");
  const double number = value.get<double>();
  if (!(number >= lo && number <= hi)) refuse_range(name, lo, hi);
  return static_cast<float>(number);
}

struct WholeOption {
  std::string_view name;
  int64_t lo, hi;
  void (*set)(OllamaOptions&, int64_t);
};
constexpr std::array<WholeOption, 6> kWhole = {{
    {"seed", std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(),
     [](OllamaOptions& o, int64_t v) { o.sampling.seed = v < 0 ? random_seed() : static_cast<uint64_t>(v); }},
    {"num_predict", -2, kMaxInt, [](OllamaOptions& o, int64_t v) { o.max_tokens = std::max<int64_t>(v, -1); }},
    {"num_ctx", 0, kMaxInt, [](OllamaOptions& o, int64_t v) { o.n_ctx = v; }},
    {"top_k", -1, kMaxInt, [](OllamaOptions& o, int64_t v) { o.sampling.top_k = static_cast<int>(std::max<int64_t>(v, 0)); }},
    {"repeat_last_n", -1, kMaxInt, [](OllamaOptions& o, int64_t v) { o.sampling.penalty_last_n = static_cast<int>(v); }},
    {"mirostat", 0, 2, [](OllamaOptions& o, int64_t v) { o.sampling.mirostat = static_cast<int>(v); }},
}};

struct RealOption {
  std::string_view name;
  double lo, hi;
  float SamplingParams::*field;
};
constexpr std::array<RealOption, 9> kReal = {{
    {"temperature", 0, 100, &SamplingParams::temperature},
    {"top_p", 0, 1, &SamplingParams::top_p},
    {"min_p", 0, 1, &SamplingParams::min_p},
    {"typical_p", 0, 1, &SamplingParams::typical_p},
    {"repeat_penalty", 1e-6, 1e6, &SamplingParams::repetition_penalty},
    {"presence_penalty", -2, 2, &SamplingParams::presence_penalty},
    {"frequency_penalty", -2, 2, &SamplingParams::frequency_penalty},
    {"mirostat_tau", 0, 1e6, &SamplingParams::mirostat_tau},
    {"mirostat_eta", 0, 1, &SamplingParams::mirostat_eta},
}};

// How an engine of another kind is to run; these have types all the same.
constexpr std::array<std::string_view, 6> kUnusedWhole = {"num_keep", "num_batch", "num_gpu", "main_gpu", "num_thread", "draft_num_predict"};
constexpr std::array<std::string_view, 1> kUnusedReal = {"tfs_z"};
constexpr std::array<std::string_view, 8> kUnusedBoolean = {"use_mmap",   "use_mlock",  "numa",       "low_vram",
                                                            "f16_kv",     "logits_all", "vocab_only", "penalize_newline"};

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void check_unused(std::string_view name, const OrderedJson& value) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  if (is_one_of(kUnusedWhole, name)) whole_option(name, value, -kMost, kMost);
  if (is_one_of(kUnusedReal, name)) real_option(name, value, -FLT_MAX, FLT_MAX);
  if (is_one_of(kUnusedBoolean, name) && !value.is_boolean()) refuse_option(name, "must be of type boolean");
}

std::vector<std::string> stop_option(const OrderedJson& value) {
  const OrderedJson list = value.is_string() ? OrderedJson::array({value}) : value;
  if (!list.is_array()) refuse_option("stop", "must be of type array");
  if (list.size() > limits::kMaxStopStrings) refuse_option("stop", fmt::format("has {} items, allowed: {}", list.size(), limits::kMaxStopStrings));
  std::vector<std::string> stop;
  for (const OrderedJson& item : list) {
    if (!item.is_string()) refuse_option("stop", "must be of an array of strings");
    const auto& text = item.get_ref<const std::string&>();
    if (text.empty()) continue;
    if (text.size() > limits::kMaxStopBytes) refuse_option("stop", fmt::format("has a string of {} bytes, allowed: {}", text.size(), limits::kMaxStopBytes));
    stop.push_back(text);
  }
  return stop;
}

void read_option(std::string_view name, const OrderedJson& value, OllamaOptions& options) {
  for (const WholeOption& o : kWhole) {
    if (name == o.name) return o.set(options, whole_option(name, value, o.lo, o.hi));
  }
  for (const RealOption& o : kReal) {
    if (name != o.name) continue;
    options.sampling.*o.field = real_option(name, value, o.lo, o.hi);
    return;
  }
  if (name == "stop") {
    options.stop = stop_option(value);
    return;
  }
  check_unused(name, value);
  options.unused.emplace_back(name);
}

std::string lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

OrderedJson read_call(const RequestFields& call) {
  call.required("function");
  const RequestFields function = call.object("function");
  OrderedJson out = OrderedJson::object();
  if (const std::string id = call.text("id"); !id.empty()) out["id"] = id;
  out["type"] = "function";
  out["function"]["name"] = function.required_text("name");
  out["function"]["arguments"] = function.object("arguments").json();
  return out;
}

OrderedJson read_message(const RequestFields& message, const CalledNames& called, std::string_view model) {
  const std::string role = lower_case(message.required_text("role"));
  if (role != "system" && role != "user" && role != "assistant" && role != "tool") {
    message.refuse("role", "must be system, user, assistant or tool");
  }
  refuse_images(message, model);
  OrderedJson out = {{"role", role}, {"content", message.text("content")}};
  // Templates know it by one of these names.
  if (const std::string thinking = message.text("thinking"); !thinking.empty()) {
    out["reasoning_content"] = thinking;
    out["thinking"] = thinking;
  }
  std::size_t index = 0;
  for (const OrderedJson& call : message.array("tool_calls", limits::kMaxToolCalls)) {
    out["tool_calls"].push_back(read_call(RequestFields(call, element_path(message.path("tool_calls"), index++))));
  }
  if (role != "tool") return out;
  const std::string id = message.text("tool_call_id");
  const std::string name = message.text("tool_name", id.empty() ? std::string() : called.find(id));
  if (!name.empty()) out["name"] = name;
  if (!id.empty()) out["tool_call_id"] = id;
  return out;
}

}  // namespace

std::optional<nanoseconds> parse_go_duration(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return nanoseconds(0);
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const auto part = take_part(text);
    if (!part) return std::nullopt;
    total += *part;
  }
  const auto count = static_cast<int64_t>(std::min(total, kMaxNanoseconds));
  if (!is_negative) return nanoseconds(count);
  return nanoseconds(total > 0 ? std::min<int64_t>(-count, -1) : 0);
}

OrderedJson parse_ollama_body(const HttpRequest& request) {
  if (request.body.find_first_not_of(" \t\r\n") == std::string::npos) throw RequestError({}, "missing request body");
  return parse_body(request);
}

KeepAlive parse_ollama_keep_alive(std::string_view text) {
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc() && end == text.data() + text.size()) return kept(static_cast<double>(seconds) * 1e9);
  const auto duration = parse_go_duration(text);
  if (!duration) return std::nullopt;
  return kept(static_cast<double>(duration->count()));
}

KeepAlive read_keep_alive(const RequestFields& body) {
  const OrderedJson* value = body.find("keep_alive");
  if (!value) return {};
  if (value->is_number()) return kept(value->get<double>() * 1e9);
  if (!value->is_string()) body.refuse("keep_alive", "must be a number of seconds or a duration", "for example 300, \"5m\" or -1");
  const KeepAlive keep = parse_ollama_keep_alive(value->get_ref<const std::string&>());
  if (!keep) body.refuse("keep_alive", "is not a duration", "for example \"5m\", \"1h30m\" or \"-1s\", with units ns us ms s m h");
  return keep;
}

OllamaOptions read_ollama_options(const RequestFields& body, SamplingParams defaults) {
  OllamaOptions options;
  options.sampling = std::move(defaults);
  options.sampling.seed = random_seed();
  for (const auto& [name, value] : body.object("options").json().items()) {
    if (!value.is_null()) read_option(name, value, options);
  }
  // 0 leaves the likeliest token, which the smallest share does as well.
  options.sampling.top_p = std::max(options.sampling.top_p, FLT_MIN);
  options.sampling.typical_p = std::max(options.sampling.typical_p, FLT_MIN);
  return options;
}

OllamaThink read_ollama_think(const RequestFields& body) {
  const OrderedJson* value = body.find("think");
  if (!value) return {};
  if (value->is_boolean()) return {.on = value->get<bool>(), .level = {}};
  for (const std::string_view level : {"low", "medium", "high", "max"}) {
    if (*value == level) return {.on = true, .level = std::string(level)};
  }
  body.refuse("think", "must be true, false, \"low\", \"medium\", \"high\" or \"max\"");
}

ConstraintSpec read_ollama_format(const RequestFields& body) {
  const OrderedJson* value = body.find("format");
  if (!value || *value == "") return {};
  if (*value == "json") return {.kind = ConstraintSpec::Kind::kObject};
  if (!value->is_object()) body.refuse("format", "must be \"json\" or a JSON schema");
  ConstraintSpec spec{.kind = ConstraintSpec::Kind::kSchema, .text = value->dump()};
  if (spec.text.size() > limits::kMaxGrammarBytes) {
    body.refuse("format", fmt::format("has {} bytes, allowed: {}", spec.text.size(), limits::kMaxGrammarBytes));
  }
  return spec;
}

int read_ollama_logprobs(const RequestFields& body) {
  const bool wanted = body.boolean("logprobs", false);
  const OrderedJson* top = body.find("top_logprobs");
  if (top && top->is_number_integer() && (*top < 0 || *top > limits::kMaxLogprobs)) {
    throw RequestError("top_logprobs", fmt::format("top_logprobs must be between 0 and {}", limits::kMaxLogprobs));
  }
  const auto count = static_cast<int>(body.integer("top_logprobs", 0, 0, limits::kMaxLogprobs));
  if (!wanted && count > 0) body.refuse("top_logprobs", "needs \"logprobs\": true");
  return wanted ? count : -1;
}

OrderedJson read_ollama_messages(const RequestFields& body, std::string_view model) {
  OrderedJson messages = OrderedJson::array();
  CalledNames called;
  for (const OrderedJson& message : body.array("messages", limits::kMaxChatMessages)) {
    messages.push_back(read_message(RequestFields(message, element_path(body.path("messages"), messages.size())), called, model));
    called.add_calls(messages.back());
  }
  return messages;
}

void refuse_images(const RequestFields& fields, std::string_view model) {
  if (!fields.array("images", limits::kMaxContentParts).empty()) {
    fields.refuse("images", fmt::format("\"{}\" does not support images", model), "send text alone");
  }
}

std::string go_time_text(int64_t unix_nanoseconds) {
  constexpr int64_t kSecond = 1'000'000'000;
  const int64_t seconds = unix_nanoseconds / kSecond;
  std::string text = utc_text(seconds);
  std::string fraction = fmt::format(".{:09}", unix_nanoseconds - seconds * kSecond);
  while (fraction.ends_with('0')) fraction.pop_back();
  if (fraction == ".") return text;
  text.pop_back();
  return text + fraction + "Z";
}

}  // namespace minnow
