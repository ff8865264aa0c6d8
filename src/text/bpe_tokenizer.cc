#include "text/bpe_tokenizer.h"

#include "base/error.h"

namespace minnow {

void BpeTokenizer::add_listed_merge(std::size_t rank, const TokenIndex& index) {
  const std::string_view merge = spec_.merges[rank];
  const std::size_t space = merge.find(' ');
  if (space == std::string_view::npos || merge.find(' ', space + 1) != std::string_view::npos) {
    fail(ErrorCode::kInvalidInput, "{}: merge {} is not two parts with a space between", spec_.source, rank);
  }
  const std::string_view left = merge.substr(0, space), right = merge.substr(space + 1);
  const TokenId left_id = index.find(left), right_id = index.find(right);
  const TokenId id = index.find(std::string(left).append(right));
  if (left_id == kNoToken || right_id == kNoToken || id == kNoToken) {
    fail(ErrorCode::kInvalidInput, "{}: merge {} has a part or a result that is not in the vocabulary",
         spec_.source, rank);
  }
  merges_.add(static_cast<uint32_t>(left_id), static_cast<uint32_t>(right_id),
              {static_cast<uint32_t>(rank), static_cast<uint32_t>(id)});
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
