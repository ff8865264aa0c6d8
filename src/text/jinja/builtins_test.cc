// Every expectation is what Python's Jinja2 3.1 gives.
#include <gtest/gtest.h>

#include "text/jinja/expect_rows.h"

namespace minnow::jinja {
namespace {

TEST(JinjaTests, HoldAsInJinja) {
  const Row rows[] = {
      {"{{ l is sequence }} {{ l is iterable }} {{ 's' is sequence }} {{ d is sequence }} {{ d is mapping }} "
       "{{ 1 is iterable }}",
       "True True True True True False"},
      {"{{ 1 is number }} {{ true is number }} {{ true is integer }} {{ 1.0 is float }} {{ true is boolean "
       "}} {{ 'a' is string }}",
       "True True False True True True"},
      {"{{ 3 is odd }} {{ 4 is even }} {{ 4 is divisibleby 2 }} {{ 3 is in [3] }} {{ 3 is eq 3 }} {{ 'a' is "
       "lower }} {{ 'A' is upper }} {{ 3 is sameas 3 }}",
       "True True True True True True True True"},
      {"{{ l is callable }} {{ range is callable }} {{ 'upper' is filter }} {{ 'odd' is test }} {{ none is "
       "none }} {{ 3 is not none }}",
       "False True True True True True"},
      {"{{ 1 is true }} {{ true is true }} {{ false is false }} {{ 'a'|safe is escaped }} {{ 3 is ge 2 }} {{ "
       "3 is greaterthan 2 }} {{ 'a' is not in ['b'] }}",
       "False True True True True True True"},
      {"{{ missing is defined }} {{ missing is undefined }} {{ missing is mapping }} {{ missing is sequence "
       "}} {{ none_value is defined }}",
       "False True False True True"},
  };
  expect_rows(rows);
}

TEST(JinjaFilters, ChangeText) {
  const Row rows[] = {
      {"{{ 'hello wORLD'|title }} {{ \"it's me-and (you)\"|title }} {{ 'hELLO'|capitalize }} {{ 'aB'|upper "
       "}}{{ 'aB'|lower }} {{ '  x '|trim }}|{{ 'xax'|trim('x') }}",
       "Hello World It's Me-And (You) Hello ABab x|a"},
      {R"({{ 'a\nb\n\nc'|indent }}|{{ 'a\nb'|indent(2, true) }}|{{ 'a\n\nb'|indent(2, blank=true) }}|{{ 'a\nb'|indent('>>') }}|{{ 'a\nb\n'|indent(2) }}|)",
       "a\n    b\n\n    c|  a\n  b|a\n  \n  b|a\n>>b|a\n  b\n|"},
      {"{{ 'aaa'|replace('a', 'b', 2) }} {{ 'ab'|replace('', '-') }} {{ '%s-%s'|format(1, 'x') }} {{ "
       "'%(k)s'|format(k=2) }} {{ 'a b  c'|wordcount }} {{ 'foo'|center(9) }}|",
       "bba -a-b- 1-x 2 3    foo   |"},
      {"{{ 'hello world'|truncate(8, leeway=0) }} {{ 'hello world'|truncate(8, true, leeway=0) }} {{ "
       "'abc'|reverse }} {{ 'abc'|first }}{{ 'abc'|last }} {{ 'ab'|list }}",
       "hello... hello... cba ac ['a', 'b']"},
      {R"({{ '<a>'|e }} {{ ('<a>'|safe) + '<b>' }} {{ '<b>' + ('<a>'|safe) }} {{ ('<a>'|safe) ~ '<b>' }} {{ '&\'"'|escape }} {{ '<'|e|e }} {{ '<'|e|forceescape }})",
       "&lt;a&gt; <a>&lt;b&gt; &lt;b&gt;<a> <a><b> &amp;&#39;&#34; &lt; &amp;lt;"},
  };
  expect_rows(rows);
}

TEST(JinjaFilters, ChangeNumbers) {
  const Row rows[] = {
      {"{{ 1.5|int }} {{ '12'|int }} {{ 'x'|int(7) }} {{ '0x1f'|int(0, 16) }} {{ '1.7'|int }} {{ ' 12 '|int "
       "}} {{ '1_0'|int }} {{ true|int }} {{ none|int }} {{ '1e3'|int }}",
       "1 12 7 31 1 12 10 1 0 1000"},
      {"{{ 'a'|float }} {{ '1.5'|float }} {{ 3|float }} {{ 'x'|float(default=2.5) }} {{ -3|abs }} {{ "
       "-2.5|abs }}",
       "0.0 1.5 3.0 2.5 3 2.5"},
      {"{{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 2.1|round(method='ceil') }} {{ 2.19|round(1, "
       "'floor') }} {{ 5|round }} {{ 123|round(-1) }} {{ -2.5|round }} {{ 1234.5|round(-2) }}",
       "2.0 4.0 2.67 3.0 2.1 5 120 -2.0 1200.0"},
      {"{{ 1.0|string }} {{ none|string }} {{ l|string }} {{ missing|string }}|", "1.0 None [3, 1, 2] |"},
  };
  expect_rows(rows);
}

TEST(JinjaFilters, ChooseDefaults) {
  const Row rows[] = {
      {"{{ missing|default('q') }} {{ ''|default('q') }}|{{ ''|default('q', true) }} {{ none|default('q') }} "
       "{{ none|d('q', boolean=true) }} {{ missing|d }}|{{ d.zip|default(d.a) }}",
       "q |q None q |1"},
  };
  expect_rows(rows);
}

TEST(JinjaFilters, OrderAndGroup) {
  const Row rows[] = {
      {"{{ l|sort }} {{ ['b', 'a', 'C']|sort }} {{ ['b', 'a', 'C']|sort(case_sensitive=true) }} {{ "
       "l|sort(reverse=true) }} {{ people|sort(attribute='age,name')|map(attribute='name')|join(' ') }}",
       "[1, 2, 3] ['a', 'b', 'C'] ['C', 'a', 'b'] [3, 2, 1] adam Bo Zoë"},
      {"{{ ['b', 'a', 'B']|unique|list }} {{ ['b', 'a', 'B']|unique(true)|list }} {{ "
       "people|unique(attribute='age')|map(attribute='name')|list }}",
       "['b', 'a'] ['b', 'a', 'B'] ['Zoë', 'adam']"},
      {"{{ {'b': 1, 'A': 2}|dictsort }} {{ {'b': 1, 'A': 2}|dictsort(by='value') }} {{ {'b': 1, 'A': "
       "2}|dictsort(true) }} {{ {'b': 1, 'A': 2}|dictsort(reverse=true) }}",
       "[('A', 2), ('b', 1)] [('b', 1), ('A', 2)] [('A', 2), ('b', 1)] [('b', 1), ('A', 2)]"},
      {"{% for age, who in people|groupby('age') %}{{ age }}:{{ who|length }};{% endfor %} {% for g in "
       "people|groupby('age') %}{{ g.grouper }}{{ g.list[0].name }};{% endfor %} {{ [{'a': 1}]|groupby('a') "
       "}}",
       "7:2;40:1; 7adam;40Zoë; [(1, [{'a': 1}])]"},
      {"{{ [1, 2, 3, 4, 5]|batch(2)|list }} {{ [1, 2, 3]|batch(2, 'x')|list }} {{ [1, 2, 3, 4, 5, 6, "
       "7]|slice(3)|list }} {{ [1, 2, 3, 4]|slice(3, 'z')|list }}",
       "[[1, 2], [3, 4], [5]] [[1, 2], [3, 'x']] [[1, 2, 3], [4, 5], [6, 7]] [[1, 2], [3, 'z'], [4, 'z']]"},
      {"{{ l|first }}{{ l|last }} {{ []|first }}|{{ l|reverse|list }} {{ d|items|list }} {{ "
       "missing|items|list }} {{ d|list }} {{ d|length }}{{ l|count }}",
       "32 |[2, 1, 3] [('a', 1), ('items', 2)] [] ['a', 'items'] 23"},
  };
  expect_rows(rows);
}

TEST(JinjaFilters, AddUp) {
  const Row rows[] = {
      {"{{ l|sum }} {{ [1.5, 2]|sum }} {{ people|sum(attribute='age') }} {{ [1, 2]|sum(start=10) }} {{ l|min "
       "}}{{ l|max }} {{ ['b', 'A']|min }} {{ ['b', 'A']|max(case_sensitive=true) }} {{ "
       "people|max(attribute='age') }} {{ []|min }}|",
       "6 3.5 54 13 13 A b {'name': 'Zoë', 'age': 40} |"},
      {"{{ l|join }} {{ l|join('-') }} {{ people|join(',', attribute='name') }} {{ [1, none, true]|join(',') "
       "}} {{ missing|join(',') }}|",
       "312 3-1-2 Zoë,adam,Bo 1,None,True |"},
  };
  expect_rows(rows);
}

TEST(JinjaFilters, SelectAndMap) {
  const Row rows[] = {
      {"{{ [1, 2, 3]|select('odd')|list }} {{ [1, 2, 3]|reject('odd')|list }} {{ [0, 1, '']|select|list }} "
       "{{ [1, 2, 3]|select('gt', 1)|list }} {{ [1, 2]|select('==', 2)|list }}",
       "[1, 3] [2] [1] [2, 3] [2]"},
      {"{{ people|selectattr('age', 'equalto', 7)|map(attribute='name')|list }} {{ people|rejectattr('age', "
       "'gt', 10)|list|length }} {{ [{'a': 1}, {}]|selectattr('a')|list }} {{ [{'a': 1}, {'b': "
       "2}]|rejectattr('a', 'defined')|list }}",
       "['adam', 'Bo'] 2 [{'a': 1}] [{'b': 2}]"},
      {"{{ [{'a': 1}, {'b': 2}]|map(attribute='a')|list }} {{ [{'b': 2}]|map(attribute='a', default=9)|list "
       "}} {{ ['a']|map('upper')|list }} {{ [{'a': {'b': 3}}]|map(attribute='a.b')|list }} {{ [[1, "
       "2]]|map(attribute=1)|list }} {{ ['a,b']|map('replace', ',', ';')|list }}",
       "[1, Undefined] [9] ['A'] [3] [2] ['a;b']"},
      {"{{ none|selectattr('x')|list }} {% if [] | select %}true{% endif %} {% set g = l|map('string') %}{{ "
       "g|join }}|{{ g|join }}",
       "[] true 312|"},
  };
  expect_rows(rows);
}

TEST(JinjaFilters, WriteJson) {
  const Row rows[] = {
      {"{{ d|tojson }} {{ {'a': [1, 2, {}], 'b': {}, 'c': [], 'd': none, 'e': 1.0, 'f': true, 1: "
       "2}|tojson(indent=2) }}",
       "{\"a\": 1, \"items\": 2} {\n  \"a\": [\n    1,\n    2,\n    {}\n  ],\n  \"b\": {},\n  \"c\": [],\n  "
       "\"d\": null,\n  \"e\": 1.0,\n  \"f\": true,\n  \"1\": 2\n}"},
      {R"({{ 'é\n"\u2028</\x01'|tojson }} {{ 'é\x7f'|tojson(ensure_ascii=true) }} {{ '\U0001F600'|tojson(true) }} {{ {'b': 1, 'a': 2}|tojson(sort_keys=true) }} {{ [1, 2]|tojson(separators=(',', ':')) }} {{ (1, 2)|tojson }})",
       R"("é\n\" </\u0001" "\u00e9\u007f" "\ud83d\ude00" {"a": 2, "b": 1} [1,2] [1, 2])"},
      {R"({{ [1, [2]]|tojson(indent=0) }} {{ [1]|tojson(indent='\t') }} {{ {none: 1, true: 2, 1.5: 3}|tojson }} {{ [1e16, 1e-7, 0.5]|tojson }})",
       "[\n1,\n[\n2\n]\n] [\n\t1\n] {\"null\": 1, \"true\": 2, \"1.5\": 3} [1e+16, 1e-07, 0.5]"},
      {"{% set ages = people|map(attribute='age') %}{{ ages|tojson }} {{ ages|tojson }} {{ l|select('odd')|tojson(indent=1) }}", "[40, 7, 7] [] [\n 3,\n 1\n]"},
  };
  expect_rows(rows);
}

TEST(JinjaMethods, OfText) {
  const Row rows[] = {
      {"{{ ' a '.strip() }}|{{ ' a '.lstrip() }}|{{ ' a '.rstrip() }}|{{ 'abc'.strip('ac') }} {{ "
       "'xxa'.lstrip('x') }} {{ 'axx'.rstrip('x') }}",
       "a|a | a|b a a"},
      {"{{ 'a,b,c'.split(',') }} {{ 'a  b '.split() }} {{ 'a,b,c'.rsplit(',', 1) }} {{ 'a b c'.split(none, "
       "1) }} {{ 'a b c'.rsplit(maxsplit=1) }} {{ ''.split(',') }} {{ ''.split() }} {{ 'aab'.split('a') }}",
       "['a', 'b', 'c'] ['a', 'b'] ['a,b', 'c'] ['a', 'b c'] ['a b', 'c'] [''] [] ['', '', 'b']"},
      {R"({{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x', 'c')) }} {{ 'abc'.startswith('b', 1) }} {{ 'ab\ncd\r\n'.splitlines() }} {{ 'a\nb'.splitlines(true) }})",
       R"(True True True ['ab', 'cd'] ['a\n', 'b'])"},
      {"{{ 'a'.join(['x', 'y']) }} {{ 'abc'.find('c') }} {{ 'abc'.find('z') }} {{ 'abca'.rfind('a') }} {{ "
       "'abc'.index('b') }} {{ 'abcabc'.count('b') }} {{ 'abc'.count('') }} {{ 'abca'.find('a', 1) }}",
       "xay 2 -1 3 1 2 4 3"},
      {"{{ 'a-b'.partition('-') }} {{ 'a-b-c'.rpartition('-') }} {{ 'ab'.partition('-') }} {{ "
       "'ab'.rpartition('-') }} {{ 'xx'.replace('x', 'y', 1) }} {{ 'abc'.removeprefix('a') }} {{ "
       "'abc'.removesuffix('c') }}",
       "('a', '-', 'b') ('a-b', '-', 'c') ('ab', '', '') ('', '', 'ab') yx bc ab"},
      {R"({{ "it's me".title() }} {{ 'foo bar'.capitalize() }} {{ 'aXb'.swapcase() }} {{ 'Ab'.upper() }}{{ 'Ab'.lower() }} {{ 'a'.center(5) }}|{{ 'ab'.center(5) }}|{{ 'a'.ljust(3) }}|{{ 'a'.rjust(3, '.') }}|{{ '7'.zfill(3) }}{{ '-7'.zfill(4) }})",
       "It'S Me Foo bar AxB ABab   a  |  ab |a  |..a|007-007"},
      {R"({{ '12'.isdigit() }} {{ 'x1'.isalpha() }} {{ 'x1'.isalnum() }} {{ ' \t'.isspace() }} {{ 'AB'.isupper() }} {{ 'ab1'.islower() }} {{ ''.isdigit() }})",
       "True False True True True True False"},
  };
  expect_rows(rows);
}

TEST(JinjaMethods, OfContainers) {
  const Row rows[] = {
      {"{{ d.keys() }} {{ d.values() }} {{ d.items() }} {{ d.get('zz') }} {{ d.get('zz', 5) }} {{ d.get('a') "
       "}} {{ d.copy() }} {% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
       "dict_keys(['a', 'items']) dict_values([1, 2]) dict_items([('a', 1), ('items', 2)]) None 5 1 {'a': 1, "
       "'items': 2} a=1;items=2;"},
      {"{{ [1, 2, 1].count(1) }} {{ [1, 2].index(2) }} {{ (1, 2).count(1) }} {{ dict(a=1, b=2) }} {{ "
       "dict([('a', 1)]) }} {{ dict(d, z=1) }} {{ range(3) }} {{ range(1, 10, 3)|list }} {{ range(5, 0, "
       "-2)|list }} {{ range(5)[1] }} {{ range(3)|length }}",
       "2 1 1 {'a': 1, 'b': 2} {'a': 1} {'a': 1, 'items': 2, 'z': 1} range(0, 3) [1, 4, 7] [5, 3, 1] 1 3"},
  };
  expect_rows(rows);
}

TEST(JinjaFormat, PercentAndBraces) {
  const Row rows[] = {
      {"{{ '%s is %d and %.2f %05d %x %r %%' % ('a', 3, 2.5, 42, 255, 'q') }} {{ '%s' % 'a' }} {{ '%(a)s' % "
       "{'a': 1} }} {{ '%-5s|%5s|%+d' % ('a', 'b', 3) }} {{ '%5.1f|%e|%g' % (3.14159, 1234.5, 0.0001) }} {{ "
       "'%c%i' % ('x', 2.9) }} {{ '%*d' % (4, 7) }}",
       "a is 3 and 2.50 00042 ff 'q' % a 1 a    |    b|+3   3.1|1.234500e+03|0.0001 x2    7"},
      {"{{ '{} {}'.format(1, 2) }} {{ '{1} {0} {a}'.format(1, 2, a=4) }} {{ "
       "'{:>5}|{:<5}|{:^5}|{:05.1f}|{:,}'.format('a', 'b', 'c', 2.25, 1234567) }} {{ '{0!r} {{}} "
       "{0:.2}'.format('abc') }} {{ '{:x} {:#b} {:+d} {:%}'.format(255, 5, 3, 0.5) }} {{ '{d[a]} "
       "{d.a}'.format(d={'a': 1}) }} {{ '{:*^7}'.format('é') }}",
       "1 2 2 1 4     a|b    |  c  |002.2|1,234,567 'abc' {} ab ff 0b101 +3 50.000000% 1 1 ***é***"},
  };
  expect_rows(rows);
}

}  // namespace
}  // namespace minnow::jinja
