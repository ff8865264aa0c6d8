// A trained GPT small enough to look into (minGPT's gpt-nano, 3 layers of width 48, vocabulary A B C): it sorts six letters,
// and every value on the way is known for one batch.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "cpu/executor.h"
#include "cpu/kv_cache.h"
#include "models/family.h"
#include "models/model.h"

namespace minnow {
namespace {

const std::filesystem::path kFolder = MINNOW_SOURCE_DIR "/../shared/data/models/gpt-nano-sort";

std::vector<std::byte> from_base64(const std::string& text) {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<std::byte> bytes;
  uint32_t bits = 0;
  int n_bits = 0;
  for (const char c : text) {
    const auto digit = alphabet.find(c);
    if (digit == std::string::npos) break;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    n_bits += 6;
    if (n_bits >= 8) bytes.push_back(static_cast<std::byte>(bits >> (n_bits -= 8) & 255));
  }
  return bytes;
}

std::vector<float> values_of(const Json& tensor) {
  const auto bytes = from_base64(tensor["data"].get<std::string>());
  std::vector<float> values(bytes.size() / 4);
  std::memcpy(values.data(), bytes.data(), values.size() * 4);
  return values;
}

Json read(const char* file) { return parse_json(read_text_file(kFolder / file, limits::kMaxJsonFileBytes), file); }

// minGPT's names are GPT-2's; its matrices are not transposed.
Model load() {
  const Json json = read("gpt-nano-sort-model.json");
  Model model;
  ModelConfig& c = model.config;
  c.family = &kGpt2;
  c.n_layers = 3;
  c.n_embd = 48;
  c.n_ff = 192;
  c.n_heads = c.n_kv_heads = 3;
  c.head_dim = 16;
  c.n_vocab = 3;
  c.n_ctx_train = 11;
  c.activation = kGpt2.activation;
  for (const auto& [name, tensor] : json.items()) {
    const std::string gguf = gguf_tensor_name(kGpt2, name).name;
    if (gguf.empty() || name.ends_with(".attn.bias")) continue;  // .attn.bias: the causal mask
    Shape shape = tensor["shape"].size() == 1 ? Shape{tensor["shape"][0].get<int64_t>()}
                                              : Shape{tensor["shape"][0].get<int64_t>(), tensor["shape"][1].get<int64_t>()};
    model.weights.set(gguf, Tensor::from_f32(values_of(tensor), shape));
  }
  return model;
}

// The value of one node of the graph for a sequence.
std::vector<float> value_of(Graph graph, NodeId node, const std::vector<int32_t>& tokens) {
  graph.set_output(graph.select_rows(node));
  Executor executor(graph, {.n_threads = 1, .isa = chosen_isa(), .max_tokens = 16, .max_outputs = 16, .progress = {}});
  KvCache kv(kv_layers(executor.graph()), KvType::kF32, 1);
  const std::vector<int32_t> pages = {0};
  Batch batch{tokens, {{0, static_cast<int32_t>(tokens.size()), 0, pages}}, {}};
  for (std::size_t i = 0; i < tokens.size(); ++i) batch.output_rows.push_back(static_cast<int32_t>(i));
  const auto out = executor.run(batch, &kv);
  return {out.begin(), out.end()};
}

// The n-th node (from 0) of an operation.
NodeId nth(const Graph& graph, Op op, int n) {
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    if (graph.nodes()[i].op == op && n-- == 0) return static_cast<NodeId>(i);
  }
  ADD_FAILURE() << "the graph has no such node";
  return 0;
}

class GptNanoSort : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kFolder)) GTEST_SKIP() << "the trained sorting model is not here";
    model_ = load();
    graph_ = build_graph(model_, 11);
  }
  Model model_;
  Graph graph_;
};

TEST_F(GptNanoSort, SortsSixLetters) {
  for (int code = 0; code < 729; ++code) {
    std::vector<int32_t> tokens;
    for (int i = 0, rest = code; i < 6; ++i, rest /= 3) tokens.push_back(rest % 3);
    std::vector<int32_t> sorted = tokens;
    std::sort(sorted.begin(), sorted.end());
    Executor executor(graph_, {.n_threads = 1, .isa = chosen_isa(), .max_tokens = 16, .max_outputs = 1, .progress = {}});
    KvCache kv(kv_layers(executor.graph()), KvType::kF32, 1);
    const std::vector<int32_t> pages = {0};
    Batch batch{tokens, {{0, 6, 0, pages}}, {5}};
    std::vector<int32_t> answer;
    while (true) {
      const auto logits = executor.run(batch, &kv);
      answer.push_back(static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
      if (answer.size() == 6) break;
      batch = {{answer.back()}, {{0, 1, static_cast<int32_t>(5 + answer.size()), pages}}, {0}};
    }
    ASSERT_EQ(answer, sorted) << "input " << code;
  }
}

TEST_F(GptNanoSort, EveryActivationOfTheFirstLayerIsTheExpectedOne) {
  const Json partials = read("gpt-nano-sort-t0-partials.json");
  const std::vector<float> ids = values_of(partials["idx"]);
  // What the file calls a value, and which node it is: the first layer's nodes come first.
  const std::pair<const char*, NodeId> expected[] = {
      {"tok_emb", nth(graph_, Op::kEmbed, 0)},   {"x", nth(graph_, Op::kAdd, 0)},
      {"ln1", nth(graph_, Op::kLayerNorm, 0)},   {"y", nth(graph_, Op::kAttention, 0)},
      {"yProj", nth(graph_, Op::kAdd, 4)},       {"attnResid", nth(graph_, Op::kAdd, 5)},
      {"ln2", nth(graph_, Op::kLayerNorm, 1)},   {"fc", nth(graph_, Op::kAdd, 6)},
      {"gelu", nth(graph_, Op::kUnary, 0)},      {"mlp", nth(graph_, Op::kAdd, 7)},
      {"mlpResid", nth(graph_, Op::kAdd, 8)},    {"block1", nth(graph_, Op::kAdd, 16)},
      {"block2", nth(graph_, Op::kAdd, 24)},     {"ln_f", nth(graph_, Op::kLayerNorm, 6)},
      {"lm_head", nth(graph_, Op::kMatMul, 18)},
  };
  for (const auto& [name, node] : expected) {
    const std::vector<float> want = values_of(partials[name]);
    std::vector<float> got;
    for (std::size_t s = 0; s < 3; ++s) {
      const std::vector<int32_t> tokens(ids.begin() + static_cast<std::ptrdiff_t>(11 * s), ids.begin() + static_cast<std::ptrdiff_t>(11 * s + 11));
      const auto rows = value_of(graph_, node, tokens);
      got.insert(got.end(), rows.begin(), rows.end());
    }
    ASSERT_EQ(got.size(), want.size()) << name;
    for (std::size_t i = 0; i < want.size(); ++i) {
      ASSERT_NEAR(got[i], want[i], 2e-4 * (1 + std::abs(want[i]))) << name << " at " << i;
    }
  }
}

}  // namespace
}  // namespace minnow
