#include "engine/scheduler.h"

#include <algorithm>
#include <iterator>

namespace minnow {

// What nobody reads makes room for others.
void Scheduler::set_aside() {
  for (auto at = running_.begin(); at != running_.end();) {
    if (!(*at)->state->is_behind()) {
      ++at;
      continue;
    }
    release_pages(**at);
    (*at)->rest();
    aside_.push_back(std::move(*at));
    at = running_.erase(at);
  }
}

void Scheduler::take_back() {
  const auto reads = std::stable_partition(aside_.begin(), aside_.end(), [](const auto& s) { return s->state->is_behind(); });
  waiting_.insert(waiting_.begin(), std::make_move_iterator(reads), std::make_move_iterator(aside_.end()));
  aside_.erase(reads, aside_.end());
}

void Scheduler::admit() {
  while (!waiting_.empty() && static_cast<int>(running_.size()) < limits_.n_sequences) {
    Sequence& next = *waiting_.front();
    reuse_prefix(next);
    // Room for the whole prompt and the beginning of an answer, or it would soon have to leave again.
    const int64_t wanted = (static_cast<int64_t>(next.tokens.size()) + kKvPage) / kKvPage - static_cast<int64_t>(next.pages.size());
    if (!running_.empty() && wanted > table_.n_available()) {
      release_pages(next);
      return;
    }
    if (!next.has_started && limits_.reuse_prefixes) {
      counts_.prefix_queries += next.n_prompt;
      counts_.prefix_hits += std::min(next.n_cached, next.n_prompt);
    }
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

// Takes over the pages of an earlier sequence that began with the same tokens. The last token is always computed:
// its logits are wanted.
void Scheduler::reuse_prefix(Sequence& s) {
  if (!limits_.reuse_prefixes || s.request.on_prompt_logits || s.n_cached > 0) return;
  const auto n = static_cast<int64_t>(s.tokens.size());
  while ((static_cast<int64_t>(s.pages.size()) + 1) * kKvPage < n) {
    const std::span<const TokenId> tokens(s.tokens.data() + s.pages.size() * kKvPage, kKvPage);
    const int32_t page = table_.find(s.prefixes.back(), tokens);
    if (page == kNoPage) break;
    s.pages.push_back(page);
    s.prefixes.push_back(extend_prefix(s.prefixes.back(), tokens));
  }
  s.n_cached = static_cast<int64_t>(s.pages.size()) * kKvPage;
  s.stats.reused_tokens = std::max(s.stats.reused_tokens, std::min(s.n_cached, s.n_prompt));
}

void Scheduler::release_pages(Sequence& s) {
  // Last first, so that of pages with equal age the end of the sequence is forgotten before its beginning.
  for (auto it = s.pages.rbegin(); it != s.pages.rend(); ++it) table_.release(*it);
  s.pages.clear();
  s.prefixes.resize(1);
  s.n_cached = 0;
}

void Scheduler::preempt_last(const Sequence* needy) {
  auto victim = std::prev(running_.end());
  if (victim->get() == needy && running_.size() > 1) --victim;
  release_pages(**victim);
  (*victim)->rest();
  ++counts_.preemptions;
  waiting_.push_front(std::move(*victim));
  running_.erase(victim);
}

bool Scheduler::reserve_pages(Sequence& s, int64_t n_tokens) {
  const int64_t wanted = (n_tokens + kKvPage - 1) / kKvPage;
  while (static_cast<int64_t>(s.pages.size()) < wanted) {
    const int32_t page = table_.allocate();
    if (page == kNoPage) return false;
    s.pages.push_back(page);
  }
  return true;
}

bool Scheduler::add_slice(Sequence& s, int64_t limit, Batch& batch, std::vector<ScheduledSlice>& slices) {
  int64_t count = std::min(s.pending(), limit);
  const int64_t outputs_left = limits_.n_outputs - static_cast<int64_t>(batch.output_rows.size());
  const auto is_output = [&](int64_t position) {
    return s.wants_logits(position) || position == static_cast<int64_t>(s.tokens.size()) - 1;
  };
  int64_t n_outputs = 0, fits = 0;
  for (; fits < count && (n_outputs < outputs_left || !is_output(s.n_cached + fits)); ++fits) {
    n_outputs += is_output(s.n_cached + fits);
  }
  count = fits;
  if (count <= 0 || (limits_.whole_prompts && count < s.pending())) return true;
  if (!reserve_pages(s, s.n_cached + count)) return false;

  const auto first = static_cast<int32_t>(batch.tokens.size());
  slices.push_back({&s, static_cast<int32_t>(count), static_cast<int32_t>(batch.output_rows.size()), static_cast<int32_t>(n_outputs)});
  for (int64_t i = 0; i < count; ++i) {
    batch.tokens.push_back(s.tokens[static_cast<std::size_t>(s.n_cached + i)]);
    if (is_output(s.n_cached + i)) batch.output_rows.push_back(first + static_cast<int32_t>(i));
  }
  batch.sequences.push_back({first, static_cast<int32_t>(count), static_cast<int32_t>(s.n_cached), {},
                             static_cast<int32_t>(s.request.second_segment)});
  return true;
}

std::vector<ScheduledSlice> Scheduler::schedule(Batch& batch) {
  set_aside();
  admit();
  std::vector<ScheduledSlice> slices;
  while (true) {
    batch.tokens.clear();
    batch.sequences.clear();
    batch.output_rows.clear();
    slices.clear();
    const Sequence* needy = nullptr;
    for (const bool answering : {true, false}) {
      for (std::size_t i = 0; i < running_.size() && needy == nullptr; ++i) {
        Sequence& s = *running_[i];
        if ((s.pending() == 1) != answering) continue;
        const int64_t room = limits_.n_batch - static_cast<int64_t>(batch.tokens.size());
        if (!add_slice(s, room, batch, slices)) needy = &s;
      }
    }
    if (needy == nullptr) break;
    if (running_.size() == 1) break;  // alone and still short: the caller sees an empty batch
    preempt_last(needy);
  }
  for (std::size_t i = 0; i < slices.size(); ++i) batch.sequences[i].pages = slices[i].sequence->pages;
  return slices;
}

void Scheduler::advance(const ScheduledSlice& slice) {
  Sequence& s = *slice.sequence;
  s.n_cached += slice.count;
  if (!limits_.reuse_prefixes) return;
  while (static_cast<int64_t>(s.prefixes.size()) * kKvPage <= s.n_cached) {
    const std::size_t page = s.prefixes.size() - 1;
    const std::span<const TokenId> tokens(s.tokens.data() + page * kKvPage, kKvPage);
    table_.publish(s.pages[page], s.prefixes.back(), tokens);
    s.prefixes.push_back(extend_prefix(s.prefixes.back(), tokens));
  }
}

void Scheduler::remove(Sequence* sequence) {
  release_pages(*sequence);
  const auto is_it = [&](const std::unique_ptr<Sequence>& s) { return s.get() == sequence; };
  std::erase_if(running_, is_it);
  std::erase_if(waiting_, is_it);
  std::erase_if(aside_, is_it);
}

std::vector<Sequence*> Scheduler::all() const {
  std::vector<Sequence*> all;
  for (const auto& s : running_) all.push_back(s.get());
  for (const auto& s : waiting_) all.push_back(s.get());
  for (const auto& s : aside_) all.push_back(s.get());
  return all;
}

}  // namespace minnow
