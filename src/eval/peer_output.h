// Tokens per second in what a benchmark printed.
#pragma once

#include <string>

#include "eval/bench.h"

namespace minnow {

// Reads, in this order of preference, whatever of it is there:
//   minnow bench --json               tests[] with tokens_per_second
//   llama-bench -o json, jsonl, csv   rows with avg_ts, n_prompt, n_gen and, in later versions, n_depth
//   llama-bench -o md                 rows with test ("pp512", "tg128 @ d4096", "tg4@pp64") and t/s ("610.03 ± 0.32")
//   llama-batched-bench               table or jsonl: S_PP and S_TG, or speed_pp and speed_tg, of a row with B, or pl
// The one row that fits the test counts. Throws kInvalidInput, saying what there is instead, when there is none.
double tokens_per_second_in(const std::string& output, const BenchTest& test);

// Throws kUsage for a broken expression (Perl's syntax) or one without a group.
void check_peer_pattern(const std::string& expression);
// The first group of its first match. Throws kInvalidInput when nothing matches or the group is not a number above 0.
double tokens_per_second_by(const std::string& expression, const std::string& output);

}  // namespace minnow
