// Templates that ask for too much: each must end in one error, soon.
#include <gtest/gtest.h>

#include <ctime>

#include "text/jinja/expect_rows.h"

namespace minnow::jinja {
namespace {

std::string repeated(const std::string& text, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += text;
  return out;
}

constexpr double kPatience = 10.0;  // seconds of this process's time: generous for sanitizers, 1 s is the aim

void expect_limit(const std::string& source) {
  const std::clock_t start = std::clock();
  const std::string shown = source.substr(0, 100);
  try {
    ChatTemplateInput input;
    input.extra = test_context();
    const std::string text = ChatTemplate(source).render(input);
    ADD_FAILURE() << shown << " gave " << text.size() << " bytes";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kLimit) << shown << ": " << e.what();
  }
  EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, kPatience) << shown;
}

TEST(JinjaLimits, HoldForMemory) {
  const std::string bomb = "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(64) %}";
  expect_limit("{{ 'A' * 4000000000 }}");
  expect_limit("{{ 'A' * 9223372036854775807 }}");
  expect_limit("{{ [1] * 4000000000 }}");
  expect_limit("{{ [1] * 9223372036854775807 }}");
  expect_limit("{{ ('A' * 60000000) * 10 }}");
  expect_limit(bomb + "{% set ns.x = ns.x + ns.x %}{% endfor %}");
  expect_limit(bomb + "{% set ns.x = ns.x ~ ns.x %}{% endfor %}");
  expect_limit(bomb + "{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}");
  expect_limit(bomb + "{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson }}");
  expect_limit(bomb +
               "{% set ns.x = [ns.x, ns.x] %}{% endfor %}{% set a = ns.x %}{% set ns.x = 'aaaaaaaa' %}"
               "{% for i in range(64) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ a == ns.x }}");
  expect_limit(bomb + "{% set ns.x = ns.x.replace('a', 'aaaaaaaaaaaaaaaa') %}{% endfor %}");
  expect_limit(bomb + "{% set ns.x = '%s%s' % (ns.x, ns.x) %}{% endfor %}");
  expect_limit(bomb + "{% set ns.x = '{0}{0}'.format(ns.x) %}{% endfor %}");
  expect_limit(bomb + "{% set ns.x = [ns.x, ns.x]|join %}{% endfor %}");
  expect_limit(bomb + "{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}{% endfor %}");
  expect_limit(bomb + "{% set ns.x = ns.x.join(ns.x|list) %}{% endfor %}");
  expect_limit("{% set l = [1] %}{% for i in range(64) %}{% set _ = l.extend(l) %}{% endfor %}");
  expect_limit(
      "{% set ns = namespace(l=[1]) %}{% for i in range(64) %}{% set ns.l = ns.l + ns.l %}{% endfor %}");
}

TEST(JinjaLimits, HoldForWidths) {
  expect_limit("{{ 'a'.center(4000000000) }}");
  expect_limit("{{ 'a'.ljust(999999999999, 'é') }}");
  expect_limit("{{ 'a'|center(4000000000) }}");
  expect_limit("{{ 'a'.zfill(9223372036854775807) }}");
  expect_limit("{{ 'a\\nb'|indent(4000000000) }}");
  expect_limit("{{ [1]|tojson(indent=4000000000) }}");
  expect_limit("{{ '%999999999d' % 1 }}");
  expect_limit("{{ '%99999999999999999999d' % 1 }}");
  expect_limit("{{ '%.999999999f' % 1.5 }}");
  expect_limit("{{ '{:999999999}'.format(1) }}");
  expect_limit("{{ '%*d' % (4000000000, 1) }}");
  expect_limit("{{ [1]|batch(4000000000, 0)|list }}");
  expect_limit("{{ [1]|slice(4000000000)|list }}");
}

