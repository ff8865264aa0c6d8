// Which pair merges next: the one of the lowest rank, and of equal ones the leftmost.
#pragma once

#include <cstdint>
#include <vector>

namespace minnow {

// Pairs wait in one list for each rank, which is made ready when its turn comes. Long texts put few ranks to use, and their
// positions mostly come in order, so that a step costs the same however long the text is; a heap of all pairs would not.
class MergeQueue {
 public:
  struct Item {
    uint32_t rank, position;
  };

  // Empties it; ranks are below n_ranks.
  void reset(uint32_t n_ranks);
  void push(Item item);
  // False when it is empty.
  bool pop(Item& item);

  // Pushed since reset().
  std::size_t n_pushed() const { return n_pushed_; }
  std::size_t bytes() const { return waiting_.capacity() * sizeof(Waiting) + ready_.capacity() * sizeof(uint32_t); }

 private:
  struct Waiting {
    uint32_t position, next;  // next: index of another of the same rank
  };
  struct List {
    uint32_t first = kNone, last = kNone;
  };
  static constexpr uint32_t kNone = UINT32_MAX;
  void make_ready();

  std::vector<List> lists_;          // by rank
  std::vector<uint32_t> ranks_;      // those with a list: a heap, the lowest on top
  std::vector<Waiting> waiting_;     // of all lists
  std::vector<uint32_t> ready_;      // positions of ready_rank_, rising
  std::size_t next_ready_ = 0;
  uint32_t ready_rank_ = 0;
  bool has_ready_ = false;
  std::vector<uint64_t> late_;  // came when their rank's turn had begun or was over: a heap of rank, position
  std::size_t n_pushed_ = 0;
};

}  // namespace minnow
