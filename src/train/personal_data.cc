#include "train/personal_data.h"

#include <algorithm>
#include <array>
#include <string>

namespace minnow {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_alnum(char c) { return is_digit(c) || is_letter(c); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// Characters of `text` at and after `i` for which `is` holds, at most n.
template <typename Fn>
std::size_t run_length(std::string_view text, std::size_t i, Fn is, std::size_t n = std::string_view::npos) {
  std::size_t length = 0;
  while (length < n && i + length < text.size() && is(text[i + length])) ++length;
  return length;
}

bool has_email(std::string_view text) {
  const auto is_local = [](char c) { return is_alnum(c) || std::string_view("._%+-").find(c) != std::string_view::npos; };
  const auto is_domain = [](char c) { return is_alnum(c) || c == '.' || c == '-'; };
  for (std::size_t at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
    if (at == 0 || !is_local(text[at - 1]) || text[at - 1] == '.') continue;
    std::string_view domain = text.substr(at + 1, run_length(text, at + 1, is_domain, 255));
    while (!domain.empty() && !is_letter(domain.back())) domain.remove_suffix(1);  // the end of a sentence
    const std::size_t dot = domain.rfind('.');
    if (dot == std::string_view::npos || dot == 0 || !is_alnum(domain.front())) continue;
    if (domain.size() - dot > 2 && std::ranges::all_of(domain.substr(dot + 1), is_letter)) return true;
  }
  return false;
}

// Digits from i on, over single separators between them; `end` is behind the last one.
std::string digits_at(std::string_view text, std::size_t i, std::string_view separators, std::size_t most, std::size_t& end) {
  std::string digits;
  end = i;
  while (i < text.size() && digits.size() <= most) {
    if (is_digit(text[i])) {
      digits += text[i++];
      end = i;
    } else if (separators.find(text[i]) != std::string_view::npos && i > 0 && (is_digit(text[i - 1]) || text[i - 1] == ')' || text[i] == '(' || text[i - 1] == ' ')) {
      ++i;
    } else {
      break;
    }
  }
  return digits;
}

bool begins_number(std::string_view text, std::size_t i) { return i == 0 || !(is_alnum(text[i - 1]) || text[i - 1] == '.' || text[i - 1] == '_'); }

// Groups of 3, 3 and 4 digits, the first perhaps in parentheses.
bool has_grouped_phone(std::string_view text, std::size_t i) {
  const bool open = text[i] == '(';
  std::size_t at = i + (open ? 1 : 0);
  for (const std::size_t n : {3u, 3u, 4u}) {
    if (run_length(text, at, is_digit) != n) return false;
    at += n;
    if (n == 4) return at == text.size() || !(is_alnum(text[at]) || text[at] == '-');
    if (open && at == i + 4) {
      if (at >= text.size() || text[at] != ')') return false;
      ++at;
      if (at < text.size() && text[at] == ' ') ++at;
      continue;
    }
    if (at >= text.size() || std::string_view("-. ").find(text[at]) == std::string_view::npos) return false;
    ++at;
  }
  return false;
}

bool has_phone(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && i + 1 < text.size() && is_digit(text[i + 1]) && begins_number(text, i)) {
      std::size_t end = 0;
      const std::string digits = digits_at(text, i + 1, " -.()/", 15, end);
      if (digits.size() >= 8 && digits.size() <= 15 && (end == text.size() || !is_alnum(text[end]))) return true;
    } else if ((text[i] == '(' || is_digit(text[i])) && begins_number(text, i) && has_grouped_phone(text, i)) {
      return true;
    }
  }
  return false;
}

bool has_check_digit(const std::string& digits) {
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    int d = digits[digits.size() - 1 - i] - '0';
    if (i % 2 == 1) d = d * 2 > 9 ? d * 2 - 9 : d * 2;
    sum += d;
  }
  return sum % 10 == 0;
}

