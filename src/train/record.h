// One record of training data: a line of a JSON-lines file, or a piece of a text.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace minnow {

enum class RecordKind {
  kText,         // {"text"}
  kCompletion,   // {"prompt", "completion"}: strings, or lists of messages
  kInstruction,  // {"instruction", "input"?, "output"}
  kChat,         // {"messages", "tools"?}
  kPreference,   // {"prompt", "chosen", "rejected"}: strings, or lists of messages
};

// "text", "prompt/completion", "instruction/output", "chat", "preference".
const char* record_kind_name(RecordKind kind);

// Fields that the kind does not have stay empty. A message is an object with the strings "role" and "content" and what else
// the OpenAI API has; "content" may be null or absent beside "tool_calls", or a list of parts.
struct Record {
  RecordKind kind = RecordKind::kText;
  std::string text;                        // kText
  bool begins_document = true;             // kText: not a later piece of a long document
  bool ends_document = true;               // kText: nothing of the document follows
  std::string instruction, input;          // kInstruction; kPreference instead of a prompt
  OrderedJson prompt;                      // kCompletion, kPreference: a string or messages; may be null in a preference
  OrderedJson answer, rejected;            // a string or messages: completion, output or chosen; and rejected
  OrderedJson messages;                    // kChat
  OrderedJson tools;                       // null or an array
};

// All that the record says, roles and tools aside, a line for each part: for comparing records.
std::string record_text(const Record& record);

// The kind by the keys of an object; nullopt when they fit none. Further keys do not matter.
std::optional<RecordKind> detect_record_kind(const OrderedJson& object);

// Parses one line and checks the types of all fields that are used. `place` ("chats.jsonl:17") begins every error. `expected`:
// the kind of the records before it, which this one must be of, too. Throws kInvalidInput, or kLimit for a line of more than
// limits::kMaxRecordBytes.
Record parse_record(std::string_view line, const std::string& place, std::optional<RecordKind> expected = std::nullopt);

}  // namespace minnow
