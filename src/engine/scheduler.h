// Chooses what each step of the engine works on and keeps the KV pages of all sequences.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "engine/page_table.h"
#include "engine/sequence.h"
#include "graph/batch.h"

namespace minnow {

struct SchedulerLimits {
  int n_sequences;     // running at once
  int64_t n_batch;     // tokens of a step
  int64_t n_outputs;   // rows of logits of a step
  bool reuse_prefixes;
  bool whole_prompts;  // a prompt is computed in one step or not yet
};

struct SchedulerCounts {
  int64_t prefix_queries = 0, prefix_hits = 0;  // prompt tokens
  int64_t preemptions = 0;
};

// The part of a step that belongs to one sequence.
struct ScheduledSlice {
  Sequence* sequence;
  int32_t count;        // tokens, from n_cached on
  int32_t first_output; // its rows among the batch's outputs
  int32_t n_outputs;
};

class Scheduler {
 public:
  Scheduler(SchedulerLimits limits, int32_t n_pages) : limits_(limits), table_(n_pages) {}

  void add(std::unique_ptr<Sequence> sequence) { waiting_.push_back(std::move(sequence)); }
  bool idle() const { return running_.empty() && waiting_.empty() && aside_.empty(); }

  // Fills a batch: sequences in the middle of an answer first, one token each, then prompts in the order of arrival,
  // as much of each as fits. When pages run out, the sequence that came last gives its own back and waits; it will be
  // computed again. One whose reader is behind is set aside, until take_back(). The batch refers to the sequences' pages and is valid
  // until the next call.
  std::vector<ScheduledSlice> schedule(Batch& batch);
  // The step is done: the slice's tokens are in the cache.
  void advance(const ScheduledSlice& slice);
  // Those that were set aside and whose readers have read wait again, before all others. A step costs nothing for what is aside: call it
  // when somebody has read.
  void take_back();
  // Removes a sequence that ended; its pages are free, what they hold can still be found.
  void remove(Sequence* sequence);

  // All sequences: running, waiting, set aside.
  std::vector<Sequence*> all() const;
  const std::vector<std::unique_ptr<Sequence>>& running() const { return running_; }
  const PageTable& pages() const { return table_; }
  int n_running() const { return static_cast<int>(running_.size()); }
  int n_waiting() const { return static_cast<int>(waiting_.size() + aside_.size()); }
  const SchedulerCounts& counts() const { return counts_; }

 private:
  void set_aside();
  void admit();
  void reuse_prefix(Sequence& sequence);
  bool reserve_pages(Sequence& sequence, int64_t n_tokens);
  void preempt_last(const Sequence* needy);
  void release_pages(Sequence& sequence);
  bool add_slice(Sequence& sequence, int64_t limit, Batch& batch, std::vector<ScheduledSlice>& slices);

  SchedulerLimits limits_;
  PageTable table_;
  SchedulerCounts counts_;
  std::deque<std::unique_ptr<Sequence>> waiting_;
  std::vector<std::unique_ptr<Sequence>> running_;  // in order of arrival
  std::vector<std::unique_ptr<Sequence>> aside_;    // nobody reads them; in the order in which that was noticed
};

}  // namespace minnow
