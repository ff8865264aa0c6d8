// The text of an answer, read as what it is: an answer in the words of a family of models, plain text, or text that a constraint
// holds to something.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat_output/chat_output_parser.h"

namespace minnow {

// One answer. The events depend on the text only, not on how it is cut into pieces.
class AnswerReader {
 public:
  virtual ~AnswerReader() = default;
  virtual std::vector<ChatOutputEvent> feed(std::string_view piece) = 0;
  // The answer has ended: gives what was held back. Call once.
  virtual std::vector<ChatOutputEvent> finish() = 0;
};

// All of it is content.
std::unique_ptr<AnswerReader> plain_reader();
// As the model's family writes it.
std::unique_ptr<AnswerReader> family_reader(ChatOutputParser parser);

// `family` reads an answer that begins with one of the marks, `other` any other.
std::unique_ptr<AnswerReader> choice_reader(std::vector<std::string> marks, std::unique_ptr<AnswerReader> family, std::unique_ptr<AnswerReader> other);

// What a held answer may have before the text that is held: the model's thinking.
struct FreeBeginning {
  ChatOutputParser parser;       // of that
  std::string ends_with;         // the mark behind which the held text begins at once; not empty
  std::string begins_with = {};  // not empty: only an answer that begins with this has a free beginning
};
// The reasoning up to the mark, then the events of `held`. Its finish() is not called when the mark has not come.
std::unique_ptr<AnswerReader> held_reader(FreeBeginning beginning, std::unique_ptr<AnswerReader> held);

}  // namespace minnow
