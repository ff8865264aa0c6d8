// The rows of what benchmarks print, in one form.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace minnow {

struct PeerRow {
  int64_t n_prompt = 0, n_generate = 0;
  int64_t depth = 0;
  int64_t n_sequences = 1;
  double prompt_rate = 0, generate_rate = 0;  // tokens per second; 0: the row does not say
  bool any_depth = false;                     // the depth is not part of what the row is known by
};

// Of JSON documents, or one on each line; with other lines before, between and after them.
std::vector<PeerRow> rows_of_json(const std::string& text);
// Of a table with a header line: CSV, or cells between bars.
std::vector<PeerRow> rows_of_tables(const std::string& text);

}  // namespace minnow
