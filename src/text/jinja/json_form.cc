#include "text/jinja/json_form.h"

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "text/jinja/operations.h"
#include "text/jinja/text_form.h"
#include "text/jinja/unicode.h"

namespace minnow::jinja {
namespace {

Value checked_string(Runtime& rt, const std::string& text) {
  if (text.size() > limits::kMaxTemplateMemory) {
    fail_at(rt.line, ErrorCode::kLimit, fmt::format("a text of {} bytes is too long", text.size()));
  }
  return Value::string(text);
}

// An integer past 64 bits keeps its size, not its last digits.
Value from_unsigned(uint64_t n) {
  return n <= static_cast<uint64_t>(INT64_MAX) ? Value::integer(static_cast<int64_t>(n))
                                               : Value::real(static_cast<double>(n));
}

// Builds values as nlohmann's parser reads a text; never recurses.
class ValueSax {
 public:
  explicit ValueSax(Runtime& rt) : rt_(rt) {}

  bool null() { return add(Value::none()); }
  bool boolean(bool b) { return add(Value::boolean(b)); }
  bool number_integer(int64_t i) { return add(Value::integer(i)); }
  bool number_unsigned(uint64_t n) { return add(from_unsigned(n)); }
  bool number_float(double f, const std::string&) { return add(Value::real(f)); }
  bool string(std::string& text) { return add(rt_.text(text)); }
  bool binary(std::vector<uint8_t>&) { return false; }
  bool start_object(std::size_t) { return open(Value::dict(rt_.arena.make<Dict>())); }
  bool start_array(std::size_t) { return open(Value::list(rt_.new_list())); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& text) {
    open_.back().key = rt_.text(text);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
    rt_.fail("from_json: not valid JSON at byte {}", position);
  }

  Value result;

 private:
  struct Open {
    Value container;
    Value key;
  };

  bool add(Value value) {
    rt_.step();
    if (open_.empty()) {
      result = value;
    } else if (Open& parent = open_.back(); parent.container.is(Kind::kList)) {
      parent.container.as_list().items.push_back(rt_.arena, value);
    } else {
      dict_set(rt_, parent.container.as_dict(), parent.key, value);
    }
    return true;
  }
  bool open(Value container) {
    if (open_.size() >= static_cast<std::size_t>(limits::kMaxJsonDepth))
      fail_at(rt_.line, ErrorCode::kLimit, "from_json: nested too deep");
    add(container);
    open_.push_back({container, Value()});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Runtime& rt_;
  std::vector<Open> open_;
};

void write_json_string(TextBuilder& out, std::string_view text, bool ensure_ascii) {
  out.append('"');
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && text[plain] >= 0x20 && text[plain] < 0x7F && text[plain] != '"' &&
           text[plain] != '\\') {
      ++plain;
    }
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const Utf8Char c = decode_utf8(text);
    text.remove_prefix(c.length);
    const auto code = static_cast<uint32_t>(c.code_point);
    switch (code) {
      case '"':
        out.append("\\\"");
        break;
      case '\\':
        out.append("\\\\");
        break;
      case '\n':
        out.append("\\n");
        break;
      case '\r':
        out.append("\\r");
        break;
      case '\t':
        out.append("\\t");
        break;
      case '\b':
        out.append("\\b");
        break;
      case '\f':
        out.append("\\f");
        break;
      default:
        if (is_own_mark(code)) {
          out.append_char(c.code_point);
        } else if (code >= 0x10000 && ensure_ascii) {
          const uint32_t rest = code - 0x10000;
          out.append(fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF)));
        } else if (code < 0x20 || ensure_ascii) {
          out.append(fmt::format("\\u{:04x}", code));
        } else {
          out.append_char(c.code_point);
        }
    }
  }
  out.append('"');
}

void write_json_float(TextBuilder& out, double f) {
  if (std::isfinite(f)) return out.append(float_text(f));
  out.append(std::isnan(f) ? "NaN" : f > 0 ? "Infinity" : "-Infinity");
}

void write_json_key(TextBuilder& out, const Value& key, const JsonStyle& style) {
  switch (key.kind()) {
    case Kind::kString:
      return write_json_string(out, key.as_text(), style.ensure_ascii);
    case Kind::kNone:
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      out.append('"');
      write_json(out, key, style);
      return out.append('"');
    default:
      out.runtime().fail("tojson: keys must be text, a number, a boolean or none, not {}", type_name(key));
  }
}

