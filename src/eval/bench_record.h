// One test's result as it is kept: where, what, how fast, and beside whom. JSON in and out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/bench.h"

namespace minnow {

// One program's runs of a test.
struct Contender {
  std::string name, command;
  std::vector<double> runs;   // tokens per second; of the start test, seconds
  std::vector<double> reads;  // bytes per second that memory gave beside each run; empty when not probed
  uint64_t peak_rss = 0;      // bytes; 0: not known
  std::string error;          // why it has no more runs
};

struct BenchRecord {
  std::string time, note, version;  // UTC as ISO 8601; what the user said of it; minnow's
  std::string cpu, isa;
  int64_t cores = 0, threads = 0;
  uint64_t memory = 0;  // bytes of the machine

  std::string model, dtype, kv;
  int64_t n_parameters = 0, n_batch = 0;

  BenchTest test;
  Contender ours;
  double load_seconds = 0;         // until the model is ready to run
  double first_token_seconds = 0;  // the same and one token, from a prompt of one
  double limit_share = 0;          // median of the runs
  bool memory_bound = false;
  MachineLimits limits;
  std::vector<Contender> peers;
};

// Fills in what is known of this machine, this program and this moment.
BenchRecord record_of_here();

// The peer with the best median, or null when none has a run.
const Contender* best_peer(const BenchRecord& record);
// Ours over the best peer's, run by run; of the start test the other way round. Above 1: ours is faster.
std::vector<double> ratios(const BenchRecord& record);

Json to_json(const BenchRecord& record);
// Throws kInvalidInput naming `source` and the field.
BenchRecord record_from_json(const Json& json, const std::string& source);

// Adds lines to a file, which is made when it does not exist. Throws kIo.
void append_records(const std::filesystem::path& path, const std::vector<BenchRecord>& records);
// Throws kNotFound, kIo, or kInvalidInput naming the line.
std::vector<BenchRecord> read_records(const std::filesystem::path& path);

}  // namespace minnow
