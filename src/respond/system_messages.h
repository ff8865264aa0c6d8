// Messages of the system, which many chat templates have one place for, or none.
#pragma once

#include "base/json.h"
#include "text/chat_encoder.h"

namespace minnow {

// What a chat template shows of them. What it drops in silence counts as what it refuses.
struct SystemPlaces {
  bool first = true;    // one before everything else
  bool several = true;  // another one right behind it
  bool late = true;     // one among the turns
};

// Renders a few chats to see. A template that does not even show what a user says, as it is here, is left alone: all true.
SystemPlaces system_places(const ChatEncoder& encoder);

// The messages as the template can show them: the first ones joined, and what else there is no place for as text of the user's turn that it
// stands in, or before. Only messages whose content is text are moved.
OrderedJson place_system_messages(OrderedJson messages, const SystemPlaces& places);

}  // namespace minnow
