#include "respond/family_calls.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/limits.h"
#include "respond/call_arguments.h"
#include "respond/call_schema.h"
#include "respond/thinking.h"
#include "text/chat_output/literal_json.h"
#include "text/chat_output/payload.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

using Kind = TextShape::Kind;

// What may stand in a header of kChannel between the name and the body.
constexpr std::string_view kChannelWords[] = {"", " json", " <|constrain|>json", "<|channel|>commentary", "<|channel|>commentary json",
                                              "<|channel|>commentary <|constrain|>json"};
constexpr std::string_view kCallId = "[A-Za-z0-9]{9}", kCallNumber = "[0-9]{1,3}", kServerName = "[A-Za-z0-9_-]{1,64}";

// What opens a call: all syntaxes with this mark, or one that begins with it.
struct Opening {
  std::string mark;
  std::vector<TextShape> calls = {};
  std::string begins = {};
};

bool speaks_to_recipients(const CallSyntax& syntax) { return syntax.payload == Payload::kNamed && syntax.header == CallHeader::kChannel; }

// The mark behind which the tool's name stands.
std::string_view mark_of(const CallSyntax& syntax) { return speaks_to_recipients(syntax) ? chat_output::kRecipient : syntax.open; }

class CallShapes {
 public:
  explicit CallShapes(const FamilyCalls& what) : what_(what), types_(what.tools) {
    schema_.define("any", true);
    schema_.define("object", {{"type", "object"}});
    for (std::size_t i = 0; i < what.tools.size(); ++i) add_tool(what.tools[i], i);
  }

  std::vector<Opening> openings() {
    std::vector<const CallSyntax*> syntaxes;
    for (const CallSyntax& syntax : what_.format.calls) {
      if (can_be_held(syntax)) syntaxes.push_back(&syntax);
    }
    // A mark comes before those that begin with it.
    std::stable_sort(syntaxes.begin(), syntaxes.end(), [](const auto* a, const auto* b) { return mark_of(*a).size() < mark_of(*b).size(); });
    std::vector<Opening> out;
    for (const CallSyntax* syntax : syntaxes) add_syntax(*syntax, out);
    return out;
  }

  std::shared_ptr<const TokenConstraint> compile(ConstraintCompiler& compiler, TextShape shape) const {
    return schema_.compile(compiler, std::move(shape), json_ends_at_);
  }

 private:
  struct Tool {
    std::string name;
    std::string place;  // of the schema of its arguments
    OrderedJson reference;
    bool is_strict;
  };

  void add_tool(const OrderedJson& tool, std::size_t number) {
    const std::string name = name_of_tool(tool, number);
    const bool is_strict = std::find(what_.strict.begin(), what_.strict.end(), name) != what_.strict.end();
    if (!is_strict) {
      tools_.push_back({name, CallSchema::place_of("object"), {{"type", "object"}}, false});
      return;
    }
    OrderedJson reference = schema_.add(tool, name);
    tools_.push_back({name, schema_.last_place(), std::move(reference), true});
  }

  void add_syntax(const CallSyntax& syntax, std::vector<Opening>& out) {
    const std::string mark(mark_of(syntax));
    auto it = std::find_if(out.begin(), out.end(), [&](const Opening& o) { return o.mark == mark || (!o.mark.empty() && mark.starts_with(o.mark)); });
    if (it == out.end()) it = out.insert(it, Opening{.mark = mark});
    std::vector<TextShape> parts;
    if (mark.size() > it->mark.size()) parts.push_back(mark_shape(mark.substr(it->mark.size())));
    if (!mark.empty() && !speaks_to_recipients(syntax)) parts.push_back(space_shape());
    parts.push_back(payload(syntax));
    TextShape call = sequence_of(std::move(parts));
    if (std::find(it->calls.begin(), it->calls.end(), call) == it->calls.end()) it->calls.push_back(std::move(call));
    if (is_sure_mark(mark) || speaks_to_recipients(syntax)) return;
    for (const char c : {'{', '['}) {
      if (chat_output::may_begin(syntax, c) && it->begins.find(c) == std::string::npos) it->begins += c;
    }
  }

