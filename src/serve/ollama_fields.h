// What requests of the Ollama API say, field by field: durations, options, thinking, formats, messages.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/sampling_params.h"
#include "respond/model_pool.h"
#include "serve/fields.h"
#include "text/grammar/constraint_spec.h"

namespace minnow {

// A duration as Go writes it: "90s", "1h30m", "-1.5m", "0". One that does not fit is the largest. Parts of a nanosecond are dropped, but
// what is negative stays so: "-0.1ns" is -1 ns, of which Go makes 0. nullopt for anything else.
std::optional<std::chrono::nanoseconds> parse_go_duration(std::string_view text);

// parse_body, with Ollama's words for a body that is empty.
OrderedJson parse_ollama_body(const HttpRequest& request);

// A whole number of seconds, or a duration; nullopt for anything else. What is negative, or longer than a century, is for ever.
KeepAlive parse_ollama_keep_alive(std::string_view text);
// "keep_alive": a number or a string of a number, which are seconds, or a duration; likewise.
KeepAlive read_keep_alive(const RequestFields& body);

struct OllamaOptions {
  SamplingParams sampling;
  int64_t max_tokens = -1;        // -1: until the context is full
  int64_t n_ctx = 0;              // 0: not said
  std::vector<std::string> stop;
  // Given, but without a use here: how another engine is to run (num_gpu), and names that nobody knows. No answer depends on
  // them; the response says which they were (kUnusedOptionsHeader).
  std::vector<std::string> unused;
};

// "options". Whole numbers are cut at the point, empty stop strings are skipped. Wrong types are refused in Ollama's words: option "top_k" must be of type integer.
OllamaOptions read_ollama_options(const RequestFields& body, SamplingParams defaults);

struct OllamaThink {
  std::optional<bool> on;  // nullopt: as the model does
  std::string level;       // "low", "medium", "high", "max" or empty
};
// "think": true, false or a level.
OllamaThink read_ollama_think(const RequestFields& body);

// "format": "json" or a schema; "" and null are none.
ConstraintSpec read_ollama_format(const RequestFields& body);

// "logprobs" and "top_logprobs" as ChatRequest::n_logprobs.
int read_ollama_logprobs(const RequestFields& body);

// "messages" as chat templates want them (openai_messages.h); `model` is for errors.
OrderedJson read_ollama_messages(const RequestFields& body, std::string_view model);

// Refuses "images" that are not empty: no model here sees any.
void refuse_images(const RequestFields& fields, std::string_view model);

// "2026-08-31T09:05:07.123456789Z", without zeros at the end of the fraction, as Go writes it.
std::string go_time_text(int64_t unix_nanoseconds);

}  // namespace minnow
