#include "train/preference.h"

#include <array>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "graph/passes.h"
#include "models/digest.h"

namespace minnow {
namespace {

constexpr std::array<std::string_view, 4> kLossNames = {"sigmoid", "hinge", "ipo", "length"};

double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
// -ln sigma(x)
double softplus_of_minus(double x) { return x >= 0 ? std::log1p(std::exp(-x)) : -x + std::log1p(std::exp(x)); }

Tensor copy_of(const Tensor& from) {
  std::byte* data = nullptr;
  Tensor to = Tensor::allocate(from.dtype, from.shape, &data);
  std::memcpy(data, from.data, static_cast<std::size_t>(from.bytes()));
  return to;
}

// The graph with its own copies of weights that are about to change.
Graph frozen(const Graph& graph, const std::function<bool(const Node&)>& trains) {
  Graph copy;
  for (const Node& original : graph.nodes()) {
    Node n = original;
    if (n.op == Op::kWeight && trains(n)) n.constant = copy_of(n.constant);
    copy.append(std::move(n));
  }
  copy.set_output(graph.output());
  return copy;
}

Graph graph_of(const Model& reference, const TrainingContext& context) {
  Graph graph = fuse(build_graph(reference, context.sequence_length));
  const int64_t own = graph.node(graph.output()).shape[1], wanted = context.model.node(context.model.output()).shape[1];
  if (own != wanted) {
    fail(ErrorCode::kInvalidInput, "{}: a reference with a vocabulary of {} for a model with one of {}", reference.path.string(), own, wanted);
  }
  return graph;
}

}  // namespace

std::string_view name(PreferenceLoss loss) { return kLossNames[static_cast<std::size_t>(loss)]; }

std::optional<PreferenceLoss> preference_loss_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kLossNames.size(); ++i) {
    if (kLossNames[i] == name) return static_cast<PreferenceLoss>(i);
  }
  return std::nullopt;
}

Json settings(const PreferenceOptions& o) {
  Json j = {{"preference", name(o.loss)}, {"beta", o.beta}, {"label_smoothing", o.label_smoothing}};
  if (o.reference) j["reference"] = model_digest(*o.reference);
  return j;
}

PairLoss pair_loss(const PreferenceOptions& o, double difference) {
  const double b = o.beta, s = o.label_smoothing, x = b * difference;
  switch (o.loss) {
    case PreferenceLoss::kHinge: return x < 1 ? PairLoss{1 - x, -b} : PairLoss{};
    case PreferenceLoss::kIpo: {
      const double away = difference - 1 / (2 * b);
      return {away * away, 2 * away};
    }
    case PreferenceLoss::kSigmoid:
    case PreferenceLoss::kLengthSigmoid: break;
  }
  return {(1 - s) * softplus_of_minus(x) + s * softplus_of_minus(-x), b * (s * sigmoid(x) - (1 - s) * sigmoid(-x))};
}

Preference::Preference(PreferenceOptions options) : options_(std::move(options)) {
  if (!(options_.beta > 0) || !std::isfinite(options_.beta)) fail(ErrorCode::kUsage, "preferences: beta must be above 0");
  if (!(options_.label_smoothing >= 0 && options_.label_smoothing < 0.5)) {
    fail(ErrorCode::kUsage, "preferences: label smoothing must be at least 0 and below 0.5");
  }
  if (options_.label_smoothing > 0 && (options_.loss == PreferenceLoss::kHinge || options_.loss == PreferenceLoss::kIpo)) {
    fail(ErrorCode::kUsage, "preferences: the {} loss has no label smoothing", name(options_.loss));
  }
}

void Preference::begin(const TrainingContext& context) {
  const Graph reference = options_.reference ? graph_of(*options_.reference, context) : frozen(context.model, context.trains);
  policy_ = std::make_unique<TrainExecutor>(differentiate(context.trained, {}), context.executor);
  reference_ = std::make_unique<TrainExecutor>(differentiate(reference, {}), context.executor);
}

std::vector<Preference::Answer> Preference::answers(const TrainingBatch& batch, const TrainBatch& data, TrainExecutor& policy) {
  if (data.documents.size() % 2 != 0) fail(ErrorCode::kInternal, "preferences: {} answers are no pairs", data.documents.size());
  const std::span<const float> own = policy.run(batch), other = reference_->run(batch);
  std::vector<Answer> all(data.documents.size());
  std::size_t at = 0;
  for (std::size_t r = 0; r < batch.output_rows.size(); ++r) {
    while (batch.output_rows[r] >= data.documents[at].first + data.documents[at].count) ++at;
    all[at].policy -= own[r];
    all[at].reference -= other[r];
    ++all[at].tokens;
  }
  return all;
}

// What the loss compares, without beta.
double Preference::reward(const Answer& a) const {
  const double ratio = a.policy - a.reference;
  return by_token() && a.tokens > 0 ? ratio / a.tokens : ratio;
}

PairLoss Preference::judge(const Answer& chosen, const Answer& rejected, Figures& figures) const {
  const double good = reward(chosen), bad = reward(rejected);
  ++figures.pairs;
  figures.better += good > bad ? 1 : 0;
  figures.chosen += options_.beta * good;
  figures.rejected += options_.beta * bad;
  return pair_loss(options_, good - bad);
}

void Preference::prepare(TrainingBatch& batch, const TrainBatch& data, int64_t) {
  const std::vector<Answer> all = answers(batch, data, *policy_);
  batch_loss_ = 0;
  std::vector<double> weights;  // of the cross entropy of a token of each answer
  for (std::size_t i = 0; i < all.size(); i += 2) {
    const PairLoss loss = judge(all[i], all[i + 1], trained_);
    batch_loss_ += loss.loss;
    const auto share = [&](const Answer& a) { return by_token() && a.tokens > 0 ? 1 / a.tokens : 1; };
    weights.push_back(-loss.slope * share(all[i]));
    weights.push_back(loss.slope * share(all[i + 1]));
  }
  std::size_t at = 0;
  for (std::size_t r = 0; r < batch.output_rows.size(); ++r) {
    while (batch.output_rows[r] >= data.documents[at].first + data.documents[at].count) ++at;
    batch.loss_weights[r] = static_cast<float>(weights[at]);
  }
}

double Preference::loss(std::span<const float>, const TrainingBatch&) { return batch_loss_; }

Objective::Measured Preference::measure(const TrainingBatch& batch, const TrainBatch& data, TrainExecutor& evaluator) {
  const std::vector<Answer> all = answers(batch, data, evaluator);
  Measured sum;
  for (std::size_t i = 0; i < all.size(); i += 2) sum.loss += judge(all[i], all[i + 1], measured_).loss;
  sum.count = static_cast<double>(all.size()) / 2;
  return sum;
}

Json Preference::take(Figures& f) {
  if (f.pairs == 0) return nullptr;
  Json j = {{"reward_margin", (f.chosen - f.rejected) / f.pairs}, {"reward_accuracy", f.better / f.pairs},
            {"reward_chosen", f.chosen / f.pairs}, {"reward_rejected", f.rejected / f.pairs}};
  f = {};
  return j;
}

}  // namespace minnow