  TextShape payload(const CallSyntax& syntax) {
    switch (syntax.payload) {
      case Payload::kJson: return closed(syntax, json_shape(json_calls(syntax)));
      case Payload::kKeyedJson: return closed(syntax, json_shape(keyed_calls()));
      case Payload::kNamed: return closed(syntax, each_tool([&](const Tool& tool) { return named(syntax, tool); }));
      case Payload::kTagged: return tagged(syntax);
      case Payload::kPythonList: return closed(syntax, python(", ", "[", "]"));
      case Payload::kPythonBlock: return sequence_of({python("\n", "", ""), mark_shape(syntax.close)});
      case Payload::kBraces: return braces(syntax);
      case Payload::kCode: break;
    }
    fail(ErrorCode::kInternal, "calls that cannot be held were to be");
  }

  template <typename Make>
  TextShape each_tool(const Make& make) const {
    std::vector<TextShape> ways;
    for (const Tool& tool : tools_) ways.push_back(make(tool));
    return choice_of(std::move(ways));
  }

  // The closing text where a reader takes it or leaves it. One that ends the answer is said as its end.
  TextShape closed(const CallSyntax& syntax, TextShape payload) const {
    if (syntax.close.empty() || spells_end(syntax.close)) return payload;
    const bool begins_with_space = syntax.close.front() == '\n' || syntax.close.front() == ' ';
    return sequence_of({std::move(payload), begins_with_space ? text_shape("") : space_shape(), mark_shape(syntax.close)});
  }

  bool spells_end(std::string_view text) const {
    const auto ids = what_.tokenizer.encode(text, {.add_special = false, .parse_special = true, .continues = true});
    return std::any_of(ids.begin(), ids.end(), [&](TokenId id) { return what_.tokenizer.is_end_of_generation(id); });
  }

  // One object, or a list of such; without a mark, one.
  std::string json_calls(const CallSyntax& syntax) {
    const std::string name_key(syntax.name_key), arguments_key(syntax.arguments_key), id_key(syntax.id_key);
    OrderedJson calls = OrderedJson::array();
    for (const Tool& tool : tools_) {
      OrderedJson call = {{"type", "object"}, {"properties", OrderedJson::object()}};
      if (!id_key.empty()) call["properties"][id_key] = {{"type", "string"}, {"maxLength", limits::kMaxToolNameBytes}};
      call["properties"][name_key] = {{"const", tool.name}};
      call["properties"][arguments_key] = tool.reference;
      call["required"] = {name_key, arguments_key};
      call["additionalProperties"] = false;
      calls.push_back(std::move(call));
    }
    return one_or_list({{"anyOf", std::move(calls)}}, /*may_be_one=*/true, /*may_be_list=*/!syntax.open.empty());
  }

  std::string keyed_calls() {
    OrderedJson calls = OrderedJson::array();
    for (const Tool& tool : tools_) {
      OrderedJson call = {{"type", "object"}};
      call["properties"][tool.name] = tool.reference;
      call["required"] = OrderedJson::array({tool.name});
      call["additionalProperties"] = false;
      calls.push_back(std::move(call));
    }
    return one_or_list({{"anyOf", std::move(calls)}}, /*may_be_one=*/false, /*may_be_list=*/true);
  }

  std::string one_or_list(OrderedJson one, bool may_be_one, bool may_be_list) {
    const std::string number = std::to_string(n_defined_++);
    const OrderedJson call = schema_.define("call-" + number, std::move(one));
    OrderedJson ways = OrderedJson::array();
    if (may_be_one) ways.push_back(call);
    OrderedJson list = {{"type", "array"}, {"minItems", 1}, {"items", call}};
    if (!what_.several) list["maxItems"] = 1;
    if (may_be_list) ways.push_back(std::move(list));
    OrderedJson either = OrderedJson::object();
    either["anyOf"] = std::move(ways);
    schema_.define("calls-" + number, std::move(either));
    return CallSchema::place_of("calls-" + number);
  }

