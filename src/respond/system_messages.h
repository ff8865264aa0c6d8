// Messages of the system, which many chat templates have one place for, or none.
#pragma once

#include "base/json.h"
#include "text/template_needs.h"

namespace minnow {

// The messages as the template can show them: the first ones joined, and what else there is no place for as text of the user's turn that it
// stands in, or before. Only messages whose content is text are moved.
OrderedJson place_system_messages(OrderedJson messages, const SystemPlaces& places);

// Asks for no more of the template's places than these messages need.
OrderedJson place_system_messages(OrderedJson messages, const TemplateNeeds& needs);

}  // namespace minnow
