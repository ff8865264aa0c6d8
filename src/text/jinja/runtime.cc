#include "text/jinja/runtime.h"

#include <algorithm>
#include <cstring>

#include "base/utf8.h"

namespace minnow::jinja {
namespace {

constexpr std::size_t kLongestMessage = 400;
constexpr uint64_t kWorthGrowing = 256;  // bytes; shorter texts are simply copied

std::string one_line(std::string_view message) {
  const bool cut = message.size() > kLongestMessage;
  if (cut) {
    message = message.substr(0, kLongestMessage);
    message.remove_suffix(incomplete_utf8_tail(message));
  }
  std::string line = to_valid_utf8(message);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return cut ? line + "…" : line;
}

std::string_view owner_name(Kind kind) {
  switch (kind) {
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return "bool object";
    case Kind::kInt:
      return "int object";
    case Kind::kFloat:
      return "float object";
    case Kind::kString:
      return "str object";
    case Kind::kList:
      return "list object";
    case Kind::kDict:
      return "dict object";
    case Kind::kNamespace:
      return "namespace";
    case Kind::kLoop:
      return "loop";
    default:
      return "object";
  }
}

}  // namespace

void fail_at(int line, ErrorCode code, std::string_view message) {
  if (line <= 0) minnow::fail(code, "chat template: {}", one_line(message));
  minnow::fail(code, "chat template: line {}: {}", line, one_line(message));
}

void Runtime::fail_undefined(const Value& value) const {
  switch (value.missing_why()) {
    case Missing::kAttribute:
      fail("'{}' has no attribute '{}'", owner_name(value.missing_owner()), value.missing_name());
    case Missing::kForbidden:
      fail("access to attribute '{}' is not allowed", value.missing_name());
    case Missing::kNeighbour:
      fail("there is no {} item", value.missing_name());
    case Missing::kVariable:
      break;
  }
  fail("'{}' is undefined", value.missing_name());
}

void Runtime::fail_steps() const {
  fail_at(line, ErrorCode::kLimit, fmt::format("takes more than {} steps", limits::kMaxTemplateSteps));
}

void Deeper::fail() {
  --runtime_.depth;  // the destructor does not run
  fail_at(runtime_.line, ErrorCode::kLimit, "nested too deep (a macro or a value that holds itself?)");
}

Value Runtime::text(std::string_view text) {
  if (text.empty()) return Value::string({});
  scan(text.size());
  char* copy = arena.room<char>(text.size());
  std::memcpy(copy, text.data(), text.size());
  return Value::string({copy, text.size()});
}

Value Runtime::concatenate(std::string_view a, std::string_view b) {
  if (a.empty()) return Value::string(b);
  if (b.empty()) return Value::string(a);
  scan(b.size());
  for (Growing& g : growing_) {
    if (a.data() >= g.begin && a.data() + a.size() == g.begin + g.used && g.capacity - g.used >= b.size()) {
      std::memcpy(g.begin + g.used, b.data(), b.size());
      g.used += b.size();
      return Value::string({a.data(), a.size() + b.size()});
    }
  }
  scan(a.size());
  const uint64_t total = a.size() + b.size();
  const uint64_t capacity = total < kWorthGrowing ? total : total * 2;
  char* copy = arena.room<char>(capacity);
  std::memcpy(copy, a.data(), a.size());
  std::memcpy(copy + a.size(), b.data(), b.size());
  if (capacity > total) growing_[next_growing_++ % growing_.size()] = {copy, total, capacity};
  return Value::string({copy, total});
}

Value Runtime::list_of(std::span<const Value> items, ListKind kind) {
  scan_elements(items.size());
  List* list = new_list(kind);
  list->items.reserve(arena, items.size());
  for (const Value& item : items) list->items.push_back(arena, item);
  return Value::list(list);
}

void TextBuilder::need(uint64_t more) {
  if (capacity_ - size_ >= more) return;
  const uint64_t capacity = std::max(size_ + more, capacity_ == 0 ? 64 : capacity_ * 2);
  char* grown = runtime_.arena.room<char>(capacity);
  if (size_ > 0) std::memcpy(grown, data_, size_);
  data_ = grown;
  capacity_ = capacity;
}

void TextBuilder::append(std::string_view text) {
  if (text.empty()) return;
  runtime_.scan_bytes(text.size());
  need(text.size());
  std::memcpy(data_ + size_, text.data(), text.size());
  size_ += text.size();
}

void TextBuilder::append(uint64_t n, char c) {
  if (n == 0) return;
  runtime_.scan_bytes(n);
  need(n);
  std::memset(data_ + size_, c, n);
  size_ += n;
}

void TextBuilder::append_char(char32_t code_point) {
  std::string bytes;
  append_utf8(bytes, code_point);
  append(bytes);
}

Value TextBuilder::finish(bool safe) {
  if (size_ == 0) return Value::string({}, safe);
  runtime_.arena.give_back(data_ + capacity_, capacity_ - size_);
  return Value::string({data_, size_}, safe);
}

}  // namespace minnow::jinja
