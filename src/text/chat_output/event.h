// What a model said, in structure: pieces of text, and tool calls that begin, grow and end.
#pragma once

#include <cstdint>
#include <string>

namespace minnow {

struct ChatOutputEvent {
  enum class Kind : uint8_t {
    kContent,        // text: a piece of the answer
    kReasoning,      // text: a piece of the thinking before it
    kCallBegin,      // text: the name of the tool; id: where the family writes it before the arguments
    kCallArguments,  // text: a piece of the arguments, which together are one JSON object
    kCallEnd,        // the arguments are whole and valid; id: as the model wrote it, or empty
    kCallBroken,     // a call that had begun is not one; its text as generated follows as kContent
  };

  Kind kind;
  int call = 0;  // of the kCall events: which call of the message, from 0; broken ones count
  std::string text = {};
  std::string id = {};

  friend bool operator==(const ChatOutputEvent&, const ChatOutputEvent&) = default;
};

}  // namespace minnow
