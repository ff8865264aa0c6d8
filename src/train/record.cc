#include "train/record.h"

#include <array>

#include "base/error.h"
#include "base/limits.h"
#include "formats/quote_name.h"

namespace minnow {
namespace {

constexpr const char* kForms =
    "known records have text; prompt and completion; instruction and output; messages; or prompt, chosen and rejected";

// One record being read, for errors.
struct Reader {
  const OrderedJson& object;
  const std::string& place;

  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    throw Error(ErrorCode::kInvalidInput, place + ": " + fmt::format(format, std::forward<Args>(args)...));
  }

  const OrderedJson* find(const char* key) const {
    const auto field = object.find(key);
    return field == object.end() || field->is_null() ? nullptr : &*field;
  }

  std::string text(const char* key, bool required) const {
    const OrderedJson* field = find(key);
    if (field == nullptr) {
      if (required) refuse("{} is missing", key);
      return {};
    }
    if (!field->is_string()) refuse("{} is not a string", key);
    return field->get<std::string>();
  }

  void check_content(const char* key, std::size_t i, const OrderedJson& message) const {
    const auto content = message.find("content");
    const auto calls = message.find("tool_calls");
    const bool has_calls = calls != message.end() && !calls->is_null();
    if (has_calls && !calls->is_array()) refuse("{}[{}].tool_calls is not a list", key, i);
    if (content == message.end() || content->is_null()) {
      if (!has_calls) refuse("{}[{}] has no content", key, i);
    } else if (content->is_array()) {
      for (const OrderedJson& part : *content) {
        if (!part.is_object()) refuse("{}[{}].content has a part that is not an object", key, i);
      }
    } else if (!content->is_string()) {
      refuse("{}[{}].content is neither a string nor a list of parts", key, i);
    }
  }

  OrderedJson messages(const char* key) const {
    const OrderedJson* list = find(key);
    if (list == nullptr) refuse("{} is missing", key);
    if (!list->is_array() || list->empty()) refuse("{} is not a list of messages", key);
    for (std::size_t i = 0; i < list->size(); ++i) {
      const OrderedJson& message = (*list)[i];
      if (!message.is_object()) refuse("{}[{}] is not an object", key, i);
      const auto role = message.find("role");
      if (role == message.end() || !role->is_string()) refuse("{}[{}] has no role", key, i);
      check_content(key, i, message);
    }
    return *list;
  }

  OrderedJson text_or_messages(const char* key) const {
    const OrderedJson* field = find(key);
    if (field == nullptr) refuse("{} is missing", key);
    return field->is_string() ? *field : messages(key);
  }

