// Which token of a teacher is which of a student.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/tokenizer_spec.h"

namespace minnow {

// By id; -1 where the other has no such token.
struct VocabularyMap {
  std::vector<int32_t> to_teacher, to_student;
  bool identical = false;  // ids are the same on both sides
};

// Tokens are the same when their texts are. Both must be cut from texts in the same way (kind and pre-tokenizer), and all words of one
// must be words of the other: control tokens and unused ones may differ. Throws kUnsupported for others; what to do is to let the teacher
// write texts.
VocabularyMap map_vocabularies(const TokenizerSpec& student, const TokenizerSpec& teacher, const std::string& teacher_name);

}  // namespace minnow
