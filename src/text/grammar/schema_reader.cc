#include "text/grammar/schema_reader.h"

#include <algorithm>

#include "base/error.h"
#include "base/fast_hash.h"
#include "base/limits.h"
#include "text/grammar/number_range.h"

namespace minnow::grammar {
namespace {

// What the value of a keyword must be.
enum class Form : uint8_t { kAnything, kCount, kNumber, kText, kSchema, kSchemaMap, kSchemaList, kTexts, kList, kType, kFlag };

struct KeywordRow {
  std::string_view name;
  Form form;
  KeywordUse use = KeywordUse::kAssertion;
};
constexpr auto kNote = KeywordUse::kAnnotation;
constexpr uint32_t kHashSeed = 0x9e3779b1u;

constexpr KeywordRow kKeywords[] = {
    {"type", Form::kType}, {"enum", Form::kList}, {"const", Form::kAnything}, {"$ref", Form::kText},
    {"allOf", Form::kSchemaList}, {"anyOf", Form::kSchemaList}, {"oneOf", Form::kSchemaList},
    {"properties", Form::kSchemaMap}, {"patternProperties", Form::kSchemaMap}, {"additionalProperties", Form::kSchema},
    {"propertyNames", Form::kSchema}, {"required", Form::kTexts}, {"minProperties", Form::kCount},
    {"maxProperties", Form::kCount}, {"items", Form::kSchema}, {"prefixItems", Form::kSchemaList},
    {"minItems", Form::kCount}, {"maxItems", Form::kCount}, {"uniqueItems", Form::kFlag}, {"minLength", Form::kCount},
    {"maxLength", Form::kCount}, {"pattern", Form::kText}, {"format", Form::kText}, {"minimum", Form::kNumber},
    {"maximum", Form::kNumber}, {"exclusiveMinimum", Form::kNumber}, {"exclusiveMaximum", Form::kNumber},
    {"multipleOf", Form::kNumber},
    {"$schema", Form::kText, kNote}, {"$id", Form::kText, kNote}, {"$comment", Form::kAnything, kNote},
    {"$defs", Form::kSchemaMap, kNote}, {"definitions", Form::kSchemaMap, kNote}, {"title", Form::kAnything, kNote},
    {"description", Form::kAnything, kNote}, {"default", Form::kAnything, kNote}, {"examples", Form::kAnything, kNote},
    {"deprecated", Form::kAnything, kNote}, {"readOnly", Form::kAnything, kNote}, {"writeOnly", Form::kAnything, kNote},
    {"contentEncoding", Form::kAnything, kNote}, {"contentMediaType", Form::kAnything, kNote},
    {"contentSchema", Form::kAnything, kNote},
};

const KeywordRow* find_keyword(std::string_view name) {
  const auto it = std::find_if(std::begin(kKeywords), std::end(kKeywords), [&](const auto& k) { return k.name == name; });
  return it == std::end(kKeywords) ? nullptr : it;
}

bool is_schema(const OrderedJson& value) { return value.is_object() || value.is_boolean(); }

bool is_count(const OrderedJson& value) {
  if (value.is_number_unsigned()) return true;
  return value.is_number_float() && value.get<double>() >= 0 && value.get<double>() < 1e15 &&
         value.get<double>() == static_cast<double>(static_cast<int64_t>(value.get<double>()));
}

bool is_type_name(const OrderedJson& value) {
  static constexpr std::string_view kTypes[] = {"null", "boolean", "object", "array", "number", "integer", "string"};
  return value.is_string() && std::find(std::begin(kTypes), std::end(kTypes), value.get_ref<const std::string&>()) != std::end(kTypes);
}

bool all_of(const OrderedJson& list, bool (*test)(const OrderedJson&)) {
  return std::all_of(list.begin(), list.end(), [&](const OrderedJson& value) { return test(value); });
}

// What is expected; empty when the value is of the form.
std::string_view violation(Form form, const OrderedJson& v) {
  const bool is_list = v.is_array();
  switch (form) {
    case Form::kAnything: return "";
    case Form::kCount: return is_count(v) ? "" : "a whole number that is not negative";
    case Form::kNumber: return v.is_number() ? "" : "a number";
    case Form::kText: return v.is_string() ? "" : "a string";
    case Form::kFlag: return v.is_boolean() ? "" : "true or false";
    case Form::kList: return is_list && !v.empty() ? "" : "a list that is not empty";
    case Form::kTexts: return is_list && all_of(v, [](const auto& x) { return x.is_string(); }) ? "" : "a list of strings";
    case Form::kType:
      return is_type_name(v) || (is_list && !v.empty() && all_of(v, is_type_name)) ? "" : "the name of a type, or a list of them";
    case Form::kSchema: return is_schema(v) ? "" : "a schema";
    case Form::kSchemaList: return is_list && !v.empty() && all_of(v, is_schema) ? "" : "a list of schemas that is not empty";
    case Form::kSchemaMap: return v.is_object() && all_of(v, is_schema) ? "" : "an object whose values are schemas";
  }
  return "";
}

std::string escaped_step(std::string step) {
  for (std::size_t i = 0; i < step.size(); ++i) {
    if (step[i] == '~') step.replace(i, 1, "~0"), ++i;
    else if (step[i] == '/') step.replace(i, 1, "~1"), ++i;
  }
  return step;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string unescaped_step(std::string_view step) {
  std::string out;
  for (std::size_t i = 0; i < step.size(); ++i) {
    if (step[i] == '%' && i + 2 < step.size() && hex_value(step[i + 1]) >= 0 && hex_value(step[i + 2]) >= 0) {
      out += static_cast<char>(hex_value(step[i + 1]) * 16 + hex_value(step[i + 2]));
      i += 2;
    } else {
      out += step[i];
    }
  }
  std::string plain;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const bool is_escape = out[i] == '~' && i + 1 < out.size() && (out[i + 1] == '0' || out[i + 1] == '1');
    plain += is_escape ? (out[i + 1] == '0' ? '~' : '/') : out[i];
    i += is_escape ? 1 : 0;
  }
  return plain;
}

}  // namespace

std::vector<Keyword> schema_keywords() {
  std::vector<Keyword> out;
  for (const KeywordRow& row : kKeywords) out.push_back({row.name, row.use});
  return out;
}

SchemaReader::SchemaReader(const OrderedJson& root) : root_(root) {
  if (!is_schema(root)) fail(ErrorCode::kInvalidInput, "schema: it must be an object, or true or false");
  index(root);
  if (!root.is_object() || !root.contains("$schema") || !root["$schema"].is_string()) return;
  const auto& dialect = root["$schema"].get_ref<const std::string&>();
  const auto is = [&](std::string_view part) { return dialect.find(part) != std::string::npos; };
  ref_stands_alone_ = is("/draft-07/") || is("/draft-06/");
  if (!ref_stands_alone_ && !is("/draft/2020-12/") && !is("/draft/2019-09/")) {
    unsupported(root, "$schema", "minnow knows 2020-12, and of 2019-09, draft-07 and draft-06 what is the same");
  }
}

// Returns the hash of what the value holds.
uint64_t SchemaReader::index(const OrderedJson& value) {
  uint64_t hash = hash_number(static_cast<uint64_t>(value.type()), kHashSeed);
  if (value.is_object()) {
    for (const auto& [key, part] : value.items()) {
      origins_[&part] = {&value, escaped_step(key)};
      hash = hash_number(hash ^ hash_text(key, kHashSeed), index(part));
    }
  } else if (value.is_array()) {
    std::size_t i = 0;
    for (const auto& part : value) {
      origins_[&part] = {&value, std::to_string(i++)};
      hash = hash_number(hash, index(part));
    }
  } else {
    hash = hash_number(hash ^ hash_text(value.is_string() ? value.get_ref<const std::string&>() : value.dump(), kHashSeed), kHashSeed);
  }
  hashes_[&value] = hash;
  return hash;
}

bool SchemaReader::only_refers(const OrderedJson& schema) const {
  if (!schema.is_object() || !schema.contains("$ref")) return false;
  const auto items = schema.items();
  return std::all_of(items.begin(), items.end(), [](const auto& item) {
    const KeywordRow* row = find_keyword(item.key());
    return item.key() == "$ref" || (row != nullptr && row->use == KeywordUse::kAnnotation);
  });
}

const OrderedJson* SchemaReader::canonical(const OrderedJson* schema) {
  for (int steps = 0; steps < limits::kMaxGrammarNesting && only_refers(*schema); ++steps) {
    check(*schema);
    schema = &resolve(*schema);
  }
  const auto hash = hashes_.find(schema);
  if (hash == hashes_.end() || !schema->is_object()) return schema;  // not of this document, or nothing to share
  const OrderedJson* known = canonical_.try_emplace(hash->second, schema).first->second;
  return *known == *schema ? known : schema;
}

Conjunction SchemaReader::canonical(const Conjunction& all) {
  Conjunction out;
  for (const OrderedJson* schema : all) {
    if (const OrderedJson* one = canonical(schema); std::find(out.begin(), out.end(), one) == out.end()) out.push_back(one);
  }
  return out;
}

std::string SchemaReader::pointer(const OrderedJson& place) const {
  std::string out;
  for (const OrderedJson* at = &place; at != &root_;) {
    const auto it = origins_.find(at);
    if (it == origins_.end()) break;
    out.insert(0, "/" + it->second.step);
    at = it->second.parent;
  }
  return "#" + out;
}

void SchemaReader::unsupported(const OrderedJson& schema, std::string_view keyword, std::string_view why) const {
  throw Error(ErrorCode::kUnsupported, fmt::format("schema: \"{}\" at {} is not supported", keyword, pointer(schema)), std::string(why));
}

void SchemaReader::invalid(const OrderedJson& schema, std::string_view keyword, std::string_view must) const {
  fail(ErrorCode::kInvalidInput, "schema: \"{}\" at {} must be {}", keyword, pointer(schema), must);
}

// Numbers that are not held to the last digit, or could not be compared with bounds.
void SchemaReader::refuse_inexact(const OrderedJson& schema, const std::string& keyword, const OrderedJson& value) const {
  if (value.is_structured()) {
    for (const auto& part : value) refuse_inexact(schema, keyword, part);
    return;
  }
  if (!value.is_number_float()) return;
  const double x = value.get<double>();
  if (x >= 0x1p64 || x < -0x1p63) unsupported(schema, keyword, "a number in it is too large to be written to the last digit");
  if (!Decimal::parse(value.dump())) unsupported(schema, keyword, "a number in it is too close to 0");
}

void SchemaReader::check(const OrderedJson& schema) {
  if (!schema.is_object() || !checked_.insert(&schema).second) return;
  bool has_other = false;
  for (const auto& [key, value] : schema.items()) {
    if (key.starts_with("x-")) continue;
    const KeywordRow* row = find_keyword(key);
    if (row == nullptr) unsupported(schema, key, "leave it out, or say it in another way");
    if (const auto must = violation(row->form, value); !must.empty()) invalid(schema, key, must);
    if (key == "enum" || key == "const") refuse_inexact(schema, key, value);
    has_other |= row->use == KeywordUse::kAssertion && key != "$ref";
    if (key == "$id" && &schema != &root_) unsupported(schema, key, "a schema within a schema cannot have a name of its own");
  }
  if (ref_stands_alone_ && has_other && schema.contains("$ref")) {
    unsupported(schema, "$ref", "in this draft what stands beside it is ignored; use allOf");
  }
}

const OrderedJson& SchemaReader::resolve(const OrderedJson& schema) const {
  const auto& ref = schema["$ref"].get_ref<const std::string&>();
  if (ref == "#") return root_;
  if (!ref.starts_with("#/")) unsupported(schema, "$ref", "only references within the schema are: \"#\" or \"#/…\"");
  const OrderedJson* at = &root_;
  for (std::size_t begin = 2; begin <= ref.size();) {
    const std::size_t end = std::min(ref.find('/', begin), ref.size());
    const std::string step = unescaped_step(std::string_view(ref).substr(begin, end - begin));
    begin = end + 1;
    const OrderedJson* next = nullptr;
    if (at->is_object() && at->contains(step)) next = &(*at)[step];
    if (at->is_array() && !step.empty() && step.size() < 7 && std::all_of(step.begin(), step.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      std::size_t i = 0;
      for (const char c : step) i = i * 10 + static_cast<std::size_t>(c - '0');
      if (i < at->size()) next = &(*at)[i];
    }
    if (next == nullptr) invalid(schema, "$ref", fmt::format("the place of a schema; there is no \"{}\"", ref));
    at = next;
    if (at != &root_ && at->is_object() && at->contains("$id") && (*at)["$id"].is_string()) {
      unsupported(*at, "$id", "a schema within a schema cannot have a name of its own");
    }
  }
  if (!is_schema(*at)) invalid(schema, "$ref", "the place of a schema");
  return *at;
}

Conjunction SchemaReader::property(const Conjunction& flat, const std::string& name, const Matches& matches) const {
  return property(flat, &name, matches);
}

Conjunction SchemaReader::other_property(const Conjunction& flat, const Matches& matches) const {
  return property(flat, nullptr, matches);
}

Conjunction SchemaReader::property(const Conjunction& flat, const std::string* name, const Matches& matches) const {
  Conjunction out;
  for (const OrderedJson* s : flat) {
    bool found = false;
    if (name != nullptr && s->contains("properties") && (*s)["properties"].contains(*name)) {
      out.push_back(&(*s)["properties"][*name]);
      found = true;
    }
    if (s->contains("patternProperties")) {
      for (const auto& [pattern, value] : (*s)["patternProperties"].items()) {
        if (!matches(*s, pattern)) continue;
        out.push_back(&value);
        found = true;
      }
    }
    if (!found && s->contains("additionalProperties")) out.push_back(&(*s)["additionalProperties"]);
  }
  return out;
}

Conjunction SchemaReader::item(const Conjunction& flat, std::size_t index) const {
  Conjunction out;
  for (const OrderedJson* s : flat) {
    if (s->contains("prefixItems") && index < (*s)["prefixItems"].size()) {
      out.push_back(&(*s)["prefixItems"][index]);
    } else if (s->contains("items")) {
      out.push_back(&(*s)["items"]);
    }
  }
  return out;
}

}  // namespace minnow::grammar
