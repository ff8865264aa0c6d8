// Which modules of a model an adapter is for, in PEFT's words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "models/name_pattern.h"

namespace minnow {

class TargetModules {
 public:
  TargetModules() = default;  // none chosen
  // Names: a module is meant when its whole name is one of them or ends with "." and one.
  explicit TargetModules(std::vector<std::string> names);
  // A list of names, "all-linear", or a regular expression of whole names. Throws kInvalidInput, beginning with `source`.
  static TargetModules from_json(const Json& json, const std::string& source);
  // "q_proj,v_proj", "all-linear", or a regular expression (whatever holds more than letters, digits, "_", "-", "." and commas).
  // Throws kUsage.
  static TargetModules parse(const std::string& text);

  bool empty() const { return json_.is_null(); }
  bool matches(std::string_view module) const;
  // As from_json takes it.
  const Json& json() const { return json_; }

 private:
  Json json_ = nullptr;
  bool all_ = false;
  std::vector<std::string> names_;
  std::vector<NamePattern> expression_;  // one or none
};

// PEFT's rank_pattern and alpha_pattern: numbers for modules whose name, or whose end of it after a ".", is the expression.
class ModuleNumbers {
 public:
  // An object of numbers, or null. Throws kInvalidInput, beginning with `source`.
  ModuleNumbers(const OrderedJson& json, const std::string& source);
  // Of the first expression that fits.
  double of(std::string_view module, double fallback) const;

 private:
  std::vector<std::pair<NamePattern, double>> numbers_;
};

}  // namespace minnow
