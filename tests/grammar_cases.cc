// Compiles JSON schemas for schema_check.py: reads one JSON object per line,
//   {"schema": …, "texts": [texts], "walks": number, "seed": number}
// and answers each with one line, {"accepts": [whether each text is one of the schema's], "walks": [random texts]} or
// {"error": text, "code": number}.
#include <cstdio>
#include <fstream>
#include <iostream>

#include "base/json.h"
#include "text/grammar/test_match.h"

namespace {

using minnow::OrderedJson;
namespace grammar = minnow::grammar;

OrderedJson answer(const OrderedJson& question) {
  try {
    const auto automaton = grammar::test::compile(minnow::ConstraintSpec::Kind::kSchema, question.at("schema").dump(),
                                                  question.value("compact", false));
    OrderedJson accepts = OrderedJson::array(), walks = OrderedJson::array();
    for (const auto& text : question.at("texts")) accepts.push_back(grammar::test::matches(automaton, text.get<std::string>()));
    minnow::Random random(question.value("seed", uint64_t{1}));
    for (int i = 0; i < question.value("walks", 0); ++i) walks.push_back(grammar::test::random_text(automaton, random, 60));
    return {{"accepts", accepts}, {"walks", walks}};
  } catch (const minnow::Error& e) {
    return {{"error", e.what()}, {"code", static_cast<int>(e.code())}};
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: grammar_cases CASES.jsonl\n", stderr);
    return 2;
  }
  std::ifstream cases(argv[1]);
  std::string line;
  while (std::getline(cases, line)) std::cout << answer(minnow::parse_ordered_json(line, argv[1])).dump() << '\n';
  return 0;
}
