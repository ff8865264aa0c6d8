// A folder that keeps packed weights, so that a model that was run before starts without packing: its file is mapped, by
// any number of processes at once. Everything here may fail quietly: no folder, no room and a damaged file all mean that
// the weights are packed again.
//
// A file is: a header (packed_cache.cc), the manifest that says of which weights it is made, a hole up to 2 MB, the panels.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace minnow {

struct PackedCacheSettings {
  std::filesystem::path folder;             // empty: no cache
  uint64_t min_bytes = 8 << 20;             // fewer are packed in no time
  uint64_t max_bytes = 20'000'000'000;      // of all files together; see also PackedCache::limit()
  double keep_free = 0.1;                   // of the disk: no file is made that would leave less
  // A file that changed more recently may change again within the tick of its file system's clock, unseen.
  std::chrono::seconds settled = std::chrono::seconds(3);
};

// $MINNOW_CACHE (set but empty: none), $XDG_CACHE_HOME/minnow/packed or ~/.cache/minnow/packed; empty when there is none.
std::filesystem::path default_packed_cache_folder();

// A file that is being made. It has no name yet: whatever happens, nobody sees a part of it and nothing is left behind.
class PackedDraft {
 public:
  ~PackedDraft();
  PackedDraft(const PackedDraft&) = delete;
  PackedDraft& operator=(const PackedDraft&) = delete;

  // Panels at `offset` of them. Any thread. False when the disk refuses: give up then.
  bool write(uint64_t offset, std::span<const std::byte> panels);
  // All panels, once they are written. nullptr when they cannot be mapped.
  std::shared_ptr<const std::byte> map() const;
  // Waits for the disk, then gives the file its name. When another process was faster, that one's counts.
  void publish();

 private:
  friend class PackedCache;
  PackedDraft() = default;
  int fd_ = -1;
  std::filesystem::path path_;
  uint64_t begin_ = 0, bytes_ = 0;  // of the panels
};

class PackedCache {
 public:
  explicit PackedCache(PackedCacheSettings settings) : settings_(std::move(settings)) {}

  // The panels made of what the manifest says, `bytes` of them; nullptr when they are not there. A file of that name that
  // is damaged or holds something else is removed.
  std::shared_ptr<const std::byte> find(const std::string& manifest, uint64_t bytes) const;
  // Makes room by removing what was not used for longest. nullptr when there is none to be had.
  std::unique_ptr<PackedDraft> begin(const std::string& manifest, uint64_t bytes) const;

  struct Usage {
    uint64_t files = 0, bytes = 0;
  };
  Usage usage() const;
  // What all files together may take: max_bytes, and at most a quarter of what is free or theirs.
  uint64_t limit() const;
  const PackedCacheSettings& settings() const { return settings_; }

 private:
  std::filesystem::path path_of(const std::string& manifest) const;
  bool make_room(uint64_t bytes) const;
  PackedCacheSettings settings_;
};

}  // namespace minnow
