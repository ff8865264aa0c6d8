// Aligned text tables for terminals.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace minnow {

// Columns that a terminal uses for this text: 0 for combining marks and invisible characters, 2 for East
// Asian wide ones and emoji, else 1. An approximation of Unicode's UAX 11, right for common text.
std::size_t display_width(std::string_view utf8);

// Text from anywhere made safe to print: control characters (terminal escapes, line ends) and broken UTF-8
// become U+FFFD.
std::string printable(std::string_view text);

class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string header;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns);

  // Missing cells are empty; more cells than columns throw kInternal. Cells are made printable().
  void add_row(std::vector<std::string> cells);

  std::size_t rows() const { return rows_.size(); }
  // Header and rows, a line each, columns two spaces apart, no spaces at the ends of lines.
  std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace minnow
