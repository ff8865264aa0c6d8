// Python's "format % values".
#include "text/jinja/format_spec.h"
#include "text/jinja/operations.h"
#include "text/jinja/text_form.h"

namespace minnow::jinja {
namespace {

class PercentFormatter {
 public:
  PercentFormatter(Runtime& rt, const Value& values) : rt_(rt), values_(values), out_(rt) {
    if (values.is(Kind::kList) && values.as_list().kind == ListKind::kTuple) {
      items_ = values_.as_list().items.span();
    } else {
      items_ = {&values_, 1};
    }
  }

  Value run(std::string_view format) {
    while (!format.empty()) {
      const std::size_t percent = format.find('%');
      out_.append(format.substr(0, percent));
      if (percent == std::string_view::npos) break;
      format.remove_prefix(percent + 1);
      field(format);
    }
    if (next_ < items_.size() && !values_.is(Kind::kDict)) rt_.fail("%: more values than fields");
    return out_.finish();
  }

 private:
  const Value& next() {
    if (next_ >= items_.size()) rt_.fail("%: fewer values than fields");
    return items_[next_++];
  }

  void field(std::string_view& format) {
    Value named;
    const bool has_name = format.starts_with('(');
    if (has_name) {
      const std::size_t close = format.find(')');
      if (close == std::string_view::npos || !values_.is(Kind::kDict)) rt_.fail("%: (name) needs a mapping");
      named = get_item(rt_, values_, Value::string(format.substr(1, close - 1)));
      if (named.is_undefined()) rt_.fail_undefined(named);
      format.remove_prefix(close + 1);
    }
    FormatSpec spec;
    flags(format, spec);
    if (format.empty()) rt_.fail("%: incomplete field");
    char type = format[0];
    format.remove_prefix(1);
    if (type == '%') return out_.append('%');
    write_field(type, has_name ? named : next(), spec);
  }

  void flags(std::string_view& format, FormatSpec& spec) {
    bool zero = false, left = false;
    for (; !format.empty(); format.remove_prefix(1)) {
      const char c = format[0];
      if (c == '-')
        left = true;
      else if (c == '0')
        zero = true;
      else if (c == '+')
        spec.sign = '+';
      else if (c == ' ')
        spec.sign = spec.sign == '+' ? '+' : ' ';
      else if (c == '#')
        spec.alternate = true;
      else
        break;
    }
    spec.align = left ? '<' : '>';
    if (zero && !left)
      zero_padded_ = true;
    else
      zero_padded_ = false;
    if (format.starts_with('*')) {
      format.remove_prefix(1);
      const int64_t width = need_integer(rt_, next(), "a width");
      spec.width = width < 0 ? 0 : static_cast<uint64_t>(width);
    } else {
      read_number(rt_, format, spec.width);
    }
    if (format.starts_with('.')) {
      format.remove_prefix(1);
      uint64_t precision = 0;
      read_number(rt_, format, precision);
      spec.precision = static_cast<int>(precision);
    }
    while (!format.empty() && (format[0] == 'l' || format[0] == 'h' || format[0] == 'L'))
      format.remove_prefix(1);
  }

  void write_field(char type, const Value& value, FormatSpec spec) {
    constexpr std::string_view kNumeric = "diuoxXeEfFgG";
    if (type == 'r' || type == 'a') {
      TextBuilder repr(rt_);
      write_repr(repr, value);
      spec.type = 's';
      return write_formatted(out_, repr.finish(), spec);
    }
    if (type != 's' && type != 'c' && kNumeric.find(type) == std::string_view::npos) {
      rt_.fail("%: unknown field type '{}'", type);
    }
    if (zero_padded_ && type != 's' && type != 'c') {
      spec.fill = '0';
      spec.align = '=';
    }
    spec.type = type == 'i' || type == 'u' ? 'd' : type;
    if (spec.type == 'd' && value.is(Kind::kFloat)) {
      return write_formatted(out_, truncated(value.as_real()), spec);
    }
    write_formatted(out_, value, spec);
  }

  Value truncated(double f) const {
    if (!(f > -9e18 && f < 9e18)) rt_.fail("%d: the number is too large");
    return Value::integer(static_cast<int64_t>(f));
  }

  Runtime& rt_;
  const Value& values_;
  std::span<const Value> items_;
  std::size_t next_ = 0;
  bool zero_padded_ = false;
  TextBuilder out_;
};

}  // namespace

Value format_percent(Runtime& rt, std::string_view format, const Value& values) {
  return PercentFormatter(rt, values).run(format);
}

}  // namespace minnow::jinja
