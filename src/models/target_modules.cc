#include "models/target_modules.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace minnow {
namespace {

constexpr std::size_t kMaxNames = 100'000;  // a list may name every module of a model

NamePattern pattern(const std::string& expression, const std::string& source) {
  try {
    return NamePattern(expression, NamePattern::Where::kWhole);
  } catch (const Error& e) {
    fail(ErrorCode::kInvalidInput, "{}: {}", source, e.what());
  }
}

}  // namespace

TargetModules::TargetModules(std::vector<std::string> names) : json_(names), names_(std::move(names)) {}

TargetModules TargetModules::from_json(const Json& json, const std::string& source) {
  TargetModules t;
  t.json_ = json;
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    t.all_ = text == "all-linear";
    if (!t.all_) t.expression_.push_back(pattern(text, source + ": target_modules"));
    return t;
  }
  const bool is_list = json.is_array() && !json.empty() && json.size() <= kMaxNames &&
                       std::all_of(json.begin(), json.end(), [](const Json& one) { return one.is_string(); });
  if (!is_list) fail(ErrorCode::kInvalidInput, "{}: target_modules is neither a list of names nor an expression", source);
  t.names_ = json.get<std::vector<std::string>>();
  return t;
}

TargetModules TargetModules::parse(const std::string& text) {
  const auto is_plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' || c == ','; };
  if (text == "all-linear" || !std::all_of(text.begin(), text.end(), is_plain)) {
    try {
      return from_json(text, "--target");
    } catch (const Error& e) {
      throw Error(ErrorCode::kUsage, e.what());
    }
  }
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    if (end == begin) fail(ErrorCode::kUsage, "--target {}: an empty name", text);
    names.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return TargetModules(std::move(names));
}

bool TargetModules::matches(std::string_view module) const {
  if (all_) return true;
  if (!expression_.empty()) return expression_[0].matches(module);
  return std::any_of(names_.begin(), names_.end(), [&](const std::string& name) {
    if (!module.ends_with(name)) return false;
    return module.size() == name.size() || module[module.size() - name.size() - 1] == '.';
  });
}

ModuleNumbers::ModuleNumbers(const OrderedJson& json, const std::string& source) {
  if (json.is_null()) return;
  if (!json.is_object()) fail(ErrorCode::kInvalidInput, "{}: not an object of numbers", source);
  for (const auto& [key, value] : json.items()) {
    const double number = value.is_number() ? value.get<double>() : NAN;
    if (!(number > 0) || !std::isfinite(number)) fail(ErrorCode::kInvalidInput, "{}: {} has no number above 0", source, key);
    numbers_.emplace_back(pattern("(?:.*\\.)?(?:" + key + ")", source), number);
  }
}

double ModuleNumbers::of(std::string_view module, double fallback) const {
  const auto at = std::find_if(numbers_.begin(), numbers_.end(), [&](const auto& n) { return n.first.matches(module); });
  return at == numbers_.end() ? fallback : at->second;
}

}  // namespace minnow
