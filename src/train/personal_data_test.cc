#include "train/personal_data.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

void expect_kind(PersonalData kind, std::initializer_list<const char*> texts) {
  for (const char* text : texts) EXPECT_EQ(find_personal_data(text), kind) << text;
}

TEST(PersonalData, FindsAddressesOfMail) {
  expect_kind(PersonalData::kEmail, {"write to ann.lee+x@mail.example.org.", "a@b.de"});
}

TEST(PersonalData, FindsNumbersOfPhones) {
  expect_kind(PersonalData::kPhone, {"call +49 30 1234567 now", "+1 (555) 123-4567", "(555) 123-4567", "555-123-4567", "ring 555.123.4567."});
}

TEST(PersonalData, FindsCardsByTheirCheckDigit) {
  expect_kind(PersonalData::kCard, {"4111 1111 1111 1111", "pay with 5500-0000-0000-0004", "378282246310005"});
  EXPECT_EQ(find_personal_data("4111 1111 1111 1112"), std::nullopt);
}

TEST(PersonalData, FindsAccountsByTheirCheckDigits) {
  expect_kind(PersonalData::kIban, {"IBAN DE89 3704 0044 0532 0130 00.", "GB82WEST12345698765432", "NL91ABNA0417164300"});
  EXPECT_EQ(find_personal_data("GB83WEST12345698765432"), std::nullopt);
}

TEST(PersonalData, FindsAddressesOfMachines) {
  expect_kind(PersonalData::kIpAddress, {"ping 192.168.0.12.", "10.0.0.1:8080", "fe80::1ff:fe23:4567:890a", "2001:db8:0:1:1:1:1:1"});
}

TEST(PersonalData, LetsOrdinaryTextsPass) {
  for (const char* text : {"", "@", "a @ b", "user@host", "the sum is 1234567890123", "12:34:56", "std::vector", "3.14.15", "1.2.3", "1.2.3.4.5", "999.1.1.1",
                           "in 1999-2004, 300 + 400 = 700", "2 + 12345678x", "AB12 is a plate", "see 10.1000/182", "a::b"}) {
    EXPECT_EQ(find_personal_data(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace minnow
