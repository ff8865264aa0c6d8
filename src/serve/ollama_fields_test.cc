#include "serve/ollama_fields.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/test_refusal.h"

namespace minnow {
namespace {

using namespace std::chrono_literals;
using test::refusal;

OrderedJson parsed(std::string_view text) { return parse_ordered_json(text, "test"); }

KeepAlive keep_alive(std::string_view json) {
  const OrderedJson body = parsed(json);
  return read_keep_alive(RequestFields(body));
}

OllamaOptions options(std::string_view json) {
  const OrderedJson body = {{"options", parsed(json)}};
  SamplingParams defaults;
  defaults.top_p = 0.9f;
  defaults.min_p = 0;
  return read_ollama_options(RequestFields(body), defaults);
}

std::string refused_options(std::string_view json) {
  return refusal([&] { options(json); });
}

OrderedJson messages(std::string_view json) {
  const OrderedJson body = {{"messages", parsed(json)}};
  return read_ollama_messages(RequestFields(body), "tiny");
}

std::string refused_messages(std::string_view json) {
  return refusal([&] { messages(json); });
}

ConstraintSpec format(std::string_view json) {
  const OrderedJson body = {{"format", parsed(json)}};
  return read_ollama_format(RequestFields(body));
}

TEST(GoDuration, has_units_that_add_up) {
  EXPECT_EQ(parse_go_duration("90s"), 90s);
  EXPECT_EQ(parse_go_duration("1h30m"), 90min);
  EXPECT_EQ(parse_go_duration("1.5h"), 90min);
  EXPECT_EQ(parse_go_duration(".5s"), 500ms);
  EXPECT_EQ(parse_go_duration("1m2s3ms4us5µs6ns"), 1min + 2s + 3ms + 9us + 6ns);
  EXPECT_EQ(parse_go_duration("-1m"), -1min);
  EXPECT_EQ(parse_go_duration("+2ms"), 2ms);
  EXPECT_EQ(parse_go_duration("0"), 0ns);
}

TEST(GoDuration, is_nothing_else) {
  for (const char* text : {"", "-", "5", "5x", "s", "1h 30m", "1e3s", "inf", "nans", "5m-", "--5m", "0x5s", "5mm"}) {
    EXPECT_EQ(parse_go_duration(text), std::nullopt) << text;
  }
}

TEST(GoDuration, that_does_not_fit_is_the_largest) {
  EXPECT_GT(*parse_go_duration("9999999999999999999999h"), std::chrono::hours(24 * 365 * 290));
  EXPECT_LT(*parse_go_duration("-9999999999999999999999h"), -std::chrono::hours(24 * 365 * 290));
}

TEST(GoDuration, below_a_nanosecond_is_0_or_negative) {
  const std::string tiny = "0." + std::string(400, '0') + "1h";  // less than a double can say
  for (const std::string& text : {std::string("0.1ns"), std::string("0.0000001us"), tiny}) {
    EXPECT_EQ(parse_go_duration(text), 0ns) << text;
    EXPECT_EQ(parse_go_duration("-" + text), -1ns) << text;
  }
  EXPECT_EQ(parse_go_duration("-1.5ns"), -1ns);
  EXPECT_EQ(parse_go_duration("-0s"), 0ns);
  EXPECT_EQ(parse_go_duration("-0.00h"), 0ns);
  EXPECT_GT(*parse_go_duration(std::string(400, '9') + "ns"), std::chrono::hours(24 * 365 * 290));
}

TEST(OllamaKeepAlive, is_seconds_or_a_duration) {
  EXPECT_EQ(keep_alive("{}"), std::nullopt);
  EXPECT_EQ(keep_alive(R"({"keep_alive": null})"), std::nullopt);
  EXPECT_EQ(keep_alive(R"({"keep_alive": 300})"), 300s);
  EXPECT_EQ(keep_alive(R"({"keep_alive": 0.5})"), 500ms);
  EXPECT_EQ(keep_alive(R"({"keep_alive": 0})"), 0ns);
  EXPECT_EQ(keep_alive(R"({"keep_alive": "10m"})"), 10min);
  EXPECT_EQ(keep_alive(R"({"keep_alive": "300"})"), 300s);
  EXPECT_EQ(keep_alive(R"({"keep_alive": "0"})"), 0ns);
}

TEST(OllamaKeepAlive, of_less_than_a_nanosecond_is_0) {
  for (const char* value : {"1e-12", "0.0", "-0.0", "\"0.1ns\"", "\"-0\"", "\"-0s\""}) EXPECT_EQ(keep_alive(fmt::format(R"({{"keep_alive": {}}})", value)), 0ns) << value;
}

TEST(OllamaKeepAlive, is_for_ever_when_negative_or_beyond_a_century) {
  for (const char* value : {"-1", "-0.5", "-1e-12", "\"-1\"", "\"-1m\"", "\"-0.1ns\"", "1e300", "\"9999999h\"", "1e18"}) {
    const KeepAlive kept = keep_alive(fmt::format(R"({{"keep_alive": {}}})", value));
    ASSERT_TRUE(kept) << value;
    EXPECT_LT(kept->count(), 0) << value;
  }
}

TEST(OllamaKeepAlive, of_another_kind_is_refused_by_name) {
  for (const char* value : {"true", "[]", "{}", "\"\"", "\"soon\"", "\"5 minutes\""}) {
    const std::string text = refusal([&] { keep_alive(fmt::format(R"({{"keep_alive": {}}})", value)); });
    EXPECT_TRUE(text.starts_with("keep_alive: ")) << value << ": " << text;
  }
}

TEST(OllamaOptions, set_what_they_name_and_keep_the_rest) {
  const OllamaOptions o = options(R"({"temperature": 0, "top_k": 7, "min_p": 0.25, "typical_p": 0.5, "repeat_last_n": -1, "repeat_penalty": 1.5,
    "presence_penalty": 1, "frequency_penalty": -1, "seed": 42, "num_predict": 9, "num_ctx": 1024, "stop": ["a", "b"], "mirostat": 2})");
  EXPECT_EQ(o.sampling.temperature, 0);
  EXPECT_EQ(o.sampling.top_k, 7);
  EXPECT_EQ(o.sampling.top_p, 0.9f);
  EXPECT_EQ(o.sampling.min_p, 0.25f);
  EXPECT_EQ(o.sampling.typical_p, 0.5f);
  EXPECT_EQ(o.sampling.penalty_last_n, -1);
  EXPECT_EQ(o.sampling.repetition_penalty, 1.5f);
  EXPECT_EQ(o.sampling.presence_penalty, 1);
  EXPECT_EQ(o.sampling.frequency_penalty, -1);
  EXPECT_EQ(o.sampling.seed, 42u);
  EXPECT_EQ(o.sampling.mirostat, 2);
  EXPECT_EQ(o.max_tokens, 9);
  EXPECT_EQ(o.n_ctx, 1024);
  EXPECT_EQ(o.stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(o.unused.empty());
  EXPECT_NO_THROW(o.sampling.validate(100));
}

TEST(OllamaOptions, without_a_bound_are_so_in_either_way_of_saying_it) {
  EXPECT_EQ(options("{}").max_tokens, -1);
  EXPECT_EQ(options(R"({"num_predict": -1})").max_tokens, -1);
  EXPECT_EQ(options(R"({"num_predict": -2})").max_tokens, -1);
  EXPECT_EQ(options(R"({"num_predict": 0})").max_tokens, 0);
  EXPECT_EQ(options(R"({"top_k": -1})").sampling.top_k, 0);
}

TEST(OllamaOptions, of_nothing_leave_the_likeliest_token) {
  const OllamaOptions o = options(R"({"top_p": 0, "typical_p": 0})");
  EXPECT_GT(o.sampling.top_p, 0);
  EXPECT_NO_THROW(o.sampling.validate(100));
}

TEST(OllamaOptions, take_a_new_seed_each_time_unless_told) {
  EXPECT_NE(options("{}").sampling.seed, options("{}").sampling.seed);
  EXPECT_NE(options(R"({"seed": -1})").sampling.seed, options(R"({"seed": -1})").sampling.seed);
  EXPECT_EQ(options(R"({"seed": 3})").sampling.seed, options(R"({"seed": 3.0})").sampling.seed);
}

TEST(OllamaOptions, that_are_null_are_not_given) { EXPECT_EQ(options(R"({"temperature": null, "num_gpu": null})").unused.size(), 0u); }

TEST(OllamaOptions, of_a_wrong_type_are_refused_in_the_words_of_ollama) {
  EXPECT_EQ(refused_options(R"({"top_k": "many"})"), "option \"top_k\" must be of type integer");
  EXPECT_EQ(refused_options(R"({"temperature": "hot"})"), "option \"temperature\" must be of type float32");
  EXPECT_EQ(refused_options(R"({"num_gpu": true})"), "option \"num_gpu\" must be of type integer");
  EXPECT_EQ(refused_options(R"({"use_mmap": 1})"), "option \"use_mmap\" must be of type boolean");
  EXPECT_EQ(refused_options(R"({"stop": 1})"), "option \"stop\" must be of type array");
  EXPECT_EQ(refused_options(R"({"stop": [1]})"), "option \"stop\" must be of an array of strings");
}

TEST(OllamaOptions, out_of_range_are_refused_by_name) {
  for (const char* json : {R"({"temperature": -1})", R"({"top_p": 1.5})", R"({"top_k": 99999999999})", R"({"num_predict": -3})", R"({"num_ctx": -1})",
                           R"({"repeat_penalty": 0})", R"({"presence_penalty": 3})", R"({"seed": 18446744073709551615})", R"({"seed": 1e300})",
                           R"({"mirostat": 3})"}) {
    const std::string text = refused_options(json);
    EXPECT_TRUE(text.starts_with("option \"")) << json << ": " << text;
  }
  EXPECT_NE(refused_options(R"({"stop": ["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"]})"), "");
  EXPECT_NE(refusal([] {
              const OrderedJson body = {{"options", 7}};
              read_ollama_options(RequestFields(body), {});
            }),
            "");
}

TEST(OllamaOptions, that_are_whole_are_cut_at_the_point) {
  EXPECT_EQ(options(R"({"top_k": 40.7})").sampling.top_k, 40);
  EXPECT_EQ(options(R"({"num_predict": -2.9})").max_tokens, -1);
  EXPECT_EQ(options(R"({"num_ctx": 1024.5})").n_ctx, 1024);
}

TEST(OllamaOptions, skip_empty_stop_strings) {
  EXPECT_EQ(options(R"({"stop": ["", "a"]})").stop, std::vector<std::string>{"a"});
  EXPECT_TRUE(options(R"({"stop": [""]})").stop.empty());
  EXPECT_TRUE(options(R"({"stop": ""})").stop.empty());
}

TEST(OllamaOptions, bound_stop_strings) {
  const std::string longest(limits::kMaxStopBytes, 'x');
  const auto with = [](const std::string& text) {
    const OrderedJson fields = {{"stop", {"a", text}}};
    return fields.dump();
  };
  EXPECT_EQ(options(with(longest)).stop, (std::vector<std::string>{"a", longest}));
  EXPECT_EQ(refused_options(with(longest + "x")), "option \"stop\" has a string of 4097 bytes, allowed: 4096");
}

TEST(OllamaOptions, without_a_use_here_are_told_of) {
  EXPECT_EQ(options(R"({"num_gpu": 1, "top_k": 3, "temprature": 0.1})").unused, (std::vector<std::string>{"num_gpu", "temprature"}));
  EXPECT_EQ(unused_options_text({"num_gpu", "a\r\nb: c"}), "num_gpu, a??b??c") << "a header has no room for lines";
  EXPECT_LT(unused_options_text(std::vector<std::string>(1000, std::string(1000, 'x'))).size(), 4096u);
}

TEST(OllamaThink, is_a_word_or_a_level) {
  const auto think = [](std::string_view json) {
    const OrderedJson body = parsed(json);
    return read_ollama_think(RequestFields(body));
  };
  EXPECT_EQ(think("{}").on, std::nullopt);
  EXPECT_EQ(think(R"({"think": false})").on, false);
  EXPECT_EQ(think(R"({"think": true})").level, "");
  EXPECT_EQ(think(R"({"think": "high"})").on, true);
  EXPECT_EQ(think(R"({"think": "high"})").level, "high");
  EXPECT_TRUE(refusal([&] { think(R"({"think": "very"})"); }).starts_with("think: "));
  EXPECT_TRUE(refusal([&] { think(R"({"think": 1})"); }).starts_with("think: "));
}

TEST(OllamaFormat, is_json_or_a_schema) {
  using Kind = ConstraintSpec::Kind;
  EXPECT_EQ(format("\"\"").kind, Kind::kNone);
  EXPECT_EQ(format("null").kind, Kind::kNone);
  EXPECT_EQ(format("\"json\"").kind, Kind::kObject);
  EXPECT_EQ(format(R"({"type": "object", "b": 1, "a": 2})").kind, Kind::kSchema);
  EXPECT_EQ(format(R"({"type": "object", "b": 1, "a": 2})").text, R"({"type":"object","b":1,"a":2})") << "in the order of its keys";
  for (const char* json : {"\"xml\"", "true", "[]", "1"}) {
    EXPECT_TRUE(refusal([&] { format(json); }).starts_with("format: ")) << json;
  }
}

TEST(OllamaLogprobs, have_up_to_20_alternatives) {
  const auto logprobs = [](std::string_view json) {
    const OrderedJson body = parsed(json);
    return read_ollama_logprobs(RequestFields(body));
  };
  EXPECT_EQ(logprobs("{}"), -1);
  EXPECT_EQ(logprobs(R"({"logprobs": true})"), 0);
  EXPECT_EQ(logprobs(R"({"logprobs": true, "top_logprobs": 20})"), 20);
  EXPECT_EQ(logprobs(R"({"logprobs": false, "top_logprobs": 0})"), -1);
  EXPECT_EQ(refusal([&] { logprobs(R"({"logprobs": true, "top_logprobs": 21})"); }), "top_logprobs must be between 0 and 20");
  EXPECT_EQ(refusal([&] { logprobs(R"({"logprobs": true, "top_logprobs": -1})"); }), "top_logprobs must be between 0 and 20");
  EXPECT_NE(refusal([&] { logprobs(R"({"top_logprobs": 3})"); }), "");
  EXPECT_NE(refusal([&] { logprobs(R"({"logprobs": 1})"); }), "");
}

TEST(OllamaMessages, become_those_of_chat_templates) {
  const OrderedJson chat = messages(R"([
    {"role": "System", "content": "Be brief."},
    {"role": "user", "content": "Weather?"},
    {"role": "assistant", "content": "", "thinking": "hm",
     "tool_calls": [{"id": "call_7", "function": {"index": 0, "name": "weather", "arguments": {"z": "Oslo", "a": 1}}}]},
    {"role": "tool", "content": "rain", "tool_call_id": "call_7"},
    {"role": "tool", "content": "snow", "tool_name": "other"},
    {"role": "assistant", "content": null}])");
  ASSERT_EQ(chat.size(), 6u);
  EXPECT_EQ(chat[0].dump(), R"({"role":"system","content":"Be brief."})");
  EXPECT_EQ(chat[2].dump(), R"({"role":"assistant","content":"","reasoning_content":"hm","thinking":"hm","tool_calls":)"
                            R"([{"id":"call_7","type":"function","function":{"name":"weather","arguments":{"z":"Oslo","a":1}}}]})");
  EXPECT_EQ(chat[3].dump(), R"({"role":"tool","content":"rain","name":"weather","tool_call_id":"call_7"})");
  EXPECT_EQ(chat[4].dump(), R"({"role":"tool","content":"snow","name":"other"})");
  EXPECT_EQ(chat[5]["content"], "");
}

TEST(OllamaMessages, that_cannot_be_read_are_refused_by_name) {
  EXPECT_TRUE(refused_messages(R"([{"content": "x"}])").starts_with("messages[0].role: "));
  EXPECT_TRUE(refused_messages(R"([{"role": "user"}, {"role": "boss"}])").starts_with("messages[1].role: "));
  EXPECT_TRUE(refused_messages(R"([{"role": "user", "content": ["x"]}])").starts_with("messages[0].content: "));
  EXPECT_TRUE(refused_messages(R"([{"role": "user", "content": "x", "images": ["aGk="]}])").starts_with("messages[0].images: \"tiny\" does not"));
  EXPECT_EQ(refused_messages(R"([{"role": "user", "content": "x", "images": []}])"), "");
  EXPECT_TRUE(refused_messages(R"([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}])")
                  .starts_with("messages[0].tool_calls[0].function.arguments: "));
  EXPECT_TRUE(refused_messages(R"([{"role": "assistant", "tool_calls": [{}]}])").starts_with("messages[0].tool_calls[0].function: "));
  EXPECT_TRUE(refused_messages(R"([7])").starts_with("messages[0]: "));
  EXPECT_TRUE(refused_messages(R"({"role": "user"})").starts_with("messages: "));
}

TEST(GoTime, has_no_zeros_at_its_end) {
  EXPECT_EQ(go_time_text(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(go_time_text(1'700'000'000'000'000'000), "2023-11-14T22:13:20Z");
  EXPECT_EQ(go_time_text(1'700'000'000'123'456'789), "2023-11-14T22:13:20.123456789Z");
  EXPECT_EQ(go_time_text(1'700'000'000'120'000'000), "2023-11-14T22:13:20.12Z");
  EXPECT_EQ(go_time_text(1'700'000'000'000'000'001), "2023-11-14T22:13:20.000000001Z");
}

}  // namespace
}  // namespace minnow
