#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error.h"
#include "base/fast_hash.h"
#include "base/topology.h"
#include "graph/passes.h"
#include "graph/recompute.h"

namespace minnow {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

constexpr std::size_t kLastLosses = 20;  // whose mean is a run's loss

void check(const TrainerOptions& o) {
  const auto expect = [](bool good, const char* what) {
    if (!good) fail(ErrorCode::kUsage, "training: {}", what);
  };
  expect(o.steps > 0, "the number of steps must be at least 1");
  expect(o.sequence_length > 0 && o.n_sequences > 0 && o.accumulation > 0, "lengths and numbers of sequences must be at least 1");
  expect(o.sequence_length <= 1 << 20 && o.n_sequences <= 1 << 16, "sequences are too long or too many");
  expect(o.rate.peak > 0 && std::isfinite(o.rate.peak), "the learning rate must be above 0");
  expect(o.rate.warmup_steps >= 0 && o.rate.warmup_steps < std::max<int64_t>(o.steps, 1), "the warm-up must be shorter than the run");
  expect(o.rate.final_share >= 0 && o.rate.final_share <= 1, "the last learning rate must be a share of the peak, 0 to 1");
  expect(o.optimizer.beta1 >= 0 && o.optimizer.beta1 < 1 && o.optimizer.beta2 >= 0 && o.optimizer.beta2 < 1, "betas must be in [0, 1)");
  expect(o.optimizer.decay >= 0 && o.clip >= 0, "decay and clipping must not be negative");
  expect(o.evaluate_every >= 0 && o.evaluation_batches > 0 && o.checkpoint_every >= 0 && o.keep_checkpoints > 0,
         "evaluations and checkpoints must not be negative in number");
}

// Of what the tokenizer makes of texts: two that differ in it give a run other numbers.
uint64_t digest(const TokenizerSpec& spec) {
  uint64_t hash = hash_text(spec.pre, spec.tokens.size());
  for (const TokenEntry& token : spec.tokens) hash = hash_text(token.text, hash);
  for (const std::string& merge : spec.merges) hash = hash_text(merge, hash);
  for (const TokenId id : {spec.bos, spec.eos}) hash = hash_number(static_cast<uint64_t>(id), hash);
  hash = hash_number(spec.add_bos ? 1 : 0, hash);
  return hash;
}

std::vector<TrainedTensor> trained_tensors(TrainExecutor& executor) {
  std::vector<TrainedTensor> tensors;
  for (std::size_t i = 0; i < executor.gradients().size(); ++i) {
    const Node& weight = executor.graph().node(executor.gradients()[i].weight);
    // Memory of the model's, which its owner lets be written to.
    auto* values = const_cast<float*>(weight.constant.f32());
    tensors.push_back({weight.name, {values, static_cast<std::size_t>(weight.shape.elements())}, executor.gradient(i), weight.shape.rank() > 1});
  }
  return tensors;
}

}  // namespace

TrainingBatch training_batch(const TrainBatch& batch) {
  TrainingBatch made;
  made.tokens = batch.tokens;
  for (const DocumentSpan& d : batch.documents) made.sequences.push_back({.first = d.first, .count = d.count});
  for (std::size_t r = 0; r < batch.targets.size(); ++r) {
    if (batch.targets[r] < 0) continue;
    made.output_rows.push_back(static_cast<int32_t>(r));
    made.targets.push_back(batch.targets[r]);
    made.loss_weights.push_back(batch.loss_weights[r]);
  }
  return made;
}

