// Renders chat templates for jinja_check.py: reads one JSON object per line,
//   {"template": text, "context": {variables}, "now": unix seconds}
// and answers each with one line, {"output": text} or {"error": text, "code": number}.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>

#include "base/error.h"
#include "text/chat_template.h"

namespace {

minnow::OrderedJson answer(const minnow::OrderedJson& question) {
  try {
    minnow::ChatTemplateInput input;
    input.extra = question.at("context");
    input.now = question.value("now", std::time_t{0});
    const minnow::ChatTemplate chat(question.at("template").get<std::string>());
    return {{"output", chat.render(input)}};
  } catch (const minnow::Error& e) {
    return {{"error", e.what()}, {"code", static_cast<int>(e.code())}};
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: jinja_cases CASES.jsonl\n", stderr);
    return 2;
  }
  std::ifstream cases(argv[1]);
  std::string line;
  while (std::getline(cases, line)) {
    std::cout << answer(minnow::parse_ordered_json(line, argv[1])).dump() << '\n';
  }
  return 0;
}
