#include "train/data_set.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/fast_hash.h"
#include "base/random.h"

namespace minnow {
namespace {

constexpr uint64_t kSplitEpoch = UINT64_MAX;  // no epoch of training: the split's shuffle is of its own

DataSplit all_records(std::shared_ptr<const RecordIndex> index) {
  std::vector<uint32_t> records(index->size());
  std::iota(records.begin(), records.end(), 0u);
  return {std::move(index), std::move(records)};
}

// Moves a share of the records of `train` to the split that is returned.
DataSplit take_share(DataSplit& train, double share, uint64_t seed) {
  const std::size_t n = train.records.size();
  const auto n_taken = std::max<std::size_t>(1, static_cast<std::size_t>(std::llround(share * static_cast<double>(n))));
  if (n_taken >= n) {
    throw Error(ErrorCode::kInvalidInput, fmt::format("a share of {} of {} records for validation leaves none to train on", share, n),
                "give more records or a file of its own for validation");
  }
  std::vector<bool> taken(n, false);
  const std::vector<uint32_t> order = shuffled_order(n, seed, kSplitEpoch);
  for (std::size_t i = 0; i < n_taken; ++i) taken[order[i]] = true;
  DataSplit validation{train.index, {}};
  std::vector<uint32_t> kept;
  for (std::size_t i = 0; i < n; ++i) (taken[i] ? validation.records : kept).push_back(train.records[i]);
  train.records = std::move(kept);
  return validation;
}

}  // namespace

uint64_t DataSplit::digest() const {
  const std::string_view bytes(reinterpret_cast<const char*>(records.data()), records.size() * sizeof(uint32_t));
  return hash_text(bytes, index->digest());
}

DataSet DataSet::open(const DataSetOptions& options) {
  if (!(options.validation_share >= 0 && options.validation_share < 1)) {
    fail(ErrorCode::kUsage, "the share of records for validation is {}, it must be at least 0 and below 1", options.validation_share);
  }
  const DataFiles found = find_data_files(options.files);
  DataSet set;
  set.train = all_records(RecordIndex::open(found.files, found.format, options.index));
  DataFiles validation{.format = found.format, .files = found.validation};
  if (!options.validation_files.empty()) validation = find_data_files(options.validation_files);
  if (!validation.files.empty()) {
    set.validation = all_records(RecordIndex::open(validation.files, validation.format, options.index));
    if (set.validation.kind() != set.train.kind()) {
      fail(ErrorCode::kInvalidInput, "{}: {} records for validation, but {} records to train on", validation.files.front().string(),
           record_kind_name(set.validation.kind()), record_kind_name(set.train.kind()));
    }
  } else if (options.validation_share > 0) {
    set.validation = take_share(set.train, options.validation_share, options.seed);
  }
  return set;
}

std::vector<uint32_t> shuffled_order(std::size_t n, uint64_t seed, uint64_t epoch) {
  std::vector<uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  Random random(hash_number(epoch, seed ^ 0x5bd1e995));
  for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

}  // namespace minnow
