// Texts that name how to reach somebody or their money, found by rules.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace minnow {

enum class PersonalData : uint8_t {
  kEmail,
  kPhone,      // +49 30 1234567, (030) 123-4567, 555-123-4567: 8 to 15 digits behind a plus, or 10 in groups
  kCard,       // 13 to 19 digits, with spaces or dashes, whose check digit is right (Luhn; ISO/IEC 7812)
  kIban,       // whose check digits are right (ISO 13616)
  kIpAddress,  // version 4 or 6
};
std::string_view name(PersonalData kind);  // "email", "phone", "card", "iban", "ip"

// The first kind found, in the order above; nullopt when there is none. Rules err on both sides: names and street addresses are not
// found, and a version such as 1.2.3.4 looks like an address. Takes time proportional to the text.
std::optional<PersonalData> find_personal_data(std::string_view text);

}  // namespace minnow
