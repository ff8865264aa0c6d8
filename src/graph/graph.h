// The intermediate representation of a model: a list of typed operations on tensors, in an order in which they can
// be computed. It says what is computed, never how: executors (src/cpu) and passes (fuse, plan memory) read it.
//
// Two dimensions are not known until a step runs: the tokens of the step and the rows that logits are wanted for.
// They appear in shapes as kTokensDim and kOutputsDim, always outermost.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "tensor/tensor.h"

namespace minnow {

using NodeId = int32_t;
inline constexpr NodeId kNoNode = -1;
inline constexpr int64_t kTokensDim = -1;   // T: tokens in this step, over all sequences
inline constexpr int64_t kOutputsDim = -2;  // O: rows selected for output
inline constexpr int64_t kMaxConvTaps = 8;

enum class Op : uint8_t {
  kTokens,      // () -> [T] i32 token ids
  kPositions,   // () -> [T] i32 position of each token in its sequence
  kSegments,    // () -> [T] i32 0, or 1 for tokens of the second of two texts
  kWeight,      // () -> a constant tensor
  kEmbed,       // (weight [V, D], tokens, positions or segments [T]) -> [T, D]
  kMatMul,      // (x [T, K], weight [N, K]) -> [T, N], y = x W^T
  kAdd,         // (a, b) -> a + b; b has a's shape, or is [last dimension of a]
  kMul,         // (a, b) -> a * b, as kAdd
  kScale,       // x -> factor * x
  kUnary,       // x -> f(x)
  kGated,       // (gate, up) -> f(gate) * up
  kSoftCap,     // x -> cap * tanh(x / cap)
  kRmsNorm,     // (x [..., D], weight [D]) -> x / sqrt(mean(x^2) + eps) * weight, over the last dimension
  kLayerNorm,   // (x [..., D], weight [D], optional bias [D]) -> (x - mean) / sqrt(variance + eps) * weight + bias
  kRopeTable,   // (positions [T]) -> [T, 2 * n_freq]: cosines then sines of position * inv_freq, times magnitude
  kRope,        // (x [T, H, D], table [T, n_rot]) -> rotary embedding of the first n_rot features of every head
  kAttention,   // (q [T, H, D], k [T, G, D], v [T, G, D]) -> [T, H * D], over each sequence's history
  kShortConv,   // (x [T, D], weight [D, L]) -> [T, D], y[t] = sum over j of weight[:, j] x[t - L + 1 + j], 0 before the start
  kRoute,       // router logits [T, E] -> [T, 2 k]: the numbers of the k experts of each token, then their weights
  kExpertMatMul,  // (x [T, K] or [T, k, K], weight [E, N, K], route) -> [T, k, N]: each token with its experts' matrices
  kExpertSum,   // (x [T, k, D], route) -> [T, D]: the experts' results, weighted
  kReshape,     // the same values under another shape; a view
  kSelectRows,  // x [T, D] -> [O, D]: the rows that the caller wants logits for
};

enum class UnaryFn : uint8_t { kSilu, kGeluTanh, kGelu, kRelu, kReluSquared, kTanh };
inline constexpr int kNumUnaryFns = 6;

// Which features rotate together: 2i with 2i+1 (the original paper; GGUF llama), or i with i + n_rot/2 (GPT-NeoX).
enum class RopeLayout : uint8_t { kInterleaved, kHalves };

struct NoAttrs {};
struct ScaleAttrs {
  float factor = 1;
};
struct UnaryAttrs {
  UnaryFn fn = UnaryFn::kSilu;
};
struct SoftCapAttrs {
  float cap = 0;
};
struct NormAttrs {
  float eps = 1e-6f;
};
// All of rope scaling (linear, Llama 3, YaRN, LongRoPE) is folded into these numbers by the model.
struct RopeTableAttrs {
  std::vector<double> inv_freq;  // radians per position
  double magnitude = 1;
  // Llama 4's attention temperature: magnitudes times 1 + beta ln(1 + floor(position / length)); 0: none.
  double temperature_beta = 0, temperature_length = 1;
};
struct RopeAttrs {
  RopeLayout layout = RopeLayout::kHalves;
};
struct AttentionAttrs {
  int32_t layer = 0;   // names the part of the KV cache that holds this operation's history
  float scale = 1;     // of q . k
  int32_t window = 0;  // 0: all of the past; n: the token itself and the n - 1 before it
  float softcap = 0;   // 0: none
  // Whether a token sees only what came before it. If not, the whole sequence has to be in one batch, and a window
  // reaches n / 2 tokens to either side.
  bool causal = true;
};
struct ShortConvAttrs {
  int32_t layer = 0;   // names the part of the KV cache that holds the inputs so far
};
struct RouteAttrs {
  int32_t n_used = 1;      // experts per token
  bool normalize = false;  // the weights, softmax over all experts, are scaled to a sum of 1
  float scale = 1;
};
using Attrs = std::variant<NoAttrs, ScaleAttrs, UnaryAttrs, SoftCapAttrs, NormAttrs, RopeTableAttrs, RopeAttrs,
                           AttentionAttrs, ShortConvAttrs, RouteAttrs>;

struct Node {
  Op op;
  std::array<NodeId, 3> inputs = {kNoNode, kNoNode, kNoNode};
  Shape shape;      // inferred
  Attrs attrs;
  Tensor constant;  // kWeight only
  std::string name; // of the weight, for errors and dumps; empty for most

