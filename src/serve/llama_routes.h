// Handlers of llama-server's dialect that are in files of their own; routes.h has what the server adds.
#pragma once

#include "serve/routes.h"

namespace minnow {

Outcome llama_completion(const HttpRequest& http, Services& services);  // POST /completion
Outcome llama_infill(const HttpRequest& http, Services& services);      // POST /infill
Outcome llama_tokenize(const HttpRequest& http, Services& services);    // POST /tokenize, vLLM's bodies as well
Outcome llama_detokenize(const HttpRequest& http, Services& services);  // POST /detokenize, likewise

}  // namespace minnow
