// Answers of /v1/responses that clients may ask for again, and go on from. In memory and bounded: when there is no more room, the oldest
// of the tenant that takes most of it goes.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"

namespace minnow {

// Texts of JSON: small, and their size is known.
struct StoredResponse {
  std::string id;
  std::string response;              // the object, as it was answered
  std::string items;                 // an array: what came before, the request's own items, and the answer's
  std::size_t input_begin = 0, input_end = 0;  // the request's own among them
  std::vector<std::string> item_ids;  // of the request's own and the answer's, by which they are found again

  std::size_t bytes() const { return id.size() + response.size() + items.size(); }
};

// Any thread. Every tenant sees its own only.
class ResponseStore {
 public:
  struct Bounds {
    std::size_t count = limits::kMaxStoredResponses;
    std::size_t bytes = limits::kMaxStoredBytes;
  };
  ResponseStore() : ResponseStore(Bounds()) {}
  explicit ResponseStore(Bounds bounds) : bounds_(bounds) {}

  using Entry = std::shared_ptr<const StoredResponse>;
  void put(const std::string& tenant, StoredResponse response);
  Entry find(const std::string& tenant, const std::string& id) const;  // null: there is none
  // The one that has an item of this id; null: there is none.
  Entry find_item(const std::string& tenant, const std::string& item_id) const;
  bool erase(const std::string& tenant, const std::string& id);
  // The latest first.
  std::vector<Entry> list(const std::string& tenant, std::size_t max) const;

  std::size_t count() const;
  std::size_t bytes() const;

 private:
  struct Tenant {
    std::list<Entry> order;  // the oldest first
    std::map<std::string, std::list<Entry>::iterator, std::less<>> by_id;
    std::map<std::string, Entry, std::less<>> by_item;
    std::size_t bytes = 0;
  };
  void remove(Tenant& tenant, std::list<Entry>::iterator entry);
  void make_room();

  mutable std::mutex mutex_;
  Bounds bounds_;
  std::map<std::string, Tenant> tenants_;
  std::size_t count_ = 0, bytes_ = 0;
};

}  // namespace minnow
