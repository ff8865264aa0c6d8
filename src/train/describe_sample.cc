#include "train/describe_sample.h"

#include <fmt/format.h>

#include <vector>

#include "base/table.h"
#include "base/utf8.h"

namespace minnow {
namespace {

struct Stretch {
  std::size_t first = 0, count = 0;
  bool loss = false;
  std::string text;
};

std::vector<Stretch> stretches_of(const Sample& sample, const Tokenizer& tokenizer) {
  std::vector<Stretch> stretches;
  for (std::size_t i = 0; i < sample.tokens.size(); ++i) {
    const bool loss = sample.loss[i] != 0;
    if (stretches.empty() || stretches.back().loss != loss) stretches.push_back({.first = i, .loss = loss});
    ++stretches.back().count;
    stretches.back().text += tokenizer.piece(sample.tokens[i], /*show_special=*/true);
  }
  for (Stretch& stretch : stretches) stretch.text = to_valid_utf8(stretch.text);
  return stretches;
}

// Bytes that end before the character at `size` at the latest.
std::size_t whole_characters(std::string_view text, std::size_t size) {
  return size - incomplete_utf8_tail(text.substr(0, size));
}

std::string shortened(const std::string& text, std::size_t max_text) {
  if (max_text == 0 || text.size() <= max_text) return text;
  const std::size_t head = whole_characters(text, max_text / 2);
  const std::size_t tail = whole_characters(text, text.size() - max_text / 2);
  return text.substr(0, head) + " … " + text.substr(tail);
}

}  // namespace

std::string describe_sample(const Sample& sample, const Tokenizer& tokenizer, std::size_t max_text, bool colors) {
  std::string out = fmt::format("{} tokens, {} of them carry loss (+){}\n", sample.tokens.size(), sample.n_loss(),
                                sample.cut ? "; the end was cut off" : "");
  for (const Stretch& stretch : stretches_of(sample, tokenizer)) {
    const std::string text = printable(Json(shortened(stretch.text, max_text)).dump());
    const char* on = !colors ? "" : stretch.loss ? "\033[32m" : "\033[2m";
    out += fmt::format("{} {:>5}  {}{}{}\n", stretch.loss ? '+' : '.', stretch.count, on, text, colors ? "\033[0m" : "");
  }
  return out;
}

Json sample_to_json(const Sample& sample, const Tokenizer& tokenizer) {
  Json stretches = Json::array();
  for (const Stretch& s : stretches_of(sample, tokenizer)) {
    stretches.push_back({{"first", s.first}, {"count", s.count}, {"loss", s.loss}, {"text", s.text}});
  }
  return {{"tokens", sample.tokens},        {"loss", sample.loss}, {"n_tokens", sample.tokens.size()},
          {"n_loss", sample.n_loss()},      {"cut", sample.cut},   {"stretches", stretches}};
}

}  // namespace minnow
