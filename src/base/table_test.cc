#include "base/table.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/utf8.h"

namespace minnow {
namespace {

TEST(Table, AlignsColumnsAndLeavesNoSpacesAtTheEndsOfLines) {
  Table table({{"NAME"}, {"SIZE", Table::Align::kRight}, {"NOTE"}});
  table.add_row({"qwen3:0.6b", "484 MB", "chat"});
  table.add_row({"a", "1.2 GB"});
  EXPECT_EQ(table.text(),
            "NAME          SIZE  NOTE\n"
            "qwen3:0.6b  484 MB  chat\n"
            "a           1.2 GB\n");
  EXPECT_EQ(table.rows(), 2u);
}

TEST(Table, CountsColumnsOfTheTerminalAndNotBytes) {
  Table table({{"x"}, {"y"}});
  table.add_row({"\u00e9t\u00e9", "1"});  // 3 letters, 5 bytes
  table.add_row({"\u6a21\u578b", "2"});   // 2 wide characters
  table.add_row({"e\u0301", "3"});        // a letter and a combining accent
  EXPECT_EQ(table.text(), "x     y\n\u00e9t\u00e9   1\n\u6a21\u578b  2\ne\u0301     3\n");
}

TEST(Table, KnowsWidthsOfCommonText) {
  EXPECT_EQ(display_width(""), 0u);
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("\u00fc\u03b1\u0436"), 3u);
  EXPECT_EQ(display_width("\uac00\uff21\u3042"), 6u);
  EXPECT_EQ(display_width("\U0001F600"), 2u);
  EXPECT_EQ(display_width("a\u200db\ufe0f"), 2u);
  EXPECT_EQ(display_width("\xff"), 1u);
}

TEST(Table, NeutralizesTerminalEscapesAndLineEnds) {
  Table table({{"name\n"}});
  table.add_row({"\x1b[2Jx\ny\xff\xc2\x9b"});
  const std::string text = table.text();
  EXPECT_EQ(text, "name\uFFFD\n\uFFFD[2Jx\uFFFDy\uFFFD\uFFFD\n");
  EXPECT_TRUE(is_valid_utf8(text));
}

TEST(Table, RefusesMoreCellsThanColumns) {
  Table table({{"a"}});
  EXPECT_THROW(table.add_row({"1", "2"}), Error);
}

}  // namespace
}  // namespace minnow
