// Data to learn from, written by a model: tasks like those of some seed records, answers to them, and a judge's scores (Wang et al. 2022,
// "Self-Instruct").
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "respond/responder.h"
#include "train/overlap.h"
#include "train/record.h"

namespace minnow {

// Answers to all of some requests, in their order.
using Ask = std::function<std::vector<std::string>(std::vector<ChatRequest>)>;
// Through a responder, which computes them side by side. Answers that did not end are empty. The responder must outlive the result.
Ask ask_through(Responder& responder);

struct SeedTask {
  std::string instruction, answer;
  std::string place;  // file and line
};
// Of records of instructions, prompts and chats (their first turn). Throws kUnsupported for other kinds and for prompts in several parts.
SeedTask seed_task(const Record& record, const std::string& place);

struct SynthOptions {
  int64_t count = 100;          // records wanted
  int64_t max_attempts = 0;     // 0: 20 for each record wanted
  int n_examples = 3;           // seed tasks that the teacher is shown for each new one
  int n_parallel = 16;          // attempts made at a time
  double min_score = 8;         // of 10
  std::size_t min_chars = 8, max_chars = 8000;  // of instruction and of answer, each
  SamplingParams sampling;      // of instructions and answers; its seed is that of the whole run. The judge is greedy
  int64_t max_tokens = 512;     // of each
  Json provenance = Json::object();  // added to that of every record: the digests of the models
};

enum class SynthFate : uint8_t { kKept, kTooShort, kTooLong, kPersonal, kDuplicate, kUnjudged, kLowScore };
inline constexpr std::size_t kNumSynthFates = 7;
std::string_view name(SynthFate fate);  // "kept", "too short", …

// Where a run is: enough to go on with the very records that would have come.
struct SynthProgress {
  int64_t attempts = 0;
  std::array<int64_t, kNumSynthFates> fates = {};

  int64_t kept() const { return fates[0]; }
  Json to_json() const;
  // Throws kInvalidInput for what to_json did not write.
  static SynthProgress from_json(const Json& json, const std::string& source);
};

class Synthesizer {
 public:
  // Throws kUsage for options out of range and when there is no seed task.
  Synthesizer(std::vector<SeedTask> seeds, Ask teacher, Ask judge, SynthOptions options);

  // Goes on from there: `records` are those kept so far.
  void resume(const SynthProgress& progress, const std::vector<OrderedJson>& records);
  // The next attempts, n_parallel of them, in the order in which they were begun: the records kept, {"instruction", "output",
  // "provenance"}. The same for a seed, whatever runs beside.
  std::vector<OrderedJson> advance();
  bool is_done() const;
  const SynthProgress& progress() const { return progress_; }

 private:
  struct Attempt {
    int64_t number = 0;
    std::vector<std::size_t> shown;  // seed tasks
    std::string instruction, answer;
    double score = 0;
    SynthFate fate = SynthFate::kKept;
  };
  void write_instructions(std::vector<Attempt>& attempts);
  void write_answers(std::vector<Attempt>& attempts);
  void judge(std::vector<Attempt>& attempts);
  SynthFate check(std::string_view text) const;
  bool is_known(const Attempt& attempt) const;
  void remember(std::string_view instruction, std::string_view answer);
  OrderedJson record_of(const Attempt& attempt) const;
  uint64_t seed_of(int64_t attempt, uint64_t use) const;

  std::vector<SeedTask> seeds_;
  Ask teacher_, judge_;
  SynthOptions options_;
  SynthProgress progress_;
  NearDuplicates instructions_, whole_;
};

// The score of a judge's answer: the first number from 1 to 10 behind the word "score", else the only number there is; negative
// when there is none.
double parse_score(std::string_view answer);

}  // namespace minnow
