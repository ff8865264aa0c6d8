// What a request says about sampling and length, in the words of the OpenAI API, of vLLM and of llama-server: one reader, since
// clients mix them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/sampling_params.h"
#include "formats/gguf.h"
#include "serve/fields.h"

namespace minnow {

struct SamplingFields {
  SamplingParams sampling;
  int64_t max_tokens = -1;  // -1: until the context is full
  std::vector<std::string> stop;
  std::vector<TokenId> stop_tokens;
  int64_t min_tokens = 0;
  bool ignore_end = false;
  bool include_stop = false;  // the stop string belongs to the text
  bool show_special = false;  // control tokens belong to the text
};

// What a dialect's clients expect when they say nothing; the metadata of the model wins (keys general.sampling.temp, top_k, top_p,
// min_p, penalty_repeat, penalty_last_n and so on, as llama.cpp writes them). Values out of range there count as absent.
SamplingParams default_sampling(Dialect dialect, const GgufMetadata& metadata);

// Of the fields max_completion_tokens, max_tokens and n_predict the first one given counts. A missing or negative seed is a
// random one. Throws RequestError for wrong types and values out of range, and for fields that would change the answer but are
// not supported (bad_words, use_beam_search, ...), unless their value asks for nothing, or the route honours them: `own` is one.
SamplingFields read_sampling(const RequestFields& body, SamplingParams defaults, std::string_view own = {});

// Fields of llama-server without an effect here, but to be of their type: an answer ends where its context is full, so that nothing is
// discarded, slots and the cache are the engine's business, and llama-server does not stop reading a prompt either. Those that ask for more
// than nothing are added to `unused`.
void read_slot_fields(const RequestFields& body, std::vector<std::string>& unused);

// Stop strings alone: a string or an array of strings, each of 1 to limits::kMaxStopBytes bytes.
std::vector<std::string> read_stop(const RequestFields& body, std::string_view name);
// The seed of choice number `index`: that of the request for the first one, then others that follow from it.
uint64_t choice_seed(uint64_t seed, int index);
// Below 2^32, so that clients can read it where it is shown, and send it again.
uint64_t random_seed();

}  // namespace minnow
