// docs/structured-output.md says what is supported and what is refused; this holds it to the code.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/file.h"
#include "base/json.h"
#include "text/grammar/schema_formats.h"
#include "text/grammar/schema_reader.h"
#include "text/grammar/test_match.h"

namespace minnow::grammar {
namespace {

// The words in `backquotes` of the first column of the table with this head.
std::vector<std::string> first_column(const std::string& page, const std::string& head) {
  std::vector<std::string> words;
  std::size_t at = page.find("| " + head + " |");
  EXPECT_NE(at, std::string::npos) << head;
  at = page.find('\n', page.find('\n', at) + 1) + 1;  // past the head and its rule
  for (; page[at] == '|'; at = page.find('\n', at) + 1) {
    const std::string cell = page.substr(at + 1, page.find('|', at + 1) - at - 1);
    for (std::size_t begin = cell.find('`'); begin != std::string::npos; begin = cell.find('`', begin)) {
      const std::size_t end = cell.find('`', begin + 1);
      words.push_back(cell.substr(begin + 1, end - begin - 1));
      begin = end + 1;
    }
  }
  return words;
}

class StructuredOutputPage : public testing::Test {
 protected:
  const std::string page_ = read_text_file(std::string(MINNOW_SOURCE_DIR) + "/docs/structured-output.md", 1 << 20);
};

TEST_F(StructuredOutputPage, ListsEverySupportedKeyword) {
  std::vector<std::string> listed = first_column(page_, "supported");
  std::erase(listed, "x-…");
  std::vector<std::string> known;
  for (const Keyword& keyword : schema_keywords()) known.emplace_back(keyword.name);
  std::sort(listed.begin(), listed.end());
  std::sort(known.begin(), known.end());
  EXPECT_EQ(listed, known);
}

TEST_F(StructuredOutputPage, WhatItCallsRefusedIsRefusedByName) {
  const std::vector<std::string> listed = first_column(page_, "refused");
  EXPECT_GT(listed.size(), 15u);
  for (const std::string& keyword : listed) {
    for (const char* value : {"true", "{}", "\"#\"", "1"}) {
      const std::string said = test::refusal(test::Kind::kSchema, "{\"" + keyword + "\": " + value + "}");
      EXPECT_NE(said.find("\"" + keyword + "\" at # is not supported"), std::string::npos) << said;
    }
  }
}

TEST_F(StructuredOutputPage, ListsEveryFormat) {
  for (const std::string_view name : format_names()) EXPECT_NE(page_.find("`" + std::string(name) + "`"), std::string::npos) << name;
}

}  // namespace
}  // namespace minnow::grammar