bool has_card(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] < '2' || text[i] > '6' || !begins_number(text, i)) continue;  // the networks' first digits
    std::size_t end = 0;
    const std::string digits = digits_at(text, i, " -", 19, end);
    if (digits.size() >= 13 && digits.size() <= 19 && (end == text.size() || !is_alnum(text[end])) && has_check_digit(digits)) return true;
  }
  return false;
}

// The number that letters and digits stand for, modulo 97, the first four moved to the end.
int iban_remainder(const std::string& iban) {
  int rest = 0;
  for (std::size_t i = 0; i < iban.size(); ++i) {
    const char c = iban[(i + 4) % iban.size()];
    rest = is_digit(c) ? (rest * 10 + (c - '0')) % 97 : (rest * 100 + (c - 'A' + 10)) % 97;
  }
  return rest;
}

bool has_iban(std::string_view text) {
  const auto is_capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  for (std::size_t i = 0; i + 15 <= text.size(); ++i) {
    if (!is_capital(text[i]) || !is_capital(text[i + 1]) || !is_digit(text[i + 2]) || !is_digit(text[i + 3])) continue;
    if (i > 0 && is_alnum(text[i - 1])) continue;
    std::string iban;
    for (std::size_t at = i; at < text.size() && iban.size() < 34; ++at) {
      if (text[at] == ' ' && iban.size() % 4 == 0 && at + 1 < text.size() && text[at + 1] != ' ') continue;
      if (!is_digit(text[at]) && !is_capital(text[at])) break;
      iban += text[at];
      if (iban.size() >= 15 && (at + 1 == text.size() || !is_alnum(text[at + 1])) && iban_remainder(iban) == 1) return true;
    }
  }
  return false;
}

bool has_ip_v4(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_digit(text[i]) || !begins_number(text, i)) continue;
    std::size_t at = i, parts = 0;
    for (; parts < 4; ++parts) {
      const std::size_t n = run_length(text, at, is_digit, 4);
      int value = 0;
      for (std::size_t j = 0; j < n; ++j) value = value * 10 + (text[at + j] - '0');
      if (n == 0 || n > 3 || value > 255) break;
      at += n;
      if (parts == 3) continue;
      if (at >= text.size() || text[at] != '.') break;
      ++at;
    }
    const bool goes_on = at < text.size() && (is_alnum(text[at]) || (text[at] == '.' && at + 1 < text.size() && is_digit(text[at + 1])));
    if (parts == 4 && !goes_on) return true;
  }
  return false;
}

bool has_ip_v6(std::string_view text) {
  const auto is_part = [](char c) { return is_hex(c) || c == ':'; };
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t n = run_length(text, i, is_part);
    if (n == 0) {
      ++i;
      continue;
    }
    const std::string_view run = text.substr(i, n);
    const bool alone = (i == 0 || !is_alnum(text[i - 1])) && (i + n == text.size() || !is_alnum(text[i + n]));
    i += n;
    std::size_t groups = 0, longest = 0, colons = 0;
    for (std::size_t at = 0; at < run.size();) {
      const std::size_t length = run_length(run, at, is_hex);
      groups += length > 0 ? 1 : 0;
      longest = std::max(longest, length);
      at += length;
      if (at < run.size()) ++colons, ++at;
    }
    const bool shortened = run.find("::") != std::string_view::npos;
    const bool counts = std::ranges::any_of(run, is_digit);  // names of C++ have none between their colons
    if (alone && counts && longest <= 4 && ((groups == 8 && colons == 7) || (shortened && groups >= 2 && groups < 8))) return true;
  }
  return false;
}

}  // namespace

std::string_view name(PersonalData kind) {
  constexpr std::array<std::string_view, 5> kNames = {"email", "phone", "card", "iban", "ip"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::optional<PersonalData> find_personal_data(std::string_view text) {
  if (has_email(text)) return PersonalData::kEmail;
  if (has_phone(text)) return PersonalData::kPhone;
  if (has_card(text)) return PersonalData::kCard;
  if (has_iban(text)) return PersonalData::kIban;
  if (has_ip_v4(text) || has_ip_v6(text)) return PersonalData::kIpAddress;
  return std::nullopt;
}

}  // namespace minnow
