#include "text/bpe_tokenizer.h"

#include <algorithm>
#include <atomic>

#include "base/error.h"
#include "base/thread_pool.h"

namespace minnow {
namespace {

// Looking up the parts of merges is most of the work of making a tokenizer, so that threads share it.
constexpr int64_t kMergesPerTask = 4096;
constexpr int kMaxThreads = 4;
constexpr std::size_t kAhead = 16;

struct ListedMerge {
  TokenId left = kNoToken, right = kNoToken, id = kNoToken;
};

// Lists of merges give the tokens in the order of their ids, nearly always: `likely` is looked at first.
TokenId find_joined(const TokenIndex& index, std::string_view left, std::string_view right, TokenId likely) {
  if (likely >= 0 && static_cast<std::size_t>(likely) < index.size()) {
    const std::string_view key = index.key(likely);
    if (key.size() == left.size() + right.size() && key.starts_with(left) && key.ends_with(right)) return likely;
  }
  return index.find(std::string(left).append(right));
}

// The two parts of "left right"; false when it is not of this form.
bool split_merge(std::string_view merge, std::string_view& left, std::string_view& right) {
  const std::size_t space = merge.find(' ');
  if (space == std::string_view::npos || merge.find(' ', space + 1) != std::string_view::npos) return false;
  left = merge.substr(0, space);
  right = merge.substr(space + 1);
  return true;
}

[[noreturn]] void refuse_merge(const TokenizerSpec& spec, std::size_t rank) {
  std::string_view left, right;
  if (!split_merge(spec.merges[rank], left, right)) {
    fail(ErrorCode::kInvalidInput, "{}: merge {} is not two parts with a space between", spec.source, rank);
  }
  fail(ErrorCode::kInvalidInput, "{}: merge {} has a part or a result that is not in the vocabulary", spec.source, rank);
}

}  // namespace

void BpeTokenizer::set_listed_merges(const TokenIndex& index) {
  const auto n = static_cast<int64_t>(spec_.merges.size());
  std::vector<ListedMerge> found(spec_.merges.size());
  const auto look_up = [&](int64_t begin, int64_t end) {
    const auto n_parts = static_cast<std::size_t>(2 * (end - begin));
    std::vector<std::string_view> parts(n_parts);
    std::vector<TokenId> ids(n_parts);
    for (std::size_t i = 0; i < n_parts; i += 2) split_merge(spec_.merges[static_cast<std::size_t>(begin) + i / 2], parts[i], parts[i + 1]);
    index.find_all(parts, ids);
    TokenId likely = kNoToken;
    for (std::size_t i = 0; i < n_parts; i += 2) {
      ListedMerge& merge = found[static_cast<std::size_t>(begin) + i / 2];
      merge = {ids[i], ids[i + 1], find_joined(index, parts[i], parts[i + 1], likely)};
      likely = merge.id + 1;
    }
  };
  ThreadPool pool(static_cast<int>(std::clamp<int64_t>(n / kMergesPerTask, 1, std::min(kMaxThreads, available_cores()))));
  pool.parallel_for(n, kMergesPerTask, look_up);

  merges_ = BpeMerges(found.size());
  for (std::size_t rank = 0; rank < found.size(); ++rank) {
    const ListedMerge& m = found[rank];
    if (m.left == kNoToken || m.right == kNoToken || m.id == kNoToken) refuse_merge(spec_, rank);
    if (rank + kAhead < found.size()) merges_.prefetch(static_cast<uint32_t>(found[rank + kAhead].left), static_cast<uint32_t>(found[rank + kAhead].right));
    merges_.add(static_cast<uint32_t>(m.left), static_cast<uint32_t>(m.right), {static_cast<uint32_t>(rank), static_cast<uint32_t>(m.id)});
  }
}

void BpeTokenizer::encode_new_word(std::string_view word, Scratch& scratch, std::vector<TokenId>& out) const {
  if (const TokenId id = whole_word(word); id != kNoToken) {
    out.push_back(id);
    return;
  }
  scratch.symbols.clear();
  word_symbols(word, scratch.symbols);
  merges_.apply(scratch.symbols, scratch.merges);
  for (const uint32_t symbol : scratch.symbols) {
    if (symbol < static_cast<uint32_t>(n_vocab())) {
      out.push_back(static_cast<TokenId>(symbol));
    } else {
      append_symbol(symbol, out);
    }
  }
}

}  // namespace minnow
