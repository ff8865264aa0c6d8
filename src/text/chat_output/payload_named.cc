// Calls whose name stands in a header; the arguments follow as a JSON object and are passed on as they come.
#include <charconv>

#include "base/json.h"
#include "base/limits.h"
#include "text/chat_output/json_scanner.h"
#include "text/chat_output/payload.h"

namespace minnow::chat_output {
namespace {

struct Header {
  PayloadReader::Step next = PayloadReader::Step::kBroken;  // kMore: the arguments of a call
  std::string name = {}, id = {};
};

Header call_header(std::string_view name, std::string_view id = {}) {
  if (!is_tool_name(name)) return {};
  return {PayloadReader::Step::kMore, std::string(name), std::string(id)};
}

// "functions.f:0"
Header indexed_header(std::string_view text) {
  const std::string_view id = text;
  if (text.starts_with(kFunctions)) text.remove_prefix(kFunctions.size());
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos &&
      text.find_first_not_of("0123456789", colon + 1) == std::string_view::npos) {
    text = text.substr(0, colon);
  }
  return call_header(text, id);
}

// "server</server_name> <tool_name>f</tool_name>": tools know their servers here, so the name is enough.
Header mcp_header(std::string_view text) {
  const std::size_t open = text.find(kToolNameOpen), end = text.rfind(kToolNameClose);
  if (open == std::string_view::npos || end == std::string_view::npos) return {};
  const std::size_t begin = open + kToolNameOpen.size();
  return end < begin ? Header() : call_header(text.substr(begin, end - begin));
}

// OpenAI's harmony: a channel and perhaps a recipient, in either order, among words that do not matter.
Header channel_header(std::string_view text) {
  const std::size_t to = text.find(kRecipient);
  if (to != std::string_view::npos) {
    std::string_view name = text.substr(to + kRecipient.size());
    name = name.substr(0, name.find_first_of(" <\n"));
    if (name.starts_with(kFunctions)) name.remove_prefix(kFunctions.size());
    return call_header(name);
  }
  if (text.find("analysis") != std::string_view::npos) return {PayloadReader::Step::kReasoning};
  return {PayloadReader::Step::kContent};
}

Header read_header(std::string_view text, const CallSyntax& syntax) {
  if (syntax.header == CallHeader::kChannel) return channel_header(text);
  text = trimmed(text);
  if (syntax.header == CallHeader::kIndexed) return indexed_header(text);
  if (syntax.header == CallHeader::kMcpTool) return mcp_header(text);
  if (!syntax.content_name.empty() && text == syntax.content_name) return {PayloadReader::Step::kContent};
  const std::size_t id =
      syntax.header == CallHeader::kNameAndId ? text.find(syntax.id_separator) : std::string_view::npos;
  if (id == std::string_view::npos) return call_header(text);
  return call_header(text.substr(0, id), text.substr(id + syntax.id_separator.size()));
}

class NamedReader final : public PayloadReader {
 public:
  explicit NamedReader(const CallSyntax& syntax) : syntax_(syntax) {}

  Step step(char c, CallSink& sink) override {
    return in_arguments_ ? argument_byte(c, sink) : header_byte(c);
  }

 private:
  Step header_byte(char c) {
    header_ += c;
    if (!header_.ends_with(syntax_.separator)) {
      return header_.size() < limits::kMaxToolHeaderBytes ? Step::kMore : Step::kBroken;
    }
    header_.resize(header_.size() - syntax_.separator.size());
    Header header = read_header(header_, syntax_);
    name_ = std::move(header.name);
    id_ = std::move(header.id);
    in_arguments_ = true;
    return header.next;
  }

  Step argument_byte(char c, CallSink& sink) {
    const JsonScanner::Place before = scanner_.place();
    const bool begun = scanner_.depth() > 0;
    if (!quoted_.empty() || (!begun && c == '"')) return quoted_byte(c, sink);
    if (!begun && c == '[') return Step::kBroken;
    if (!scanner_.step(c)) return Step::kBroken;
    if (scanner_.depth() == 0 && !scanner_.ended()) return Step::kMore;  // white space before the object
    if (!begun) sink.begin(name_, id_);
    const std::size_t sent = arguments_.size();
    if (before == JsonScanner::Place::kInString || before == JsonScanner::Place::kInKey) {
      append_string_byte(arguments_, c);
    } else {
      arguments_ += c;
    }
    sink.arguments(std::string_view(arguments_).substr(sent));
    if (!scanner_.ended()) return Step::kMore;
    if (!Json::accept(arguments_)) return Step::kBroken;
    sink.end(id_);
    return Step::kDone;
  }

  // The object may be written as the text of a JSON string; it is passed on when that is whole.
  Step quoted_byte(char c, CallSink& sink) {
    if (quoted_.empty() || escaped_ || c != '"') {
      escaped_ = c == '\\' && !escaped_;
      if (quoted_.empty())
        quoted_ += c;
      else
        append_string_byte(quoted_, c);
      return Step::kMore;
    }
    const Json text = Json::parse(quoted_ + c, nullptr, false);
    if (!text.is_string()) return Step::kBroken;
    const auto& json = text.get_ref<const std::string&>();
    if (!Json::parse(json, nullptr, false).is_object()) return Step::kBroken;
    sink.begin(name_, id_);
    sink.arguments(json);
    sink.end(id_);
    return Step::kDone;
  }

  const CallSyntax& syntax_;
  JsonScanner scanner_;
  bool in_arguments_ = false, escaped_ = false;
  std::string header_, name_, id_, arguments_, quoted_;
};

}  // namespace

std::unique_ptr<PayloadReader> make_named_reader(const CallSyntax& syntax) {
  return std::make_unique<NamedReader>(syntax);
}

}  // namespace minnow::chat_output
