// Rows of llama-bench -o md and csv, and of llama-batched-bench's table.
#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "eval/peer_rows.h"

namespace minnow {
namespace {

using Cells = std::vector<std::string>;

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '\r')) s.remove_suffix(1);
  return s;
}

Cells split_bars(std::string_view line) {
  Cells cells;
  line.remove_prefix(1);
  while (!line.empty()) {
    const std::size_t bar = std::min(line.find('|'), line.size());
    if (bar < line.size()) cells.emplace_back(trimmed(line.substr(0, bar)));
    line.remove_prefix(std::min(bar + 1, line.size()));
  }
  return cells;
}

Cells split_csv(std::string_view line) {
  Cells cells(1);
  bool quoted = false;
  for (const char c : trimmed(line)) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return cells;
}

// The number that the text begins with; 0 when there is none.
template <typename T>
T number(std::string_view text) {
  T value{};
  const auto r = std::from_chars(text.data(), text.data() + text.size(), value);
  return r.ec == std::errc() && value > 0 ? value : T{};
}

// "pp512", "tg128", "tg128 @ d4096", "tg4@pp64"; nullopt for "pp64+tg4", which is one speed for both.
std::optional<PeerRow> row_called(std::string_view test, double speed) {
  PeerRow row;
  const auto at = test.find('@');
  if (test.find('+') != std::string_view::npos) return std::nullopt;
  if (at != std::string_view::npos) {
    const std::string_view before = trimmed(test.substr(at + 1));
    row.depth = number<int64_t>(before.substr(before.starts_with("pp") ? 2 : std::min<std::size_t>(1, before.size())));
    test = trimmed(test.substr(0, at));
  }
  if (test.starts_with("pp")) {
    row.n_prompt = number<int64_t>(test.substr(2));
    row.prompt_rate = speed;
  } else if (test.starts_with("tg")) {
    row.n_generate = number<int64_t>(test.substr(2));
    row.generate_rate = speed;
  } else {
    return std::nullopt;
  }
  return row;
}

class TableReader {
 public:
  void take(const Cells& cells) {
    if (has(cells, "t/s") || has(cells, "S_TG t/s") || has(cells, "avg_ts")) {
      header_ = cells;
      return;
    }
    if (has(header_, "S_TG t/s")) {
      rows.push_back({whole(cells, "PP"), whole(cells, "TG"), 0, whole(cells, "B"), number<double>(cell(cells, "S_PP t/s")),
                      number<double>(cell(cells, "S_TG t/s")), true});
    } else if (has(header_, "t/s")) {
      if (const auto row = row_called(cell(cells, "test"), number<double>(cell(cells, "t/s")))) rows.push_back(*row);
    } else if (has(header_, "avg_ts")) {
      take_csv(cells);
    }
  }
  bool in_csv() const { return has(header_, "avg_ts"); }
  std::vector<PeerRow> rows;

 private:
  static bool has(const Cells& cells, std::string_view name) { return std::find(cells.begin(), cells.end(), name) != cells.end(); }
  // Of the column; empty when there is none.
  std::string_view cell(const Cells& cells, std::string_view column) const {
    const auto i = static_cast<std::size_t>(std::find(header_.begin(), header_.end(), column) - header_.begin());
    return i < header_.size() && i < cells.size() ? std::string_view(cells[i]) : std::string_view();
  }
  int64_t whole(const Cells& cells, std::string_view column) const { return number<int64_t>(cell(cells, column)); }

  void take_csv(const Cells& cells) {
    const double speed = number<double>(cell(cells, "avg_ts"));
    const int64_t prompt = whole(cells, "n_prompt"), generate = whole(cells, "n_gen");
    if (prompt > 0 && generate > 0) {
      if (const auto row = row_called(cell(cells, "test"), speed)) rows.push_back(*row);
    } else {
      rows.push_back({prompt, generate, whole(cells, "n_depth"), 1, speed, speed});
    }
  }

  Cells header_;
};

}  // namespace

std::vector<PeerRow> rows_of_tables(const std::string& text) {
  TableReader reader;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = trimmed(std::string_view(text).substr(begin, end - begin));
    begin = end + 1;
    if (line.starts_with('|')) {
      reader.take(split_bars(line));
    } else if (reader.in_csv() ? line.find(',') != std::string_view::npos : line.find("avg_ts,") != std::string_view::npos) {
      reader.take(split_csv(line));
    }
  }
  return reader.rows;
}

}  // namespace minnow