Trainer::Trainer(Model& model, const DataSet& data, const TrainerOptions& options, std::filesystem::path folder, Lesson lesson)
    : options_(options), lesson_(std::move(lesson)), folder_(std::move(folder)), data_digest_(data.train.digest()) {
  check(options_);
  if (!lesson_.objective) lesson_.objective = std::make_shared<Objective>();
  if (!lesson_.trains) lesson_.trains = [](const Node&) { return true; };
  options_.rate.total_steps = options_.steps;
  if (options_.n_threads == 0) options_.n_threads = available_cores();
  if (!model.tokenizer) fail(ErrorCode::kNotFound, "{}: a model without a tokenizer cannot read texts", model.path.string());
  tokenizer_digest_ = digest(*model.tokenizer);
  std::error_code error;
  std::filesystem::create_directories(folder_ / "checkpoints", error);
  if (error) fail(ErrorCode::kIo, "{}: cannot make this folder: {}", folder_.string(), error.message());

  const auto tokenizer = Tokenizer::build(*model.tokenizer);
  const StreamOptions stream{.sequence_length = options_.sequence_length, .n_sequences = options_.n_sequences, .shuffle = options_.shuffle, .seed = options_.seed};
  stream_ = std::make_unique<DataStream>(data.train, tokenizer, lesson_.samples, stream);

  const RecordKind kind = data.train.kind();
  if (!lesson_.objective->learns_from(kind)) {
    throw Error(ErrorCode::kUsage, fmt::format("training: records of kind {} do not suit this loss", record_kind_name(kind)),
                "preferences want a loss of pairs, and such a loss wants preferences");
  }
  const int64_t rows = options_.sequence_length * options_.n_sequences * (kind == RecordKind::kPreference ? 2 : 1);
  const TrainExecutorOptions executor{.n_threads = options_.n_threads, .isa = chosen_isa(), .max_tokens = rows, .max_outputs = rows,
                                      .numbers = options_.numbers};
  const Graph whole = fuse(build_graph(model, options_.sequence_length));
  const Graph graph = lesson_.adapt ? lesson_.adapt(whole) : whole;
  lesson_.objective->begin({whole, graph, lesson_.trains, options_.sequence_length, executor});
  TrainingGraph training = differentiate(graph, {.trains = lesson_.trains, .teacher = lesson_.objective->teacher()});
  if (options_.less_memory) training = recompute_most(training, {rows, rows});
  executor_ = std::make_unique<TrainExecutor>(training, executor);
  optimizer_ = std::make_unique<Optimizer>(trained_tensors(*executor_), options_.optimizer, executor_->kernels());
  weights_changed();
  if (data.validation.empty()) return;
  StreamOptions in_order = stream;
  in_order.shuffle = false;
  validation_ = std::make_unique<DataStream>(data.validation, tokenizer, lesson_.samples, in_order);
  evaluator_ = std::make_unique<TrainExecutor>(differentiate(without_dropout(graph), {}), executor);
}

int64_t Trainer::n_parameters() const {
  int64_t n = 0;
  for (const TrainedTensor& t : optimizer_->tensors()) n += static_cast<int64_t>(t.values.size());
  return n;
}

// What has a part in the numbers that come out. The number of threads has none; that of the steps only where the learning rate falls
// towards the last.
Json Trainer::settings() const {
  const OptimizerOptions& o = options_.optimizer;
  const LearningRate& rate = options_.rate;
  std::string schedule(name(rate.shape));
  if (rate.shape != RateShape::kConstant) schedule += fmt::format(" to {} of the peak over {} steps", rate.final_share, options_.steps);
  Json settings = {
      {"sequence_length", options_.sequence_length}, {"sequences", options_.n_sequences}, {"accumulation", options_.accumulation},
      {"learning_rate", rate.peak}, {"schedule", schedule}, {"warmup", rate.warmup_steps}, {"optimizer", name(o.kind)},
      {"beta1", o.beta1}, {"beta2", o.beta2}, {"eps", o.eps}, {"decay", o.decay}, {"momentum", o.momentum}, {"clip", options_.clip},
      {"bf16", options_.numbers == Multiplied::kBf16}, {"seed", options_.seed}, {"shuffle", options_.shuffle}, {"parameters", n_parameters()}, {"data", data_digest_},
      {"tokenizer", tokenizer_digest_}};
  settings.update(lesson_.settings);
  return settings;
}

Checkpoint Trainer::checkpoint() {
  Checkpoint c{.step = optimizer_->steps(), .tokens = tokens_, .position = stream_->position(), .settings = settings(), .state = {}};
  for (const TrainedTensor& t : optimizer_->tensors()) c.state.push_back(std::as_writable_bytes(t.values));
  c.state.push_back(optimizer_->state());
  return c;
}

void Trainer::save() {
  lesson_.objective->save();
  save_checkpoint(folder_ / "checkpoints", checkpoint(), options_.keep_checkpoints);
}

bool Trainer::resume() {
  const auto newest = newest_checkpoint(folder_ / "checkpoints");
  if (!newest) return false;
  Checkpoint c = checkpoint();
  load_checkpoint(*newest, c);
  stream_->seek(c.position);
  optimizer_->set_steps(c.step);
  tokens_ = c.tokens;
  weights_changed();
  return true;
}

