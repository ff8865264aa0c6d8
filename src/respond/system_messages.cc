#include "respond/system_messages.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace minnow {
namespace {

OrderedJson said(std::string_view role, std::string_view text) { return {{"role", role}, {"content", text}}; }

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

OrderedJson place_system_messages(OrderedJson messages, const SystemPlaces& places) {
  if (places.first && places.several && places.late) return messages;
  Placer placer(places);
  for (OrderedJson& message : messages) placer.add(std::move(message));
  placer.end();
  return placer.take();
}

OrderedJson place_system_messages(OrderedJson messages, const TemplateNeeds& needs) {
  std::size_t n = 0;
  for (const OrderedJson& message : messages) n += is_text_of(message, "system") ? 1 : 0;
  if (n == 0) return messages;
  if (n == 1 && is_text_of(messages.front(), "system") && needs.shows_first_system()) return messages;
  return place_system_messages(std::move(messages), needs.system_places());
}

}  // namespace minnow
