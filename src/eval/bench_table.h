// Results as people read them.
#pragma once

#include <string>
#include <vector>

#include "eval/bench_record.h"

namespace minnow {

enum class TableStyle { kText, kMarkdown };

// What the records have in common, a line each: machine, model. Then a table with a row for each record; columns that
// nobody fills are left out. Then remarks: peers that failed, pairs beside which memory was of different speed.
std::string bench_table(const std::vector<BenchRecord>& records, TableStyle style);

}  // namespace minnow
