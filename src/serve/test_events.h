// Events of answers, made by hand, and streams taken apart again, for tests of formats.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "respond/chat_answer.h"
#include "serve/openai_objects.h"

namespace minnow::test {

inline ChatEvent said(ChatOutputEvent::Kind kind, const std::string& text, int call = 0, const std::string& id = {}) {
  ChatEvent event;
  event.output = {{kind, call, text, id}};
  event.tokens = {1};
  return event;
}

inline ChatEvent content(const std::string& text) { return said(ChatOutputEvent::Kind::kContent, text); }

inline GenerationStats stats_of(int64_t prompt, int64_t reused, int64_t generated) {
  return {.prompt_tokens = prompt, .reused_tokens = reused, .generated_tokens = generated, .prompt_seconds = 0.5, .generation_seconds = 2};
}

inline ChatEvent ended(FinishReason reason = FinishReason::kEndOfText) {
  ChatEvent event;
  event.done = true;
  event.reason = reason;
  event.stats = stats_of(10, 4, 6);
  return event;
}

inline TokenLogprob logprob_of(TokenId token, const std::string& bytes, float logprob) {
  return {.token = token, .logprob = logprob, .bytes = bytes, .top = {{token, logprob, bytes}, {token + 1, logprob - 1, "other"}}};
}

// "call_1", "msg_2", ...: one after another.
inline MakeId numbered_ids() {
  return [next = 0](std::string_view prefix) mutable { return std::string(prefix) + std::to_string(++next); };
}

struct SentEvent {
  std::string name;  // of "event:", if any
  std::string data;
};

// The events of a stream; what is none of them is one whose data is "malformed".
inline std::vector<SentEvent> sent_events(std::string_view stream) {
  std::vector<SentEvent> events;
  while (!stream.empty()) {
    const std::size_t end = stream.find("\n\n");
    if (end == std::string_view::npos) return events.push_back({{}, "malformed"}), events;
    std::string_view event = stream.substr(0, end);
    stream.remove_prefix(end + 2);
    SentEvent sent;
    if (event.starts_with("event: ")) {
      const std::size_t line = event.find('\n');
      sent.name = event.substr(7, line - 7);
      event.remove_prefix(line + 1);
    }
    sent.data = event.starts_with("data: ") ? std::string(event.substr(6)) : "malformed";
    events.push_back(std::move(sent));
  }
  return events;
}

// Those of a stream of chunks without the [DONE] at its end, which must be there.
inline std::vector<OrderedJson> chunks(std::string_view stream) {
  std::vector<SentEvent> events = sent_events(stream);
  std::vector<OrderedJson> all;
  if (events.empty() || events.back().data != "[DONE]") return {OrderedJson("no [DONE] at the end")};
  events.pop_back();
  for (const SentEvent& event : events) all.push_back(parse_ordered_json(event.data, "chunk"));
  return all;
}

}  // namespace minnow::test