  TextShape named(const CallSyntax& syntax, const Tool& tool) const {
    std::vector<TextShape> parts;
    switch (syntax.header) {
      case CallHeader::kName: parts = {text_shape(tool.name)}; break;
      case CallHeader::kNameAndId:
        parts = {text_shape(tool.name), optional_shape(sequence_of({mark_shape(syntax.id_separator), regex_shape(kCallId)}))};
        break;
      case CallHeader::kIndexed:
        parts = {text_shape(std::string(chat_output::kFunctions) + tool.name + ":"), regex_shape(kCallNumber)};
        break;
      case CallHeader::kMcpTool:
        parts = {regex_shape(kServerName), mark_shape(chat_output::kServerNameClose), space_shape(), mark_shape(chat_output::kToolNameOpen),
                 text_shape(tool.name), mark_shape(chat_output::kToolNameClose), space_shape()};
        break;
      case CallHeader::kChannel: {
        std::vector<TextShape> words;
        for (const std::string_view some : kChannelWords) words.push_back(mark_shape(some));
        parts = {optional_shape(text_shape(std::string(chat_output::kFunctions))), text_shape(tool.name), choice_of(std::move(words))};
        break;
      }
    }
    for (TextShape part : {mark_shape(syntax.separator), space_shape(), json_shape(tool.place)}) parts.push_back(std::move(part));
    return sequence_of(std::move(parts));
  }

  CallArguments arguments(const Tool& tool) const {
    if (!tool.is_strict) return any_arguments();
    try {
      return arguments_of(schema_.at(tool.place), tool.place, types_, tool.name);
    } catch (const Error& e) {
      throw schema_.told_of_tool(e);
    }
  }

  TextShape tagged(const CallSyntax& syntax) {
    json_ends_at_ = syntax.tags.value_close.front();
    return each_tool([&](const Tool& tool) {
      return sequence_of({text_shape(tool.name), mark_shape(syntax.separator), tagged_arguments(arguments(tool), syntax.tags), space_shape(),
                          mark_shape(syntax.close)});
    });
  }

  TextShape listed(const Tool& tool, std::string open, std::string assign, std::string close) const {
    chat_output::LiteralReader reader(tool.name);
    std::string read;
    if (!reader.identifier(read) || read != tool.name || read.ends_with(".call")) {
      throw Error(ErrorCode::kUnsupported, fmt::format("tools: a call of \"{}\" cannot be told in this model's words", tool.name), "give it another name");
    }
    const CallArguments of_tool = arguments(tool);
    try {
      return sequence_of({text_shape(tool.name + open), listed_arguments(of_tool, {.assign = std::move(assign), .any_value = CallSchema::place_of("any")}),
                          text_shape(std::move(close))});
    } catch (const Error& e) {
      throw schema_.told_of_tool(e);
    }
  }

  TextShape python(const std::string& between, std::string open, std::string close) const {
    TextShape call = each_tool([&](const Tool& tool) { return listed(tool, "(", "=", ")"); });
    std::vector<TextShape> parts = {text_shape(std::move(open)), call};
    if (what_.several) parts.push_back({.kind = Kind::kRepeat, .parts = {sequence_of({text_shape(between), call})}});
    parts.push_back(text_shape(std::move(close)));
    return sequence_of(std::move(parts));
  }

  TextShape braces(const CallSyntax& syntax) {
    json_ends_at_ = syntax.close.front();
    return sequence_of({each_tool([&](const Tool& tool) { return listed(tool, "{", ":", "}"); }), mark_shape(syntax.close)});
  }