Trainer::Window Trainer::accumulate() {
  Window window;
  executor_->clear_gradients();
  TrainBatch batch;
  for (int64_t i = 0; i < options_.accumulation;) {
    if (!stream_->next(batch)) continue;  // an epoch ended
    if (batch.n_loss_tokens == 0) continue;
    TrainingBatch prepared = training_batch(batch);
    prepared.seed = (options_.seed << 40) ^ static_cast<uint64_t>(optimizer_->steps() * options_.accumulation + i);
    lesson_.objective->prepare(prepared, batch, optimizer_->steps());
    window.loss += lesson_.objective->loss(executor_->run(prepared), prepared);
    window.count += lesson_.objective->count(batch);
    window.tokens += static_cast<int64_t>(batch.tokens.size());
    ++i;
  }
  return window;
}

void Trainer::weights_changed() {
  if (!lesson_.weights_changed) return;
  try {
    lesson_.weights_changed(executor_->pool());
  } catch (const Error& e) {
    throw Error(e.code(), fmt::format("training: after step {}: {}", optimizer_->steps(), e.what()), "or lower the learning rate");
  }
}

// Losses of all batches of the window count alike: what normalizes is the number of its targets.
StepRecord Trainer::step() {
  const auto start = Clock::now();
  StepRecord r{.step = optimizer_->steps() + 1, .learning_rate = options_.rate.at(optimizer_->steps()), .epoch = stream_->position().epoch};
  const Window window = accumulate();
  const double share = 1 / window.count;
  r.loss = window.loss * share;
  r.gradient_norm = optimizer_->gradient_norm(executor_->pool(), share);
  if (!std::isfinite(r.loss)) fail(ErrorCode::kInvalidInput, "training: the loss is not finite in step {}; lower the learning rate", r.step);
  const double clipped = options_.clip > 0 && r.gradient_norm > options_.clip ? options_.clip / r.gradient_norm : 1;
  optimizer_->step(executor_->pool(), r.learning_rate, share * clipped);
  weights_changed();
  tokens_ += window.tokens;
  r.tokens = tokens_;
  r.figures = lesson_.objective->figures();
  r.tokens_per_second = static_cast<double>(window.tokens) / seconds_since(start);
  return r;
}

double Trainer::validation_loss() {
  if (!validation_) return 0;
  validation_->seek({});
  Objective::Measured sum;
  TrainBatch batch;
  for (int64_t i = 0; i < options_.evaluation_batches && validation_->next(batch); ++i) {
    if (batch.n_loss_tokens == 0) continue;
    const Objective::Measured one = lesson_.objective->measure(training_batch(batch), batch, *evaluator_);
    sum.loss += one.loss;
    sum.count += one.count;
  }
  validation_figures_ = lesson_.objective->measured_figures();
  return sum.count > 0 ? sum.loss / sum.count : 0;
}

void Trainer::evaluate() {
  if (!validation_ || validated_step_ == optimizer_->steps()) return;
  validated_step_ = optimizer_->steps();
  last_validation_ = validation_loss();
  log_->add_validation(validated_step_, last_validation_, validation_figures_);
}

TrainerReport Trainer::run(const std::function<bool(const StepRecord&)>& on_step) {
  log_ = std::make_unique<TrainLog>(folder_, optimizer_->steps());
  TrainerReport report;
  std::vector<double> losses;
  int64_t tokens_before = tokens_;
  bool stopped = false;
  const auto is_due = [&](int64_t every) { return every > 0 && optimizer_->steps() % every == 0; };
  while (optimizer_->steps() < options_.steps && !stopped) {
    const auto start = Clock::now();
    const StepRecord r = step();
    report.seconds += seconds_since(start);
    losses.push_back(r.loss);
    log_->add(r);
    if (is_due(options_.evaluate_every)) evaluate();
    stopped = !on_step(r);
    if (is_due(options_.checkpoint_every) || stopped || optimizer_->steps() == options_.steps) {
      save();
      log_->draw();
    }
  }
  report.finished = optimizer_->steps() >= options_.steps;
  if (report.finished) evaluate();
  log_->draw();
  report.steps = optimizer_->steps();
  report.tokens = tokens_;
  const std::size_t n = std::min(kLastLosses, losses.size());
  for (std::size_t i = losses.size() - n; i < losses.size(); ++i) report.loss += losses[i] / static_cast<double>(n);
  report.validation_loss = last_validation_;
  if (report.seconds > 0) report.tokens_per_second = static_cast<double>(tokens_ - tokens_before) / report.seconds;
  return report;
}

}  // namespace minnow
