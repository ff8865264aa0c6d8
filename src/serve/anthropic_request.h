// Bodies of /v1/messages and /v1/messages/count_tokens.
#pragma once

#include <string>
#include <vector>

#include "respond/responder.h"
#include "serve/fields.h"

namespace minnow {

struct AnthropicModel {
  std::string name;
  ResponderCapabilities can;
  SamplingParams sampling;  // its defaults for the dialect
};

struct AnthropicFields {
  ChatRequest request;
  bool stream = false;
  std::vector<std::string> unused;  // fields without an effect
};

// `with_answer`: max_tokens is required, as it is where there is to be one. Throws RequestError for what cannot be read, and for what
// the model cannot do.
AnthropicFields read_anthropic(const RequestFields& body, const AnthropicModel& model, bool with_answer);

}  // namespace minnow
