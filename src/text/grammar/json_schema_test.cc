#include <gtest/gtest.h>

#include "text/grammar/test_match.h"

namespace minnow::grammar {
namespace {

using test::compile;
using test::Kind;
using test::matches;
using test::refusal;

struct Case {
  std::string schema;
  std::vector<std::string> yes, no;
};

void expect_cases(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const auto automaton = compile(Kind::kSchema, c.schema);
    for (const auto& text : c.yes) EXPECT_TRUE(matches(automaton, text)) << c.schema << "  should take  " << text;
    for (const auto& text : c.no) EXPECT_FALSE(matches(automaton, text)) << c.schema << "  should refuse  " << text;
  }
}

TEST(JsonSchema, HoldsToTypesAndValues) {
  expect_cases({
      {"{}", {"null", "{\"a\":1}"}, {""}},
      {R"({"type": "integer"})", {"0", "-12"}, {"1.5", "01", "\"1\"", "1e3"}},
      {R"({"type": ["string", "null"]})", {"\"\"", "null"}, {"1"}},
      {R"({"enum": [1, "a", null, {"b": [2]}]})", {"1", "\"a\"", "null", "{\"b\":[2]}", "{\"b\": [2]}"}, {"2", "\"b\"", "{\"b\":[3]}"}},
      {R"({"enum": [1, "a", "abc"], "type": "string", "maxLength": 2})", {"\"a\""}, {"1", "\"abc\""}},
      {R"({"const": "x\n\"y\""})", {"\"x\\n\\\"y\\\"\""}, {"\"x\""}},
      {R"({"const": 2.0, "type": "integer"})", {"2"}, {"2.0"}},
      {R"({"enum": [2.3796462709189137, "a", 18446744073709551615, 1e-7]})", {"2.3796462709189137", "\"a\"", "18446744073709551615", "1e-07"}, {"2.379646270918914"}},
      {R"({"const": 0.12345678901234568, "type": "number", "maximum": 1})", {"0.12345678901234568"}, {"0.1234567890123457"}},
  });
}

TEST(JsonSchema, WritesPropertiesInTheOrderOfTheSchema) {
  expect_cases({
      {R"({"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": false})",
       {"{\"b\":1,\"a\":true}", "{\"a\":false}", "{\n  \"b\": 1,\n  \"a\": true\n}"},
       {"{}", "{\"b\":1}", "{\"a\":true,\"b\":1}", "{\"a\":true,\"c\":1}", "{\"a\":true,}", "{,\"a\":true}"}},
      {R"({"type": "object", "properties": {"a": {"type": "integer"}}})",
       {"{}", "{\"a\":1}", "{\"a\":1,\"b\":[]}", "{\"b\":1,\"aa\":2}"}, {"{\"a\":\"x\"}", "{\"b\":1,\"a\":2}", "{\"\\u0061\":\"x\"}", "[]"}},
      {R"({"type": "object", "additionalProperties": {"type": "integer"}, "required": ["z"]})", {"{\"z\":1}", "{\"z\":1,\"a\":2}"}, {"{}", "{\"z\":\"\"}"}},
      {R"({"type": "object", "patternProperties": {"^x": {"type": "integer"}, "y$": {"minimum": 5}}, "additionalProperties": false})",
       {"{}", "{\"x\":1}", "{\"ay\":5}", "{\"xy\":7}"}, {"{\"xy\":3}", "{\"x\":\"\"}", "{\"q\":1}"}},
      {R"({"type": "object", "propertyNames": {"pattern": "^[a-z]+$", "maxLength": 2}})", {"{\"ab\":1}"}, {"{\"abc\":1}", "{\"A\":1}"}},
      {R"({"type": "object", "propertyNames": {"enum": ["x", "y"]}, "additionalProperties": {"type": "integer"}})", {"{}", "{\"y\":1}", "{\"x\":1,\"y\":2}"}, {"{\"y\":0,\"y\":1}", "{\"z\":1}", "{\"x\":\"\"}"}},
      {R"({"type": "object", "propertyNames": {"anyOf": [{"const": "x"}, {"enum": ["y", 1]}]}, "minProperties": 1})", {"{\"y\":1}", "{\"x\":1,\"y\":2}"}, {"{}", "{\"y\":0,\"y\":1}"}},
      {R"({"type": "object", "minProperties": 1, "properties": {"a": {}, "b": {}}, "additionalProperties": false})", {"{\"a\":1}", "{\"b\":1}", "{\"a\":1,\"b\":1}"}, {"{}"}},
      {R"({"type": "object", "maxProperties": 2, "additionalProperties": {"type": "null"}})", {"{}", "{\"a\":null,\"b\":null}"}, {"{\"a\":null,\"b\":null,\"c\":null}"}},
  });
}

