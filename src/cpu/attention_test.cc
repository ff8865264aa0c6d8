// Writing keys and values to pages, and attention over them, at every instruction set of this machine.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "cpu/kernels.h"
#include "cpu/kv_cache.h"
#include "cpu/test_values.h"

namespace minnow {
namespace {

using test::between;
using test::kUnit;

class Attention : public testing::TestWithParam<std::tuple<Isa, KvType>> {
 protected:
  const Kernels& kernels() const { return kernels_for(std::get<0>(GetParam())); }
  KvType type() const { return std::get<1>(GetParam()); }
  bool in_bf16() const { return kernels().bf16_products() && (type() == KvType::kBf16 || type() == KvType::kQ8_0); }
  std::vector<int32_t> head_dims() const {
    if (type() == KvType::kQ8_0) return {32, 64, 96, 128, 192, 256};
    return {8, 20, 33, 64, 80, 96, 128, 192, 256};
  }
};
INSTANTIATE_TEST_SUITE_P(, Attention,
                         testing::Combine(testing::ValuesIn(available_isas()),
                                          testing::Values(KvType::kF32, KvType::kF16, KvType::kBf16, KvType::kQ8_0)),
                         [](const auto& p) {
                           return std::string(name(std::get<0>(p.param))) + "_" +
                                  std::string(name(std::get<1>(p.param)));
                         });

// Pages of one layer and one KV head, read and spoiled by the layout that kernels.h describes.
class Pages {
 public:
  Pages(KvType type, int32_t head_dim, int32_t n_pages)
      : type_(type), d_(head_dim), bytes_(static_cast<std::size_t>(n_pages * stride())) {
    for (int32_t p = 0; p < n_pages; ++p) {
      for (int32_t slot = 0; slot < kKvPage; ++slot) spoil(p, slot);
    }
  }
  int64_t part() const {
    const int64_t element = type_ == KvType::kF32 ? 4 : type_ == KvType::kQ8_0 ? 1 : 2;
    return (d_ + d_ % 2) * kKvPage * element + (type_ == KvType::kQ8_0 ? d_ / 32 * kKvPage * 4 : 0);
  }
  int64_t stride() const { return 2 * part(); }
  char* k_page(int32_t p) { return bytes_.data() + p * stride(); }
  char* v_page(int32_t p) { return k_page(p) + part(); }

  double key(int32_t p, int32_t slot, int32_t i) {
    return value(k_page(p), key_at(slot, i), i / 32 * kKvPage + slot);
  }
  double val(int32_t p, int32_t slot, int32_t i) {
    return value(v_page(p), value_at(slot, i, d_), value_at(slot, i / 32, d_ / 32));
  }

  // What a former owner of the page may have left: nothing but NaN.
  void spoil(int32_t p, int32_t slot) {
    for (int32_t i = 0; i < d_; ++i) {
      put_nan(k_page(p), key_at(slot, i), i / 32 * kKvPage + slot);
      put_nan(v_page(p), value_at(slot, i, d_), value_at(slot, i / 32, d_ / 32));
    }
  }

