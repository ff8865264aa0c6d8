#include "base/fast_hash.h"

#include <random>

namespace minnow {

uint64_t random_hash_seed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32 | device()) | 1;
}

}  // namespace minnow
