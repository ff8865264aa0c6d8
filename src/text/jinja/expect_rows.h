// For tests only: templates and what they must give, on one small context.
#pragma once

#include <gtest/gtest.h>

#include <span>
#include <string>

#include "base/error.h"
#include "text/chat_template.h"

namespace minnow::jinja {

inline OrderedJson test_context() {
  return parse_ordered_json(R"({
    "none_value": null, "d": {"a": 1, "items": 2}, "l": [3, 1, 2], "f": 2.5, "t": true,
    "people": [{"name": "Zoë", "age": 40}, {"name": "adam", "age": 7}, {"name": "Bo", "age": 7}],
    "text": "Grüße, alle\n<b>&'\""})",
                            "test context");
}

// What the template gives, or the error's text.
inline std::string rendered(const std::string& source, const OrderedJson& context = test_context()) {
  try {
    ChatTemplateInput input;
    input.extra = context;
    input.now = 1'700'000'000;
    return ChatTemplate(source).render(input);
  } catch (const Error& e) {
    return e.what();
  }
}

struct Row {
  const char* source;
  const char* expected;
};

inline void expect_rows(std::span<const Row> rows) {
  for (const Row& row : rows) EXPECT_EQ(rendered(row.source), row.expected) << row.source;
}

}  // namespace minnow::jinja
