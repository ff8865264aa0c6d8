#include <gtest/gtest.h>

#include "text/jinja/expect_rows.h"

namespace minnow::jinja {
namespace {

TEST(JinjaErrors, NameTheLineOfABrokenTemplate) {
  const Row rows[] = {
      {"a\n\n{% if x %}", "chat template: line 3: this block has no end; add {% endif %}"},
      {"{% for x in y %}{% else %}", "chat template: line 1: this block has no end; add {% endfor %}"},
      {"a\n{{ x", "chat template: line 2: a tag has no end; add }}"},
      {"{% set x = 1", "chat template: line 1: a tag has no end; add %}"},
      {"\n{# x", "chat template: line 2: a comment has no end; add #}"},
      {"{% raw %}", "chat template: line 1: a raw block has no end; add {% endraw %}"},
      {"{{ 'x }}", "chat template: line 1: a string has no end"},
      {"{{ 1 + }}", "chat template: line 1: expected a value, but the tag ends"},
      {"{{ }}", "chat template: line 1: expected a value, but the tag ends"},
      {"{{ a b }}", "chat template: line 1: expected }}, not 'b'"},
      {"{{ (1 }}", "chat template: line 1: unexpected '}', expected ')'"},
      {"{{ ) }}", "chat template: line 1: unexpected ')'"},
      {"{{ a ! b }}", "chat template: line 1: unexpected character '!'"},
      {"{% endif %}", "chat template: line 1: the tag 'endif' is unknown or out of place"},
      {"{% frobnicate %}", "chat template: line 1: the tag 'frobnicate' is unknown or out of place"},
      {"{% set true = 1 %}", "chat template: line 1: expected a name to assign to, not 'true'"},
      {"{% for 1 in x %}{% endfor %}", "chat template: line 1: expected a name to assign to, not '1'"},
      {"{% break %}", "chat template: line 1: break and continue belong in a loop"},
      {"{% macro f(a=1, b) %}{% endmacro %}",
       "chat template: line 1: a parameter without default after one with"},
      {"{% call 1 %}{% endcall %}", "chat template: line 1: a call block needs the call of a macro"},
      {"{{ f(a=1, 2) }}", "chat template: line 1: an argument without name after named ones"},
      {"{{ 1 is odd is even }}", "chat template: line 1: tests cannot be chained; use and"},
      {"{{ 99999999999999999999 }}",
       "chat template: line 1: an integer is malformed or does not fit in 64 bits"},
      {"{{ '\\ud8' }}", "chat template: line 1: a string has a broken \\x, \\u or \\U escape"},
      {"\xff", "chat template: not valid UTF-8"},
  };
  expect_rows(rows);
}

TEST(JinjaErrors, NameTheLineWhereRenderingStops) {
  const Row rows[] = {
      {"a\n{{ missing.x }}", "chat template: line 2: 'missing' is undefined"},
      {"{{ d.zip.x }}", "chat template: line 1: 'dict object' has no attribute 'zip'"},
      {"{{ missing + 'a' }}", "chat template: line 1: 'missing' is undefined"},
      {"{{ 'a' + 1 }}", "chat template: line 1: cannot compute str + int"},
      {"{{ none + 1 }}", "chat template: line 1: cannot compute NoneType + int"},
      {"{{ 1 / 0 }}", "chat template: line 1: division by zero"},
      {"{{ 1 < 'a' }}", "chat template: line 1: 'int' and 'str' have no order"},
      {"{{ x() }}", "chat template: line 1: 'x' is undefined"},
      {"{{ 1() }}", "chat template: line 1: a int cannot be called"},
      {"{{ 'a'|frob }}", "chat template: line 1: no filter named 'frob'"},
      {"{{ 'a' is frob }}", "chat template: line 1: no test named 'frob'"},
      {"{% if false %}{{ 'a'|frob }}{% endif %}ok", "ok"},
      {"{% for x in 5 %}{% endfor %}", "chat template: line 1: 'int' object is not iterable"},
      {"{% set a, b = [1] %}", "chat template: line 1: 1 values cannot be assigned to 2 names"},
      {"{% set d.x = 1 %}",
       "chat template: line 1: 'd' is not a namespace; only those have attributes to set"},
      {"{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}",
       "chat template: line 1: macro 'f' takes not more than 1 arguments"},
      {"{% macro f(a) %}{% endmacro %}{{ f(q=2) }}",
       "chat template: line 1: macro 'f' takes no argument 'q'"},
      {"{{ 'a'.replace('b') }}", "chat template: line 1: replace() needs 2 arguments"},
      {"{{ 'a'|replace('b', new='c', old='d') }}",
       "chat template: line 1: replace() got its argument 'old' twice"},
      {"{{ 'a'|upper(1) }}", "chat template: line 1: upper() takes at most 0 arguments, not 1"},
      {"{{ 'a'|trim(x=1) }}", "chat template: line 1: trim() has no argument 'x'"},
      {"{{ missing|tojson }}", "chat template: line 1: 'missing' is undefined"},
      {"{{ 'x'.__class__.y }}", "chat template: line 1: access to attribute '__class__' is not allowed"},
      {"{{ [1].pop(5) }}", "chat template: line 1: pop(): there is no such item"},
      {"{{ (1, 2).append(3) }}", "chat template: line 1: a tuple cannot be changed"},
      {"\n{{ raise_exception('Roles\nmust alternate') }}",
       "chat template: line 2: the template refuses this chat: Roles must alternate"},
  };
  expect_rows(rows);
}

TEST(JinjaErrors, TellBrokenInputUnsupportedTagsAndLimitsApart) {
  const auto code_of = [](const std::string& source) {
    try {
      ChatTemplate(source).render({});
    } catch (const Error& e) {
      return e.code();
    }
    return ErrorCode::kInternal;
  };
  EXPECT_EQ(code_of("{% if %}"), ErrorCode::kInvalidInput);
  EXPECT_EQ(code_of("{{ raise_exception('no') }}"), ErrorCode::kInvalidInput);
  for (const char* tag : {"include 'a'", "import 'a' as b", "from 'a' import b", "extends 'a'", "block a"}) {
    EXPECT_EQ(code_of(std::string("{% ") + tag + " %}"), ErrorCode::kUnsupported) << tag;
  }
  EXPECT_EQ(code_of(std::string((1 << 20) + 1, 'a')), ErrorCode::kLimit);
  EXPECT_EQ(code_of("{{ range(1000000) }}"), ErrorCode::kLimit);
}

TEST(JinjaErrors, AreOneShortLineWhateverTheTemplatePutsIn) {
  const std::string error = rendered("{{ raise_exception(('é\n' * 10000)) }}");
  EXPECT_LT(error.size(), 600u);
  EXPECT_EQ(error.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace minnow::jinja
