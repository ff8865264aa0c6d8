// Every dialect's part of the route table.
#pragma once

#include "serve/http_types.h"

namespace minnow {

void add_openai_chat_routes(Routes& routes);         // /v1/chat/completions
void add_openai_completion_routes(Routes& routes);   // /v1/completions
void add_openai_response_routes(Routes& routes);     // /v1/responses...
void add_openai_embedding_routes(Routes& routes);    // /v1/embeddings, /embedding
void add_openai_model_routes(Routes& routes);        // /v1/models...
void add_rerank_routes(Routes& routes);              // /v1/rerank, /rerank
void add_ollama_generate_routes(Routes& routes);     // /api/generate, /api/chat
void add_ollama_model_routes(Routes& routes);        // /, /api/tags, /api/ps, /api/show, /api/version, /api/embed...
void add_anthropic_routes(Routes& routes);           // /v1/messages, /v1/messages/count_tokens
void add_llama_server_routes(Routes& routes);        // /health, /props, /slots, /tokenize, /completion, /infill...
void add_metrics_routes(Routes& routes);             // /metrics

// All of them.
Routes all_routes();

}  // namespace minnow
