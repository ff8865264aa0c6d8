// A model that tells another what it would say: for each row of a batch its likeliest tokens.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cpu/train_executor.h"
#include "models/model.h"
#include "train/teacher_cache.h"
#include "train/train_batch.h"
#include "train/vocabulary_map.h"

namespace minnow {

struct TeacherOptions {
  int32_t top_k = 64;
  int64_t sequence_length = 256;
  TrainExecutorOptions executor;       // that of the student
  std::filesystem::path cache_folder;  // empty: nothing is kept
  uint64_t cache_bytes = 0;
};

class Teacher {
 public:
  // Throws as map_vocabularies does, kUnsupported for a teacher that is not trained on contexts of that length, and as TeacherCache.
  Teacher(std::shared_ptr<const Model> model, const TokenizerSpec& student, const TeacherOptions& options);

  // [R, 2 k] for the rows of the batch with a loss: ids of the student's vocabulary (-1 beyond those there are), likeliest first, then
  // ln p among the tokens that the student has. Documents with tokens that the teacher does not have are told nothing of. The same bits
  // whether they are computed or found in the cache.
  std::vector<float> tell(const TrainingBatch& batch, const TrainBatch& data);

  // What was worked out is written to the cache.
  void save();
  int64_t n_computed() const { return n_computed_; }  // documents, so far
  const std::string& digest() const { return digest_; }

 private:
  struct Document {
    DocumentSpan span;
    std::size_t first_row, n_rows;  // of those with a loss
  };
  std::vector<Document> documents(const TrainingBatch& batch, const TrainBatch& data) const;
  bool translate(TrainingBatch& to, const TrainingBatch& from, const Document& document) const;
  void compute(const TrainingBatch& translated, const std::vector<Document>& which, std::vector<float>& told);
  void tell_row(const float* logits, float* told, std::vector<int32_t>& order) const;

  std::shared_ptr<const Model> model_;
  TeacherOptions options_;
  VocabularyMap map_;
  std::string digest_;
  int64_t n_vocab_ = 0, max_tokens_ = 0, max_rows_ = 0;
  std::unique_ptr<TrainExecutor> executor_;
  std::unique_ptr<TeacherCache> cache_;
  int64_t n_computed_ = 0;
};

// One from several, of rows as tell() gives them: p = sum of weight * p of each, of which the k likeliest are kept. The weights add
// up to 1; a row that one of them tells nothing of is that of the others.
std::vector<float> mixture(const std::vector<std::vector<float>>& told, const std::vector<double>& weights, int32_t top_k);

}  // namespace minnow
