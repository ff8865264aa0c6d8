// A small graph with every operation, run whole, in pieces and side by side, on one to three threads.
#include "cpu/executor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "base/test_refusal.h"
#include "graph/test_interpreter.h"
#include "cpu/test_values.h"

namespace minnow {
namespace {

using test::refusal;

constexpr int64_t kVocab = 40, kHeads = 6, kKvHeads = 2, kHeadDim = 32, kMaxTokens = 160;

// Which types the weights of a model have; used in turn.
struct Model {
  std::vector<DType> dtypes;
  int64_t width, ff;
};
const Model kFloats{{DType::kF32, DType::kF16, DType::kBF16}, 50, 75};
const Model kSimpleBlocks{{DType::kQ8_0, DType::kQ4_0, DType::kF32}, 64, 96};
const Model kSuperBlocks{{DType::kQ6_K, DType::kQ4_K}, 256, 256};

class GraphMaker {
 public:
  explicit GraphMaker(const Model& model) : model_(model) {}

  Graph make() {
    const int64_t d = model_.width;
    const NodeId embedding = matrix("token_embd", kVocab, d);
    const NodeId table = g_.rope_table(g_.positions(), {frequencies(), 1.1});
    NodeId x = g_.scale(g_.embed(embedding, g_.tokens()), 1.5f);
    x = g_.add(x, g_.embed(matrix("position_embd", 80, d), g_.positions()));
    for (int32_t layer = 0; layer < 2; ++layer) {
      x = g_.add(x, attention(x, table, layer));
      x = g_.add(x, feed_forward(x, layer == 0 ? UnaryFn::kSilu : UnaryFn::kGeluTanh));
    }
    x = g_.add(x, g_.short_conv(x, conv_weight(d, 3), {.layer = 2}));
    x = g_.add(x, experts(x));
    x = g_.rms_norm(g_.select_rows(x), vector("output_norm", d), 1e-5f);
    g_.set_output(g_.softcap(g_.matmul(x, embedding), 30));
    return std::move(g_);
  }

 private:
  NodeId matrix(const std::string& name, int64_t rows, int64_t k) {
    const DType dtype = model_.dtypes[next_++ % model_.dtypes.size()];
    const double deviation = 1 / std::sqrt(static_cast<double>(k));
    if (is_quantized(dtype)) return g_.weight(name, test::random_matrix(random_, dtype, rows, k, deviation));
    std::byte* data = nullptr;
    const Tensor tensor = Tensor::allocate(dtype, {rows, k}, &data);
    const auto values = test::normals(random_, rows * k, deviation);
    encode_row(dtype, values.data(), data, rows * k);
    return g_.weight(name, tensor);
  }
  NodeId vector(const std::string& name, int64_t n) {
    auto values = test::normals(random_, n, 0.2);
    for (float& v : values) v += 1;
    return g_.weight(name, Tensor::from_f32(values, {n}));
  }
  NodeId conv_weight(int64_t d, int64_t taps) {
    return g_.weight("shortconv", Tensor::from_f32(test::normals(random_, d * taps, 0.4), {d, taps}));
  }
  // Five experts, of which two see a token.
  NodeId expert_weight(const std::string& name, int64_t rows, int64_t k) {
    constexpr int64_t kExperts = 5;
    const DType dtype = model_.dtypes[0];
    Tensor t = test::random_matrix(random_, dtype, kExperts * rows, k, 1 / std::sqrt(static_cast<double>(k)));
    t.shape = {kExperts, rows, k};
    return g_.weight(name, t);
  }
  NodeId experts(NodeId x) {
    const int64_t d = model_.width, ff = model_.ff;
    const NodeId h = g_.layer_norm(x, vector("ffn_norm", d), vector("ffn_norm.bias", d), 1e-5f);
    const NodeId router = g_.weight("router", Tensor::from_f32(test::normals(random_, 5 * d, 0.3), {5, d}));
    const NodeId route = g_.route(g_.matmul(h, router), {.n_used = 2, .normalize = true, .scale = 1.25f});
    const NodeId gate = g_.unary(g_.expert_matmul(h, expert_weight("ffn_gate_exps", ff, d), route), UnaryFn::kGelu);
    const NodeId up = g_.expert_matmul(h, expert_weight("ffn_up_exps", ff, d), route);
    return g_.expert_sum(g_.expert_matmul(g_.mul(gate, up), expert_weight("ffn_down_exps", d, ff), route), route);
  }
  static std::vector<double> frequencies() {
    std::vector<double> f;
    for (int i = 0; i < 12; ++i) f.push_back(std::pow(100.0, -i / 12.0));  // rotates 24 of 32 features
    return f;
  }

