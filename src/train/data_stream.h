// Batches from a data set, epoch after epoch.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "train/data_set.h"
#include "train/packing.h"
#include "train/sample.h"
#include "train/train_batch.h"

namespace minnow {

struct StreamOptions {
  int64_t sequence_length = 1024;  // rows of a sequence at most; of a preference pair twice as many, this for each of the two
  int64_t n_sequences = 1;         // of a batch
  // Text records that are packed are one long text, cut into sequences where they are full; kNone cuts each at its end instead.
  PackingOrder packing = PackingOrder::kFirstFit;
  bool shuffle = true;  // records in a new order in every epoch; false: as they lie in the files
  uint64_t seed = 0;
};

// Where a stream is: what a checkpoint keeps. A stream over the same data with the same options goes on from it with the very batches
// that would have come.
struct StreamPosition {
  uint64_t epoch = 0;
  uint64_t record = 0;  // of this epoch's order
  uint64_t offset = 0;  // packed texts: tokens of this record that were given; else sequences of the records from here on
  bool operator==(const StreamPosition&) const = default;
};

// What a stream has read so far; a record that was read again after seek() counts again.
struct StreamCounts {
  int64_t records = 0;
  int64_t documents = 0;
  int64_t tokens = 0;
  int64_t loss_tokens = 0;
  int64_t cut = 0;       // documents whose end did not fit
  int64_t left_out = 0;  // documents, or preference pairs, that have nothing to learn within what fits
};

class DataStream {
 public:
  // max_length of `samples` is lowered to what a sequence holds. Throws kUsage for lengths and numbers below 1, kInvalidInput when
  // the split is empty.
  DataStream(DataSplit split, std::shared_ptr<const Tokenizer> tokenizer, SampleOptions samples, StreamOptions options);

  // False at the end of an epoch, with an empty batch; the next call begins the next one. The last batch of an epoch may hold fewer
  // sequences. Throws what parse_record and SampleRenderer::render throw, with file and line, and kInvalidInput when a whole epoch has
  // nothing to learn.
  bool next(TrainBatch& batch);

  // Of the batch that comes next.
  StreamPosition position() const { return position_; }
  // Throws kInvalidInput when there is no such position in these data.
  void seek(const StreamPosition& position);

  const StreamCounts& counts() const { return counts_; }
  const SampleRenderer& renderer() const { return renderer_; }
  const DataSplit& split() const { return split_; }
  // The samples of the i-th record of this epoch, as they are given to training; errors as next().
  std::vector<Sample> samples(uint64_t i) const;

 private:
  using Unit = std::vector<Sample>;  // documents that stay together
  bool is_window() const { return split_.kind() == RecordKind::kText && options_.packing != PackingOrder::kNone; }
  void begin_epoch(uint64_t epoch);
  std::vector<Unit> read(uint64_t i);
  bool add_window(TrainBatch& batch);
  bool add_sequence(TrainBatch& batch);
  void load_group();

  DataSplit split_;
  StreamOptions options_;
  SampleRenderer renderer_;
  StreamPosition position_;
  StreamCounts counts_;
  std::vector<uint32_t> order_;  // of this epoch
  bool gave_any_ = false;        // in this epoch, or before it was resumed

  Sample text_;                          // packed texts: the record at hand, when loaded_
  std::vector<Unit> group_;              // else: the records packed together, when loaded_
  std::vector<std::vector<uint32_t>> rows_;  // sequences made of them
  uint64_t group_size_ = 0;              // records of the group, with those left out
  bool loaded_ = false;
};

}  // namespace minnow
