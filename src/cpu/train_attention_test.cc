// Attention for training, forward and backward, at every instruction set of this machine, against float64.
#include <gtest/gtest.h>

#include <cmath>

#include "cpu/test_train.h"

namespace minnow {
namespace {

using test::AlignedMemory;
using test::between;
using test::normals;

class TrainAttentionOf : public test::EveryTrainIsa {};
INSTANTIATE_TEST_SUITE_P(, TrainAttentionOf, testing::ValuesIn(available_isas()), test::isa_name);

struct Document {
  int64_t first, count;
};

// A batch with all its values, inputs and outputs.
struct Case {
  TrainAttention t = {};
  int64_t n_rows = 0;
  std::vector<Document> documents;
  std::vector<float> q, k, v, dout, out, lse, dq, dk, dv;

  int64_t heads() const { return t.n_heads; }
  int64_t kv_heads() const { return t.n_kv_heads; }
  int64_t dim() const { return t.head_dim; }
  void fill(Random& random) {
    q = normals(random, n_rows * heads() * dim());
    k = normals(random, n_rows * kv_heads() * dim());
    v = normals(random, n_rows * kv_heads() * dim());
    dout = normals(random, n_rows * heads() * dim());
    out.assign(q.size(), -7.0f);
    dq = out;
    dk.assign(k.size(), -7.0f);
    dv = dk;
    lse.assign(static_cast<std::size_t>(n_rows * heads()), -7.0f);
  }
  void run(const TrainKernels& kernels, bool bf16) {
    t.q = q.data(), t.k = k.data(), t.v = v.data(), t.dout = dout.data();
    t.out = out.data(), t.lse = lse.data(), t.dq = dq.data(), t.dk = dk.data(), t.dv = dv.data();
    AlignedMemory scratch(4 * train_attention_floats(heads(), kv_heads(), dim()));
    for (const Document& d : documents) {
      for (int32_t g = 0; g < kv_heads(); ++g) {
        const AttentionPart part{d.first, d.count, g};
        for (int64_t block = attention_blocks(d.count) - 1; block >= 0; --block) {
          (bf16 ? kernels.attention_forward_bf16 : kernels.attention_forward)(t, part, block, scratch.floats());
        }
        (bf16 ? kernels.attention_backward_bf16 : kernels.attention_backward)(t, part, scratch.floats());
      }
    }
  }
};

Case any_case(Random& random, int64_t longest) {
  Case c;
  c.t.n_kv_heads = static_cast<int32_t>(between(random, 1, 3));
  c.t.n_heads = c.t.n_kv_heads * static_cast<int32_t>(between(random, 1, 3));
  c.t.head_dim = static_cast<int32_t>(random.below(4) == 0 ? between(random, 33, 130) : between(random, 1, 32));
  c.t.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(c.t.head_dim)));
  c.t.softcap = random.below(3) == 0 ? 3.0f : 0.0f;
  c.t.causal = random.below(4) != 0;
  c.t.window = random.below(2) == 0 ? 0 : static_cast<int32_t>(between(random, 1, 150));
  for (int64_t d = between(random, 1, 3); d > 0; --d) {
    c.n_rows += between(random, 0, 2);  // rows of no document
    const int64_t count = random.below(3) == 0 ? between(random, 1, 8) : between(random, 1, longest);
    c.documents.push_back({c.n_rows, count});
    c.n_rows += count;
  }
  c.fill(random);
  return c;
}

bool sees(const TrainAttention& t, int64_t query, int64_t key) {
  if (t.causal) return key <= query && (t.window == 0 || query - key < t.window);
  return t.window == 0 || std::abs(query - key) <= t.window / 2;
}

struct Expected {
  std::vector<double> out, lse, dq, dk, dv;
};