  NodeId attention(NodeId x, NodeId table, int32_t layer) {
    const int64_t d = model_.width;
    const RopeLayout layout = layer == 0 ? RopeLayout::kHalves : RopeLayout::kInterleaved;
    const NodeId h = g_.rms_norm(x, vector("attn_norm", d), 1e-5f);
    const NodeId q = g_.matmul(h, matrix("attn_q", kHeads * kHeadDim, d));
    const NodeId k = g_.matmul(h, matrix("attn_k", kKvHeads * kHeadDim, d));
    const NodeId v = g_.add(g_.matmul(h, matrix("attn_v", kKvHeads * kHeadDim, d)),
                            vector("attn_v.bias", kKvHeads * kHeadDim));
    const NodeId qh =
        g_.rms_norm(g_.reshape(q, {kTokensDim, kHeads, kHeadDim}), vector("attn_q_norm", kHeadDim), 1e-5f);
    const NodeId kh = g_.reshape(k, {kTokensDim, kKvHeads, kHeadDim});
    const NodeId out = g_.attention(
        g_.rope(qh, table, layout), g_.rope(kh, table, layout),
        g_.reshape(v, {kTokensDim, kKvHeads, kHeadDim}),
        {.layer = layer, .scale = 0.17f, .window = layer == 0 ? 0 : 20, .softcap = layer == 0 ? 0.0f : 8.0f});
    return g_.matmul(out, wide("attn_output", d, kHeads * kHeadDim));
  }
  // Rows of heads are not a multiple of 256: not for K blocks.
  NodeId wide(const std::string& name, int64_t rows, int64_t k) {
    if (k % info(model_.dtypes[next_ % model_.dtypes.size()]).block_size == 0) return matrix(name, rows, k);
    return g_.weight(
        name, test::random_matrix(random_, DType::kQ8_0, rows, k, 1 / std::sqrt(static_cast<double>(k))));
  }
  NodeId feed_forward(NodeId x, UnaryFn fn) {
    const int64_t d = model_.width, ff = model_.ff;
    const NodeId h = g_.rms_norm(x, vector("ffn_norm", d), 1e-5f);
    const NodeId gate = g_.unary(g_.matmul(h, matrix("ffn_gate", ff, d)), fn);
    const NodeId up = g_.matmul(h, matrix("ffn_up", ff, d));
    return g_.matmul(g_.mul(gate, up), matrix("ffn_down", d, ff));
  }

