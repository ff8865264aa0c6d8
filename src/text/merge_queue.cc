#include "text/merge_queue.h"

#include <algorithm>
#include <functional>

namespace minnow {
namespace {

uint64_t key_of(uint32_t rank, uint32_t position) { return static_cast<uint64_t>(rank) << 32 | position; }

template <typename T>
void push_heap(std::vector<T>& heap, T value) {
  heap.push_back(value);
  std::ranges::push_heap(heap, std::greater<>());
}

template <typename T>
T pop_heap(std::vector<T>& heap) {
  std::ranges::pop_heap(heap, std::greater<>());
  const T value = heap.back();
  heap.pop_back();
  return value;
}

}  // namespace

void MergeQueue::reset(uint32_t n_ranks) {
  for (const uint32_t rank : ranks_) lists_[rank] = {};
  if (lists_.size() < n_ranks) lists_.resize(n_ranks);
  ranks_.clear();
  waiting_.clear();
  ready_.clear();
  late_.clear();
  next_ready_ = n_pushed_ = 0;
  has_ready_ = false;
}

void MergeQueue::push(Item item) {
  ++n_pushed_;
  if (has_ready_ && item.rank <= ready_rank_) {
    push_heap(late_, key_of(item.rank, item.position));
    return;
  }
  List& list = lists_[item.rank];
  const auto index = static_cast<uint32_t>(waiting_.size());
  waiting_.push_back({item.position, kNone});
  if (list.first == kNone) {
    list.first = index;
    push_heap(ranks_, item.rank);
  } else {
    waiting_[list.last].next = index;
  }
  list.last = index;
}

bool MergeQueue::pop(Item& item) {
  if (next_ready_ == ready_.size() && late_.empty()) {
    if (ranks_.empty()) return false;
    make_ready();
  }
  const bool late_first = !late_.empty() && (next_ready_ == ready_.size() ||
                                             late_.front() < key_of(ready_rank_, ready_[next_ready_]));
  if (late_first) {
    const uint64_t key = pop_heap(late_);
    item = {static_cast<uint32_t>(key >> 32), static_cast<uint32_t>(key)};
  } else {
    item = {ready_rank_, ready_[next_ready_++]};
  }
  return true;
}

void MergeQueue::make_ready() {
  ready_rank_ = pop_heap(ranks_);
  has_ready_ = true;
  ready_.clear();
  next_ready_ = 0;
  for (uint32_t i = lists_[ready_rank_].first; i != kNone; i = waiting_[i].next) ready_.push_back(waiting_[i].position);
  lists_[ready_rank_] = {};
  if (!std::ranges::is_sorted(ready_)) std::ranges::sort(ready_);
}

}  // namespace minnow