TEST(JsonSchema, HoldsToItemsAndLengths) {
  expect_cases({
      {R"({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3})", {"[1]", "[1, 2,3]"}, {"[]", "[1,2,3,4]", "[\"\"]"}},
      {R"({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false})", {"[]", "[\"\"]", "[\"\",1]"}, {"[1]", "[\"\",1,2]"}},
      {R"({"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "null"}, "minItems": 2})", {"[\"\",null]", "[\"\",null,null]"}, {"[\"\"]", "[\"\",1]"}},
      {R"({"type": "string", "minLength": 2, "maxLength": 3})", {"\"ab\"", "\"aé🙂\"", "\"\\n\\u00e9\""}, {"\"a\"", "\"abcd\""}},
      {R"({"type": "string", "minLength": 2})", {"\"ab\"", "\"é🙂\\ud83d\\ude00 and more\""}, {"\"a\"", "\"\\n\"", "\"ab\\ud83d\"", "\"ab"}},
      {R"({"type": "string", "maxLength": 1})", {"\"\"", "\"\\/\"", "\"🙂\"", "\"\\ud83d\\ude00\""}, {"\"ab\"", "\"\\x\"", "\"\n\""}},
      {R"({"type": "string", "pattern": "^a+$|b"})", {"\"aa\"", "\"xbx\"", "\"b\\n\""}, {"\"ac\"", "\"\""}},
      {R"({"type": "string", "pattern": "^[^\"]*\\\\$", "maxLength": 2})", {"\"x\\\\\""}, {"\"xxx\\\\\"", "\"x\""}},
  });
}

