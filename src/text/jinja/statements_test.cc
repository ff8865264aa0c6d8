// Every expectation is what Python's Jinja2 3.1 gives.
#include <gtest/gtest.h>

#include "text/jinja/expect_rows.h"

namespace minnow::jinja {
namespace {

TEST(JinjaStatements, ScopeNamesAsInJinja) {
  const Row rows[] = {
      {"{% macro f() %}{{ x }}{% endmacro %}{% set x = 5 %}{{ f() }}", "5"},
      {"{% set x = 0 %}{% for i in [1, 2] %}{{ x }}{% set x = i %}{{ x }}{% endfor %}{{ x }}", "01020"},
      {"{% if true %}{% set q = 1 %}{% endif %}{{ q }}", "1"},
      {"{% set y %}{% set q = 1 %}a{% endset %}{{ y }}{{ q }}|", "a|"},
      {"{% with a = 1, b = 2 %}{{ a }}{{ b }}{% set c = 3 %}{% endwith %}{{ c }}|", "12|"},
      {"{% filter upper %}{% set c = 3 %}ab{% endfilter %}{{ c }}|", "AB|"},
      {"{% set ns = namespace(a=1) %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }} {{ "
       "ns['a'] }} {{ ns.b }}| {{ namespace(a=1) }} {{ namespace({'z': 2}).z }}",
       "7 7 | <Namespace {'a': 1}> 2"},
      {"{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (c, d) = [3, 4] %}{{ c }}{% for a, (b, c) in [(1, (2, 3))] "
       "%}{{ a }}{{ b }}{{ c }}{% endfor %}",
       "123123"},
      {"{% set x | upper | trim %} ab {% endset %}[{{ x }}]", "[AB]"},
      {"{% print 1 + 1 %}", "2"},
  };
  expect_rows(rows);
}

TEST(JinjaStatements, LoopAsInJinja) {
  const Row rows[] = {
      {"{% for x in [1, 2, 3, 4] if x is even %}{{ loop.index }}/{{ loop.length }}:{{ x }} {{ loop.previtem "
       "}} {{ loop.nextitem }}|{% endfor %}",
       "1/2:2  4|2/2:4 2 |"},
      {"{% for a in l %}{{ loop.cycle('x', 'y') }}{{ loop.changed(a // 2) }}{{ loop.revindex }}{{ "
       "loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}",
       "xTrue32TrueFalse10 yTrue21FalseFalse10 xTrue10FalseTrue10 "},
      {"{% for a in [] %}x{% else %}none{% endfor %} {% for a in missing %}x{% else %}none{% endfor %} {% "
       "for a in l %}{% continue %}{% else %}cut{% endfor %}",
       "none none cut"},
      {"{{ loop is defined }}{% for a in [1, 2, 3] %}{% if a == 2 %}{% continue %}{% endif %}{% if a == 3 "
       "%}{% break %}{% endif %}{{ a }}{% endfor %}",
       "False1"},
      {"{% for i in [[1, [2]], [3]] recursive %}{% if i is iterable %}[{{ loop(i) }}]{% else %}{{ i }}@{{ "
       "loop.depth }}{% endif %}{% endfor %}",
       "[1@2[2@3]][3@2]"},
      {"{% for k in d %}{{ k }},{% endfor %} {% for x, y in [(1, 2)] if y %}{{ loop.previtem is defined }}{{ "
       "x }}{% endfor %} {% for x in 1, 2 %}{{ x }}{% endfor %}",
       "a,items, False1 12"},
  };
  expect_rows(rows);
}

TEST(JinjaStatements, CallMacrosAsInJinja) {
  const Row rows[] = {
      {"{% macro f(a, b=2) %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1) }} {{ f(1, 3, 4, "
       "x=5) }} {{ f(b=1) }} {{ f.name }} {{ f.arguments }} {{ f(*[7, 8]) }} {{ f(**{'a': 9}) }}",
       "12(){} 13(4,){'x': 5} 1(){} f ('a', 'b') 78(){} 92(){}"},
      {"{% macro f() %}[{{ caller('x') }}]{% endmacro %}{% call(y) f() %}hi {{ y }}{% endcall %}", "[hi x]"},
      {"{% macro f() %}{{ caller is defined }}{% endmacro %}{{ f() }} {% macro g(a, b=a) %}{{ b }}{% "
       "endmacro %}{{ g(3) }} {{ g() }}|",
       "False 3 |"},
      {"{% macro r(n) %}{{ n }}{% if n %}{{ r(n - 1) }}{% endif %}{% endmacro %}{{ r(3) }}", "3210"},
      {"{% if missing %}1{% elif l %}2{% else %}3{% endif %} {% if 0, 0 %}tuple{% endif %}", "2 tuple"},
  };
  expect_rows(rows);
}

TEST(JinjaWhiteSpace, IsControlledAsInJinja) {
  const Row rows[] = {
      {"  {% if true %}\n  a\n  {% endif %}\n  b", "  a\n  b"},
      {"  {{ 1 }}  \n  {# c #}\n  d {# e #} f\n  {%- if true %} g {% endif -%}\n  h", "  1  \n  d  f g h"},
      {"a {%+ if true +%}\n b {%+ endif %}\nc", "a \n b c"},
      {"{% set x = 'a' %}\n{% set y -%}\n  foo\n{%- endset %}\n[{{ y }}]\n\n", "[foo]\n"},
      {"{% raw %}{{ a }}{% endraw %}\nx {%- raw -%}  b {% c {%- endraw -%}  y", "{{ a }}xb {% cy"},
      {"{{ 'a' -}}   b {{- 'c' }} \n {#- d -#} \ne", "abce"},
      {"x\n\n  {%- if true %}\n  y\n  {%- endif %}\n", "x  y"},
      {R"({{ {'a': {'b': 1}}.a.b }}{# {{ nothing }} #}{{ '}}' }}{{ "%}" }}{ {% if true %}}{% endif %})",
       "1}}%}{ }"},
  };
  expect_rows(rows);
}

TEST(JinjaMethods, TakeEmptyTexts) {
  const Row rows[] = {
      {"{% set e = 'a'[1:] %}{{ e.find('') }}{{ e.find('x') }}{{ e.count('x') }}{{ '' in e }}{{ 'x' in e }}", "0-10TrueFalse"},
      {"{% set e = 'a'[1:] %}{{ e.replace('x', 'y') }}{{ e.split(',') }}{{ e.partition('x') }}{{ 'ab'.split('b') }}",
       "['']('', '', '')['a', '']"},
      {"{% set e %}{% endset %}[{{ e.strip() }}{{ e|upper }}{{ e * 3 }}{{ e ~ e }}{{ e|length }}{{ e == '' }}]", "[0True]"},
  };
  expect_rows(rows);
}

}  // namespace
}  // namespace minnow::jinja