  const FamilyCalls& what_;
  const chat_output::ToolSchemas types_;
  CallSchema schema_;
  std::vector<Tool> tools_;
  int n_defined_ = 0;
  char json_ends_at_ = 0;
};

// Words of the first list, then calls, then words of the second; or calls alone.
TextShape wrapped(const OutputFormat& format, const TextShape& calls) {
  if (format.wrap_open.empty() || format.wrap_close.empty()) return calls;
  const auto one_of = [](std::span<const std::string_view> words) {
    std::vector<TextShape> ways;
    for (const std::string_view word : words) ways.push_back(mark_shape(word));
    return choice_of(std::move(ways));
  };
  return choice_of({calls, sequence_of({one_of(format.wrap_open), space_shape(), calls, space_shape(), one_of(format.wrap_close)})});
}

TextShape several_of(const TextShape& one, bool several) {
  if (!several) return one;
  return sequence_of({one, {.kind = Kind::kRepeat, .parts = {sequence_of({space_shape(), one})}}});
}

// The model's thinking; and where headers say what follows, the bodies, so that calls begin in headers.
void add_asides(const FamilyCalls& what, HeldCalls& held) {
  for (const ReasoningTags& tags : what.format.reasoning) {
    if (tags.open.empty()) continue;
    if (!held.in_aside && ends_with_mark(what.prompt, tags.open)) held.in_aside = held.asides.size();
    held.asides.push_back({std::string(tags.open), {std::string(tags.close)}});
  }
  MarkScanner::Aside body;
  for (const CallSyntax& syntax : what.format.calls) {
    if (!speaks_to_recipients(syntax)) continue;
    body.opens = syntax.separator;
    body.closes.emplace_back(syntax.open);
  }
  if (body.opens.empty()) return;
  const auto ends_prompt = [&](const std::string& header) { return what.prompt.ends_with(header); };
  if (std::none_of(body.closes.begin(), body.closes.end(), ends_prompt)) held.in_aside = held.asides.size();
  held.asides.push_back(std::move(body));
}

}  // namespace

HeldCalls held_calls(ConstraintCompiler& compiler, const FamilyCalls& what) {
  CallShapes shapes(what);
  HeldCalls held;
  for (Opening& opening : shapes.openings()) {
    held.openings.push_back({std::move(opening.mark), shapes.compile(compiler, choice_of(std::move(opening.calls))), std::move(opening.begins)});
  }
  for (std::size_t i = 0; i < held.openings.size(); ++i) {
    const std::string& mark = held.openings[i].mark;
    if (is_sure_mark(mark) && what.prompt.ends_with(mark)) held.open = i;
  }
  add_asides(what, held);
  for (const auto& words : {what.format.wrap_open, what.format.wrap_close, what.format.dropped}) {
    for (const std::string_view word : words) held.words.emplace_back(word);
  }
  return held;
}

std::shared_ptr<const TokenConstraint> hold_to_family_calls(ConstraintCompiler& compiler, const FamilyCalls& what) {
  CallShapes shapes(what);
  std::vector<TextShape> ways;
  for (Opening& opening : shapes.openings()) {
    if (opening.mark.empty() || opening.mark == chat_output::kRecipient) continue;
    ways.push_back(sequence_of({mark_shape(opening.mark), choice_of(std::move(opening.calls))}));
  }
  // As a rule of its own it stands in several places at no cost.
  const TextShape call{.kind = Kind::kRequired, .text = "calls", .parts = {choice_of(std::move(ways))}};
  const TextShape calls = several_of(call, what.several);
  return shapes.compile(compiler, several_of(wrapped(what.format, calls), what.several));
}

std::vector<std::string> beginnings_of_calls(const OutputFormat& format) {
  std::vector<std::string> out;
  for (const std::string_view word : format.wrap_open) out.emplace_back(word);
  for (const CallSyntax& syntax : format.calls) {
    if (can_be_held(syntax) && !syntax.open.empty()) out.emplace_back(syntax.open);
  }
  return out;
}

}  // namespace minnow
