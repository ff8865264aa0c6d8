// A data set: records for training and records for validation.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "train/record_index.h"

namespace minnow {

struct DataSetOptions {
  std::vector<std::filesystem::path> files;             // see find_data_files
  std::vector<std::filesystem::path> validation_files;  // or else a share of the records:
  double validation_share = 0;                          // in [0, 1); at least one record when above 0
  uint64_t seed = 0;                                    // picks that share
  RecordIndexOptions index;
};

// Some of the records of an index, rising.
struct DataSplit {
  std::shared_ptr<const RecordIndex> index;
  std::vector<uint32_t> records;

  bool empty() const { return records.empty(); }
  RecordKind kind() const { return index->kind(); }
  Record record(std::size_t i) const { return index->record(records[i]); }
  std::string place(std::size_t i) const { return index->place(records[i]); }
  // Of the data and of the choice among them.
  uint64_t digest() const;
};

struct DataSet {
  DataSplit train, validation;  // the latter empty when none was asked for

  // Throws as find_data_files and RecordIndex::open do; kInvalidInput when nothing is left to train on or the kinds differ.
  static DataSet open(const DataSetOptions& options);
};

// The numbers 0 to n - 1 in an order that the seed and the epoch determine, the same on every machine.
std::vector<uint32_t> shuffled_order(std::size_t n, uint64_t seed, uint64_t epoch);

}  // namespace minnow