TEST(JinjaLimits, HoldForNumbers) {
  expect_limit("{{ 9 ** 999999999 }}");
  expect_limit("{{ 2 ** 64 }}");
  expect_limit("{{ 9223372036854775807 + 1 }}");
  expect_limit("{{ -9223372036854775807 - 2 }}");
  expect_limit("{{ (-9223372036854775807 - 1) // -1 }}");
  expect_limit("{{ -(-9223372036854775807 - 1) }}");
  expect_limit("{{ (-9223372036854775807 - 1)|abs }}");
  expect_limit("{{ 9223372036854775807 * 2 }}");
  expect_limit("{{ '99999999999999999999'|int }}");
  expect_limit("{{ range(1000000000) }}");
  expect_limit("{{ range(-9223372036854775807, 9223372036854775807) }}");
}

TEST(JinjaLimits, HoldForSteps) {
  expect_limit("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}");
  expect_limit("{% set l = [1] %}{% for a in l recursive %}{{ loop(l) }}{% endfor %}");
  expect_limit(
      "{% for i in range(100000) %}{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' }}{% endfor %}");
  expect_limit("{% set s = 'a' * 4000000 %}{% for i in range(100000) %}{{ 'b' in s }}{% endfor %}");
  expect_limit(
      "{% set s = 'a' * 4000000 %}{% for i in range(100000) %}{{ s.find('a' * 2000 ~ 'b') }}{% endfor %}");
  expect_limit(
      "{% set s = 'a' * 4000000 %}{% for i in range(100000) %}{{ s.rfind('b' ~ 'a' * 2000) }}{% endfor %}");
  expect_limit("{% set s = 'a' * 4000000 %}{% for i in range(100000) %}{{ s|length }}{% endfor %}");
  expect_limit("{% set s = 'a' * 4000000 %}{% for i in range(100000) %}{{ s == s ~ '' }}{% endfor %}");
  expect_limit("{% set s = 'a ' * 2000000 %}{{ s.rsplit() }}{{ s.split() }}{{ s.rsplit() }}");
  expect_limit("{{ ('b' * 1000000).strip('a' * 1000000 ~ 'b') }}");
  expect_limit("{% set l = range(100000)|list %}{{ l|unique|list }}");
  expect_limit("{% set l = range(100000)|list %}{% for i in l %}{{ i in l }}{% endfor %}");
  expect_limit("{% set l = range(100000)|list %}{% for i in l %}{% set x = l[1:] %}{% endfor %}");
  expect_limit("{% set l = range(100000)|list %}{% for i in l %}{{ l.pop(0) }}{% endfor %}");
  expect_limit("{% set d = {} %}{% for i in range(100000) %}{% set _ = d.update({i: i}) %}{% endfor %}");
  expect_limit("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}");
  expect_limit("{% macro f() %}{{ caller() }}{{ caller() }}{% endmacro %}" + repeated("{% call f() %}", 60) +
               "x" + repeated("{% endcall %}", 60));
}

TEST(JinjaLimits, HoldForNesting) {
  constexpr int kMany = 20000;
  expect_limit("{{ " + repeated("(", kMany) + "1" + repeated(")", kMany) + " }}");
  expect_limit("{{ " + repeated("[", kMany) + repeated("]", kMany) + " }}");
  expect_limit("{{ " + repeated("{1:", kMany) + "1" + repeated("}", kMany) + " }}");
  expect_limit("{{ " + repeated("a[", kMany) + "1" + repeated("]", kMany) + " }}");
  expect_limit("{{ " + repeated("f(", kMany) + repeated(")", kMany) + " }}");
  expect_limit("{{ " + repeated("-", kMany) + "1 }}");
  expect_limit("{{ " + repeated("not ", kMany) + "1 }}");
  expect_limit("{{ " + repeated("1 if 1 else ", kMany) + "1 }}");
  expect_limit("{{ " + repeated("1 is eq(", kMany) + "1" + repeated(")", kMany) + " }}");
  expect_limit("{{ " + repeated("1|d(", kMany) + "1" + repeated(")", kMany) + " }}");
  expect_limit("{% for " + repeated("(", kMany) + "a" + repeated(")", kMany) + " in x %}{% endfor %}");
  expect_limit(repeated("{% if 1 %}", kMany) + repeated("{% endif %}", kMany));
  expect_limit(repeated("{% for a in [1] %}", kMany) + repeated("{% endfor %}", kMany));
  expect_limit(repeated("{% macro a() %}", kMany) + repeated("{% endmacro %}", kMany));
  const std::string deep =
      "{% set ns = namespace(x=[]) %}{% for i in range(5000) %}{% set ns.x = [ns.x] %}{% endfor %}";
  expect_limit(deep + "{{ ns.x }}");
  expect_limit(deep + "{{ ns.x|tojson }}");
  expect_limit(deep +
               "{% set a = ns.x %}{% set ns.x = [] %}{% for i in range(5000) %}{% set ns.x = [ns.x] %}{% "
               "endfor %}{{ a == ns.x }}");
  expect_limit("{% set l = [] %}{% set _ = l.append(l) %}{{ l }}");
  expect_limit("{% set l = [] %}{% set _ = l.append(l) %}{{ l|tojson }}");
  expect_limit("{% set d = {} %}{% set _ = d.update(d=d) %}{{ d }}");
}

