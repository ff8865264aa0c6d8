// Any tokens as an answer whose calls are held: a token that is allowed is accepted, one that is refused changes nothing, there is always
// one that may come, and a call that is whole is read as one. An even first byte picks marks and expressions that are nobody's, an odd one
// a family; two bytes for each token follow.
#include <algorithm>
#include <cstdlib>
#include <map>

#include "base/limits.h"
#include "engine/answer_gate.h"
#include "respond/family_calls.h"
#include "respond/test_held_calls.h"
#include "text/chat_output/test_parse.h"
#include "text/grammar/test_match.h"

namespace {

using namespace minnow;

constexpr std::size_t kMaxText = 900;  // what a reader of answers holds back of white space and wrapping words is bounded
constexpr const char* kParameters = R"({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 99},
    "zip": {"type": ["string", "null"]}, "unit": {"type": "string", "maxLength": 3}}, "required": ["city"], "additionalProperties": false})";

void require(bool condition) {
  if (!condition) std::abort();
}

const OrderedJson& tools() {
  static const OrderedJson kTools = OrderedJson::array({{{"function", {{"name", "weather"}, {"parameters", OrderedJson::parse(kParameters)}}}},
                                                        {{"function", {{"name", "free"}, {"parameters", {{"type", "object"}}}}}}});
  return kTools;
}

// A vocabulary, and requests for it that were compiled once.
struct Room {
  explicit Room(const std::vector<std::string>& marks) : tokenizer(Tokenizer::build(test::call_words(marks))), compiler(*tokenizer) {}
  std::shared_ptr<const Tokenizer> tokenizer;
  ConstraintCompiler compiler;
  GenerateRequest request = {.prompt = {1}};
};

std::unique_ptr<Room> family_room(const OutputFormat& format, bool with_json) {
  auto room = std::make_unique<Room>(test::bracketed_words(format));
  const std::vector<std::string> strict = {"weather"};
  const FamilyCalls calls{.format = format, .tokenizer = *room->tokenizer, .tools = tools(), .strict = strict};
  if (with_json && can_tell_calls_from_json(format)) {
    room->request.constraint = room->compiler.compile({.kind = ConstraintSpec::Kind::kObject, .text = "", .choices = {}});
    room->request.constraint_or = hold_to_family_calls(room->compiler, calls);
  } else {
    room->request.calls = std::make_shared<const HeldCalls>(held_calls(room->compiler, calls));
  }
  return room;
}

std::unique_ptr<Room> random_room(uint8_t seed) {
  const std::vector<std::string> words = {"<c>", "<c", "c", "[x]", "<c><d>", "a<c>", "xx"}, expressions = {"ab*c", "\\s?\\{[a-z]*\\}", "<c>", "(a|b){1,3}x"};
  Random random(seed);
  const auto word = [&] { return words[random.below(words.size())]; };
  auto room = std::make_unique<Room>(std::vector<std::string>{"<c>", "<d>"});
  const auto compiled = [&] { return room->compiler.compile({.kind = ConstraintSpec::Kind::kRegex, .text = expressions[random.below(expressions.size())], .choices = {}}); };
  if (random.below(3) == 0) {
    room->request.constraint = compiled();
    if (random.below(2) == 0) room->request.constraint_or = compiled();
    if (random.below(2) == 0) room->request.constraint_after = word();
    return room;
  }
  HeldCalls calls;
  for (std::size_t n = 1 + random.below(3); n > 0; --n) calls.openings.push_back({word(), compiled(), random.below(2) == 0 ? "a{" : ""});
  if (random.below(2) == 0) calls.openings.push_back({"", compiled(), "{b"});
  if (random.below(2) == 0) calls.asides.push_back({word(), {word(), word()}});
  if (random.below(2) == 0) calls.words.push_back(word());
  if (!calls.asides.empty() && random.below(2) == 0) calls.in_aside = 0;
  room->request.calls = std::make_shared<const HeldCalls>(std::move(calls));
  return room;
}

std::vector<uint32_t> mask_of(const AnswerGate& gate, const Tokenizer& tokenizer) {
  std::vector<uint32_t> bits((static_cast<std::size_t>(tokenizer.n_vocab()) + 31) / 32);
  if (!gate.is_free()) require(gate.mask(bits) || gate.is_finished());
  return bits;
}

