#include "respond/system_messages.h"

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace minnow {
namespace {

constexpr std::string_view kSystem = "minnowsaysone", kSystemAgain = "minnowsaystwo", kQuestion = "minnowasks";

OrderedJson said(std::string_view role, std::string_view text) { return {{"role", role}, {"content", text}}; }

// Whether all of the texts are in what the template makes of the chat.
bool shows(const ChatEncoder& encoder, OrderedJson messages, std::initializer_list<std::string_view> texts) {
  ChatTemplateInput input;
  input.messages = std::move(messages);
  try {
    const std::string rendered = encoder.render(std::move(input)).text;
    for (const std::string_view text : texts) {
      if (rendered.find(text) == std::string::npos) return false;
    }
    return true;
  } catch (const Error&) {
    return false;
  }
}

bool is_of(const OrderedJson& message, std::string_view role) {
  return message.is_object() && message.contains("role") && message["role"] == role;
}

bool is_text_of(const OrderedJson& message, std::string_view role) {
  return is_of(message, role) && message.contains("content") && message["content"].is_string();
}

void join(std::string& text, std::string_view more) {
  if (!text.empty() && !more.empty()) text += "\n\n";
  text += more;
}

class Placer {
 public:
  explicit Placer(const SystemPlaces& places) : places_(places) {}

  void add(OrderedJson message) {
    if (is_text_of(message, "system")) return add_system(std::move(message));
    has_turns_ = true;
    if (is_text_of(message, "user")) {
      std::string text = std::exchange(waiting_, {});
      join(text, message["content"].get_ref<const std::string&>());
      message["content"] = std::move(text);
    } else if (!is_of(message, "tool")) {  // results follow the calls that they are of
      end();
    }
    out_.push_back(std::move(message));
  }

  void end() {
    if (!waiting_.empty()) out_.push_back(said("user", std::exchange(waiting_, {})));
  }

  OrderedJson take() { return std::move(out_); }

 private:
  void add_system(OrderedJson message) {
    const auto& text = message["content"].get_ref<const std::string&>();
    if (!has_turns_ && places_.first) {
      const bool joins = !places_.several && !out_.empty();
      return joins ? join(out_.back()["content"].get_ref<std::string&>(), text) : out_.push_back(std::move(message));
    }
    if (has_turns_ && places_.late) return out_.push_back(std::move(message));
    const bool in_turn = !out_.empty() && is_text_of(out_.back(), "user");
    join(in_turn ? out_.back()["content"].get_ref<std::string&>() : waiting_, text);
  }

  SystemPlaces places_;
  OrderedJson out_ = OrderedJson::array();
  bool has_turns_ = false;
  std::string waiting_;  // for a turn of the user to stand in
};

}  // namespace

SystemPlaces system_places(const ChatEncoder& encoder) {
  const OrderedJson question = said("user", kQuestion), answer = said("assistant", "yes");
  const OrderedJson one = said("system", kSystem), two = said("system", kSystemAgain);
  const auto shows_both = [&](OrderedJson messages) { return shows(encoder, std::move(messages), {kSystem, kSystemAgain, kQuestion}); };
  if (!shows(encoder, OrderedJson::array({question}), {kQuestion})) return {};
  SystemPlaces places;
  places.first = shows(encoder, OrderedJson::array({one, question}), {kSystem, kQuestion});
  places.several = places.first && shows_both(OrderedJson::array({one, two, question}));
  places.late = places.first && shows_both(OrderedJson::array({one, question, two})) &&
                shows_both(OrderedJson::array({one, question, answer, two, question}));
  return places;
}

OrderedJson place_system_messages(OrderedJson messages, const SystemPlaces& places) {
  if (places.first && places.several && places.late) return messages;
  Placer placer(places);
  for (OrderedJson& message : messages) placer.add(std::move(message));
  placer.end();
  return placer.take();
}

}  // namespace minnow
