#include "models/config.h"

namespace minnow {
namespace {

constexpr std::string_view kPoolingNames[] = {"none", "mean", "cls", "last", "rank"};

}  // namespace

std::string_view name(Pooling pooling) { return kPoolingNames[static_cast<std::size_t>(pooling)]; }

std::optional<Pooling> pooling_from_name(std::string_view text) {
  for (std::size_t i = 0; i < std::size(kPoolingNames); ++i) {
    if (kPoolingNames[i] == text) return static_cast<Pooling>(i);
  }
  return std::nullopt;
}

bool ModelConfig::makes_text() const { return family->causal; }

std::vector<bool> every_nth(int64_t n_layers, int64_t n) {
  if (n == 0) return {};
  std::vector<bool> flags;
  for (int64_t l = 0; l < n_layers; ++l) flags.push_back((l + 1) % n == 0);
  return flags;
}

std::vector<bool> all_but_every_nth(int64_t n_layers, int64_t n) {
  std::vector<bool> flags;
  for (int64_t l = 0; l < n_layers; ++l) flags.push_back(n == 0 || (l + 1) % n != 0);
  return flags;
}

}  // namespace minnow
