#include "train/teacher.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "graph/passes.h"
#include "base/fast_hash.h"
#include "models/digest.h"

namespace minnow {
namespace {

// Logits that are held at a time, unless one document has more.
constexpr int64_t kLogits = int64_t{32} << 20;

Json cache_settings(const Teacher& teacher, const TokenizerSpec& student, const TeacherOptions& o) {
  return {{"version", 1}, {"teacher", teacher.digest()}, {"vocabulary", vocabulary_digest(student)}, {"top_k", o.top_k},
          {"sequence_length", o.sequence_length}, {"bf16", o.executor.numbers == Multiplied::kBf16}, {"isa", name(o.executor.isa)}};
}

}  // namespace

Teacher::Teacher(std::shared_ptr<const Model> model, const TokenizerSpec& student, const TeacherOptions& options)
    : model_(std::move(model)), options_(options) {
  const std::string source = model_->path.string();
  if (!model_->tokenizer) fail(ErrorCode::kNotFound, "{}: a teacher without a tokenizer cannot be compared with the student", source);
  if (options_.sequence_length > model_->config.n_ctx_train) {
    fail(ErrorCode::kUsage, "{}: a teacher for contexts of {}, but sequences have {} tokens", source, model_->config.n_ctx_train, options_.sequence_length);
  }
  map_ = map_vocabularies(student, *model_->tokenizer, source);
  digest_ = model_digest(*model_);
  const Graph graph = fuse(build_graph(*model_, options_.sequence_length));
  n_vocab_ = graph.node(graph.output()).shape[1];
  map_.to_student.resize(static_cast<std::size_t>(n_vocab_), -1);  // outputs beyond the tokens there are
  max_tokens_ = options_.executor.max_tokens;
  max_rows_ = std::min(options_.executor.max_outputs, std::max(options_.sequence_length, kLogits / n_vocab_));
  TrainExecutorOptions executor = options_.executor;
  executor.max_outputs = max_rows_;
  executor_ = std::make_unique<TrainExecutor>(differentiate(graph, {.loss = LossKind::kGiven}), executor);
  if (options_.cache_folder.empty()) return;
  const Json settings = cache_settings(*this, student, options_);
  const DocumentKey key{hash_text(settings.dump(), 0), hash_text(settings.dump(), 1)};
  cache_ = std::make_unique<TeacherCache>(options_.cache_folder / fmt::format("teacher-{:016x}", key.a), settings, options_.cache_bytes);
}

std::vector<Teacher::Document> Teacher::documents(const TrainingBatch& batch, const TrainBatch& data) const {
  std::vector<Document> all;
  std::size_t row = 0;
  for (const DocumentSpan& span : data.documents) {
    const std::size_t first = row;
    while (row < batch.output_rows.size() && batch.output_rows[row] < span.first + span.count) ++row;
    if (row > first) all.push_back({span, first, row - first});
  }
  return all;
}

// Appends a document in the teacher's tokens; false, and nothing is appended, when it has not all of them.
bool Teacher::translate(TrainingBatch& to, const TrainingBatch& from, const Document& d) const {
  const auto first = static_cast<int32_t>(to.tokens.size());
  for (int32_t i = d.span.first; i < d.span.first + d.span.count; ++i) {
    const auto token = static_cast<std::size_t>(from.tokens[static_cast<std::size_t>(i)]);
    const int32_t id = token < map_.to_teacher.size() ? map_.to_teacher[token] : -1;
    if (id < 0) {
      to.tokens.resize(static_cast<std::size_t>(first));
      return false;
    }
    to.tokens.push_back(id);
  }
  to.sequences.push_back({.first = first, .count = d.span.count});
  for (std::size_t r = d.first_row; r < d.first_row + d.n_rows; ++r) to.output_rows.push_back(from.output_rows[r] - d.span.first + first);
  return true;
}

// Likeliest first, equal ones by their ids.
void Teacher::tell_row(const float* z, float* told, std::vector<int32_t>& order) const {
  order.clear();
  for (std::size_t v = 0; v < map_.to_student.size(); ++v) {
    if (map_.to_student[v] >= 0) order.push_back(static_cast<int32_t>(v));
  }
  const auto n = std::min(order.size(), static_cast<std::size_t>(options_.top_k));
  const auto likelier = [z](int32_t a, int32_t b) { return z[a] != z[b] ? z[a] > z[b] : a < b; };
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n), order.end(), likelier);
  double sum = 0;
  const double top = z[order.front()];
  for (const int32_t v : order) sum += std::exp(z[v] - top);
  const double log_sum = top + std::log(sum);
  for (std::size_t j = 0; j < static_cast<std::size_t>(options_.top_k); ++j) {
    told[j] = j < n ? static_cast<float>(map_.to_student[static_cast<std::size_t>(order[j])]) : -1;
    told[static_cast<std::size_t>(options_.top_k) + j] = j < n ? static_cast<float>(z[order[j]] - log_sum) : 0;
  }
}

