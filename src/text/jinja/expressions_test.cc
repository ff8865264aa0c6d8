// Every expectation is what Python's Jinja2 3.1 gives.
#include <gtest/gtest.h>

#include "text/jinja/expect_rows.h"

namespace minnow::jinja {
namespace {

TEST(JinjaExpressions, BindAsTightlyAsInJinja) {
  const Row rows[] = {
      {"{{ 2**3**2 }} {{ -2**2 }} {{ -1|abs }} {{ 4 ~ 1 * 2 }} {{ 2 * 3 ~ 4 }}", "64 4 1 42 64"},
      {"{{ 7//2 }} {{ -7//2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2**-1 }} {{ 5.0 // 2 }} {{ -5.5 % 3 }}",
       "3 -4 2 3.5 0.5 2.0 0.5"},
      {"{{ not 1 == 2 }} {{ not true and false }} {{ true or false and false }}", "True False True"},
      {"{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 in [1, 2] == true }} {{ 'a' not in 'abc' }}",
       "True False False False"},
      {"{{ 1 if true else 2 if false else 3 }}|{{ 'a' if false }}|{{ ('a' if false) is defined }}",
       "1||False"},
      {"{{ 'a' ~ 1 ~ none }} {{ 'a' 'b' }} {{ 'a' 'b'.upper() }} {{ ('a' + 'b').upper() }} {{ +1 }}{{ - 1 "
       "}}{{ not not 1 }}",
       "a1None ab AB AB 1-1True"},
      {"{{ 5 is divisibleby(5) and true }} {{ (l is not defined) == false }} {{ 4 + 1 is odd }}",
       "True True 5"},
      {"{{ l[0] }}{{ l.0 }} {{ d.a }}{{ d['a'] }} {{ d['items'] }} {{ l[10] }}|{{ 'abc'[10] }}|{{ none.foo "
       "}}|{{ d.foo }}|",
       "33 11 2 ||||"},
      {"{{ 'x'|upper|lower }} {{ 'x'.upper()|lower }} {{ -l[0]|abs }} {{ 'a' in d }} {{ 1 in l }}",
       "x x 3 True True"},
  };
  expect_rows(rows);
}

TEST(JinjaExpressions, WriteLiteralsAsPythonDoes) {
  const Row rows[] = {
      {"{{ 1_000 }} {{ 0x1f }} {{ 0b101 }} {{ 0o17 }} {{ 1e3 }} {{ 1.5e-7 }} {{ 1e16 }} {{ 1e15 }} {{ 1e22 "
       "}} {{ 0.0001 }} {{ 1e-5 }} {{ -0.0 }} {{ 0.1 + 0.2 }} {{ 1 / 3 }}",
       "1000 31 5 15 1000.0 1.5e-07 1e+16 1000000000000000.0 1e+22 0.0001 1e-05 -0.0 0.30000000000000004 "
       "0.3333333333333333"},
      {R"({{ (1,) }} {{ () }} {{ (1, 2) }} {{ [1, 'a', none, true, 1.0, "it's"] }} {{ {'a': 1, 2: [3]} }} {{ 1, 2 }} {{ [1, 2,] }} {{ {'a': 1,} }})",
       R"((1,) () (1, 2) [1, 'a', None, True, 1.0, "it's"] {'a': 1, 2: [3]} (1, 2) [1, 2] {'a': 1})"},
      {R"({{ ['a\'b', 'a"b', 'a\'"b', '\n\t\\', 'é\u200b\x00\x7f\u2028\xa0'] }})",
       R"(["a'b", 'a"b', 'a\'"b', '\n\t\\', 'é\u200b\x00\x7f\u2028\xa0'])"},
      {"{{ \"\\u00e9\\x41\\101\\q\" }} {{ 'a\\\nb' }} {{ True }}{{ False }}{{ None }}{{ true }}{{ false }}{{ "
       "none }}",
       R"(éAA\q ab TrueFalseNoneTrueFalseNone)"},
      {"{{ 'inf'|float }} {{ 'nan'|float }} {{ 9007199254740993 }} {{ 123456789.123 }} {{ "
       "9223372036854775807 }}",
       "inf nan 9007199254740993 123456789.123 9223372036854775807"},
  };
  expect_rows(rows);
}

TEST(JinjaExpressions, CompareAndAddAsPythonDoes) {
  const Row rows[] = {
      {"{{ [1, 2] == [1, 2] }} {{ (1, 2) == [1, 2] }} {{ {'a': 1} == {'a': 1.0} }} {{ 1 == true }} {{ 'a' < "
       "'b' }} {{ [1, 2] < [1, 3] }} {{ 1 == 'a' }} {{ none == false }}",
       "True False True True True True False False"},
      {"{{ [1] + [2] }} {{ (1,) + (2,) }} {{ 'a' * 3 }}{{ 3 * 'ab' }} {{ [1] * 2 }} {{ 'a' * -1 }}|{{ true + "
       "true }}",
       "[1, 2] (1, 2) aaaababab [1, 1] |2"},
      {"{{ missing == other }} {{ missing in [1] }} {{ 1 in missing }} {{ missing is none }} {{ 'x' ~ "
       "missing ~ 'y' }}",
       "True False False False xy"},
  };
  expect_rows(rows);
}

TEST(JinjaExpressions, CountCharactersNotBytes) {
  const Row rows[] = {
      {"{{ 'héé'|length }} {{ 'añb'[1] }} {{ 'añb'[::-1] }} {{ '日本語'[1:] }} {{ '日本語'.find('語') }} {{ "
       "'é'.center(5, '·') }} {% for c in 'añb' %}{{ c }}.{% endfor %}",
       "3 ñ bña 本語 2 ··é·· a.ñ.b."},
      {"{{ 'abc'[::-1] }} {{ l[::-1] }} {{ l[-2:] }} {{ 'abc'[1:] }} {{ l[:-1] }} {{ l[5:] }} {{ "
       "'abcdef'[-2:0:-2] }} {{ 'abc'[none:2] }} {{ 'abc'[3:1] }}|",
       "cba [2, 1, 3] [1, 2] bc [3, 1] [] ec ab |"},
      {R"({{ 'ß'.upper() }} {{ 'ÀÉ'|lower }} {{ 'élan'|capitalize }} {{ '\u3000x\xa0'|trim }}|)",
       "SS àé Élan x|"},
  };
  expect_rows(rows);
}

}  // namespace
}  // namespace minnow::jinja
