// The body of /v1/responses, read.
#pragma once

#include "serve/openai_chat_request.h"
#include "serve/openai_response_format.h"
#include "serve/response_items.h"
#include "serve/response_store.h"

namespace minnow {

struct ResponseFields {
  ChatRequest request;
  OrderedJson items;               // of the conversation: those before, then the request's own
  std::size_t input_begin = 0;     // where its own begin
  bool stream = false, store = false;
  std::vector<std::string> unused;  // fields without an effect
  ResponseFormatOptions format;    // what the request says of it; response has no id, time and model yet
};

// What may be gone on from: the tenant's stored responses.
struct StoredContext {
  const ResponseStore& store;
  const std::string& tenant;
};

// Throws RequestError for what cannot be read or done, kNotFound for a previous_response_id that nothing is stored under.
ResponseFields read_response(const RequestFields& body, const ModelFacts& model, const StoredContext& stored);

}  // namespace minnow
