// Handlers of the Ollama dialect that are in files of their own; routes.h has what the server adds.
#pragma once

#include "serve/routes.h"

namespace minnow {

Outcome ollama_chat(const HttpRequest& http, Services& services);        // POST /api/chat
Outcome ollama_embed(const HttpRequest& http, Services& services);       // POST /api/embed
Outcome ollama_embeddings(const HttpRequest& http, Services& services);  // POST /api/embeddings, as it was before

}  // namespace minnow