void Teacher::compute(const TrainingBatch& translated, const std::vector<Document>& which, std::vector<float>& told) {
  if (which.empty()) return;
  const std::span<const float> logits = executor_->run(translated);
  std::vector<float*> to;
  const auto width = static_cast<std::size_t>(2 * options_.top_k);
  for (const Document& d : which) {
    for (std::size_t r = d.first_row; r < d.first_row + d.n_rows; ++r) to.push_back(told.data() + r * width);
  }
  executor_->pool().parallel_for(static_cast<int64_t>(to.size()), 4, [&](int64_t begin, int64_t end) {
    std::vector<int32_t> order;
    for (int64_t r = begin; r < end; ++r) tell_row(logits.data() + r * n_vocab_, to[static_cast<std::size_t>(r)], order);
  });
  n_computed_ += static_cast<int64_t>(which.size());
}

std::vector<float> Teacher::tell(const TrainingBatch& batch, const TrainBatch& data) {
  const auto width = static_cast<std::size_t>(2 * options_.top_k);
  std::vector<float> told(batch.output_rows.size() * width, 0.0f);
  TrainingBatch translated;
  std::vector<Document> computed, all_computed;
  for (const Document& d : documents(batch, data)) {
    const auto part = [&](const std::vector<int32_t>& v) { return std::span(v).subspan(static_cast<std::size_t>(d.span.first), static_cast<std::size_t>(d.span.count)); };
    const std::span<const float> found = cache_ ? cache_->find(document_key(part(data.tokens), part(data.targets))) : std::span<const float>();
    if (found.size() == d.n_rows * width) {
      std::copy(found.begin(), found.end(), told.begin() + static_cast<std::ptrdiff_t>(d.first_row * width));
      continue;
    }
    const auto fits = [&](std::size_t have, std::size_t more, int64_t most) { return static_cast<int64_t>(have + more) <= most; };
    if (!fits(translated.tokens.size(), static_cast<std::size_t>(d.span.count), max_tokens_) || !fits(translated.output_rows.size(), d.n_rows, max_rows_)) {
      compute(translated, computed, told);
      translated = {};
      computed.clear();
    }
    if (translate(translated, batch, d)) {
      computed.push_back(d);
      all_computed.push_back(d);
    } else {
      for (std::size_t r = d.first_row; r < d.first_row + d.n_rows; ++r) std::fill_n(told.begin() + static_cast<std::ptrdiff_t>(r * width), options_.top_k, -1.0f);
    }
  }
  compute(translated, computed, told);
  for (const Document& d : all_computed) {
    if (!cache_) break;
    const auto part = [&](const std::vector<int32_t>& v) { return std::span(v).subspan(static_cast<std::size_t>(d.span.first), static_cast<std::size_t>(d.span.count)); };
    cache_->add(document_key(part(data.tokens), part(data.targets)), std::span(told).subspan(d.first_row * width, d.n_rows * width));
  }
  return told;
}

void Teacher::save() {
  if (cache_) cache_->flush();
}

std::vector<float> mixture(const std::vector<std::vector<float>>& told, const std::vector<double>& weights, int32_t top_k) {
  const auto k = static_cast<std::size_t>(top_k);
  std::vector<float> mixed(told.front().size(), -1.0f);
  for (std::size_t row = 0; row < mixed.size(); row += 2 * k) {
    std::map<int32_t, double> p;
    double sum = 0;
    for (std::size_t t = 0; t < told.size(); ++t) {
      const float* from = told[t].data() + row;
      if (from[0] >= 0) sum += weights[t];
      for (std::size_t j = 0; j < k && from[j] >= 0; ++j) p[static_cast<int32_t>(from[j])] += weights[t] * std::exp(static_cast<double>(from[k + j]));
    }
    std::vector<std::pair<int32_t, double>> order(p.begin(), p.end());
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    for (std::size_t j = 0; j < k; ++j) {
      const bool there = j < order.size() && order[j].second > 0;
      mixed[row + j] = there ? static_cast<float>(order[j].first) : -1;
      mixed[row + k + j] = there ? static_cast<float>(std::log(order[j].second / sum)) : 0;
    }
  }
  return mixed;
}

}  // namespace minnow
