#include "train/vocabulary_map.h"

#include <string_view>
#include <unordered_map>

#include "base/error.h"

namespace minnow {
namespace {

bool is_word(const TokenEntry& t) { return t.type == TokenType::kNormal || t.type == TokenType::kByte; }

bool same(const TokenEntry& a, const TokenEntry& b) { return a.text == b.text && is_word(a) == is_word(b); }

// The id of each of `from`'s tokens in `to`. Of several with one text the one of the same id, else the first.
std::vector<int32_t> find_tokens(const TokenizerSpec& from, const TokenizerSpec& to) {
  std::unordered_map<std::string_view, int32_t> ids;
  for (std::size_t i = 0; i < to.tokens.size(); ++i) ids.try_emplace(to.tokens[i].text, static_cast<int32_t>(i));
  std::vector<int32_t> found;
  for (std::size_t i = 0; i < from.tokens.size(); ++i) {
    const TokenEntry& token = from.tokens[i];
    if (i < to.tokens.size() && same(token, to.tokens[i])) {
      found.push_back(static_cast<int32_t>(i));
      continue;
    }
    const auto at = ids.find(token.text);
    found.push_back(at != ids.end() && same(token, to.tokens[static_cast<std::size_t>(at->second)]) ? at->second : -1);
  }
  return found;
}

// The first word of `from` that has no place; nullptr when all have.
const TokenEntry* first_missing(const TokenizerSpec& from, const std::vector<int32_t>& found) {
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i] < 0 && is_word(from.tokens[i])) return &from.tokens[i];
  }
  return nullptr;
}

}  // namespace

VocabularyMap map_vocabularies(const TokenizerSpec& student, const TokenizerSpec& teacher, const std::string& teacher_name) {
  const auto refuse = [&](const std::string& why) {
    throw Error(ErrorCode::kUnsupported, fmt::format("{}: its vocabulary is not the student's: {}", teacher_name, why),
                "let it write texts to learn from instead, with 'minnow synth'");
  };
  if (student.kind != teacher.kind) refuse(fmt::format("{}, not {}", tokenizer_kind_name(teacher.kind), tokenizer_kind_name(student.kind)));
  if (student.pre != teacher.pre || student.splits != teacher.splits) refuse("texts are cut in another way before tokens are found");
  VocabularyMap map{find_tokens(student, teacher), find_tokens(teacher, student)};
  const TokenEntry* unknown = first_missing(student, map.to_teacher);
  if (unknown != nullptr && first_missing(teacher, map.to_student) != nullptr) refuse(fmt::format("it has no token '{}'", unknown->text));
  map.identical = student.tokens.size() == teacher.tokens.size();
  for (std::size_t i = 0; i < map.to_teacher.size(); ++i) map.identical = map.identical && map.to_teacher[i] == static_cast<int32_t>(i);
  return map;
}

}  // namespace minnow
