#include "models/config_check.h"

#include <cmath>

#include "base/error.h"

namespace minnow {

void check_config(const ModelConfig& c, const std::string& source) {
  const auto refuse = [&](const std::string& why) { fail(ErrorCode::kInvalidInput, "{}: {}", source, why); };
  if (c.n_heads % c.n_kv_heads != 0) {
    refuse(fmt::format("{} attention heads cannot share {} key-value heads evenly", c.n_heads, c.n_kv_heads));
  }
  if (c.head_dim % 2 != 0 || c.head_dim > 1024) refuse(fmt::format("head size {} is not an even number up to 1024", c.head_dim));
  const bool rope = c.family->positions == PositionKind::kRope;
  if (rope && (c.rope.n_rot % 2 != 0 || c.rope.n_rot < 2 || c.rope.n_rot > c.head_dim)) {
    refuse(fmt::format("{} rotated features do not fit a head of {}", c.rope.n_rot, c.head_dim));
  }
  if (!(c.norm_eps >= 0 && c.norm_eps < 1)) refuse("the norm epsilon is not between 0 and 1");
  if (!(c.rope.base > 0 && std::isfinite(c.rope.base))) refuse("the rope base is not a positive number");
  if (!(c.local_rope_base >= 0 && std::isfinite(c.local_rope_base))) refuse("the local rope base is not a positive number");
  if (c.rope.scaling != RopeScaling::kNone && !(c.rope.factor > 0 && std::isfinite(c.rope.factor))) {
    refuse("the rope scaling factor is not a positive number");
  }
  if (c.n_experts > 0 && (c.n_experts_used < 1 || c.n_experts_used > c.n_experts)) {
    refuse(fmt::format("{} experts for a token of {} experts in all", c.n_experts_used, c.n_experts));
  }
  for (const double scale : {c.residual_scale, c.logit_scale}) {
    if (!(std::isfinite(scale) && scale != 0)) refuse("a multiplier is zero or not a number");
  }
  if (!(c.temperature_beta >= 0 && std::isfinite(c.temperature_beta))) refuse("the attention temperature is not a positive number");
  if (c.rope.original_context < 0) refuse("the original context length is negative");
  if (!(c.logit_softcap >= 0) || !(c.attention_softcap >= 0)) refuse("a soft cap is negative");
}

}  // namespace minnow