void write_break(TextBuilder& out, const JsonStyle& style, int level) {
  if (!style.indent) return;
  out.append('\n');
  for (int i = 0; i < level; ++i) out.append(*style.indent);
}

void write_json_list(TextBuilder& out, std::span<const Value> items, const JsonStyle& style, int level) {
  if (items.empty()) return out.append("[]");
  out.append('[');
  bool first = true;
  for (const Value& item : items) {
    if (!first) out.append(style.item_separator);
    first = false;
    write_break(out, style, level + 1);
    write_json(out, item, style, level + 1);
  }
  write_break(out, style, level);
  out.append(']');
}

void write_json_dict(TextBuilder& out, const Dict& dict, const JsonStyle& style, int level) {
  if (dict.entries.empty()) return out.append("{}");
  Runtime& rt = out.runtime();
  ArenaVector<DictEntry> entries = dict.entries;
  if (style.sort_keys) entries = sorted_by_key(rt, dict);
  out.append('{');
  bool first = true;
  for (const DictEntry& entry : entries) {
    if (!first) out.append(style.item_separator);
    first = false;
    write_break(out, style, level + 1);
    write_json_key(out, entry.key, style);
    out.append(style.key_separator);
    write_json(out, entry.value, style, level + 1);
  }
  write_break(out, style, level);
  out.append('}');
}

}  // namespace

Value from_json(Runtime& rt, const OrderedJson& json) {
  const Deeper deeper(rt);
  switch (json.type()) {
    case OrderedJson::value_t::boolean:
      return Value::boolean(json.get<bool>());
    case OrderedJson::value_t::number_integer:
      return Value::integer(json.get<int64_t>());
    case OrderedJson::value_t::number_unsigned:
      return from_unsigned(json.get<uint64_t>());
    case OrderedJson::value_t::number_float:
      return Value::real(json.get<double>());
    case OrderedJson::value_t::string:
      return checked_string(rt, json.get_ref<const std::string&>());
    case OrderedJson::value_t::array: {
      List* list = rt.new_list();
      list->items.reserve(rt.arena, json.size());
      for (const OrderedJson& item : json) list->items.push_back(rt.arena, from_json(rt, item));
      return Value::list(list);
    }
    case OrderedJson::value_t::object: {
      Dict* dict = rt.arena.make<Dict>();
      dict->entries.reserve(rt.arena, json.size());
      for (auto item = json.begin(); item != json.end(); ++item) {
        dict->entries.push_back(rt.arena, {checked_string(rt, item.key()), from_json(rt, *item)});
      }
      return Value::dict(dict);
    }
    default:
      return Value::none();
  }
}

Value parse_json_text(Runtime& rt, std::string_view text) {
  rt.scan_bytes(text.size());
  ValueSax sax(rt);
  OrderedJson::sax_parse(text, &sax);
  return sax.result;
}

void write_json(TextBuilder& out, const Value& value, const JsonStyle& style, int level) {
  Runtime& rt = out.runtime();
  const Deeper deeper(rt);
  rt.step();
  switch (value.kind()) {
    case Kind::kNone:
      return out.append("null");
    case Kind::kBool:
      return out.append(value.as_bool() ? "true" : "false");
    case Kind::kInt:
      return out.append(fmt::format_int(value.as_int()).c_str());
    case Kind::kFloat:
      return write_json_float(out, value.as_real());
    case Kind::kString:
      return write_json_string(out, value.as_text(), style.ensure_ascii);
    case Kind::kDict:
      return write_json_dict(out, value.as_dict(), style, level);
    case Kind::kList:
      if (const List& list = value.as_list(); list.kind <= ListKind::kGroup) {
        return write_json_list(out, list.items.span(), style, level);
      } else if (list.kind == ListKind::kGenerator) {
        return write_json_list(out, elements(rt, value), style, level);
      }
      break;
    case Kind::kUndefined:
      rt.fail_undefined(value);
    default:
      break;
  }
  rt.fail("tojson: {} cannot be written as JSON", type_name(value));
}

}  // namespace minnow::jinja
