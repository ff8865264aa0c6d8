#include "text/jinja/format_braces.h"

#include "base/utf8.h"
#include "text/jinja/format_spec.h"
#include "text/jinja/operations.h"
#include "text/jinja/text_form.h"
#include "text/jinja/unicode.h"

namespace minnow::jinja {
namespace {

bool is_align(char32_t c) { return c == '<' || c == '>' || c == '^' || c == '='; }

class BraceFormatter {
 public:
  BraceFormatter(Runtime& rt, const Arguments& arguments) : rt_(rt), arguments_(arguments), out_(rt) {}

  Value run(std::string_view format) {
    while (!format.empty()) {
      const std::size_t brace = format.find_first_of("{}");
      out_.append(format.substr(0, brace));
      if (brace == std::string_view::npos) break;
      const char c = format[brace];
      format.remove_prefix(brace + 1);
      if (format.starts_with(c)) {
        out_.append(c);
        format.remove_prefix(1);
      } else if (c == '}') {
        rt_.fail("format(): single '}}'");
      } else {
        const std::size_t end = format.find_first_of("{}");
        if (end == std::string_view::npos || format[end] == '{')
          rt_.fail("format(): a field must end with '}}'");
        field(format.substr(0, end));
        format.remove_prefix(end + 1);
      }
    }
    return out_.finish();
  }

 private:
  void field(std::string_view text) {
    const std::size_t name_end = text.find_first_of("!:");
    Value value = lookup(text.substr(0, name_end));
    text.remove_prefix(std::min(name_end, text.size()));
    if (text.starts_with('!')) {
      const char conversion = text.size() > 1 ? text[1] : '\0';
      if (conversion != 'r' && conversion != 's') rt_.fail("format(): unknown conversion");
      TextBuilder converted(rt_);
      conversion == 'r' ? write_repr(converted, value) : write_text(converted, value);
      value = converted.finish();
      text.remove_prefix(2);
    }
    if (text.starts_with(':')) text.remove_prefix(1);
    write_formatted(out_, value, parse_spec(text));
  }

  // name, position or nothing, then .attribute and [item].
  Value lookup(std::string_view name) {
    const std::size_t end = name.find_first_of(".[");
    Value value = argument(name.substr(0, end));
    name.remove_prefix(std::min(end, name.size()));
    while (!name.empty()) {
      rt_.step();
      const bool dot = name[0] == '.';
      const std::size_t stop = dot ? std::min(name.find_first_of(".[", 1), name.size()) : name.find(']');
      if (!dot && (name[0] != '[' || stop == std::string_view::npos)) rt_.fail("format(): bad field name");
      const std::string_view key = name.substr(1, stop - 1);
      if (dot) {
        value = get_attribute(rt_, value, key);
      } else {
        std::string_view digits = key;
        uint64_t index = 0;
        const bool numeric = read_number(rt_, digits, index) && digits.empty();
        value =
            get_item(rt_, value, numeric ? Value::integer(static_cast<int64_t>(index)) : Value::string(key));
      }
      if (value.is_undefined()) rt_.fail_undefined(value);
      name.remove_prefix(dot ? stop : stop + 1);
    }
    return value;
  }

  const Value& argument(std::string_view name) {
    uint64_t index = 0;
    std::string_view digits = name;
    if (name.empty()) {
      index = automatic_++;
      if (manual_) rt_.fail("format(): numbered and unnumbered fields cannot be mixed");
    } else if (read_number(rt_, digits, index) && digits.empty()) {
      manual_ = true;
      if (automatic_ > 0) rt_.fail("format(): numbered and unnumbered fields cannot be mixed");
    } else {
      for (const Binding& named : arguments_.named) {
        if (named.name == name) return named.value;
      }
      rt_.fail("format(): no argument named '{}'", name);
    }
    if (index >= arguments_.positional.size()) rt_.fail("format(): there is no argument {}", index);
    return arguments_.positional[index];
  }

  FormatSpec parse_spec(std::string_view text) {
    FormatSpec spec;
    if (!text.empty()) {
      const Utf8Char fill = decode_utf8(text);
      if (text.size() > fill.length && is_align(static_cast<unsigned char>(text[fill.length]))) {
        spec.fill = fill.code_point;
        spec.align = text[fill.length];
        text.remove_prefix(fill.length + 1u);
      } else if (is_align(fill.code_point)) {
        spec.align = text[0];
        text.remove_prefix(1);
      }
    }
    const auto accept = [&](char c) {
      if (!text.starts_with(c)) return false;
      text.remove_prefix(1);
      return true;
    };
    if (accept('+'))
      spec.sign = '+';
    else if (accept(' '))
      spec.sign = ' ';
    else
      accept('-');
    spec.alternate = accept('#');
    if (accept('0') && spec.align == 0) {
      spec.fill = '0';
      spec.align = '=';
    }
    read_number(rt_, text, spec.width);
    spec.thousands = accept(',');
    if (accept('.')) {
      uint64_t precision = 0;
      if (!read_number(rt_, text, precision)) rt_.fail("format(): a precision must follow '.'");
      spec.precision = static_cast<int>(precision);
    }
    if (!text.empty()) {
      spec.type = text[0];
      text.remove_prefix(1);
      if (std::string_view("sdxXobceEfFgG%").find(spec.type) == std::string_view::npos)
        rt_.fail("format(): unknown type");
    }
    if (!text.empty()) rt_.fail("format(): cannot read the format of a field");
    return spec;
  }

  Runtime& rt_;
  const Arguments& arguments_;
  TextBuilder out_;
  uint64_t automatic_ = 0;
  bool manual_ = false;
};

}  // namespace

Value format_braces(Runtime& rt, std::string_view format, const Arguments& arguments) {
  return BraceFormatter(rt, arguments).run(format);
}

}  // namespace minnow::jinja
