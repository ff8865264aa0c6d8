#include "text/jinja/text_form.h"

#include <array>
#include <charconv>
#include <cmath>

#include "base/utf8.h"
#include "text/jinja/ast.h"
#include "text/jinja/unicode.h"

namespace minnow::jinja {
namespace {

void write_quoted(TextBuilder& out, std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const char quote = has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
  out.append(quote);
  while (!text.empty()) {
    const Utf8Char c = decode_utf8(text);
    const std::string_view bytes = text.substr(0, c.length);
    text.remove_prefix(c.length);
    const auto code = static_cast<uint32_t>(c.code_point);
    if (code == '\\' || code == static_cast<unsigned char>(quote)) {
      out.append('\\');
      out.append(bytes);
    } else if (code == '\n') {
      out.append("\\n");
    } else if (code == '\r') {
      out.append("\\r");
    } else if (code == '\t') {
      out.append("\\t");
    } else if (code < 0x20 || code == 0x7F || (code > 0x7F && code < 0x100 && !is_printable(code))) {
      out.append(fmt::format("\\x{:02x}", code));
    } else if (code >= 0x100 && !is_printable(code) && !is_own_mark(code)) {
      out.append(code < 0x10000 ? fmt::format("\\u{:04x}", code) : fmt::format("\\U{:08x}", code));
    } else {
      out.append(bytes);
    }
  }
  out.append(quote);
}

void write_items(TextBuilder& out, std::span<const Value> items) {
  bool first = true;
  for (const Value& item : items) {
    if (!first) out.append(", ");
    first = false;
    write_repr(out, item);
  }
}

void write_range(TextBuilder& out, const List& list) {
  const auto& items = list.items;
  const int64_t start = items.empty() ? 0 : items[0].as_int();
  const int64_t step = items.size() < 2 ? 1 : items[1].as_int() - start;
  const int64_t stop = items.empty() ? 0 : items.back().as_int() + step;
  out.append(step == 1 ? fmt::format("range({}, {})", start, stop)
                       : fmt::format("range({}, {}, {})", start, stop, step));
}

void write_list(TextBuilder& out, const List& list) {
  const auto wrapped = [&](std::string_view open, std::string_view close) {
    out.append(open);
    write_items(out, list.items.span());
    out.append(close);
  };
  switch (list.kind) {
    case ListKind::kList:
      return wrapped("[", "]");
    case ListKind::kGroup:
    case ListKind::kTuple:
      return wrapped("(", list.items.size() == 1 ? ",)" : ")");
    case ListKind::kRange:
      return write_range(out, list);
    case ListKind::kGenerator:
      return out.append("<generator object>");
    case ListKind::kDictKeys:
      return wrapped("dict_keys([", "])");
    case ListKind::kDictValues:
      return wrapped("dict_values([", "])");
    case ListKind::kDictItems:
      return wrapped("dict_items([", "])");
  }
}

void write_dict(TextBuilder& out, const Dict& dict) {
  out.append('{');
  bool first = true;
  for (const DictEntry& entry : dict.entries) {
    if (!first) out.append(", ");
    first = false;
    write_repr(out, entry.key);
    out.append(": ");
    write_repr(out, entry.value);
  }
  out.append('}');
}

void write_namespace(TextBuilder& out, const Namespace& ns) {
  out.append("<Namespace {");
  bool first = true;
  for (const Binding& binding : ns.attributes) {
    if (!first) out.append(", ");
    first = false;
    write_quoted(out, binding.name);
    out.append(": ");
    write_repr(out, binding.value);
  }
  out.append("}>");
}

}  // namespace

std::string float_text(double f) {
  if (std::isnan(f)) return "nan";
  if (std::isinf(f)) return f > 0 ? "inf" : "-inf";
  std::array<char, 40> buffer;
  const auto end = std::to_chars(buffer.begin(), buffer.end(), f, std::chars_format::scientific).ptr;
  std::string text(buffer.begin(), end);
  const std::size_t e = text.find('e');
  int exponent = 0;
  const char* digits_of_exponent = text.c_str() + e + (text[e + 1] == '+' ? 2 : 1);  // from_chars takes no plus sign
  std::from_chars(digits_of_exponent, text.c_str() + text.size(), exponent);
  if (exponent < -4 || exponent >= 16) return text;
  const bool negative = text[0] == '-';
  std::string digits;
  for (const char c : text.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  const auto point = static_cast<std::size_t>(exponent + 1);
  if (exponent < 0) {
    digits = "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  } else {
    if (digits.size() < point + 1) digits.append(point + 1 - digits.size(), '0');
    digits.insert(point, ".");
  }
  return negative ? "-" + digits : digits;
}

void write_repr(TextBuilder& out, const Value& value) {
  Runtime& rt = out.runtime();
  const Deeper deeper(rt);
  rt.step();
  switch (value.kind()) {
    case Kind::kUndefined:
      return out.append("Undefined");
    case Kind::kNone:
      return out.append("None");
    case Kind::kBool:
      return out.append(value.as_bool() ? "True" : "False");
    case Kind::kInt:
      return out.append(fmt::format_int(value.as_int()).c_str());
    case Kind::kFloat:
      return out.append(float_text(value.as_real()));
    case Kind::kString:
      if (!value.is_safe()) return write_quoted(out, value.as_text());
      out.append("Markup(");
      write_quoted(out, value.as_text());
      return out.append(')');
    case Kind::kList:
      return write_list(out, value.as_list());
    case Kind::kDict:
      return write_dict(out, value.as_dict());
    case Kind::kNamespace:
      return write_namespace(out, value.as_namespace());
    case Kind::kCallable:
      if (value.as_callable().macro == nullptr) return out.append("<built-in function>");
      out.append("<Macro ");
      write_quoted(out, value.as_callable().macro->name);
      return out.append('>');
    case Kind::kLoop:
      return out.append("<LoopContext>");
  }
}

void write_text(TextBuilder& out, const Value& value) {
  if (value.is_string()) return out.append(value.as_text());
  if (!value.is_undefined()) write_repr(out, value);
}

std::string_view to_text(Runtime& rt, const Value& value) { return to_string(rt, value).as_text(); }

Value to_string(Runtime& rt, const Value& value) {
  if (value.is_string()) return value;
  TextBuilder out(rt);
  write_text(out, value);
  return out.finish();
}

Value escape(Runtime& rt, const Value& value) {
  if (value.is_safe()) return value;
  TextBuilder out(rt);
  for (const char c : to_text(rt, value)) {
    switch (c) {
      case '&':
        out.append("&amp;");
        break;
      case '<':
        out.append("&lt;");
        break;
      case '>':
        out.append("&gt;");
        break;
      case '"':
        out.append("&#34;");
        break;
      case '\'':
        out.append("&#39;");
        break;
      default:
        out.append(c);
    }
  }
  return out.finish(true);
}

}  // namespace minnow::jinja
