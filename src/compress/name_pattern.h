// Tensor names that a regular expression finds, as in --tensor-type 'ffn_down=Q6_K'.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace minnow {

class NamePattern {
 public:
  // Perl's syntax. Throws kUsage, saying where, when it is broken.
  explicit NamePattern(const std::string& expression);
  // Whether the expression is found anywhere in the name. Throws kLimit for one that does not come to an end.
  bool matches(std::string_view name) const;

 private:
  std::string expression_;
  std::shared_ptr<const void> code_;  // pcre2_code
};

}  // namespace minnow