 private:
  static int64_t key_at(int32_t slot, int32_t i) { return (i / 2 * kKvPage + slot) * 2 + i % 2; }
  static int64_t value_at(int32_t slot, int64_t i, int64_t width) { return (slot / 2 * width + i) * 2 + slot % 2; }
  double value(const char* page, int64_t at, int64_t scale_at) const {
    if (type_ == KvType::kF32) return reinterpret_cast<const float*>(page)[at];
    if (type_ == KvType::kF16) return f16_to_f32(reinterpret_cast<const uint16_t*>(page)[at]);
    if (type_ == KvType::kBf16) return bf16_to_f32(reinterpret_cast<const uint16_t*>(page)[at]);
    const auto* scales = reinterpret_cast<const float*>(page + d_ * kKvPage);
    return static_cast<double>(reinterpret_cast<const int8_t*>(page)[at]) * scales[scale_at];
  }
  void put_nan(char* page, int64_t at, int64_t scale_at) const {
    if (type_ == KvType::kF32) reinterpret_cast<float*>(page)[at] = std::nanf("");
    if (type_ == KvType::kF16) reinterpret_cast<uint16_t*>(page)[at] = 0x7E00;
    if (type_ == KvType::kBf16) reinterpret_cast<uint16_t*>(page)[at] = 0x7FC0;
    if (type_ == KvType::kQ8_0) {
      reinterpret_cast<int8_t*>(page)[at] = 99;
      reinterpret_cast<float*>(page + d_ * kKvPage)[scale_at] = std::nanf("");
    }
  }
  KvType type_;
  int64_t d_;
  std::vector<char> bytes_;
};

// The history of one sequence, on scattered pages.
struct History {
  std::vector<int32_t> pages;
  int32_t length = 0;
};

void store(const Kernels& kernels, KvType type, Pages& pages, const History& h, int32_t position,
           std::span<const float> k, std::span<const float> v) {
  const int32_t page = h.pages[static_cast<std::size_t>(position / kKvPage)];
  kernels.kv_store({type, static_cast<int32_t>(k.size()), k.data(), v.data(), pages.k_page(page),
                    pages.v_page(page), position % kKvPage});
}

TEST_P(Attention, StoredKeysAndValuesAreReadBack) {
  Random random(21);
  for (const int32_t d : head_dims()) {
    Pages pages(type(), d, 2);
    for (int t = 0; t < test::tries(40); ++t) {
      const auto page = static_cast<int32_t>(random.below(2)),
                 slot = static_cast<int32_t>(random.below(kKvPage));
      const auto k = test::normals(random, d), v = test::normals(random, d);
      store(kernels(), type(), pages, {{page}, 64}, slot, k, v);
      for (int32_t i = 0; i < d; ++i) {
        const auto check = [&](const std::vector<float>& x, double stored) {
          const float value = x[static_cast<std::size_t>(i)];
          if (type() == KvType::kF32) {
            ASSERT_EQ(stored, value);
          }
          if (type() == KvType::kF16) {
            ASSERT_EQ(stored, f16_to_f32(f32_to_f16(value)));
          }
          if (type() == KvType::kBf16) {
            ASSERT_EQ(stored, bf16_to_f32(f32_to_bf16(value)));
          }
          if (type() != KvType::kQ8_0) return;
          float largest = 0;
          for (int32_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j)
            largest = std::max(largest, std::abs(x[static_cast<std::size_t>(j)]));
          ASSERT_LE(std::abs(stored - value), largest / 127 * 0.5 + largest * 4 * kUnit);
        };
        check(k, pages.key(page, slot, i));
        check(v, pages.val(page, slot, i));
      }
    }
  }
}

TEST_P(Attention, StoringChangesOneSlotOnly) {
  Random random(22);
  for (const int32_t d : head_dims()) {
    Pages pages(type(), d, 1);
    store(kernels(), type(), pages, {{0}, 64}, 17, test::normals(random, d), test::normals(random, d));
    for (int32_t slot = 0; slot < kKvPage; ++slot) {
      for (int32_t i = 0; i < d; ++i) {
        ASSERT_EQ(std::isnan(pages.key(0, slot, i)), slot != 17);
        ASSERT_EQ(std::isnan(pages.val(0, slot, i)), slot != 17);
      }
    }
  }
}

// Query rows of one sequence and KV head, and what they see.
struct Queries {
  std::vector<float> q;
  std::vector<int32_t> begin, end;
  float scale = 1, softcap = 0;

