// Names of tensors and modules that a regular expression finds, as in --tensor-type 'ffn_down=Q6_K'.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace minnow {

class NamePattern {
 public:
  enum class Where : uint8_t { kAnywhere, kWhole };  // in the name; the whole name
  // Perl's syntax. Throws kUsage, saying where, when it is broken.
  explicit NamePattern(const std::string& expression, Where where = Where::kAnywhere);
  // Throws kLimit for an expression that does not come to an end.
  bool matches(std::string_view name) const;

 private:
  Where where_;
  std::string expression_;
  std::shared_ptr<const void> code_;  // pcre2_code
};

}  // namespace minnow
