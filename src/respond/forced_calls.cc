#include "respond/forced_calls.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "base/limits.h"
#include "text/chat_output/payload.h"

namespace minnow {
namespace {

using Events = std::vector<ChatOutputEvent>;
using Kind = ChatOutputEvent::Kind;

constexpr std::string_view kPlaces = "#/$defs/";  // of the parameters of all tools, by number

// Where schemas stand within a schema.
constexpr std::array<std::string_view, 3> kLists = {"allOf", "anyOf", "oneOf"};
constexpr std::array<std::string_view, 5> kMaps = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"};
constexpr std::array<std::string_view, 3> kSingles = {"items", "additionalProperties", "propertyNames"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// References go from the schema's own root; it is about to stand at `place` of another.
void move_references(OrderedJson& schema, const std::string& place) {
  if (!schema.is_object()) return;
  for (const auto& item : schema.items()) {
    const std::string& key = item.key();
    OrderedJson& value = item.value();
    if (key == "$ref" && value.is_string() && value.get_ref<const std::string&>().starts_with('#')) {
      value = place + value.get_ref<const std::string&>().substr(1);
    } else if (is_one_of(kSingles, key)) {
      move_references(value, place);
    } else if ((is_one_of(kMaps, key) && value.is_object()) || ((is_one_of(kLists, key) || key == "prefixItems") && value.is_array())) {
      for (OrderedJson& part : value) move_references(part, place);
    }
  }
}

// The part of a tool that says its name and parameters.
const OrderedJson& function_of(const OrderedJson& tool) {
  return tool.is_object() && tool.contains("function") && tool["function"].is_object() ? tool["function"] : tool;
}

std::string name_of(const OrderedJson& tool, std::size_t number) {
  const OrderedJson& function = function_of(tool);
  if (!function.is_object() || !function.contains("name") || !function["name"].is_string()) {
    fail(ErrorCode::kInvalidInput, "tools[{}]: a tool that is to be called needs a name", number);
  }
  std::string name = function["name"].get<std::string>();
  if (!chat_output::is_tool_name(name)) {
    throw Error(ErrorCode::kInvalidInput, fmt::format("tools[{}]: its name cannot be that of a tool", number), "letters, digits, _ and - can be in one");
  }
  return name;
}

OrderedJson parameters_of(const OrderedJson& tool, const std::string& name, const std::string& place) {
  const OrderedJson& function = function_of(tool);
  OrderedJson parameters;
  for (const char* key : {"parameters", "input_schema"}) {
    if (function.contains(key) && !function[key].is_null()) parameters = function[key];
  }
  if (parameters.is_null()) return OrderedJson::object();
  if (!parameters.is_object()) fail(ErrorCode::kInvalidInput, "tool \"{}\": its parameters must be a schema of an object", name);
  const OrderedJson type = parameters.value("type", OrderedJson("object"));
  const bool is_object = type == "object" || (type.is_array() && std::find(type.begin(), type.end(), "object") != type.end());
  if (!is_object) fail(ErrorCode::kInvalidInput, "tool \"{}\": its parameters must be a schema of an object", name);
  // Names of the schema as a whole; the drafts that are known differ in nothing that is accepted here.
  parameters.erase("$schema");
  parameters.erase("$id");
  move_references(parameters, place);
  return parameters;
}

// The schemas of some tools beside another schema that refers to them.
class CallSchema {
 public:
  // A schema of the arguments of a tool.
  OrderedJson add(const OrderedJson& tool, const std::string& name) {
    const std::string number = std::to_string(names_.size());
    const std::string place = std::string(kPlaces) + number;
    parameters_[number] = parameters_of(tool, name, place);
    names_.push_back(name);
    return {{"type", "object"}, {"$ref", place}};
  }

  // A schema to refer to by the name.
  OrderedJson define(const std::string& name, OrderedJson schema) {
    parameters_[name] = std::move(schema);
    return {{"$ref", std::string(kPlaces) + name}};
  }

  std::shared_ptr<const TokenConstraint> compile(ConstraintCompiler& compiler, OrderedJson schema, bool compact = true) {
    schema["$defs"] = std::move(parameters_);
    try {
      return compiler.compile({.kind = ConstraintSpec::Kind::kSchema, .text = schema.dump(), .choices = {}, .compact = compact});
    } catch (const Error& e) {
      throw Error(e.code(), told_of_tool(e.what()));
    }
  }

 private:
  // Says of which tool an error is, and where in its parameters.
  std::string told_of_tool(std::string text) const {
    const std::size_t at = text.find(kPlaces);
    if (at == std::string::npos) return "tools: " + text;
    const char* begin = text.data() + at + kPlaces.size();
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(begin, text.data() + text.size(), number);
    if (error != std::errc() || number >= names_.size()) return "tools: " + text;
    const std::string name = names_[number];
    text.replace(at, static_cast<std::size_t>(end - text.data()) - at, "#");
    return fmt::format("parameters of tool \"{}\": {}", name, text);
  }

  OrderedJson parameters_ = OrderedJson::object();
  std::vector<std::string> names_;
};

// Gives the text of a call that is none.
void add_content(std::string text, Events& out) {
  if (!text.empty()) out.push_back({Kind::kContent, 0, std::move(text), {}});
}

class CallReader final : public AnswerReader {
 public:
  explicit CallReader(std::string name) : name_(std::move(name)) {}

  Events feed(std::string_view piece) override {
    Events out;
    if (piece.empty()) return out;
    if (arguments_.empty()) out.push_back({Kind::kCallBegin, 0, name_, {}});
    out.push_back({Kind::kCallArguments, 0, std::string(piece), {}});
    arguments_ += piece;
    return out;
  }

  Events finish() override {
    Events out;
    if (arguments_.empty()) return out;
    if (Json::parse(arguments_, nullptr, false).is_object()) return {{Kind::kCallEnd, 0, {}, {}}};
    out.push_back({Kind::kCallBroken, 0, {}, {}});
    add_content(std::move(arguments_), out);
    return out;
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

  Events finish() override {
    if (!is_over_) give_up();
    return std::exchange(events_, {});
  }

 private:
  static constexpr CallSyntax kSyntax = {.open = "[", .payload = Payload::kJson};

  void step(char c) {
    using Step = chat_output::PayloadReader::Step;
    if (is_over_) return add_content(std::string(1, c), events_);
    ended_ = false;
    const Step step = reader_->step(c, *this);
    if (step == Step::kDone) {
      is_over_ = true;
      return;
    }
    if (!ended_) raw_ += c;
    if (step != Step::kMore || raw_.size() > limits::kMaxToolCallBytes) give_up();
  }

  void give_up() {
    is_over_ = true;
    if (in_call_) events_.push_back({Kind::kCallBroken, n_calls_ - 1, {}, {}});
    add_content(std::exchange(raw_, {}), events_);
  }

  void begin(std::string_view name, std::string_view id) override {
    events_.push_back({Kind::kCallBegin, n_calls_++, std::string(name), std::string(id)});
    in_call_ = true;
  }
  void arguments(std::string_view json) override {
    if (json.empty()) return;
    if (events_.empty() || events_.back().kind != Kind::kCallArguments) events_.push_back({Kind::kCallArguments, n_calls_ - 1, {}, {}});
    events_.back().text += json;
  }
  void end(std::string_view id) override {
    events_.push_back({Kind::kCallEnd, n_calls_ - 1, {}, std::string(id)});
    in_call_ = false;
    ended_ = true;
    raw_.clear();
  }

  const chat_output::ToolSchemas tools_;
  std::unique_ptr<chat_output::PayloadReader> reader_;
  std::string raw_;       // of the call at hand, as generated
  bool in_call_ = false;  // between begin and end
  bool ended_ = false;    // the last byte ended a call
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
    return schema.compile(compiler, schema.add(tools[i], name_of(tools[i], i)));
  }
  fail(ErrorCode::kInvalidInput, "tool_choice: no tool is named \"{}\"", name);
}

std::shared_ptr<const TokenConstraint> hold_to_calls(ConstraintCompiler& compiler, const OrderedJson& tools, bool several) {
  if (!tools.is_array() || tools.empty()) fail(ErrorCode::kInvalidInput, "tool_choice: a call is required, but there are no tools");
  CallSchema schema;
  OrderedJson calls = OrderedJson::array();
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const std::string name = name_of(tools[i], i);
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

std::shared_ptr<const TokenConstraint> hold_to_family_calls(ConstraintCompiler& compiler, const CallSyntax& syntax, const OrderedJson& tools,
                                                            const std::vector<std::string>& strict, bool several) {
  const std::string name_key(syntax.name_key), arguments_key(syntax.arguments_key), id_key(syntax.id_key);
  const OrderedJson any_object = {{"type", "object"}};
  CallSchema schema;
  OrderedJson calls = OrderedJson::array();
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const std::string name = name_of(tools[i], i);
    const bool is_strict = std::find(strict.begin(), strict.end(), name) != strict.end();
    OrderedJson call = {{"type", "object"}, {"properties", OrderedJson::object()}};
    if (!id_key.empty()) call["properties"][id_key] = {{"type", "string"}, {"maxLength", limits::kMaxToolNameBytes}};
    call["properties"][name_key] = {{"const", name}};
    call["properties"][arguments_key] = any_object;
    if (is_strict) call["properties"][arguments_key] = schema.add(tools[i], name);
    call["required"] = {name_key, arguments_key};
    call["additionalProperties"] = false;
    calls.push_back(std::move(call));
  }
  const OrderedJson call = schema.define("call", {{"anyOf", std::move(calls)}});
  OrderedJson list = {{"type", "array"}, {"minItems", 1}, {"items", call}};
  if (!several) list["maxItems"] = 1;
  OrderedJson either = {{"anyOf", OrderedJson::array({call, std::move(list)})}};
  return schema.compile(compiler, std::move(either), /*compact=*/false);
}

std::unique_ptr<AnswerReader> call_reader(const std::string& name) { return std::make_unique<CallReader>(name); }

std::unique_ptr<AnswerReader> calls_reader(const OrderedJson& tools) { return std::make_unique<CallsReader>(tools); }

}  // namespace minnow
