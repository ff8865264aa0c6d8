// What variables of Ollama's say about a server, as defaults: settings and options win.
#pragma once

#include <string>
#include <string_view>

#include "serve/config.h"

namespace minnow {

// The defaults, with $OLLAMA_HOST and $OLLAMA_KEEP_ALIVE where they are set. Throws kUsage for what they cannot mean.
ServeConfig environment_config();

// What an error about the address that `config` has is to add where $OLLAMA_HOST says it: `text` is its value, null without one. Empty: it
// does not.
std::string ollama_host_hint(const char* text, const ServeConfig& config);

// HOST, HOST:PORT, :PORT or a URL of these, whose scheme says the port where none is given.
void set_ollama_host(std::string_view text, ServeConfig& config);
// Seconds or a duration, as "keep_alive" in requests.
void set_ollama_keep_alive(std::string_view text, ServeConfig& config);

}  // namespace minnow
