// The operations of a graph and what each needs besides its inputs. T stands for kTokensDim, O for kOutputsDim.
//
// An operation may have several values. Its node stands for the first of them; kPart nodes that follow it directly stand
// for the others, in ascending order. A value without a node is not wanted and need not be computed.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

namespace minnow {

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

  // --- Training only (graph/differentiate.h). Every sequence lies whole in the batch: `past` is 0, there is no cache.
  kTargets,     // () -> [O] i32 token that should follow each row; negative: none
  kLossWeights, // () -> [O] factor of each row's loss, with all that normalizes in it; any sign (preferences), or zero
  kTeacher,     // () -> [O, 2 k]: ids of a teacher's k likeliest tokens (as numbers; negative: none), then ln p of each
  kOutputGrad,  // () -> gradient of the loss with respect to the graph's output, when the loss is computed elsewhere
  kPart,        // (node) -> its second, third, ... value
  kRoundInput,  // x [T, ...] -> what a product with quantized weights sees of it in inference; gradients pass as if it were x
  kDropout,     // x [T, ...] -> x / (1 - p) where it is kept (graph/dropout.h), else 0; its own gradient
  // (weight [N, K], A [r, K], B [N, r]) -> [N], the same for all tokens: 1 / ||W + factor B A|| of each row. For gradients it is a
  // constant (DoRA, Liu et al. 2024, section 4.3).
  kInverseRowNorms,
  kBatchAttention,  // as kAttention; part 1: [T, H] ln of the sum of exp(score) over what the token sees
  // (x [O, D], weight [V, D], targets, loss weights, then bias [V] and teacher if the attributes say so) -> [O, n]: each
  // row's own losses, not weighted: -ln p(target), 0 without a target; with a teacher also its divergence times T^2.
  // Part 1: gradient with respect to x of sum over rows of weight * ((1 - alpha) * first + alpha * second). Logits are
  // softcap(scale * (x W^T + bias)) and are never kept; gradients of weight and bias are added when they are trained.
  kHeadLoss,

  // Gradients of values. dy is the gradient of the loss with respect to the operation's result, and the first input.
  kMatMulGrad,      // (dy [T, N], weight [N, K]) -> dx = dy W
  kUnaryGrad,       // (dy, x) -> dx = dy * f'(x)
  kGatedGrad,       // (dy, gate, up) -> d gate; part 1: d up
  kSoftCapGrad,     // (dy, x) -> dx
  kRmsNormGrad,     // (dy, x, weight) -> dx
  kLayerNormGrad,   // (dy, x, weight) -> dx
  kRopeGrad,        // (dy, table) -> dx, the transposed rotation (the table's magnitude is not undone)
  kBatchAttentionGrad,  // (dy [T, H * D], q, k, v, y, ln sums [T, H]) -> dq; part 1: dk; part 2: dv
  kShortConvGrad,   // (dy, weight) -> dx[t] = sum over j of weight[:, j] dy[t + L - 1 - j], within the sequence
  kScatterRows,     // x [O, ...] -> [T, ...], selected rows in their places, zeros elsewhere: transpose of kSelectRows
  kExpertMatMulGrad,   // (dy [T, k, N], weight, route) -> dx: [T, K], summed over experts, or [T, k, K]
  kExpertSumGrad,      // (dy [T, D], route) -> dx [T, k, D] = weight of the expert * dy
  kExpertSumRouteGrad, // (dy, x [T, k, D], route) -> [T, 2 k]: zeros, then d weight of each expert = dy . x
  kRouteGrad,          // (d route, router logits, route) -> d router logits; which experts were chosen does not change

  // Gradients of weights. Each is added to a buffer of the weight (the last input) that outlives runs: it has the weight's
  // shape, but is no value that another node could read. Rows are all but the last dimension of dy.
  kEmbedWeightGrad,      // (dy [T, D], rows [T], weight): row rows[t] += dy[t]
  kMatMulWeightGrad,     // (dy [T, N], x [T, K], weight): += dy^T x
  kBiasGrad,             // (dy, weight [D]): += sum over rows of dy
  kGainGrad,             // (dy, x, weight [D]): += sum over rows of dy * x
  kRmsNormWeightGrad,    // (dy, x, weight [D]): += sum over rows of dy * x / sqrt(mean(x^2) + eps)
  kLayerNormWeightGrad,  // (dy, x, weight [D]): += sum over rows of dy * (x - mean) / sqrt(variance + eps)
  kShortConvWeightGrad,  // (dy, x, weight [D, L]): [:, j] += sum over t of dy[t] * x[t - L + 1 + j]
  kExpertMatMulWeightGrad,  // (dy [T, k, N], x, route, weight [E, N, K]): matrix e += dy^T x over the tokens of expert e
};
std::string_view name(Op op);

enum class UnaryFn : uint8_t { kSilu, kGeluTanh, kGelu, kRelu, kReluSquared, kTanh };
inline constexpr int kNumUnaryFns = 6;

// Which features rotate together: 2i with 2i+1 (the original paper; GGUF llama), or i with i + n_rot/2 (GPT-NeoX).
enum class RopeLayout : uint8_t { kInterleaved, kHalves };

struct NoAttrs {};
struct WeightAttrs {
  // Of the tensor of that name, where this node's rows begin: fused projections are weights of one name with other rows.
  int64_t first_row = 0;
};
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
struct DropoutAttrs {
  float p = 0;        // probability that a number is dropped, in [0, 1)
  uint32_t salt = 0;  // makes masks of several operations differ
};
// As the CPU's kernels do: of each block of a row the codes nearest to x, of 127 steps of max |x| / 127 either side of 0.
struct RoundInputAttrs {
  int32_t block = 256;  // 32 or 256; the last block of a row may be shorter
};
struct PartAttrs {
  int32_t index = 1;  // which value of the node, from 1
};

// Which way a student q is compared with a teacher p: KL(p || q), which covers all that the teacher may say, or
// KL(q || p), which seeks what it says most.
enum class Divergence : uint8_t { kForward, kReverse };
// Both distributions are softmax(logits / temperature) over the teacher's tokens alone: renormalized. With that
// temperature T the divergence is multiplied by T^2, which keeps its gradient's size (Hinton et al. 2015).
struct TeacherAttrs {
  int32_t top_k = 0;       // tokens that the teacher tells of each row; 0: there is no teacher
  float temperature = 1;   // > 0
  float alpha = 0;         // share of the divergence in the loss; the rest is cross entropy
  Divergence divergence = Divergence::kForward;
};
struct HeadLossAttrs {
  float scale = 1;
  float softcap = 0;  // 0: none
  bool has_bias = false;
  bool trains_weight = false, trains_bias = false;
  TeacherAttrs teacher = {};
};
using Attrs = std::variant<NoAttrs, WeightAttrs, ScaleAttrs, UnaryAttrs, SoftCapAttrs, NormAttrs, RopeTableAttrs, RopeAttrs,
                           AttentionAttrs, ShortConvAttrs, RouteAttrs, RoundInputAttrs, DropoutAttrs, PartAttrs, HeadLossAttrs>;

}  // namespace minnow
