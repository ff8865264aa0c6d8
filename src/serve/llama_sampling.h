// Sampling in the words of llama-server, beyond what sampling_fields.h knows of them.
#pragma once

#include <string>
#include <vector>

#include "serve/fields.h"
#include "serve/sampling_fields.h"
#include "text/tokenizer.h"

namespace minnow {

// "samplers": the names (or llama.cpp's letters) of the steps that are in force; the others are switched off. Throws RequestError for
// steps that minnow does not have, and for an order that gives other probabilities than the one in which it takes them.
void apply_samplers(const RequestFields& body, SamplingParams& sampling);
// Those that are in force when none are named, in their order.
std::vector<std::string> sampler_names();

// "logit_bias" with ids alone: texts in it become the ids of their tokens, each with that bias. Null when the body has none.
OrderedJson logit_bias_of_ids(const RequestFields& body, const Tokenizer& tokenizer);

// read_sampling of a body that may have both of the above, with llama-server's defaults.
SamplingFields read_llama_sampling(const RequestFields& body, const Tokenizer& tokenizer, const GgufMetadata& metadata);

// "generation_settings" of answers, and "params" of /props and /slots. What is no matter of sampling is as in a request that says nothing.
OrderedJson llama_settings_json(const SamplingFields& fields);

}  // namespace minnow
