// Global functions: range, dict, namespace, raise_exception, strftime_now.
#include <array>
#include <ctime>

#include "text/jinja/builtin.h"
#include "text/jinja/operations.h"
#include "text/jinja/text_form.h"

namespace minnow::jinja {
namespace {

constexpr uint64_t kLongestRange = 100'000;  // as Jinja's sandbox
constexpr std::size_t kLongestTimeFormat = 200;

Value function_range(Call& call) {
  const int64_t first = need_integer(call.rt, *call.argument(0), "range()'s argument");
  const bool only_stop = call.argument(1) == nullptr;
  const int64_t start = only_stop ? 0 : first;
  const int64_t stop = only_stop ? first : need_integer(call.rt, *call.argument(1), "range()'s argument");
  const int64_t step =
      call.argument(2) == nullptr ? 1 : need_integer(call.rt, *call.argument(2), "range()'s step");
  if (step == 0) call.rt.fail("range(): the step must not be zero");
  const bool empty = step > 0 ? start >= stop : start <= stop;
  const uint64_t distance = empty      ? 0
                            : step > 0 ? static_cast<uint64_t>(stop) - static_cast<uint64_t>(start)
                                       : static_cast<uint64_t>(start) - static_cast<uint64_t>(stop);
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : uint64_t{0} - static_cast<uint64_t>(step);
  const uint64_t n = empty ? 0 : (distance - 1) / stride + 1;
  if (n > kLongestRange) {
    fail_at(call.rt.line, ErrorCode::kLimit, fmt::format("range() of more than {} numbers", kLongestRange));
  }
  call.rt.scan_elements(n);
  List* list = call.rt.new_list(ListKind::kRange);
  list->items.reserve(call.rt.arena, n);
  for (uint64_t i = 0; i < n; ++i) {
    list->items.push_back(
        call.rt.arena,
        Value::integer(static_cast<int64_t>(static_cast<uint64_t>(start) + i * static_cast<uint64_t>(step))));
  }
  return Value::list(list);
}

// Pairs or a mapping, then keywords: the arguments of dict() and namespace().
Dict* collect_dict(Call& call) {
  Dict* dict = call.rt.arena.make<Dict>();
  if (call.rest.positional.size() > 1)
    call.rt.fail("{}() takes at most one argument without a name", call.name);
  for (const Value& source : call.rest.positional) {
    if (source.is(Kind::kDict)) {
      for (const DictEntry& entry : source.as_dict().entries)
        dict_set(call.rt, *dict, entry.key, entry.value);
      continue;
    }
    for (const Value& item : elements(call.rt, source)) {
      const auto pair = elements(call.rt, item);
      if (pair.size() != 2) call.rt.fail("{}() needs pairs", call.name);
      dict_set(call.rt, *dict, pair[0], pair[1]);
    }
  }
  for (const Binding& named : call.rest.named)
    dict_set(call.rt, *dict, Value::string(named.name), named.value);
  return dict;
}

Value function_dict(Call& call) { return Value::dict(collect_dict(call)); }

Value function_namespace(Call& call) {
  Namespace* ns = call.rt.arena.make<Namespace>();
  for (const DictEntry& entry : collect_dict(call)->entries) {
    if (!entry.key.is_string()) call.rt.fail("namespace() needs names that are text");
    ns->attributes.push_back(call.rt.arena, {entry.key.as_text(), entry.value});
  }
  return Value::space(ns);
}

Value function_raise_exception(Call& call) {
  fail_at(call.rt.line, ErrorCode::kInvalidInput,
          fmt::format("the template refuses this chat: {}", to_text(call.rt, *call.argument(0))));
}

Value function_strftime_now(Call& call) {
  const std::string format(call.text(0, ""));
  if (format.size() > kLongestTimeFormat) call.rt.fail("strftime_now(): the format is too long");
  if (format.empty()) return Value::string("");
  const std::time_t now = call.rt.now();
  std::tm local{};
  ::localtime_r(&now, &local);
  std::array<char, 4096> buffer;
  return call.rt.text({buffer.data(), std::strftime(buffer.data(), buffer.size(), format.c_str(), &local)});
}

constexpr Builtin kTable[] = {
    {"range", "start stop step", 1, function_range},
    {"dict", "", 0, function_dict, true},
    {"namespace", "", 0, function_namespace, true},
    {"raise_exception", "message", 1, function_raise_exception},
    {"strftime_now", "format", 1, function_strftime_now},
};

}  // namespace

std::span<const Builtin> function_table() { return kTable; }

}  // namespace minnow::jinja