  const Model& model_;
  Random random_{31};
  Graph g_;
  std::size_t next_ = 0;
};

using Logits = std::vector<std::vector<float>>;  // by sequence: all its rows

struct Sequence {
  std::vector<int32_t> tokens, pages;
};
std::vector<Sequence> some_sequences() {
  Random random(32);
  std::vector<Sequence> sequences(3);
  std::vector<int32_t> pages = {5, 0, 3, 1, 4, 2};
  for (std::size_t s = 0; s < sequences.size(); ++s) {
    sequences[s].tokens.resize(std::size_t{70} >> (s == 1 ? 3 : s / 2));  // 70, 8, 35
    for (int32_t& t : sequences[s].tokens) t = static_cast<int32_t>(random.below(kVocab));
    sequences[s].pages = {pages[2 * s], pages[2 * s + 1]};
  }
  return sequences;
}

// Every row's output. In each step, each of the sequences `together` gives up to `chunk` of its tokens. With
// chunks of one, all but the last ten tokens come at once: a prompt, then a token at a time, over the edge of
// a page.
Logits outputs(Executor& executor, KvType type, const std::vector<Sequence>& sequences, int32_t chunk,
               bool together) {
  KvCache cache(kv_layers(executor.graph()), type, 6);
  Logits logits(sequences.size());
  std::vector<std::size_t> done(sequences.size());
  for (;;) {
    Batch batch;
    std::vector<std::size_t> who;
    for (std::size_t s = 0; s < sequences.size(); ++s) {
      const std::size_t left = sequences[s].tokens.size() - done[s];
      const bool prompt = chunk == 1 && left > 10;
      const std::size_t n = prompt ? left - 10 : std::min<std::size_t>(static_cast<std::size_t>(chunk), left);
      if (n == 0) continue;
      const auto from = sequences[s].tokens.begin() + static_cast<int64_t>(done[s]);
      batch.sequences.push_back({static_cast<int32_t>(batch.tokens.size()), static_cast<int32_t>(n),
                                 static_cast<int32_t>(done[s]), sequences[s].pages});
      batch.tokens.insert(batch.tokens.end(), from, from + static_cast<int64_t>(n));
      done[s] += n;
      who.insert(who.end(), n, s);
      if (!together) break;
    }
    if (who.empty()) return logits;
    batch.output_rows.resize(batch.tokens.size());
    std::iota(batch.output_rows.begin(), batch.output_rows.end(), 0);
    const auto out = executor.run(batch, &cache);
    const std::size_t width = out.size() / who.size();
    for (std::size_t r = 0; r < who.size(); ++r) {
      const auto row = out.subspan(r * width, width);
      logits[who[r]].insert(logits[who[r]].end(), row.begin(), row.end());
    }
  }
}

ExecutorOptions options(Isa isa, int threads) {
  return {
      .n_threads = threads, .isa = isa, .max_tokens = kMaxTokens, .max_outputs = kMaxTokens, .progress = {}};
}
ExecutorOptions exact(ExecutorOptions o) {
  o.exact = true;
  return o;
}

class ExecutorAt : public test::EveryIsa {};
INSTANTIATE_TEST_SUITE_P(, ExecutorAt, testing::ValuesIn(available_isas()), test::isa_name);

// Root of the mean square difference, relative to that of the wanted values.
double relative_error(const Logits& got, const Graph& graph, const std::vector<Sequence>& sequences) {
  double error = 0, size = 0;
  for (std::size_t s = 0; s < sequences.size(); ++s) {
    const auto want = test::Interpreter::run(graph, sequences[s].tokens);
    EXPECT_EQ(got[s].size(), want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      error += (got[s][i] - want[i]) * (got[s][i] - want[i]);
      size += want[i] * want[i];
    }
  }
  return std::sqrt(error / size);
}

TEST_P(ExecutorAt, AgreesWithAFloat64InterpreterOfTheGraph) {
  const auto sequences = some_sequences();
  for (const Model* model : {&kFloats, &kSimpleBlocks, &kSuperBlocks}) {
    const Graph graph = GraphMaker(*model).make();
    Executor executor(graph, exact(options(GetParam(), 2)));
    const Logits got = outputs(executor, KvType::kF32, sequences, 100, true);
    // A value that lies between two 8-bit codes may fall to the other side here than in f64: that is a step
    // of 1 in 127 for one input of many, and may send a token to another expert where two are nearly equal.
    EXPECT_LT(relative_error(got, graph, sequences), model == &kFloats ? 3e-6 : 2e-2);
  }
}

TEST_P(ExecutorAt, WeightsOf16BitsRoundTheirInputsOnlyWhenThatIsFasterAndExactnessIsNotAskedFor) {
  const auto sequences = some_sequences();
  const Graph graph = GraphMaker(kFloats).make();
  Executor executor(graph, options(GetParam(), 2));
  const double error = relative_error(outputs(executor, KvType::kF32, sequences, 100, true), graph, sequences);
  if (!kernels().bf16_products()) {
    EXPECT_LT(error, 3e-6);
  } else {
    EXPECT_GT(error, 1e-4);
    EXPECT_LT(error, 8e-3);  // about 2^-9 for each input, over some layers
  }
}

TEST_P(ExecutorAt, OutputsAreTheSameBitsForAnyThreadsChunksAndNeighbours) {
  const auto sequences = some_sequences();
  const KvType kv_types[] = {KvType::kF32, KvType::kF16, KvType::kQ8_0};
  int kv = 0;
  for (const Model* model : {&kFloats, &kSimpleBlocks, &kSuperBlocks}) {
    const Graph graph = GraphMaker(*model).make();
    const KvType type = kv_types[kv++];
    Logits expected;
    for (const int threads : {1, 2, 3}) {
      Executor executor(graph, options(GetParam(), threads));
      if (expected.empty()) expected = outputs(executor, type, sequences, 1000, false);
      for (const int32_t chunk : {1, 7, 1000}) {
        if (threads == 3 && chunk != 1000)
          continue;  // many short steps of more threads than cores take their time
        for (const bool together : {false, true}) {
          if (threads > 1 && chunk == 1 && !together) continue;
          const Logits got = outputs(executor, type, sequences, chunk, together);
          for (std::size_t s = 0; s < sequences.size(); ++s) {
            ASSERT_TRUE(test::same_bits(got[s], expected[s]))
                << threads << " threads, chunks of " << chunk << (together ? " side by side" : "")
                << ", sequence " << s << ", KV " << name(type);
          }
        }
      }
    }
  }
}

TEST_P(ExecutorAt, SelectedRowsAreThoseOfTheWholeBatch) {
  const Graph graph = GraphMaker(kSimpleBlocks).make();
  Executor executor(graph, options(GetParam(), 2));
  const auto sequences = some_sequences();
  const auto& s = sequences[0];
  const Logits all = outputs(executor, KvType::kF16, {s}, 1000, false);
  KvCache cache(kv_layers(graph), KvType::kF16, 6);
  Batch batch{s.tokens, {{0, static_cast<int32_t>(s.tokens.size()), 0, s.pages}}, {3, 50, 69}};
  const auto out = executor.run(batch, &cache);
  ASSERT_EQ(out.size(), 3 * kVocab);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto row = static_cast<std::size_t>(batch.output_rows[i]);
    EXPECT_TRUE(
        test::same_bits(out.subspan(i * kVocab, kVocab), std::span(all[0]).subspan(row * kVocab, kVocab)));
  }
  batch.output_rows.clear();
  KvCache other(kv_layers(graph), KvType::kF16, 6);
  EXPECT_TRUE(executor.run(batch, &other).empty());
}

TEST_P(ExecutorAt, AttentionThatIsNotCausalSeesBothSides) {
  Random random(35);
  const int64_t d = kHeads * kHeadDim;
  for (const int32_t window : {0, 10}) {
    Graph g;
    const NodeId x = g.embed(g.weight("token_embd", test::random_matrix(random, DType::kF32, kVocab, d)), g.tokens());
    const NodeId heads = g.reshape(x, {kTokensDim, kHeads, kHeadDim});
    const NodeId y = g.attention(heads, heads, heads, {.scale = 0.3f, .window = window, .causal = false});
    g.set_output(g.select_rows(g.unary(y, UnaryFn::kTanh)));
    Executor executor(g, options(GetParam(), 2));
    const auto sequences = some_sequences();
    EXPECT_LT(relative_error(outputs(executor, KvType::kF32, sequences, 1000, true), g, sequences), 1e-5);
  }
}

TEST(Executor, AScaleThatIsNotFiniteNamesTheWeight) {
  Random random(33);
  Tensor bad = test::random_matrix(random, DType::kQ4_0, 32, 64);
  const uint16_t infinity = 0x7C00;
  std::memcpy(const_cast<std::byte*>(bad.row(31)), &infinity, 2);
  Graph g;
  const NodeId x = g.embed(
      g.weight("token_embd.weight", test::random_matrix(random, DType::kF32, kVocab, 64)), g.tokens());
  g.set_output(g.select_rows(g.matmul(x, g.weight("blk.3.attn_k.weight", bad))));
  const std::string what = refusal([&] { Executor(g, options(Isa::kBaseline, 2)); });
  EXPECT_NE(what.find("blk.3.attn_k.weight"), std::string::npos) << what;
}

TEST(Executor, RefusesBatchesPastItsLimitsAndSlicesWithGaps) {
  const Graph graph = GraphMaker(kFloats).make();
  Executor executor(
      graph, {.n_threads = 1, .isa = Isa::kBaseline, .max_tokens = 8, .max_outputs = 2, .progress = {}});
  KvCache cache(kv_layers(graph), KvType::kF32, 1);
  const std::vector<int32_t> page = {0}, none;
  const auto refused = [&](const Batch& batch) {
    return !refusal([&] { executor.run(batch, &cache); }).empty();
  };
  const std::vector<int32_t> nine(9, 1), four(4, 1);
  EXPECT_TRUE(refused({nine, {{0, 9, 0, page}}, {8}}));
  EXPECT_TRUE(refused({four, {{0, 4, 0, page}}, {0, 1, 2}}));
  EXPECT_TRUE(refused({four, {{0, 3, 0, page}}, {2}}));
  EXPECT_TRUE(refused({four, {{1, 3, 0, page}}, {2}}));
  EXPECT_TRUE(refused({four, {{0, 4, -1, page}}, {2}}));
  EXPECT_TRUE(refused({four, {{0, 4, 0, none}}, {2}}));
  EXPECT_TRUE(refused({four, {{0, 4, 62, page}}, {2}}));
  EXPECT_FALSE(refused({four, {{0, 4, 60, page}}, {2}}));
}

TEST(Executor, TellsHowManyBytesOfWeightsAreReady) {
  const Graph graph = GraphMaker(kSimpleBlocks).make();
  ExecutorOptions with_progress = options(Isa::kBaseline, 1);
  std::vector<uint64_t> told;
  with_progress.progress = [&](uint64_t bytes) { told.push_back(bytes); };
  const Executor executor(graph, with_progress);
  uint64_t matrices = 0;
  for (const Node& n : graph.nodes()) {
    for (int k = 0; k < n.n_inputs() && (n.op == Op::kMatMul || n.op == Op::kExpertMatMul); ++k) {
      const Tensor& t = graph.node(n.inputs[static_cast<std::size_t>(k)]).constant;
      if (graph.node(n.inputs[static_cast<std::size_t>(k)]).op == Op::kWeight) matrices += t.bytes();
    }
  }
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back(), matrices);
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  EXPECT_GT(executor.packed_bytes(), 0u);
}

