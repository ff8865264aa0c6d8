// Numbers within bounds as expressions over their digits; exact, whatever their size.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/grammar/byte_graph.h"

namespace minnow::grammar {

struct Decimal {
  bool negative = false;  // never of zero
  std::string whole = "0", fraction;  // no needless zeros

  // A number as JSON writes it. nullopt for exponents past 64.
  static std::optional<Decimal> parse(std::string_view json);
  bool is_zero() const { return whole == "0" && fraction.empty(); }
  int compare(const Decimal& other) const;  // negative, 0, positive
};

struct Bound {
  Decimal value;
  bool strict = false;  // the value itself is out
};

struct NumberRange {
  std::optional<Bound> low, high;
  bool fractions = true;             // false: integers only, written without a point
  uint32_t multiple_of = 1;          // of integers; otherwise fractions must be false
  std::optional<uint32_t> halvings;  // multiples of 1 / 2^halvings
  std::vector<uint32_t> tenths;      // multiples of each 10^-n, as validators see it that divide doubles

  // Narrows it; keeps the tighter bound.
  void at_least(Bound bound);
  void at_most(Bound bound);
};

// Without exponents. Fractions are no longer than a double can tell apart from the bounds. Does not look at `tenths`.
ByteGraph number_graph(NumberRange range, Budget& budget);

// Of many multiples of 0.01 the quotient of doubles is no whole number: those that pass have to be written down one by one.
bool must_be_listed(const NumberRange& range);
// All numbers of such a range; nullopt when it has no ends or more than 10,001 candidates.
std::optional<std::vector<std::string>> listed_numbers(const NumberRange& range);

// Whether a number lies in it.
bool contains(const NumberRange& range, const Decimal& number);

}  // namespace minnow::grammar
