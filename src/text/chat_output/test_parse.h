// For tests: an answer taken apart, whatever the pieces it comes in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "text/chat_output/chat_output_parser.h"

namespace minnow::test {

struct ParsedCall {
  std::string name, arguments, id;
  friend bool operator==(const ParsedCall&, const ParsedCall&) = default;
};

struct ParsedOutput {
  std::string content, reasoning;
  std::vector<ParsedCall> calls;  // those that ended
  int broken = 0;
};

// Pieces of the same text that follow each other become one event.
inline void append_merged(std::vector<ChatOutputEvent>& all, const std::vector<ChatOutputEvent>& more) {
  using Kind = ChatOutputEvent::Kind;
  for (const ChatOutputEvent& e : more) {
    const bool text =
        e.kind == Kind::kContent || e.kind == Kind::kReasoning || e.kind == Kind::kCallArguments;
    if (text && !all.empty() && all.back().kind == e.kind && all.back().call == e.call)
      all.back().text += e.text;
    else
      all.push_back(e);
  }
}

// In pieces of 1 to max_piece bytes.
inline std::vector<ChatOutputEvent> parse_in_pieces(const OutputFormat& format, std::string_view text,
                                                    const ChatOutputOptions& options, std::size_t max_piece,
                                                    uint64_t seed = 1) {
  Random random(seed);
  ChatOutputParser parser(format, options);
  std::vector<ChatOutputEvent> events;
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, 1 + random.below(max_piece));
    append_merged(events, parser.feed(piece));
    text.remove_prefix(piece.size());
  }
  append_merged(events, parser.finish());
  return events;
}

inline std::vector<ChatOutputEvent> parse_whole(const OutputFormat& format, std::string_view text,
                                                const ChatOutputOptions& options = {}) {
  ChatOutputParser parser(format, options);
  std::vector<ChatOutputEvent> events;
  append_merged(events, parser.feed(text));
  append_merged(events, parser.finish());
  return events;
}

inline ParsedOutput collect(const std::vector<ChatOutputEvent>& events) {
  using Kind = ChatOutputEvent::Kind;
  ParsedOutput output;
  ParsedCall call;
  for (const ChatOutputEvent& e : events) {
    switch (e.kind) {
      case Kind::kContent:
        output.content += e.text;
        break;
      case Kind::kReasoning:
        output.reasoning += e.text;
        break;
      case Kind::kCallBegin:
        call = {e.text, {}, {}};
        break;
      case Kind::kCallArguments:
        call.arguments += e.text;
        break;
      case Kind::kCallBroken:
        ++output.broken;
        break;
      case Kind::kCallEnd:
        call.id = e.id;
        output.calls.push_back(call);
        break;
    }
  }
  return output;
}

}  // namespace minnow::test