// The definition, with the whole matrix of scores.
void expect_head(const Case& c, const Document& d, int64_t h, Expected* e) {
  const int64_t dim = c.dim(), g = h / (c.heads() / c.kv_heads());
  const auto q_at = [&](int64_t i) { return static_cast<std::size_t>(((d.first + i) * c.heads() + h) * dim); };
  const auto k_at = [&](int64_t j) { return static_cast<std::size_t>(((d.first + j) * c.kv_heads() + g) * dim); };
  for (int64_t i = 0; i < d.count; ++i) {
    std::vector<double> score(static_cast<std::size_t>(d.count), -INFINITY), slope = score;
    double sum = 0, delta = 0;
    for (int64_t j = 0; j < d.count; ++j) {
      if (!sees(c.t, i, j)) continue;
      double s = 0;
      for (std::size_t x = 0; x < static_cast<std::size_t>(dim); ++x) s += static_cast<double>(c.q[q_at(i) + x]) * c.k[k_at(j) + x];
      s *= c.t.scale;
      const double u = c.t.softcap > 0 ? std::tanh(s / c.t.softcap) : 0;
      score[static_cast<std::size_t>(j)] = c.t.softcap > 0 ? c.t.softcap * u : s;
      slope[static_cast<std::size_t>(j)] = (1 - u * u) * c.t.scale;
      sum += std::exp(score[static_cast<std::size_t>(j)]);
    }
    e->lse[static_cast<std::size_t>((d.first + i) * c.heads() + h)] = std::log(sum);
    for (std::size_t j = 0; j < score.size(); ++j) {
      for (std::size_t x = 0; x < static_cast<std::size_t>(dim); ++x) {
        const double part = std::exp(score[j]) / sum * c.v[k_at(static_cast<int64_t>(j)) + x];
        e->out[q_at(i) + x] += part;
        delta += part * c.dout[q_at(i) + x];
      }
    }
    for (std::size_t j = 0; j < score.size(); ++j) {
      if (score[j] == -INFINITY) continue;
      const std::size_t key = k_at(static_cast<int64_t>(j));
      const double p = std::exp(score[j]) / sum;
      double dp = 0;
      for (std::size_t x = 0; x < static_cast<std::size_t>(dim); ++x) dp += static_cast<double>(c.dout[q_at(i) + x]) * c.v[key + x];
      const double ds = p * (dp - delta) * slope[j];
      for (std::size_t x = 0; x < static_cast<std::size_t>(dim); ++x) {
        e->dq[q_at(i) + x] += ds * c.k[key + x];
        e->dk[key + x] += ds * c.q[q_at(i) + x];
        e->dv[key + x] += p * c.dout[q_at(i) + x];
      }
    }
  }
}

Expected expected(const Case& c) {
  // What belongs to no document stays as it was.
  Expected e{std::vector<double>(c.q.size(), -7), std::vector<double>(c.lse.size(), -7), {}, std::vector<double>(c.k.size(), -7), {}};
  for (const Document& d : c.documents) {
    std::fill_n(e.out.begin() + d.first * c.heads() * c.dim(), d.count * c.heads() * c.dim(), 0.0);
    std::fill_n(e.dk.begin() + d.first * c.kv_heads() * c.dim(), d.count * c.kv_heads() * c.dim(), 0.0);
  }
  e.dq = e.out;
  e.dv = e.dk;
  for (const Document& d : c.documents) {
    for (int64_t h = 0; h < c.heads(); ++h) expect_head(c, d, h, &e);
  }
  return e;
}

// Each value within `most` times one plus its own size; inputs are about 1.
void expect_close(const char* what, std::span<const float> got, const std::vector<double>& want, double most) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_LE(std::abs(got[i] - want[i]), most * (1 + std::abs(want[i]))) << what << " at " << i << " of " << want.size();
  }
}

