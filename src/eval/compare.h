// One test, run by minnow and by peers in turn: A B A B, so that what the machine does meanwhile meets all alike.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "eval/bench_record.h"
#include "eval/peer.h"

namespace minnow {

struct CompareOptions {
  std::string model;                  // a path
  std::string ours, ours_start;       // commands as a peer's: minnow's own benchmark, and a run of one token
  std::vector<Peer> peers;
  std::string pattern;                // finds a peer's tokens/s; empty: minnow knows its format
  int repetitions = 5;
  double time_limit_seconds = 600;    // of each run
  std::function<bool()> cancelled;
  std::function<void(const std::string& who, int run)> progress;
  std::function<void(const std::string& line)> warn;  // a peer that failed: said once, it is left out of the test
};

// Every run is a process of its own: each has the machine for itself, and its memory can be told. Beside runs of
// generation the memory's bandwidth is probed. Throws when minnow's own run fails, and kCancelled.
BenchRecord compare(const BenchTest& test, int threads, const CompareOptions& options);

}  // namespace minnow