TEST(JinjaLimits, DoNotHitLongButFlatTemplates) {
  constexpr int kMany = 20000;
  EXPECT_EQ(rendered("{{ 1" + repeated(" + 1", kMany) + " }}"), std::to_string(kMany + 1));
  EXPECT_EQ(rendered("{{ ''" + repeated(" ~ 'a'", 1000) + " }}"), std::string(1000, 'a'));
  EXPECT_EQ(rendered("{{ 'a'" + repeated("|upper", kMany) + " }}"), "A");
  EXPECT_EQ(rendered("{{ 'a'" + repeated(".strip()", kMany) + " }}"), "a");
  EXPECT_EQ(rendered("{{ 0" + repeated(" or 0", kMany) + " }}"), "0");
  EXPECT_EQ(rendered("{% if 0 %}" + repeated("{% elif 0 %}", kMany) + "{% else %}x{% endif %}"), "x");
  EXPECT_EQ(rendered(repeated("{{ 1 }}", kMany)), std::string(kMany, '1'));
  EXPECT_EQ(rendered("{{ " + repeated("(", 150) + "1" + repeated(")", 150) + " }}"), "1");
  EXPECT_EQ(rendered(repeated("{% if 1 %}", 150) + "x" + repeated("{% endif %}", 150)), "x");
}

TEST(JinjaLimits, TakeTemplatesOfAMegabyte) {
  EXPECT_EQ(rendered(repeated("{{1}}", 200'000)).size(), 200'000u);
}

TEST(JinjaLimits, LeaveRoomForRecursionOverNestedSchemas) {
  const std::string text = rendered(
      "{% macro f(n) %}{% if n > 0 %}{% for x in [n] %}{{ f(x - 1) }}{% endfor %}{% endif %}.{% endmacro "
      "%}{{ f(60) }}");
  EXPECT_EQ(text, std::string(61, '.'));
}

TEST(JinjaLimits, LetTextGrowInALoopWithoutQuadraticCost) {
  const std::string text = rendered(
      "{% set ns = namespace(x='') %}{% set part = 'a' * 1000 %}"
      "{% for i in range(3000) %}{% set ns.x = ns.x + part %}{% endfor %}{{ ns.x }}");
  EXPECT_EQ(text.size(), 3'000'000u);
}

TEST(JinjaLimits, KeepOlderValuesOfATextThatGrew) {
  const std::string grow =
      "{% set a = 'x' * 300 + 'y' %}{% set b = a + '1' %}{% set c = a + '2' %}{% set d = b + '3' %}";
  EXPECT_EQ(rendered(grow + "{{ a[300:] }} {{ b[300:] }} {{ c[300:] }} {{ d[300:] }}"), "y y1 y2 y13");
}

TEST(JinjaLimits, FreeValuesThatHoldThemselves) {
  EXPECT_EQ(
      rendered("{% set ns = namespace() %}{% set ns.self = ns %}{% set l = [ns] %}{% set _ = l.append(l) %}"
               "{% macro f() %}{{ ns }}{% endmacro %}{% set ns.f = f %}ok"),
      "ok");
}

}  // namespace
}  // namespace minnow::jinja