void expect_case(const Case& c, double most) {
  const Expected e = expected(c);
  SCOPED_TRACE(testing::Message() << "D " << c.dim() << ", heads " << c.heads() << "/" << c.kv_heads() << ", window "
                                  << c.t.window << ", causal " << c.t.causal << ", cap " << c.t.softcap);
  ASSERT_NO_FATAL_FAILURE(expect_close("out", c.out, e.out, most));
  ASSERT_NO_FATAL_FAILURE(expect_close("lse", c.lse, e.lse, most));
  ASSERT_NO_FATAL_FAILURE(expect_close("dq", c.dq, e.dq, most));
  ASSERT_NO_FATAL_FAILURE(expect_close("dk", c.dk, e.dk, most));
  ASSERT_NO_FATAL_FAILURE(expect_close("dv", c.dv, e.dv, most));
}

TEST_P(TrainAttentionOf, AnyShapeGivesTheOutputsAndGradientsOfTheDefinition) {
  Random random(1);
  for (int t = 0; t < test::tries(60); ++t) {
    Case c = any_case(random, 130);
    c.run(kernels(), false);
    ASSERT_NO_FATAL_FAILURE(expect_case(c, 1e-5));
  }
}

TEST_P(TrainAttentionOf, SeveralTilesAddUp) {
  Random random(2);
  for (int t = 0; t < test::tries(6); ++t) {
    Case c = any_case(random, 10);
    c.documents = {{0, between(random, 200, 310)}};
    c.n_rows = c.documents[0].count;
    c.fill(random);
    c.run(kernels(), false);
    ASSERT_NO_FATAL_FAILURE(expect_case(c, 2e-5));
  }
}

// Each product's operands are rounded to 8 bits.
TEST_P(TrainAttentionOf, Bf16IsWithinItsRounding) {
  ASSERT_EQ(kernels().attention_forward_bf16 != nullptr, kernels().bf16_products());
  if (!kernels().bf16_products()) return;
  Random random(3);
  for (int t = 0; t < test::tries(40); ++t) {
    Case c = any_case(random, 200);
    c.run(kernels(), true);
    ASSERT_NO_FATAL_FAILURE(expect_case(c, 0.06));
  }
}

TEST_P(TrainAttentionOf, ADocumentHasTheSameBitsWhateverIsBesideIt) {
  Random random(4);
  for (const bool bf16 : {false, true}) {
    if (bf16 && !kernels().bf16_products()) continue;
    for (int t = 0; t < test::tries(10); ++t) {
      Case all = any_case(random, 150), one = all;
      all.run(kernels(), bf16);
      const Document d = all.documents.back();
      one.documents = {{0, d.count}};
      one.n_rows = d.count;
      const auto part_of = [&](const std::vector<float>& x, int64_t width) {
        return std::vector<float>(x.begin() + d.first * width, x.begin() + (d.first + d.count) * width);
      };
      const int64_t wide = one.heads() * one.dim(), narrow = one.kv_heads() * one.dim();
      for (auto* x : {&one.q, &one.dout, &one.out, &one.dq}) *x = part_of(*x, wide);
      for (auto* x : {&one.k, &one.v, &one.dk, &one.dv}) *x = part_of(*x, narrow);
      one.lse = part_of(one.lse, one.heads());
      one.run(kernels(), bf16);
      ASSERT_TRUE(test::same_bits(one.out, part_of(all.out, wide)));
      ASSERT_TRUE(test::same_bits(one.lse, part_of(all.lse, one.heads())));
      ASSERT_TRUE(test::same_bits(one.dq, part_of(all.dq, wide)));
      ASSERT_TRUE(test::same_bits(one.dk, part_of(all.dk, narrow)));
      ASSERT_TRUE(test::same_bits(one.dv, part_of(all.dv, narrow)));
    }
  }
}

TEST_P(TrainAttentionOf, ScoresFarFromZeroStayFinite) {
  Random random(5);
  Case c = any_case(random, 60);
  for (float& x : c.q) x *= 100;
  c.t.softcap = 0;
  c.run(kernels(), false);
  for (const auto* values : {&c.out, &c.lse, &c.dq, &c.dk, &c.dv}) {
    for (const float x : *values) ASSERT_TRUE(std::isfinite(x));
  }
}

}  // namespace
}  // namespace minnow
