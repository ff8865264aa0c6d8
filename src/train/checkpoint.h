// The whole state of a run in one file, so that it goes on bit for bit as if it had not ended.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "train/data_stream.h"

namespace minnow {

struct Checkpoint {
  int64_t step = 0;    // steps that were made
  int64_t tokens = 0;  // that they saw
  StreamPosition position;
  Json settings;       // of the run: it is resumed with equal ones only
  // Where weights and optimizer state are written from and read to, in this order.
  std::vector<std::span<std::byte>> state;
};

// Writes `folder`/step-00001234.ckpt, whole or absent, then removes all but the newest `keep` of them. Throws kIo.
void save_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint, int keep);

// The newest; nullopt when there is none, or no folder.
std::optional<std::filesystem::path> newest_checkpoint(const std::filesystem::path& folder);

// Fills all of `checkpoint`, whose settings and state say what is expected. Throws kInvalidInput for a file that is not a
// whole checkpoint, and for one of other settings, naming the first that differs; nothing is changed then.
void load_checkpoint(const std::filesystem::path& file, Checkpoint& checkpoint);
// The same from memory; `source` is what errors name.
void read_checkpoint(std::span<const std::byte> bytes, const std::string& source, Checkpoint& checkpoint);

}  // namespace minnow
