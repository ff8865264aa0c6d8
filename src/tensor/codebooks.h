// Codebooks of the types of one to three bits whose codes stand for whole groups of values: chosen points of a lattice.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace minnow {

using Point8 = std::array<int8_t, 8>;
using Point4 = std::array<int8_t, 4>;

std::span<const Point8> iq2_xxs_points();  // 256, of 8, 25 and 43
std::span<const Point8> iq2_xs_points();   // 512
std::span<const Point8> iq2_s_points();    // 1024
std::span<const Point4> iq3_xxs_points();  // 256, of 4, 12, 20 .. 52 and 62
std::span<const Point4> iq3_s_points();    // 512, of 1, 3 .. 15
std::span<const Point8> iq1_points();      // 2048, of -1, 0 and 1

}  // namespace minnow