  // `group` heads of consecutive positions that end with the history.
  Queries(Random& random, const History& h, int32_t d, int32_t group) {
    const auto tokens = std::min<int32_t>(kAttentionRows / group, h.length);
    const auto window = random.below(2) == 0 ? 0 : static_cast<int32_t>(between(random, 1, random.below(2) == 0 ? 150 : 900));
    for (int32_t t = h.length - tokens; t < h.length; ++t) {
      begin.insert(begin.end(), static_cast<std::size_t>(group),
                   window > 0 ? std::max(0, t + 1 - window) : 0);
      end.insert(end.end(), static_cast<std::size_t>(group), t + 1);
    }
    q = test::normals(random, static_cast<int64_t>(begin.size()) * d);
    scale = static_cast<float>(1 / std::sqrt(d));
    if (random.below(3) == 0) softcap = static_cast<float>(2 + 48 * random.uniform());
  }
  int32_t count() const { return static_cast<int32_t>(begin.size()); }
};

// Rows first .. first + n - 1 of the queries; as a whole, or segment by segment, the last one first.
std::vector<float> attend(const Kernels& kernels, KvType type, Pages& pages, const History& h,
                          const Queries& queries, int32_t first, int32_t n, bool whole = true) {
  const auto d = static_cast<int32_t>(queries.q.size()) / queries.count();
  std::vector<float> out(static_cast<std::size_t>(n * d), -1.0f);
  std::vector<float> scratch(static_cast<std::size_t>(attention_scratch_floats(d)), std::nanf(""));
  std::vector<const float*> q;
  std::vector<float*> o;
  for (int32_t i = 0; i < n; ++i) {
    q.push_back(queries.q.data() + (first + i) * d);
    o.push_back(out.data() + i * d);
  }
  const AttentionTask task{type, d, n, q.data(), o.data(), queries.begin.data() + first, queries.end.data() + first,
                           queries.scale, queries.softcap, h.pages.data(), pages.k_page(0), pages.v_page(0),
                           pages.stride(), scratch.data()};
  if (whole) {
    kernels.attention(task);
    return out;
  }
  const int32_t begin = *std::min_element(task.begin, task.begin + n) / kKvSegment;
  const int32_t end = (*std::max_element(task.end, task.end + n) - 1) / kKvSegment + 1;
  const int64_t floats = n * attention_partial_floats(d);
  std::vector<float> partials(static_cast<std::size_t>((end - begin) * floats), std::nanf(""));
  for (int32_t s = end - 1; s >= begin; --s) kernels.attention_segment(task, s, partials.data() + (s - begin) * floats);
  kernels.attention_fold(task, partials.data(), end - begin);
  return out;
}

// What the bf16 unit is given for a number.
double rounded(double x) { return bf16_to_f32(f32_to_bf16(static_cast<float>(x))); }

// Compares with float64 arithmetic on the stored numbers: rounded to bf16, as the queries, when `bf16`.
void expect_close(std::span<const float> out, Pages& pages, const History& h, const Queries& queries,
                  int32_t m, bool bf16) {
  const auto d = static_cast<int32_t>(out.size());
  const double factor = !bf16 ? 1 : queries.softcap > 0 ? queries.scale : queries.scale * std::numbers::log2e_v<float>;
  const int32_t begin = queries.begin[static_cast<std::size_t>(m)],
                end = queries.end[static_cast<std::size_t>(m)];
  std::vector<double> scores, want(static_cast<std::size_t>(d));
  double magnitude = 0, largest_value = 0;
  const auto page_of = [&](int32_t j) { return h.pages[static_cast<std::size_t>(j / kKvPage)]; };
  for (int32_t j = begin; j < end; ++j) {
    double dot = 0, absolute = 0;
    for (int32_t i = 0; i < d; ++i) {
      const float query = queries.q[static_cast<std::size_t>(m * d + i)];
      const double key = pages.key(page_of(j), j % kKvPage, i);
      const double term = bf16 ? rounded(query * static_cast<float>(factor)) / factor * rounded(key) : query * key;
      dot += term;
      absolute += std::abs(term);
    }
    dot *= queries.scale;
    magnitude = std::max(magnitude, absolute * queries.scale);
    scores.push_back(queries.softcap > 0 ? queries.softcap * std::tanh(dot / queries.softcap) : dot);
  }
  const double top = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& s : scores) sum += s = std::exp(s - top);
  for (int32_t j = begin; j < end; ++j) {
    for (int32_t i = 0; i < d; ++i) {
      const double stored = pages.val(page_of(j), j % kKvPage, i), v = bf16 ? rounded(stored) : stored;
      largest_value = std::max(largest_value, std::abs(v));
      want[static_cast<std::size_t>(i)] += scores[static_cast<std::size_t>(j - begin)] / sum * v;
    }
  }
  // An error in a score is a relative one of its weight; then come e^x and the sums over positions. Weights rounded to
  // bf16 are off by 2^-8 at most, and so is their sum.
  const double score_error = (d + 8) * kUnit * magnitude + 16 * kUnit * queries.softcap;
  const double bound = largest_value * (2 * score_error + (static_cast<double>(end - begin) + 32) * kUnit +
                                        (bf16 ? 2 * 0x1p-8 : 0));
  for (int32_t i = 0; i < d; ++i) {
    ASSERT_NEAR(out[static_cast<std::size_t>(i)], want[static_cast<std::size_t>(i)], bound)
        << "feature " << i << " of " << d << ", query " << m << " sees " << begin << ".." << end;
  }
}

// Several histories in one pool of pages; calls check(pages, history, queries) for each.
template <typename Check>
void with_random_histories(Random& random, const Kernels& kernels, KvType type, int32_t d, Check check) {
  constexpr int32_t kPagesOf[] = {4, 4, 20}, kPagesInPool = 28;  // the last one has several segments
  std::vector<int32_t> numbers(kPagesInPool);
  std::iota(numbers.begin(), numbers.end(), 0);
  for (std::size_t i = numbers.size(); i > 1; --i) std::swap(numbers[i - 1], numbers[random.below(i)]);
  Pages pages(type, d, kPagesInPool);
  std::vector<History> histories(3);
  auto next_page = numbers.begin();
  for (std::size_t s = 0; s < histories.size(); ++s) {
    History& h = histories[s];
    h.pages.assign(next_page, next_page + kPagesOf[s]);
    next_page += kPagesOf[s];
    h.length = static_cast<int32_t>(random.below(3) == 0 ? between(random, 1, 3) : between(random, 1, kPagesOf[s] * kKvPage));
    for (int32_t p = 0; p < h.length; ++p) {
      store(kernels, type, pages, h, p, test::normals(random, d), test::normals(random, d));
    }
  }
  for (const History& h : histories) {
    const int32_t groups[] = {1, 2, 3, 4, 5, 6, 7, 8, 32};
    const Queries queries(random, h, d, groups[random.below(9)]);
    // What no query sees any more may belong to somebody else.
    for (int32_t p = 0; p < queries.begin.front(); ++p)
      pages.spoil(h.pages[static_cast<std::size_t>(p / kKvPage)], p % kKvPage);
    check(pages, h, queries);
  }
}

TEST_P(Attention, IsCloseToFloat64AndBlindForWhatItShouldNotSee) {
  Random random(23);
  for (const int32_t d : head_dims()) {
    for (int t = 0; t < test::tries(4); ++t) {
      with_random_histories(
          random, kernels(), type(), d, [&](Pages& pages, const History& h, const Queries& queries) {
            const auto out = attend(kernels(), type(), pages, h, queries, 0, queries.count());
            for (int32_t m = 0; m < queries.count(); m += 1 + static_cast<int32_t>(random.below(4))) {
              expect_close(
                  std::span(out).subspan(static_cast<std::size_t>(m * d), static_cast<std::size_t>(d)), pages,
                  h, queries, m, in_bf16());
            }
          });
    }
  }
}

TEST_P(Attention, AQueryIsTheSameBitsAloneAndInAGroup) {
  Random random(24);
  for (const int32_t d : head_dims()) {
    for (int t = 0; t < test::tries(4); ++t) {
      with_random_histories(
          random, kernels(), type(), d, [&](Pages& pages, const History& h, const Queries& queries) {
            const auto together = attend(kernels(), type(), pages, h, queries, 0, queries.count());
            for (int32_t m = 0; m < queries.count();) {
              const auto n =
                  static_cast<int32_t>(random.below(2) == 0 ? 1 : between(random, 1, queries.count() - m));
              const auto part = attend(kernels(), type(), pages, h, queries, m, n);
              ASSERT_TRUE(test::same_bits(
                  part, std::span(together).subspan(static_cast<std::size_t>(m * d), part.size())))
                  << "queries " << m << ".." << m + n << " of " << queries.count() << ", head size " << d;
              m += n;
            }
          });
    }
  }
}

TEST_P(Attention, SegmentsComputedApartFoldToTheSameBits) {
  Random random(26);
  for (const int32_t d : head_dims()) {
    with_random_histories(
        random, kernels(), type(), d, [&](Pages& pages, const History& h, const Queries& queries) {
          const int32_t n = queries.count();
          ASSERT_TRUE(test::same_bits(attend(kernels(), type(), pages, h, queries, 0, n, false),
                                      attend(kernels(), type(), pages, h, queries, 0, n, true)))
              << "head size " << d << ", " << h.length << " positions";
        });
  }
}

// What the bf16 unit costs, against exact arithmetic on what was stored: for keys, queries and values that are normal,
// an error of 1/250 of what is there, root mean square. (Where it is not used, of 1/1,000,000.)
TEST_P(Attention, RoundsToBf16AtMost) {
  Random random(27);
  const int32_t d = 128;
  Pages pages(type(), d, 12);
  History h{std::vector<int32_t>(12), 700};
  std::iota(h.pages.begin(), h.pages.end(), 0);
  for (int32_t p = 0; p < h.length; ++p) store(kernels(), type(), pages, h, p, test::normals(random, d), test::normals(random, d));
  Queries queries(random, h, d, 2);
  std::fill(queries.begin.begin(), queries.begin.end(), 0);
  queries.softcap = 0;
  const auto out = attend(kernels(), type(), pages, h, queries, 0, queries.count());
  double error = 0, power = 0;
  for (int32_t m = 0; m < queries.count(); ++m) {
    std::vector<double> want(d);
    double sum = 0;
    for (int32_t j = 0; j < queries.end[static_cast<std::size_t>(m)]; ++j) {
      double score = 0;
      for (int32_t i = 0; i < d; ++i) score += queries.q[static_cast<std::size_t>(m * d + i)] * pages.key(j / kKvPage, j % kKvPage, i);
      const double weight = std::exp(score * queries.scale);
      sum += weight;
      for (int32_t i = 0; i < d; ++i) want[static_cast<std::size_t>(i)] += weight * pages.val(j / kKvPage, j % kKvPage, i);
    }
    for (int32_t i = 0; i < d; ++i) {
      const double value = want[static_cast<std::size_t>(i)] / sum;
      error += std::pow(out[static_cast<std::size_t>(m * d + i)] - value, 2);
      power += value * value;
    }
  }
  const double relative = std::sqrt(error / power);
  RecordProperty("relative_error", std::to_string(relative));
  EXPECT_LT(relative, in_bf16() ? 1.0 / 250 : 1e-6);
  if (in_bf16()) {
    EXPECT_GT(relative, 1e-5) << "said to be rounded, but is not";
  }
}

TEST_P(Attention, ScoresFarApartLeaveTheLargestAlone) {
  const int32_t d = 64;
  Pages pages(type(), d, 2);
  const History h{{1, 0}, 100};
  std::vector<float> q(d, 1.0f), k(d), v(d);
  for (int32_t p = 0; p < h.length; ++p) {
    std::fill(k.begin(), k.end(), p == 70 ? 100.0f : -100.0f);
    std::fill(v.begin(), v.end(), static_cast<float>(p));
    store(kernels(), type(), pages, h, p, k, v);
  }
  Random random(25);
  Queries queries(random, h, d, 32);
  std::fill(queries.begin.begin(), queries.begin.end(), 0);
  std::fill(queries.q.begin(), queries.q.end(), 1.0f);
  queries.softcap = 0;
  queries.scale = 1;
  for (const float out : attend(kernels(), type(), pages, h, queries, 0, 32)) ASSERT_NEAR(out, 70, 1e-4);
}

}  // namespace
}  // namespace minnow
