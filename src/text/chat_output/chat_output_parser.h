// The text of a model's answer as it is generated, taken apart into content, reasoning and tool calls.
//
// The caller decodes with special tokens shown (StreamDecoder's show_special): in most families the marks of
// calls are control tokens, and marks that are hidden cannot be found. The tokens that end the text (EOS,
// EOT) are not passed on.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/chat_output/event.h"
#include "text/chat_output/output_format.h"

namespace minnow {

struct ChatOutputOptions {
  // The tools of the request, as in the OpenAI API; null: none are known. Their schemas decide whether an
  // argument that is written as plain text is a string. Where a format has no opening mark, only their names
  // make a call.
  OrderedJson tools = nullptr;
  // The rendered prompt, or its end: when it closes with the opening mark of reasoning or of a call, the
  // answer begins inside of it.
  std::string prompt = {};
  bool reasoning = true;  // false: marks of reasoning are content
  bool calls = true;      // false: marks of calls are content; right for requests without tools
  bool held_calls = false;  // only what can be held is a call (can_be_held): right for answers whose calls are
};

// One answer. The events depend on the text only, not on how it is cut into pieces (pieces of text that
// follow each other count as one). Takes time linear in the text; holds back no more than what may still be a
// mark or a call, and of a call at most limits::kMaxToolCallBytes. What is not a well-formed call is given as
// content, nothing is lost but marks, and white space around them. Any bytes may come in; only valid UTF-8
// can become a call.
class ChatOutputParser {
 public:
  // `format` must outlive the parser; those of output_formats() always do.
  explicit ChatOutputParser(const OutputFormat& format, const ChatOutputOptions& options = {});
  ~ChatOutputParser();
  ChatOutputParser(ChatOutputParser&&) noexcept;
  ChatOutputParser& operator=(ChatOutputParser&&) noexcept;

  std::vector<ChatOutputEvent> feed(std::string_view piece);
  // The answer has ended: gives what was held back. Call once.
  std::vector<ChatOutputEvent> finish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minnow