TEST(JsonSchema, HoldsNumbersToTheirBoundsExactly) {
  expect_cases({
      {R"({"type": "integer", "minimum": -3, "maximum": 120})", {"-3", "0", "9", "100", "120"}, {"-4", "121", "1000", "-10"}},
      {R"({"type": "integer", "exclusiveMinimum": 10})", {"11", "99", "100000000000"}, {"10", "9", "-11"}},
      {R"({"type": "integer", "minimum": 1.5, "exclusiveMaximum": 4.0})", {"2", "3"}, {"1", "4"}},
      {R"({"type": "number", "minimum": 0.25, "maximum": 3})", {"0.25", "0.3", "1", "2.999", "3.00"}, {"0.2", "0.249", "3.1", "0", "-1"}},
      {R"({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1})", {"0.5", "0.001"}, {"0", "0.0", "1", "1.0", "-0.5"}},
      {R"({"type": "number", "minimum": -1.5, "exclusiveMaximum": 0})", {"-1.5", "-1", "-0.1"}, {"-1.51", "0", "-0.0", "0.1"}},
      {R"({"type": "integer", "multipleOf": 7})", {"0", "14", "-21", "700"}, {"1", "15"}},
      {R"({"type": "integer", "multipleOf": 0.01})", {"1", "-300"}, {"1.25"}},
      {R"({"type": "number", "multipleOf": 0.25})", {"1", "-1.25", "0.5", "1000000.75"}, {"1.2", "0.125", "1.255"}},
      {R"({"type": "number", "multipleOf": 0.125, "exclusiveMinimum": 0.5, "maximum": 1})", {"0.625", "1"}, {"0.5", "0.6", "1.125", "0.0625"}},
      {R"({"type": "number", "multipleOf": 0.01, "minimum": -1, "maximum": 98.5})", {"1", "1.25", "-1", "-0.5", "98.5", "0"}, {"1.255", "98.51", "3.76", "7.27", "32.37", "-1.01"}},
      {R"({"type": "integer", "multipleOf": 0.00001, "minimum": 1, "maximum": 9})", {"3", "7"}, {"1", "9", "10"}},
      {R"({"enum": [3.76, 1.25, 0.3, 2], "multipleOf": 0.01})", {"1.25", "2"}, {"3.76"}},
      {R"({"type": "number", "minimum": 0.1234567890123456, "maximum": 0.1234567890123457})", {"0.1234567890123456", "0.1234567890123457"}, {"0.1234567890123458", "0.123456789012345"}},
      {R"({"type": "number", "minimum": 0.12345678901234567, "exclusiveMaximum": 5})", {"4.9", "0.12345678901234567", "4.999999999999999"}, {"4.99999999999999999", "5", "0.12345678901234"}},
      {R"({"type": "number", "exclusiveMinimum": 0, "maximum": 0.1234567890123456})", {"0.1", "0.0000001"}, {"0", "0.0"}},
      {R"({"type": "integer", "minimum": 9007199254740993})", {"9007199254740993"}, {"9007199254740992"}},
  });
}

TEST(JsonSchema, FollowsReferencesAndCombinations) {
  expect_cases({
      {R"({"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}},
          "required": ["v", "next"], "additionalProperties": false}}})",
       {"{\"v\":1,\"next\":null}", "{\"v\":1,\"next\":{\"v\":2,\"next\":null}}"}, {"{\"v\":1}", "{\"v\":1,\"next\":{}}"}},
      {R"({"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"properties": {"a": {"maximum": 5}, "b": {"type": "null"}}}], "additionalProperties": {"maximum": 9}})",
       {"{\"a\":5}", "{\"a\":5,\"b\":null,\"c\":9}"}, {"{\"a\":6}", "{\"b\":null}", "{\"a\":5,\"c\":10}"}},
      {R"({"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 5}]})", {"3", "5"}, {"2", "6"}},
      {R"({"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 1}]})", {"1", "\"a\""}, {"\"ab\""}},
      {R"({"oneOf": [{"type": "object", "properties": {"kind": {"const": "a"}, "x": {"type": "integer"}}, "required": ["kind"], "additionalProperties": false},
                     {"type": "object", "properties": {"kind": {"const": "b"}}, "required": ["kind"], "additionalProperties": false}]})",
       {"{\"kind\":\"a\",\"x\":1}", "{\"kind\":\"b\"}"}, {"{\"kind\":\"b\",\"x\":1}"}},
      {R"({"oneOf": [{"type": "integer", "maximum": 3}, {"type": "integer", "minimum": 4}, {"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "^b"}]})",
       {"3", "4", "\"ab\"", "\"b\""}, {"\"c\""}},
      {R"({"properties": {"a/b": {"$ref": "#/properties/c~0%25"}, "c~%": {"type": "null"}}, "type": "object"})", {"{\"a/b\":null}"}, {"{\"a/b\":1}"}},
  });
}