  int n_inputs() const;
  template <typename T>
  const T& get() const { return std::get<T>(attrs); }
};

// Values of the dimensions that are known only when a step runs.
struct StepSize {
  int64_t tokens = 0;
  int64_t outputs = 0;
};
// The shape with kTokensDim and kOutputsDim replaced.
Shape resolve(const Shape& shape, StepSize size);

// Appends operations; every call checks its operands and infers the shape. Throws kInvalidInput naming the weight
// when shapes do not fit together (a model file that contradicts itself).
class Graph {
 public:
  NodeId tokens();
  NodeId positions();
  NodeId segments();
  NodeId weight(std::string name, Tensor tensor);
  NodeId embed(NodeId weight, NodeId rows);
  NodeId matmul(NodeId x, NodeId weight);
  NodeId add(NodeId a, NodeId b);
  NodeId mul(NodeId a, NodeId b);
  NodeId scale(NodeId x, float factor);
  NodeId unary(NodeId x, UnaryFn fn);
  NodeId softcap(NodeId x, float cap);
  NodeId rms_norm(NodeId x, NodeId weight, float eps);
  NodeId layer_norm(NodeId x, NodeId weight, NodeId bias, float eps);  // bias may be kNoNode
  NodeId rope_table(NodeId positions, RopeTableAttrs attrs);
  NodeId rope(NodeId x, NodeId table, RopeLayout layout);
  NodeId attention(NodeId q, NodeId k, NodeId v, AttentionAttrs attrs);
  NodeId short_conv(NodeId x, NodeId weight, ShortConvAttrs attrs);
  NodeId route(NodeId router_logits, RouteAttrs attrs);
  NodeId expert_matmul(NodeId x, NodeId weight, NodeId route);
  NodeId expert_sum(NodeId x, NodeId route);
  NodeId reshape(NodeId x, const Shape& shape);
  NodeId select_rows(NodeId x);
  void set_output(NodeId node);

  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
  NodeId output() const { return output_; }

  // Appends a node as it is (for passes, which keep shapes as they were inferred).
  NodeId append(Node node);
  // One line per node: "%12 = matmul(%11, blk.0.attn_q.weight) [T, 256]".
  std::string text() const;

 private:
  [[noreturn]] void mismatch(std::string_view op, NodeId a, NodeId b) const;
  NodeId elementwise(Op op, NodeId a, NodeId b);
  std::vector<Node> nodes_;
  NodeId output_ = kNoNode;
};

std::string_view name(Op op);

}  // namespace minnow
