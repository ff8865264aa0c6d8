// Names from files, made fit for a one-line error.
#pragma once

#include <string>
#include <string_view>

namespace minnow {

// The name in single quotes: control characters and invalid UTF-8 escaped as \xNN, cut after about 100 bytes.
std::string quote_name(std::string_view name);

}  // namespace minnow
