// Several measurements of one thing, summed up.
#pragma once

#include <vector>

namespace minnow {

struct Spread {
  double median = 0, min = 0, max = 0;
};
// All zero for none.
Spread spread_of(std::vector<double> values);

// a[i] / b[i] for the runs that both have, as they were made one beside the other: what they shared (other load, a
// jump of the memory's bandwidth) cancels out, as it would not in a ratio of medians. Runs of b without time are left out.
std::vector<double> pairwise_ratios(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace minnow
