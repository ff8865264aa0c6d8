#include "models/family.h"

#include <charconv>
#include <optional>
#include <string>

namespace minnow {
namespace {

constexpr TensorName kCommon[] = {
    {"token_embd", "model.embed_tokens"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
    {"blk.{}.attn_norm", "model.layers.{}.input_layernorm"},
    {"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"},
    {"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"},
    {"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"},
    {"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"},
    {"blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm"},
    {"blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm"},
    {"blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"},
    {"blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"},
    {"blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"},
    {"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"},
};

// A name taken apart: "blk.7.attn_q.weight" is pattern "blk.{}.attn_q", layer "7", suffix ".weight".
struct NameParts {
  std::string pattern, layer, suffix;
};

std::optional<NameParts> take_apart(std::string_view name) {
  NameParts parts;
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  parts.suffix = name.substr(dot);
  if (parts.suffix != ".weight" && parts.suffix != ".bias") return std::nullopt;
  name = name.substr(0, dot);
  while (!name.empty()) {
    const std::string_view word = name.substr(0, name.find('.'));
    const bool number = !word.empty() && word.find_first_not_of("0123456789") == std::string_view::npos;
    if (!parts.pattern.empty()) parts.pattern += '.';
    if (number && parts.layer.empty()) {
      parts.layer = word;
      parts.pattern += "{}";
    } else {
      parts.pattern += word;
    }
    name.remove_prefix(std::min(name.size(), word.size() + 1));
  }
  return parts;
}

std::string put_together(std::string_view pattern, const NameParts& parts) {
  std::string name(pattern);
  if (const auto hole = name.find("{}"); hole != std::string::npos) name.replace(hole, 2, parts.layer);
  return name + parts.suffix;
}

std::string translate(const Family& family, std::string_view name, std::string_view TensorName::*from,
                      std::string_view TensorName::*to) {
  const auto parts = take_apart(name);
  if (!parts) return {};
  for (const auto& names : {family.names, kCommonNames}) {
    for (const TensorName& n : names) {
      if (n.*from == parts->pattern) return put_together(n.*to, *parts);
    }
  }
  return {};
}

}  // namespace

const std::span<const TensorName> kCommonNames = kCommon;

const Family* family_from_gguf_name(std::string_view name) {
  for (const Family* f : kFamilies) {
    if (f->gguf_name == name) return f;
  }
  return nullptr;
}

const Family* family_from_hf(std::string_view architecture, std::string_view model_type) {
  for (const Family* f : kFamilies) {
    if (f->hf_architecture == architecture || (architecture.empty() && f->hf_model_type == model_type)) return f;
  }
  return nullptr;
}

std::string family_names() {
  std::string names;
  for (const Family* f : kFamilies) names += (names.empty() ? "" : ", ") + std::string(f->gguf_name);
  return names;
}

std::string gguf_tensor_name(const Family& family, std::string_view hf_name) {
  return translate(family, hf_name, &TensorName::hf, &TensorName::gguf);
}

std::string hf_tensor_name(const Family& family, std::string_view gguf_name) {
  return translate(family, gguf_name, &TensorName::gguf, &TensorName::hf);
}

}  // namespace minnow
