#include "serve/response_format.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

using Kind = ConstraintSpec::Kind;

ConstraintSpec read(const char* text) {
  const OrderedJson body = parse_ordered_json(text, "test");
  return read_response_format(RequestFields(body));
}

std::string refused_field(const char* text) {
  try {
    read(text);
  } catch (const RequestError& error) {
    return error.param();
  }
  return "nothing";
}

TEST(ResponseFormat, is_none_when_nothing_or_text_is_asked) {
  EXPECT_EQ(read("{}").kind, Kind::kNone);
  EXPECT_EQ(read(R"({"response_format": {"type": "text"}})").kind, Kind::kNone);
  EXPECT_EQ(read(R"({"response_format": null, "grammar": null})").kind, Kind::kNone);
  EXPECT_EQ(read(R"({"grammar": "", "guided_grammar": ""})").kind, Kind::kNone);
  EXPECT_EQ(read(R"({"grammar": "", "response_format": {"type": "json_object"}})").kind, Kind::kObject);
}

TEST(ResponseFormat, is_any_object_or_a_schema) {
  EXPECT_EQ(read(R"({"response_format": {"type": "json_object"}})").kind, Kind::kObject);
  const ConstraintSpec spec =
      read(R"({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": {"type": "object", "b": 1, "a": 2}}}})");
  EXPECT_EQ(spec.kind, Kind::kSchema);
  EXPECT_EQ(spec.text, R"({"type":"object","b":1,"a":2})");  // in the order of the request
  EXPECT_EQ(read(R"({"response_format": {"type": "json_object", "schema": {"type": "object"}}})").kind, Kind::kSchema);
}

TEST(ResponseFormat, stands_beside_the_type_in_responses) {
  const OrderedJson format = parse_ordered_json(R"({"type": "json_schema", "name": "n", "schema": {"type": "array"}})", "test");
  EXPECT_EQ(read_format_object(RequestFields(format)).text, R"({"type":"array"})");
}

TEST(ResponseFormat, has_the_names_of_vllm_and_llama_server) {
  EXPECT_EQ(read(R"({"structured_outputs": {"regex": "[a-z]+"}})").kind, Kind::kRegex);
  EXPECT_EQ(read(R"({"structured_outputs": {"choice": ["yes", "no"]}})").choices, (std::vector<std::string>{"yes", "no"}));
  EXPECT_TRUE(read(R"({"structured_outputs": {"json": {"type": "object"}, "disable_any_whitespace": true}})").compact);
  EXPECT_EQ(read(R"({"structured_outputs": {"json_object": true}})").kind, Kind::kObject);
  EXPECT_EQ(read(R"({"guided_json": "{\"type\": \"object\"}"})").text, R"({"type": "object"})");
  EXPECT_EQ(read(R"({"guided_regex": "a"})").kind, Kind::kRegex);
  EXPECT_EQ(read(R"({"guided_choice": ["a"]})").kind, Kind::kChoice);
  EXPECT_EQ(read(R"({"guided_grammar": "root ::= \"a\""})").kind, Kind::kGrammar);
  EXPECT_EQ(read(R"({"grammar": "root ::= \"a\""})").kind, Kind::kGrammar);
  EXPECT_EQ(read(R"({"json_schema": {"type": "object"}})").kind, Kind::kSchema);
}

TEST(ResponseFormat, is_refused_by_the_name_of_its_field) {
  EXPECT_EQ(refused_field(R"({"response_format": "json"})"), "response_format");
  EXPECT_EQ(refused_field(R"({"response_format": {}})"), "response_format.type");
  EXPECT_EQ(refused_field(R"({"response_format": {"type": "yaml"}})"), "response_format.type");
  EXPECT_EQ(refused_field(R"({"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}})"), "response_format.json_schema.schema");
  EXPECT_EQ(refused_field(R"({"response_format": {"type": "json_schema", "json_schema": {"schema": 5}}})"), "response_format.json_schema.schema");
  EXPECT_EQ(refused_field(R"({"structured_outputs": {"json": {}, "regex": "a"}})"), "structured_outputs");
  EXPECT_EQ(refused_field(R"({"structured_outputs": {"structural_tag": "x"}})"), "structured_outputs.structural_tag");
  EXPECT_EQ(refused_field(R"({"guided_choice": []})"), "guided_choice");
  EXPECT_EQ(refused_field(R"({"grammar": 7})"), "grammar");
  EXPECT_EQ(refused_field(R"({"guided_regex": ""})"), "guided_regex");
  EXPECT_EQ(refused_field(R"({"response_format": {"type": "json_object"}, "grammar": "root ::= \"a\""})"), "grammar");
}

}  // namespace
}  // namespace minnow