TEST(JsonSchema, NamesTheKeywordAndThePlaceOfWhatItRefuses) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"not": {}})", "\"not\" at # is not supported"},
      {R"({"properties": {"a/b": {"contains": {}}}})", "\"contains\" at #/properties/a~1b is not supported"},
      {R"({"type": "array", "items": {"if": {}}})", "\"if\" at #/items"},
      {R"({"type": "array", "uniqueItems": true})", "uniqueItems"},
      {R"({"oneOf": [{"type": "integer"}, {"type": "number"}]})", "alternatives 0 and 1 may both be true"},
      {R"({"$ref": "#"})", "refers to itself"},
      {R"({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}]}}})", "refers to itself"},
      {R"({"$ref": "#/nowhere"})", "there is no \"#/nowhere\""},
      {R"({"$ref": "https://example.org/x"})", "only references within"},
      {R"({"type": "strnig"})", "\"type\" at # must be"},
      {R"({"minLength": -1})", "\"minLength\" at # must be"},
      {R"({"properties": []})", "\"properties\" at # must be"},
      {R"({"type": "string", "format": "iri"})", "\"iri\" is not known"},
      {R"({"type": "string", "pattern": "(?=a)b"})", "\"pattern\" at #: regular expression: a look ahead"},
      {R"({"type": "string", "pattern": "^a{,3}$"})", "\"pattern\" at #: regular expression: a brace that begins no repetition"},
      {R"({"type": "string", "pattern": "x{"})", "a brace that begins no repetition"},
      {R"({"type": "string", "pattern": "[[:alpha:]]"})", "a POSIX class at byte 1 is not supported"},
      {R"({"type": "string", "minLength": 20000})", "\"minLength\" at # is more than"},
      {R"({"type": "number", "multipleOf": 0.3})", "multipleOf"},
      {R"({"properties": {"a": {"multipleOf": 0.01}}})", "\"multipleOf\" at #/properties/a is not supported; of many multiples"},
      {R"({"type": "number", "multipleOf": 0.01, "minimum": 0, "maximum": 101})", "give minimum and maximum"},
      {R"({"type": "integer", "multipleOf": 0.00001})", "give minimum and maximum"},
      {R"({"enum": [12345678901234567890123, 1]})", "\"enum\" at # is not supported; a number in it is too large"},
      {R"({"properties": {"a": {"const": {"b": [1e308]}}}})", "\"const\" at #/properties/a is not supported; a number in it is too large"},
      {R"({"const": 5e-324})", "\"const\" at # is not supported; a number in it is too close to 0"},
      {R"({"type": "number", "minimum": 5e-324})", "\"minimum\" at # is not supported; the number is too large, or too close to 0"},
      {R"({"type": "object", "minProperties": 2})", "minProperties"},
      {R"({"type": "object", "properties": {"a": {}}, "maxProperties": 1})", "maxProperties"},
      {R"({"$schema": "http://json-schema.org/draft-03/schema#"})", "$schema"},
      {R"({"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/definitions/a", "type": "string", "definitions": {"a": {}}})", "what stands beside it is ignored"},
      {R"({"type": "object", "required": ["a"], "properties": {"a": false}})", "no text at all"},
      {R"({"type": "string", "enum": [1]})", "no text at all"},
      {R"({"strict": true})", "\"strict\" at #"},
      {"[]", "must be an object"},
      {"{", "not valid JSON"},
  };
  for (const auto& [schema, part] : cases) {
    EXPECT_NE(refusal(Kind::kSchema, schema).find(part), std::string::npos) << schema << "  said  " << refusal(Kind::kSchema, schema);
  }
}

TEST(JsonSchema, SaysWhichPlaceHasNoText) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"type": "object", "properties": {"ok": {"type": "string"}, "n": {"type": "integer", "minimum": 5, "maximum": 4}}, "required": ["ok", "n"]})", "#/properties/n;"},
      {R"({"type": "object", "properties": {"s": {"type": "string", "minLength": 5, "maxLength": 2}}, "required": ["s"]})", "#/properties/s;"},
      {R"({"type": "object", "properties": {"s": {"type": "string", "pattern": "^a$", "minLength": 2}}, "required": ["s"]})", "#/properties/s;"},
      {R"({"type": "object", "properties": {"a": {"type": "object"}}, "required": ["a", "b"], "additionalProperties": false})", "the property \"b\" of \"required\" at #;"},
      {R"({"type": "object", "properties": {"a": {"type": "object", "properties": {"again": {"$ref": "#"}}, "required": ["again"]}}, "required": ["a"]})", "none fits schema: #"},
      {R"({"type": "object", "properties": {"x": {"minimum": 2, "type": "array", "items": false, "minItems": 1}, "y": {"enum": [1, 2], "type": "string"}}, "required": ["y"]})", "#/properties/y;"},
      {R"({"type": "array", "items": {"$ref": "#/$defs/n"}, "minItems": 1, "$defs": {"n": {"type": "object", "required": ["v"], "properties": {"v": {"enum": []}}}}})", "\"enum\" at #/$defs/n/properties/v must be"},
      {R"({"type": "array", "items": {"$ref": "#/$defs/n"}, "minItems": 1, "$defs": {"n": {"type": "object", "required": ["v"], "properties": {"v": {"type": "number", "minimum": 2, "exclusiveMaximum": 2}}}}})", "#/$defs/n/properties/v;"},
      {R"({"type": "string", "minLength": 3, "maxLength": 1})", "since none fits schema: #;"},
  };
  for (const auto& [schema, part] : cases) {
    EXPECT_NE(refusal(Kind::kSchema, schema).find(part), std::string::npos) << schema << "  said  " << refusal(Kind::kSchema, schema);
  }
  EXPECT_EQ(refusal(Kind::kSchema, R"({"type": "object", "properties": {"a": false, "b": {"type": "integer", "minimum": 5, "maximum": 4}}})"), "");
}

TEST(JsonSchema, PatternsMatchAnywhereWhereNoAnchorHoldsThem) {
  const auto pattern = [](const std::string& expression) { return R"({"type": "string", "pattern": ")" + expression + "\"}"; };
  expect_cases({
      {pattern("ab"), {"\"ab\"", "\"xaby\"", "\"\\nab\""}, {"\"a b\"", "\"\""}},
      {pattern("^ab|cd$|e"), {"\"abx\"", "\"xcd\"", "\"xex\""}, {"\"xab\"", "\"cdx\""}},
      {pattern("^^a$$"), {"\"a\""}, {"\"aa\"", "\"\""}},
      {pattern("^x\\\\{,3}$"), {"\"x{,3}\""}, {"\"xx\""}},
      {pattern("x|(^a|b$)"), {"\"ac\"", "\"cb\"", "\"cxc\""}, {"\"ca\"", "\"bc\""}},
      {pattern("a.{10}b"), {"\"xa1234567890bx\"", "\"aa123456789\\\\b\""}, {"\"a123456789b\"", "\"a12345\\n7890b\""}},
      {pattern("^\\\\p{L}{2,3}$"), {"\"éß\"", "\"北京a\""}, {"\"a\"", "\"abcd\"", "\"a1\""}},
      {R"({"type": "string", "pattern": "^[ab]*$", "minLength": 2, "maxLength": 400})", {"\"ab\""}, {"\"a\"", "\"abc\"", '"' + std::string(401, 'a') + '"'}},
  });
}

TEST(JsonSchema, FormatsAreExact) {
  struct Format {
    const char* name;
    std::vector<std::string> yes, no;
  };
  const Format formats[] = {
      {"date", {"2024-02-29", "2000-02-29", "1999-12-31"}, {"2023-02-29", "1900-02-29", "2024-04-31", "0000-01-01", "2024-1-1", "2024-13-01"}},
      {"date-time", {"2024-01-01T23:59:59Z", "2024-01-01T00:00:00.123+05:30"}, {"2024-01-01 00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00"}},
      {"time", {"12:00:00Z"}, {"12:00", "25:00:00Z"}},
      {"duration", {"P1Y2M3DT4H5M6S", "PT5M", "P2W"}, {"P", "PT", "P1H", "P1W2D"}},
      {"uuid", {"123e4567-e89b-12d3-a456-426614174000"}, {"123e4567e89b12d3a456426614174000"}},
      {"email", {"a.b+c@example.org"}, {"a@", "@b", "a b@c", ".a@b", "a..b@c"}},
      {"hostname", {"a", "www.example-site.org"}, {"-a", "a-", "a..b", ""}},
      {"ipv4", {"0.0.0.0", "255.249.199.9"}, {"256.0.0.1", "1.2.3", "01.2.3.4"}},
      {"ipv6", {"::", "::1", "1::", "1:2:3:4:5:6:7:8", "fe80::1:2", "1:2:3:4:5:6:7::"}, {":", "1:2:3", "1::2::3", "1:2:3:4:5:6:7:8:9", "::12345", "1:2:3:4:5:6:7:8::"}},
      {"uri", {"https://example.org/a/b?q=1#f", "http://localhost:8080"}, {"example.org", "http:/x", "http://a b"}},
      {"uri-reference", {"/a/b", "#x", "?q", "http://a", ""}, {"a b", "\\\\"}},
      {"json-pointer", {"", "/a~1b/0"}, {"a", "/~2"}},
      {"relative-json-pointer", {"0", "1/a", "2#"}, {"/a", "01"}},
  };
  for (const Format& f : formats) {
    const auto automaton = compile(Kind::kSchema, std::string(R"({"type":"string","format":")") + f.name + "\"}");
    for (const auto& text : f.yes) EXPECT_TRUE(matches(automaton, '"' + text + '"')) << f.name << " should take " << text;
    for (const auto& text : f.no) EXPECT_FALSE(matches(automaton, '"' + text + '"')) << f.name << " should refuse " << text;
  }
}

std::string object_of(int n, const std::string& property) {
  std::string out = R"({"type": "object", "properties": {)";
  for (int i = 0; i < n; ++i) out += (i > 0 ? ", \"p" : "\"p") + std::to_string(i) + "\": " + property;
  return out + R"(}, "$defs": {"text": {"type": "string", "minLength": 1, "maxLength": 500}}})";
}

TEST(JsonSchema, LongTextsAndEqualPartsAreCheap) {
  for (const char* property : {R"({"type": "string", "maxLength": 8192})", R"({"type": "string", "minLength": 1, "maxLength": 255})", R"({"$ref": "#/$defs/text"})",
                               R"({"type": "object", "properties": {"a": {"type": "string", "pattern": "^[a-z]{1,60}$"}}, "required": ["a"]})"}) {
    const auto one = compile(Kind::kSchema, object_of(1, property)), many = compile(Kind::kSchema, object_of(100, property));
    EXPECT_LT(one->n_states(), 20'000u) << property;
    EXPECT_LT(many->n_states(), one->n_states() + 3000) << property;
  }
  const auto text = compile(Kind::kSchema, R"({"type": "string", "minLength": 3, "maxLength": 8192})");
  EXPECT_TRUE(matches(text, '"' + std::string(8192, 'a') + '"'));
  EXPECT_FALSE(matches(text, '"' + std::string(8193, 'a') + '"'));
}

TEST(JsonSchema, ALargeEnumIsATreeOfItsTexts) {
  Random random(1);
  std::string schema = R"({"enum": [17, {"a": "b"}, "x\n")", last;
  for (int i = 0; i < 10'000; ++i) {
    last.clear();
    for (int k = 0; k < 40; ++k) last += static_cast<char>('a' + random.below(26));
    schema += ", \"" + last + '"';
  }
  const auto automaton = compile(Kind::kSchema, schema + "]}");
  for (const std::string& text : {'"' + last + '"', std::string("17"), std::string("{\"a\":\"b\"}"), std::string("\"x\\n\"")}) EXPECT_TRUE(matches(automaton, text)) << text;
  for (const std::string& text : {'"' + last.substr(1) + '"', last, std::string("1"), std::string("\"x\"")}) EXPECT_FALSE(matches(automaton, text)) << text;
}

TEST(JsonSchema, WhatIsTooLargeIsNamed) {
  std::string schema = R"({"type": "object", "properties": {"short": {"type": "string", "maxLength": 5})";
  for (int i = 0; i < 30; ++i) schema += R"(, "long)" + std::to_string(i) + R"(": {"type": "string", "maxLength": )" + std::to_string(8000 - i) + "}";
  EXPECT_NE(refusal(Kind::kSchema, schema + "}}").find(R"(most of it for schema: "maxLength" at #/properties/long0)"), std::string::npos);
}

TEST(JsonSchema, HostileSchemasAreRefusedInTime) {
  std::string branches = R"({"type": "string")", doubling = R"({"$defs": {"a0": {})";
  for (int i = 0; i < 12; ++i) branches = R"({"allOf": [{"anyOf": [{"minLength": 1}, {"maxLength": 9}]}, )" + branches + "}]";
  EXPECT_NE(refusal(Kind::kSchema, branches + "}").find("combinations"), std::string::npos);
  for (int i = 1; i < 60; ++i) {
    const std::string before = "{\"$ref\": \"#/$defs/a" + std::to_string(i - 1) + "\"}";
    doubling += ", \"a" + std::to_string(i) + "\": {\"type\": \"array\", \"prefixItems\": [" + before + ", " + before + "]}";
  }
  EXPECT_EQ(refusal(Kind::kSchema, doubling + R"(}, "$ref": "#/$defs/a59"})"), "") << "places are shared";
  EXPECT_NE(refusal(Kind::kSchema, R"({"type": "array", "items": {"type": "array", "items": {"type":"string","maxLength":8000}, "maxItems": 8000}, "maxItems": 9000})"), "");
  std::string chain = R"({"$ref": "#/$defs/r0", "$defs": {)";
  for (int i = 0; i < 900; ++i) {
    chain += "\"r" + std::to_string(i) + "\": {\"type\": \"object\", \"properties\": {\"p\": {\"$ref\": \"#/$defs/r" + std::to_string((i + 1) % 900) + "\"}}}" + (i < 899 ? "," : "");
  }
  EXPECT_EQ(refusal(Kind::kSchema, chain + "}}"), "") << "a long chain of references is no deep recursion";
}

TEST(JsonSchema, OfManyChoicesOrOfItselfIsRefusedInTime) {
  EXPECT_NE(refusal(Kind::kSchema, R"({"oneOf": [{"type": "object", "properties": {"c": {"$ref": "#"}, "k": {"const": 1}}, "required": ["c", "k"]},
                                                 {"type": "object", "properties": {"c": {"$ref": "#"}, "k": {"const": 2}}, "required": ["c", "k"]}]})"), "");
  std::string many = R"({"allOf": [)";
  for (int i = 0; i < 40; ++i) many += R"({"anyOf": [true, true]}, )";
  EXPECT_NE(refusal(Kind::kSchema, many + R"({"anyOf": [false]}]})"), "");
}

TEST(JsonSchema, ComparesValuesAsJsonDoes) {
  expect_cases({
      {R"({"const": {"a": 1, "b": 2}, "enum": [{"b": 2, "a": 1}]})", {R"({"a":1,"b":2})"}, {R"({"a":1,"b":3})"}},
      {R"({"enum": [[1, 1], [1, 2]], "uniqueItems": true})", {"[1,2]"}, {"[1,1]"}},
      {R"({"properties": {"\u001f": {"type": "integer"}}})", {R"({"\u001f":1})"}, {R"({"\u001F":"x"})"}},
  });
  EXPECT_NE(refusal(Kind::kSchema, R"({"oneOf": [{"const": {"a": 1, "b": 2}}, {"const": {"b": 2, "a": 1}}]})"), "");
  EXPECT_NE(refusal(Kind::kSchema, R"({"multipleOf": 0.21})"), "");
}

}  // namespace
}  // namespace minnow::grammar