// Everything that was said so far is read as calls and text; `n_whole` calls have come to their end.
void check_read(const OutputFormat& format, const std::string& text, std::size_t n_whole) {
  // Arguments may be nested deeper than a reader goes.
  if (std::count(text.begin(), text.end(), '[') + std::count(text.begin(), text.end(), '{') > limits::kMaxJsonDepth / 2) return;
  static const auto kWeather = grammar::test::compile(grammar::test::Kind::kSchema, kParameters);
  const auto output = test::collect(test::parse_whole(format, text, {.tools = tools(), .held_calls = true}));
  require(output.calls.size() >= n_whole && output.broken == 0);
  for (const test::ParsedCall& call : output.calls) {
    require(call.name == "weather" || call.name == "free");
    require(Json::parse(call.arguments, nullptr, false).is_object());
    if (call.name == "weather") require(grammar::test::matches(kWeather, call.arguments));
  }
}

class Answer {
 public:
  // format: null where the calls are nobody's.
  Answer(const Room& room, const OutputFormat* format) : room_(room), format_(format), gate_(room.request, *room.tokenizer), other_(gate_) {}

  // Both bytes choose among the tokens; false when the answer is over.
  bool step(uint8_t low, uint8_t high) {
    const Tokenizer& tokenizer = *room_.tokenizer;
    const auto n_vocab = static_cast<std::size_t>(tokenizer.n_vocab());
    const bool was_free = gate_.is_free();
    const std::vector<uint32_t> bits = mask_of(gate_, tokenizer);
    auto token = static_cast<TokenId>((low + 256u * high) % n_vocab);
    if (!was_free) {
      try_refused(bits, token);
      token = allowed_from(bits, token);
    }
    if (tokenizer.is_end_of_generation(token)) return was_free;
    if (!gate_.accept(token)) {
      require(was_free);
      return true;  // the other did not see it, and must go on alike
    }
    require(other_.accept(token) && gate_.is_free() == other_.is_free() && gate_.is_finished() == other_.is_finished());
    require(mask_of(gate_, tokenizer) == mask_of(other_, tokenizer));
    said_ += tokenizer.piece(token, /*show_special=*/true);
    if (!was_free && gate_.is_free() && room_.request.calls) {
      ++n_whole_;
      if (format_ != nullptr) check_read(*format_, said_, n_whole_);
    }
    return !gate_.is_finished() && said_.size() < kMaxText;
  }

 private:
  void try_refused(const std::vector<uint32_t>& bits, TokenId token) {
    if (is_allowed(bits, token)) return;
    require(!gate_.accept(token));
    require(mask_of(gate_, *room_.tokenizer) == bits);
  }

  static bool is_allowed(const std::vector<uint32_t>& bits, TokenId token) {
    return (bits[static_cast<std::size_t>(token) / 32] >> (static_cast<std::size_t>(token) % 32) & 1u) != 0;
  }

  TokenId allowed_from(const std::vector<uint32_t>& bits, TokenId first) const {
    const TokenId n = room_.tokenizer->n_vocab();
    for (TokenId i = 0; i < n; ++i) {
      if (const TokenId token = (first + i) % n; is_allowed(bits, token)) return token;
    }
    return first;
  }

  const Room& room_;
  const OutputFormat* format_;
  AnswerGate gate_, other_;
  std::string said_;
  std::size_t n_whole_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static std::map<unsigned, std::unique_ptr<Room>> rooms;
  if (size < 2) return 0;
  const auto formats = output_formats();
  const bool is_family = (data[0] & 1) != 0;
  const OutputFormat& format = formats[(data[0] / 4) % formats.size()];
  if (is_family && !can_hold_calls(format)) return 0;
  auto& room = rooms[is_family ? 1000u + data[0] : data[1]];
  if (!room) room = is_family ? family_room(format, (data[0] & 2) != 0) : random_room(data[1]);
  // Of messages in channels the header is what counts, and the answer begins in none.
  const bool is_read = is_family && can_tell_calls_from_json(format);
  Answer answer(*room, is_read ? &format : nullptr);
  try {
    for (size_t i = 2; i + 1 < size; i += 2) {
      if (!answer.step(data[i], data[i + 1])) break;
    }
  } catch (const Error& e) {
    require(e.code() == ErrorCode::kLimit);
  }
  return 0;
}
