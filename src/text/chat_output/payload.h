// Readers of what stands in a call, one for each kind of payload.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat_output/output_format.h"
#include "text/chat_output/tool_schemas.h"

namespace minnow::chat_output {

// Words of headers: of CallHeader::kIndexed and kChannel before the name, of kChannel before that, of kMcpTool.
inline constexpr std::string_view kFunctions = "functions.", kRecipient = "to=";
inline constexpr std::string_view kServerNameClose = "</server_name>", kToolNameOpen = "<tool_name>", kToolNameClose = "</tool_name>";

// Where calls go. Arguments are given in pieces; end() follows only when they are one valid JSON object.
class CallSink {
 public:
  virtual ~CallSink() = default;
  virtual void begin(std::string_view name, std::string_view id) = 0;
  virtual void arguments(std::string_view json) = 0;
  virtual void end(std::string_view id) = 0;
};

struct Call {
  std::string name, arguments;
};

class PayloadReader {
 public:
  enum class Step : uint8_t {
    kMore,
    kDone,       // the byte was the last one of the payload
    kBroken,     // not a call; the byte has not been taken
    kContent,    // the header says: content follows
    kReasoning,  // the header says: reasoning follows
  };
  virtual ~PayloadReader() = default;
  virtual Step step(char c, CallSink& sink) = 0;
  // The text has ended within the payload. True when that completes the call, which then has gone to the
  // sink.
  virtual bool finish(CallSink&) { return false; }
};

// Whether a payload of this syntax may begin with the byte.
bool may_begin(const CallSyntax& syntax, char c);

// Both arguments must outlive the reader.
std::unique_ptr<PayloadReader> make_payload_reader(const CallSyntax& syntax, const ToolSchemas& tools);

std::unique_ptr<PayloadReader> make_json_reader(const CallSyntax& syntax, const ToolSchemas& tools);
std::unique_ptr<PayloadReader> make_named_reader(const CallSyntax& syntax);
// For the payloads that are read when they are whole.
std::unique_ptr<PayloadReader> make_collected_reader(const CallSyntax& syntax, const ToolSchemas& tools);

// These take a whole payload apart, all of it or nothing.
bool read_tagged_call(std::string_view text, const CallSyntax& syntax, const ToolSchemas& tools,
                      std::vector<Call>& calls);
bool read_python_calls(std::string_view text, const ToolSchemas& tools, std::vector<Call>& calls);
bool read_braces_call(std::string_view text, std::vector<Call>& calls);
bool read_code_call(std::string_view text, std::vector<Call>& calls);

// Letters, digits, _ - . : / and bytes past ASCII; at most limits::kMaxToolNameBytes, not empty.
bool is_tool_name(std::string_view name);

}  // namespace minnow::chat_output