  OrderedJson tools() const {
    const OrderedJson* list = find("tools");
    if (list == nullptr) return {};
    if (!list->is_array()) refuse("tools is not a list");
    for (const OrderedJson& tool : *list) {
      if (!tool.is_object()) refuse("tools has an entry that is not an object");
    }
    return *list;
  }
};

// The messages that both lists begin with; they leave the lists.
OrderedJson take_common_start(OrderedJson& a, OrderedJson& b) {
  OrderedJson common = OrderedJson::array();
  while (common.size() + 1 < std::min(a.size(), b.size()) && a[common.size()] == b[common.size()]) common.push_back(a[common.size()]);
  const auto n = static_cast<std::ptrdiff_t>(common.size());
  a.erase(a.begin(), a.begin() + n);
  b.erase(b.begin(), b.begin() + n);
  return common;
}

void read_preference(const Reader& reader, Record& record) {
  record.answer = reader.text_or_messages("chosen");
  record.rejected = reader.text_or_messages("rejected");
  if (record.answer.is_string() != record.rejected.is_string()) {
    reader.refuse("of chosen and rejected one is a string and the other a list of messages");
  }
  if (reader.find("prompt") != nullptr) {
    record.prompt = reader.text_or_messages("prompt");
  } else if (reader.find("instruction") != nullptr) {
    record.instruction = reader.text("instruction", true);
    record.input = reader.text("input", false);
  } else if (record.answer.is_array()) {
    record.prompt = take_common_start(record.answer, record.rejected);
    if (record.prompt.empty()) reader.refuse("there is no prompt, and chosen and rejected do not begin alike");
  } else {
    reader.refuse("prompt is missing");
  }
  if (record.answer == record.rejected) reader.refuse("chosen and rejected are the same");
}

Record read(const Reader& reader, RecordKind kind) {
  Record record{.kind = kind};
  switch (kind) {
    case RecordKind::kText:
      record.text = reader.text("text", true);
      if (record.text.empty()) reader.refuse("text is empty");
      break;
    case RecordKind::kCompletion:
      record.prompt = reader.text_or_messages("prompt");
      record.answer = reader.text_or_messages("completion");
      break;
    case RecordKind::kInstruction:
      record.instruction = reader.text("instruction", true);
      record.input = reader.text("input", false);
      record.answer = reader.text("output", true);
      break;
    case RecordKind::kChat:
      record.messages = reader.messages("messages");
      break;
    case RecordKind::kPreference:
      read_preference(reader, record);
      break;
  }
  if (kind != RecordKind::kText) record.tools = reader.tools();
  return record;
}

std::string key_list(const OrderedJson& object) {
  std::string keys;
  for (auto item = object.begin(); item != object.end() && keys.size() < 100; ++item) {
    keys += (keys.empty() ? "" : ", ") + quote_name(item.key());
  }
  return keys.empty() ? "no keys" : "the keys " + keys;
}

}  // namespace

std::string record_text(const Record& record) {
  std::string text;
  const auto add = [&](const std::string& part) {
    if (!part.empty()) text += part + "\n";
  };
  const auto add_all = [&](const auto& self, const OrderedJson& value) -> void {
    if (value.is_string()) add(value.get_ref<const std::string&>());
    if (!value.is_structured()) return;
    for (const auto& item : value.items()) {
      if (item.key() != "role") self(self, item.value());
    }
  };
  for (const std::string* part : {&record.text, &record.instruction, &record.input}) add(*part);
  for (const OrderedJson* part : {&record.prompt, &record.answer, &record.rejected, &record.messages}) add_all(add_all, *part);
  return text;
}

const char* record_kind_name(RecordKind kind) {
  static constexpr std::array<const char*, 5> kNames = {"text", "prompt/completion", "instruction/output", "chat", "preference"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::optional<RecordKind> detect_record_kind(const OrderedJson& object) {
  if (!object.is_object()) return std::nullopt;
  const auto has = [&](const char* key) { return object.contains(key); };
  if (has("chosen") && has("rejected")) return RecordKind::kPreference;
  if (has("messages")) return RecordKind::kChat;
  if (has("prompt") && has("completion")) return RecordKind::kCompletion;
  if (has("instruction") && has("output")) return RecordKind::kInstruction;
  if (has("text")) return RecordKind::kText;
  return std::nullopt;
}

Record parse_record(std::string_view line, const std::string& place, std::optional<RecordKind> expected) {
  if (line.size() > limits::kMaxRecordBytes) {
    fail(ErrorCode::kLimit, "{}: a record of {} bytes, more than {}", place, line.size(), limits::kMaxRecordBytes);
  }
  const OrderedJson object = parse_ordered_json(line, place);
  if (object.is_array()) {
    throw Error(ErrorCode::kInvalidInput, place + ": a JSON list where a record is wanted",
                "write one record on each line, e.g. with jq -c '.[]'");
  }
  if (!object.is_object()) fail(ErrorCode::kInvalidInput, "{}: not a JSON object", place);
  const auto kind = detect_record_kind(object);
  if (!kind) throw Error(ErrorCode::kInvalidInput, fmt::format("{}: a record with {}", place, key_list(object)), kForms);
  if (expected && *kind != *expected) {
    throw Error(ErrorCode::kInvalidInput,
                fmt::format("{}: a {} record among {} records", place, record_kind_name(*kind), record_kind_name(*expected)),
                "put each kind into files of its own and train on one after the other");
  }
  return read({object, place}, *kind);
}

}  // namespace minnow
