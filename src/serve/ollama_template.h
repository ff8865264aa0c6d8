// "template" of /api/generate: a prompt template as Ollama has them (Go's text/template), or a Jinja chat template as models have them.
#pragma once

#include <string>
#include <string_view>

namespace minnow {

struct OllamaTemplateValues {
  bool has_system = false;  // the chat begins with a system message
};

// A Jinja chat template that writes what Ollama's would for a chat of (a system message and) one of the user. Knows .System, .Prompt,
// .Response (where the prompt ends), if, else and end, with and, or and not; throws kUnsupported for more and kInvalidInput for what is
// not well-formed. Jinja is given back as it is.
std::string jinja_of_ollama_template(std::string_view text, const OllamaTemplateValues& values);

}  // namespace minnow
