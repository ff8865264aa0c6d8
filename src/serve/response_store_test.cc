#include "serve/response_store.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

StoredResponse response(const std::string& id, std::size_t bytes = 10) {
  return {.id = id, .response = std::string(bytes, ' '), .items = "[]", .item_ids = {"item_" + id}};
}

TEST(ResponseStore, gives_what_was_put_until_it_is_erased) {
  ResponseStore store;
  store.put("", response("a"));
  ASSERT_NE(store.find("", "a"), nullptr);
  EXPECT_EQ(store.find("", "a")->items, "[]");
  EXPECT_EQ(store.find_item("", "item_a")->id, "a");
  EXPECT_TRUE(store.erase("", "a"));
  EXPECT_FALSE(store.erase("", "a"));
  EXPECT_EQ(store.find("", "a"), nullptr);
  EXPECT_EQ(store.find_item("", "item_a"), nullptr);
  EXPECT_EQ(store.bytes(), 0u);
  EXPECT_EQ(store.count(), 0u);
}

TEST(ResponseStore, shows_a_tenant_nothing_of_another) {
  ResponseStore store;
  store.put("one", response("a"));
  EXPECT_EQ(store.find("two", "a"), nullptr);
  EXPECT_EQ(store.find_item("two", "item_a"), nullptr);
  EXPECT_FALSE(store.erase("two", "a"));
  EXPECT_TRUE(store.list("two", 10).empty());
}

TEST(ResponseStore, replaces_what_has_the_same_id) {
  ResponseStore store;
  store.put("", response("a", 100));
  store.put("", response("a", 10));
  EXPECT_EQ(store.count(), 1u);
  EXPECT_EQ(store.bytes(), store.find("", "a")->bytes());
}

TEST(ResponseStore, lists_the_latest_first) {
  ResponseStore store;
  for (const char* id : {"a", "b", "c"}) store.put("", response(id));
  const auto listed = store.list("", 2);
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(listed[0]->id, "c");
  EXPECT_EQ(listed[1]->id, "b");
}

TEST(ResponseStore, forgets_the_oldest_when_there_are_too_many) {
  ResponseStore store({.count = 2, .bytes = 1000});
  for (const char* id : {"a", "b", "c"}) store.put("", response(id));
  EXPECT_EQ(store.find("", "a"), nullptr);
  EXPECT_NE(store.find("", "b"), nullptr);
  EXPECT_NE(store.find("", "c"), nullptr);
}

TEST(ResponseStore, makes_room_at_the_cost_of_who_takes_most) {
  ResponseStore store({.count = 100, .bytes = 500});
  store.put("modest", response("m", 50));
  for (int i = 0; i < 20; ++i) store.put("greedy", response("g" + std::to_string(i), 100));
  EXPECT_NE(store.find("modest", "m"), nullptr);
  EXPECT_NE(store.find("greedy", "g19"), nullptr);
  EXPECT_EQ(store.find("greedy", "g0"), nullptr);
  EXPECT_LE(store.bytes(), 500u);
}

TEST(ResponseStore, keeps_nothing_that_is_larger_than_itself) {
  ResponseStore store({.count = 100, .bytes = 500});
  store.put("", response("huge", 5000));
  EXPECT_EQ(store.find("", "huge"), nullptr);
  EXPECT_EQ(store.bytes(), 0u);
}

}  // namespace
}  // namespace minnow
