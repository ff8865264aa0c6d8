// How kernels ask for what they read next.
#pragma once

#include <cstdint>

namespace minnow::body {

// Streams are asked for this many bytes ahead.
inline constexpr int64_t kFetchAhead = 8 << 10;

// The line at p, into the second-level cache. Lines that are asked for into the first one wait in the same few buffers as
// the misses of loads: on Zen 4 that halves the speed of a stream. From the second level the hardware brings them nearer by itself.
inline __attribute__((always_inline)) void prefetch(const void* p) { __builtin_prefetch(p, 0, 2); }

}  // namespace minnow::body
