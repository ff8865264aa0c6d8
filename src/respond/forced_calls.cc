#include "respond/forced_calls.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "respond/call_schema.h"
#include "text/chat_output/payload.h"

namespace minnow {
namespace {

using Events = std::vector<ChatOutputEvent>;
using Kind = ChatOutputEvent::Kind;

class CallReader final : public AnswerReader {
 public:
  explicit CallReader(std::string name) : name_(std::move(name)) {}

  Events feed(std::string_view piece) override {
    Events out;
    if (arguments_.empty()) {
      piece.remove_prefix(std::min(piece.find_first_not_of(" \t\r\n"), piece.size()));
      if (!piece.starts_with('{')) return out;
      out.push_back({Kind::kCallBegin, 0, name_, {}});
    }
    if (!piece.empty()) out.push_back({Kind::kCallArguments, 0, std::string(piece), {}});
    arguments_ += piece;
    return out;
  }

  Events finish() override {
    if (!Json::parse(arguments_, nullptr, false).is_object()) return {};
    return {{Kind::kCallEnd, 0, {}, {}}};
  }

 private:
  std::string name_, arguments_;
};

class CallsReader final : public AnswerReader, private chat_output::CallSink {
 public:
  explicit CallsReader(const OrderedJson& tools) : tools_(tools), reader_(chat_output::make_payload_reader(kSyntax, tools_)) {}

  Events feed(std::string_view piece) override {
    for (const char c : piece) step(c);
    return std::exchange(events_, {});
  }

  Events finish() override { return {}; }

 private:
  static constexpr CallSyntax kSyntax = {.open = "[", .payload = Payload::kJson};

  void step(char c) {
    using Step = chat_output::PayloadReader::Step;
    if (!is_over_) is_over_ = reader_->step(c, *this) != Step::kMore;
  }

  void begin(std::string_view name, std::string_view id) override {
    events_.push_back({Kind::kCallBegin, n_calls_++, std::string(name), std::string(id)});
  }
  void arguments(std::string_view json) override {
    if (json.empty()) return;
    if (events_.empty() || events_.back().kind != Kind::kCallArguments) events_.push_back({Kind::kCallArguments, n_calls_ - 1, {}, {}});
    events_.back().text += json;
  }
  void end(std::string_view id) override {
    events_.push_back({Kind::kCallEnd, n_calls_ - 1, {}, std::string(id)});
  }

  const chat_output::ToolSchemas tools_;
  std::unique_ptr<chat_output::PayloadReader> reader_;
  bool is_over_ = false;  // the list has ended, or is none
  int n_calls_ = 0;
  Events events_;
};

}  // namespace

std::shared_ptr<const TokenConstraint> hold_to_call(ConstraintCompiler& compiler, const OrderedJson& tools, const std::string& name) {
  for (std::size_t i = 0; tools.is_array() && i < tools.size(); ++i) {
    const OrderedJson& function = function_of(tools[i]);
    if (!function.is_object() || function.value("name", OrderedJson()) != name) continue;
    CallSchema schema;
    return schema.compile(compiler, schema.add(tools[i], name_of_tool(tools[i], i)));
  }
  fail(ErrorCode::kInvalidInput, "tool_choice: no tool is named \"{}\"", name);
}

std::shared_ptr<const TokenConstraint> hold_to_calls(ConstraintCompiler& compiler, const OrderedJson& tools, bool several) {
  if (!tools.is_array() || tools.empty()) fail(ErrorCode::kInvalidInput, "tool_choice: a call is required, but there are no tools");
  CallSchema schema;
  OrderedJson calls = OrderedJson::array();
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const std::string name = name_of_tool(tools[i], i);
    OrderedJson call = {{"type", "object"}};
    call["properties"] = {{"name", {{"const", name}}}, {"arguments", schema.add(tools[i], name)}};
    call["required"] = {"name", "arguments"};
    call["additionalProperties"] = false;
    calls.push_back(std::move(call));
  }
  OrderedJson list = {{"type", "array"}, {"minItems", 1}};
  if (!several) list["maxItems"] = 1;
  list["items"] = {{"anyOf", std::move(calls)}};
  return schema.compile(compiler, std::move(list));
}

std::unique_ptr<AnswerReader> call_reader(const std::string& name) { return std::make_unique<CallReader>(name); }

std::unique_ptr<AnswerReader> calls_reader(const OrderedJson& tools) { return std::make_unique<CallsReader>(tools); }

}  // namespace minnow
