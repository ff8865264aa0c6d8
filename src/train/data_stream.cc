#include "train/data_stream.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace minnow {
namespace {

constexpr uint64_t kGroupRecords = 512;  // packed together: enough for sequences that are almost full

constexpr int64_t kMaxBatchRows = INT32_MAX;

SampleOptions fitted(SampleOptions samples, const StreamOptions& options, bool is_window) {
  if (options.sequence_length < 1 || options.n_sequences < 1) {
    fail(ErrorCode::kUsage, "{} sequences of {} tokens make no batch", options.n_sequences, options.sequence_length);
  }
  if (options.sequence_length > kMaxBatchRows / 2 / options.n_sequences) {
    fail(ErrorCode::kLimit, "{} sequences of {} tokens are too much for one batch", options.n_sequences, options.sequence_length);
  }
  if (is_window) return samples;
  const int64_t fits = options.sequence_length + 1;  // the last token of a document takes no row
  samples.max_length = samples.max_length > 0 ? std::min(samples.max_length, fits) : fits;
  return samples;
}

// Tokens [begin, begin + count) of a sample as rows of a document, each with the token after it.
void append_rows(TrainBatch& batch, const Sample& sample, std::size_t begin, std::size_t count) {
  batch.documents.push_back({static_cast<int32_t>(batch.tokens.size()), static_cast<int32_t>(count)});
  for (std::size_t i = begin; i < begin + count; ++i) {
    const bool learns = sample.loss[i + 1] != 0;
    batch.tokens.push_back(sample.tokens[i]);
    batch.targets.push_back(learns ? sample.tokens[i + 1] : -1);
    batch.loss_weights.push_back(learns ? 1.0f : 0.0f);
    batch.n_loss_tokens += learns ? 1 : 0;
  }
}

std::size_t n_rows(const Sample& sample) { return sample.tokens.size() - 1; }

}  // namespace

DataStream::DataStream(DataSplit split, std::shared_ptr<const Tokenizer> tokenizer, SampleOptions samples, StreamOptions options)
    : split_(std::move(split)),
      options_(options),
      renderer_(std::move(tokenizer), fitted(std::move(samples), options_, split_.index && is_window())) {
  if (split_.empty()) fail(ErrorCode::kInvalidInput, "there are no records to train on");
  begin_epoch(0);
}

void DataStream::begin_epoch(uint64_t epoch) {
  position_ = {.epoch = epoch};
  loaded_ = gave_any_ = false;
  if (options_.shuffle) {
    order_ = shuffled_order(split_.records.size(), options_.seed, epoch);
  } else {
    order_.resize(split_.records.size());
    std::iota(order_.begin(), order_.end(), 0u);
  }
}

void DataStream::seek(const StreamPosition& position) {
  if (position.record > order_.size() || (position.record == order_.size() && position.offset > 0)) {
    fail(ErrorCode::kInvalidInput, "record {} of an epoch is wanted, but there are {}; these are not the data of the run before",
         position.record, order_.size());
  }
  begin_epoch(position.epoch);
  position_ = position;
  gave_any_ = position.record > 0 || position.offset > 0;
}

std::vector<Sample> DataStream::samples(uint64_t i) const {
  const uint32_t record = order_.at(i);
  try {
    return renderer_.render(split_.record(record));
  } catch (const Error& e) {
    throw Error(e.code(), split_.place(record) + ": " + e.what());
  }
}

std::vector<DataStream::Unit> DataStream::read(uint64_t i) {
  std::vector<Unit> units;
  const bool pairs = split_.kind() == RecordKind::kPreference;
  for (Sample& document : samples(i)) {
    if (units.empty() || !pairs) units.emplace_back();
    units.back().push_back(std::move(document));
  }
  const auto has_nothing = [](const Unit& unit) { return std::ranges::any_of(unit, [](const Sample& s) { return s.n_loss() == 0; }); };
  counts_.left_out += static_cast<int64_t>(std::erase_if(units, has_nothing));
  ++counts_.records;
  for (const Unit& unit : units) {
    for (const Sample& document : unit) {
      ++counts_.documents;
      counts_.tokens += static_cast<int64_t>(document.tokens.size());
      counts_.loss_tokens += document.n_loss();
      counts_.cut += document.cut ? 1 : 0;
    }
  }
  return units;
}

bool DataStream::next(TrainBatch& batch) {
  batch = {};
  for (int64_t i = 0; i < options_.n_sequences; ++i) {
    if (!(is_window() ? add_window(batch) : add_sequence(batch))) break;
  }
  if (!batch.tokens.empty()) return gave_any_ = true;
  if (!gave_any_) {
    throw Error(ErrorCode::kInvalidInput, fmt::format("none of {} records has anything to learn within {} tokens", order_.size(), options_.sequence_length),
                "make sequences longer");
  }
  begin_epoch(position_.epoch + 1);
  return false;
}

bool DataStream::add_window(TrainBatch& batch) {
  const auto before = batch.tokens.size();
  auto room = static_cast<std::size_t>(options_.sequence_length);
  while (room > 0 && position_.record < order_.size()) {
    if (!loaded_) {
      std::vector<Unit> units = read(position_.record);
      text_ = units.empty() ? Sample{{0}, {0}} : std::move(units[0][0]);
      if (position_.offset > n_rows(text_)) fail(ErrorCode::kInvalidInput, "the data are not those of the run before: a record is shorter");
      loaded_ = true;
    }
    const std::size_t count = std::min(room, n_rows(text_) - static_cast<std::size_t>(position_.offset));
    if (count > 0) append_rows(batch, text_, static_cast<std::size_t>(position_.offset), count);
    room -= count;
    position_.offset += count;
    if (position_.offset == n_rows(text_)) {
      ++position_.record;
      position_.offset = 0;
      loaded_ = false;
    }
  }
  return batch.tokens.size() > before;
}

void DataStream::load_group() {
  group_.clear();
  group_size_ = std::min(kGroupRecords, order_.size() - position_.record);
  std::vector<int64_t> lengths;
  for (uint64_t i = 0; i < group_size_; ++i) {
    for (Unit& unit : read(position_.record + i)) {
      lengths.push_back(std::accumulate(unit.begin(), unit.end(), int64_t{0},
                                        [](int64_t sum, const Sample& s) { return sum + static_cast<int64_t>(n_rows(s)); }));
      group_.push_back(std::move(unit));
    }
  }
  const int64_t capacity = options_.sequence_length * (split_.kind() == RecordKind::kPreference ? 2 : 1);
  rows_ = pack(lengths, capacity, options_.packing);
  if (position_.offset > rows_.size()) fail(ErrorCode::kInvalidInput, "the data are not those of the run before: they make fewer sequences");
  loaded_ = true;
}

bool DataStream::add_sequence(TrainBatch& batch) {
  while (position_.record < order_.size()) {
    if (!loaded_) load_group();
    if (position_.offset < rows_.size()) {
      for (const uint32_t unit : rows_[position_.offset]) {
        for (const Sample& document : group_[unit]) append_rows(batch, document, 0, n_rows(document));
      }
      ++position_.offset;
      return true;
    }
    position_.record += group_size_;
    position_.offset = 0;
    loaded_ = false;
  }
  return false;
}

}  // namespace minnow
