// The ways of `bench`: on an engine of this process, in turn with peers, by matrix shapes.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "eval/bench_record.h"

namespace minnow {

struct BenchArguments {
  ModelArguments model;
  BenchPlan plan;
  std::vector<int> threads;  // empty: all cores
  int repetitions = 5;
  std::vector<std::string> peers;
  std::string peer_pattern;
  double peer_timeout = 600;
  bool roofline = false;
  std::string output, note, show;
  bool json = false, markdown = false;
};

// Says on a terminal what is being measured, and wipes it away in the end.
class BenchStatus {
 public:
  ~BenchStatus() { say(""); }
  void say(const std::string& text);
  void warn(const std::string& line);

 private:
  bool shown_ = false;
};

// All tests with one number of threads. Results are added to --output as they come.
std::vector<BenchRecord> bench_here(const BenchArguments& a, const std::vector<BenchTest>& tests, int threads, BenchStatus& status);
std::vector<BenchRecord> bench_with_peers(const BenchArguments& a, const std::vector<BenchTest>& tests, int threads,
                                          BenchStatus& status);
void bench_roofline(const BenchArguments& a, BenchStatus& status);

// A test that is done: noted and kept.
void keep_record(const BenchArguments& a, BenchRecord& record);

}  // namespace minnow