TEST(KvCache, Q8NeedsHeadsOfWholeBlocks) {
  EXPECT_THROW(KvCache({{2, 80}}, KvType::kQ8_0, 1), Error);
  EXPECT_NO_THROW(KvCache({{2, 96}}, KvType::kQ8_0, 1));
  for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kBf16, KvType::kQ8_0})
    EXPECT_EQ(kv_type_from_name(name(type)), type);
  EXPECT_EQ(kv_type_from_name("q3"), std::nullopt);
}

TEST(KvCache, PagesHeadsAndLayersDoNotOverlap) {
  for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kBf16, KvType::kQ8_0}) {
    const KvCache cache({{2, 32}, {0, 0}, {3, 64}}, type, 3);
    std::vector<std::pair<const char*, const char*>> parts;
    uint64_t total = 0;
    for (const int32_t layer : {0, 2}) {
      for (int64_t head = 0; head < cache.layer(layer).n_kv_heads; ++head) {
        const int64_t part = cache.v_base(layer, head) - cache.k_base(layer, head);
        for (int64_t page = 0; page < 3; ++page) {
          const char* k = cache.k_base(layer, head) + page * cache.page_stride(layer);
          parts.push_back({k, k + 2 * part});
          total += static_cast<uint64_t>(2 * part);
        }
      }
    }
    std::sort(parts.begin(), parts.end());
    for (std::size_t i = 1; i < parts.size(); ++i) EXPECT_LE(parts[i - 1].second, parts[i].first);
    EXPECT_EQ(total, KvCache::bytes_for({{2, 32}, {0, 0}, {3, 64}}, type, 3 * kKvPage));
  }
}

}  // namespace
}  // namespace minnow
