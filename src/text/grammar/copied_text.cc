#include "text/grammar/copied_text.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "text/grammar/json_text.h"

namespace minnow::grammar {
namespace {

bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

// Where in the escaped message texts begin and end.
struct Places {
  std::string text;
  std::vector<uint32_t> begins;
  std::vector<uint32_t> ends;  // of each place: where in the message that is, 0 when no text ends there
};

Places find_places(std::string_view message) {
  Places out;
  const auto is_one_of = [](char c, std::string_view set) { return set.find(c) != std::string_view::npos; };
  const auto word_at = [&](std::size_t i) { return i < message.size() && is_word(message[i]); };
  for (std::size_t i = 0; i < message.size();) {
    const std::size_t length = std::max<std::size_t>(1, decode_utf8(message.substr(i)).length);
    const bool after_word = i > 0 && word_at(i - 1), opens = is_one_of(message[i], "(+") && word_at(i + 1);
    if (((word_at(i) && !after_word) || opens) && out.begins.size() < kMaxCopiedBegins) {
      out.begins.push_back(static_cast<uint32_t>(out.text.size()));
    }
    out.text += json_escaped(message.substr(i, length));
    out.ends.resize(out.text.size() + 1);
    const bool closes = after_word && is_one_of(message[i], ".)/");
    if ((word_at(i) && !word_at(i + length)) || closes) out.ends.back() = static_cast<uint32_t>(i + length);
    i += length;
  }
  out.ends.resize(out.text.size() + 1);
  return out;
}

std::string_view beginning(std::string_view message) {
  std::size_t size = std::min(message.size(), kMaxCopiedBytes);
  while (size < message.size() && size > 0 && (static_cast<unsigned char>(message[size]) & 0xC0) == 0x80) --size;
  return message.substr(0, size);
}

}  // namespace

// A state is the set of places that a text may have come to. Of two such sets that meet the one of the longer text is a part of the other,
// so that there are at most two for each byte.
ByteGraph copied_texts(std::string_view message) {
  Places places = find_places(beginning(message));
  if (places.begins.empty()) {
    places.begins = {0};
    places.ends.back() = 1;
  }
  using Set = std::vector<uint32_t>;
  ByteGraph out;
  std::vector<Set> sets;
  std::map<Set, uint32_t> ids;
  const auto id_of = [&](Set set) {
    const auto [it, is_new] = ids.try_emplace(set, static_cast<uint32_t>(sets.size()));
    if (is_new) {
      out.states.emplace_back().final = std::any_of(set.begin(), set.end(), [&](uint32_t place) { return places.ends[place] != 0; });
      sets.push_back(std::move(set));
    }
    return it->second;
  };
  id_of(places.begins);
  std::map<uint8_t, Set> next;
  for (uint32_t i = 0; i < sets.size(); ++i) {
    next.clear();
    for (const uint32_t place : sets[i]) {
      if (place < places.text.size()) next[static_cast<uint8_t>(places.text[place])].push_back(place + 1);
    }
    std::vector<ByteGraph::Edge> edges;
    for (auto& [byte, set] : next) edges.push_back({byte, byte, id_of(std::move(set))});
    out.states[i].edges = std::move(edges);
  }
  return out;
}

std::optional<std::size_t> end_of_copied(std::string_view message, std::string_view text) {
  const Places places = find_places(beginning(message));
  for (const uint32_t begin : places.begins) {
    if (begin + text.size() > places.text.size()) break;
    if (places.text.compare(begin, text.size(), text) == 0 && places.ends[begin + text.size()] != 0) return places.ends[begin + text.size()];
  }
  return std::nullopt;
}

bool has_words(std::string_view message) { return std::any_of(message.begin(), message.end(), is_word); }

}  // namespace minnow::grammar
