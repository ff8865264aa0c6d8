// Learning from pairs of answers which of the two is better, without a model of rewards (Rafailov et al. 2023).
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "models/model.h"
#include "train/lesson.h"

namespace minnow {

// With D = [ln p(chosen) - ln p_ref(chosen)] - [ln p(rejected) - ln p_ref(rejected)], over the tokens of the answers:
enum class PreferenceLoss : uint8_t {
  kSigmoid,         // -(1 - s) ln sigma(b D) - s ln sigma(-b D), s: label smoothing
  kHinge,           // max(0, 1 - b D) (Zhao et al. 2023)
  kIpo,             // (D - 1 / (2 b))^2, each ln p a mean over its tokens (Azar et al. 2023)
  kLengthSigmoid,   // kSigmoid, each ln p a mean over its tokens: long answers count no more than short ones
};
std::string_view name(PreferenceLoss loss);  // "sigmoid", "hinge", "ipo", "length"
std::optional<PreferenceLoss> preference_loss_from_name(std::string_view name);

struct PreferenceOptions {
  PreferenceLoss loss = PreferenceLoss::kSigmoid;
  double beta = 0.1;           // > 0: how much going away from the reference costs
  double label_smoothing = 0;  // [0, 0.5): the share of pairs that may be the wrong way round
  // What answers are compared with; it must have the model's vocabulary. Empty: the model as the run finds it, without adapters.
  std::shared_ptr<const Model> reference = {};
};

// For Lesson::settings.
Json settings(const PreferenceOptions& options);

// The loss of one pair and its slope, d loss / d D.
struct PairLoss {
  double loss = 0, slope = 0;
};
PairLoss pair_loss(const PreferenceOptions& options, double difference);

// Policy and reference run once more for every batch, without gradients: then the loss weights of the rows are what makes the sum of
// weighted cross entropies have the very gradient of the pairs' losses. Losses are means over pairs.
class Preference final : public Objective {
 public:
  // Throws kUsage for options out of range.
  explicit Preference(PreferenceOptions options);

  // Weights that are trained are copied for the reference. Throws kInvalidInput for a reference of another vocabulary.
  void begin(const TrainingContext& context) override;
  bool learns_from(RecordKind kind) const override { return kind == RecordKind::kPreference; }
  void prepare(TrainingBatch& batch, const TrainBatch& data, int64_t step) override;
  double loss(std::span<const float> losses, const TrainingBatch& batch) override;
  double count(const TrainBatch& data) const override { return static_cast<double>(data.documents.size()) / 2; }
  // "reward_margin", the mean of b D; "reward_accuracy", the share of pairs with D > 0; "reward_chosen" and "reward_rejected".
  Json figures() override { return take(trained_); }
  Measured measure(const TrainingBatch& batch, const TrainBatch& data, TrainExecutor& evaluator) override;
  Json measured_figures() override { return take(measured_); }

 private:
  struct Figures {
    double pairs = 0, better = 0, chosen = 0, rejected = 0;
  };
  // ln p of one answer under policy and reference, summed, and its number of tokens.
  struct Answer {
    double policy = 0, reference = 0, tokens = 0;
  };
  std::vector<Answer> answers(const TrainingBatch& batch, const TrainBatch& data, TrainExecutor& policy);
  double reward(const Answer& answer) const;
  PairLoss judge(const Answer& chosen, const Answer& rejected, Figures& figures) const;
  bool by_token() const { return options_.loss == PreferenceLoss::kIpo || options_.loss == PreferenceLoss::kLengthSigmoid; }
  static Json take(Figures& figures);

  PreferenceOptions options_;
  std::unique_ptr<TrainExecutor> policy_, reference_;
  double batch_loss_ = 0;
  Figures trained_, measured_;
};

}  // namespace minnow
