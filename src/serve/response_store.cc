#include "serve/response_store.h"

#include <algorithm>

namespace minnow {

void ResponseStore::put(const std::string& tenant, StoredResponse response) {
  const auto entry = std::make_shared<const StoredResponse>(std::move(response));
  const std::lock_guard lock(mutex_);
  Tenant& own = tenants_[tenant];
  if (const auto old = own.by_id.find(entry->id); old != own.by_id.end()) remove(own, old->second);
  own.order.push_back(entry);
  own.by_id[entry->id] = std::prev(own.order.end());
  for (const std::string& id : entry->item_ids) own.by_item[id] = entry;
  own.bytes += entry->bytes();
  bytes_ += entry->bytes();
  ++count_;
  make_room();
}

ResponseStore::Entry ResponseStore::find(const std::string& tenant, const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto own = tenants_.find(tenant);
  if (own == tenants_.end()) return nullptr;
  const auto entry = own->second.by_id.find(id);
  return entry == own->second.by_id.end() ? nullptr : *entry->second;
}

ResponseStore::Entry ResponseStore::find_item(const std::string& tenant, const std::string& item_id) const {
  const std::lock_guard lock(mutex_);
  const auto own = tenants_.find(tenant);
  if (own == tenants_.end()) return nullptr;
  const auto entry = own->second.by_item.find(item_id);
  return entry == own->second.by_item.end() ? nullptr : entry->second;
}

bool ResponseStore::erase(const std::string& tenant, const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto own = tenants_.find(tenant);
  if (own == tenants_.end()) return false;
  const auto entry = own->second.by_id.find(id);
  if (entry == own->second.by_id.end()) return false;
  remove(own->second, entry->second);
  if (own->second.order.empty()) tenants_.erase(own);
  return true;
}

std::vector<ResponseStore::Entry> ResponseStore::list(const std::string& tenant, std::size_t max) const {
  const std::lock_guard lock(mutex_);
  const auto own = tenants_.find(tenant);
  if (own == tenants_.end()) return {};
  std::vector<Entry> entries;
  const std::list<Entry>& order = own->second.order;
  for (auto entry = order.rbegin(); entry != order.rend() && entries.size() < max; ++entry) entries.push_back(*entry);
  return entries;
}

std::size_t ResponseStore::count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

std::size_t ResponseStore::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void ResponseStore::remove(Tenant& tenant, std::list<Entry>::iterator position) {
  const Entry entry = *position;
  for (const std::string& id : entry->item_ids) {
    const auto item = tenant.by_item.find(id);
    if (item != tenant.by_item.end() && item->second == entry) tenant.by_item.erase(item);
  }
  tenant.by_id.erase(entry->id);
  tenant.order.erase(position);
  tenant.bytes -= entry->bytes();
  bytes_ -= entry->bytes();
  --count_;
}

void ResponseStore::make_room() {
  while (count_ > bounds_.count || bytes_ > bounds_.bytes) {
    const auto largest =
        std::max_element(tenants_.begin(), tenants_.end(), [](const auto& a, const auto& b) { return a.second.bytes < b.second.bytes; });
    remove(largest->second, largest->second.order.begin());
    if (largest->second.order.empty()) tenants_.erase(largest);
  }
}

}  // namespace minnow
