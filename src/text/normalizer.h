// The steps that change a text before it is cut into tokens.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/tokenizer_spec.h"
#include "text/pretokenizer.h"

namespace minnow {

class Normalizer {
 public:
  // Throws kInvalidInput, naming spec.source, for expressions and tables that are broken, kLimit for too many steps.
  explicit Normalizer(const TokenizerSpec& spec);
  ~Normalizer();
  Normalizer(const Normalizer&) = delete;
  Normalizer& operator=(const Normalizer&) = delete;

  bool empty() const { return steps_.empty(); }

  // The text itself when no step changes it, else a view of `out`, where it is put. Any bytes are accepted. Time is
  // linear in the text; throws kLimit when the steps would make it more than 32 times as long.
  std::string_view apply(std::string_view text, PreTokenizerScratch& scratch, std::string& out) const;

 private:
  class Step;
  std::string source_;
  std::vector<std::unique_ptr<Step>> steps_;
};

}  // namespace minnow
