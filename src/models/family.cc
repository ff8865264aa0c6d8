#include "models/family.h"

#include <fmt/core.h>

#include <charconv>
#include <string>
#include <vector>

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

// A name taken apart: "blk.7.attn_q.weight" is pattern "blk.{}.attn_q", numbers "7", suffix ".weight".
struct NameParts {
  std::string pattern, suffix;
  std::vector<std::string> numbers;
};

std::optional<NameParts> take_apart(std::string_view name) {
  NameParts parts;
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  parts.suffix = name.substr(dot);
  if (parts.suffix != ".weight" && parts.suffix != ".bias" && parts.suffix != ".scale") return std::nullopt;
  name = name.substr(0, dot);
  while (!name.empty()) {
    const std::string_view word = name.substr(0, name.find('.'));
    const bool number = word.size() <= 6 && word.find_first_not_of("0123456789") == std::string_view::npos;
    if (!parts.pattern.empty()) parts.pattern += '.';
    if (number && !word.empty() && parts.numbers.size() < 2) {
      parts.numbers.emplace_back(word);
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
  for (const std::string& number : parts.numbers) {
    if (const auto hole = name.find("{}"); hole != std::string::npos) name.replace(hole, 2, number);
  }
  return name + parts.suffix;
}

const TensorName* find_name(const Family& family, std::string_view pattern, std::string_view TensorName::*side) {
  for (const Family* f = &family; f != nullptr; f = f->otherwise_named_as) {
    for (const TensorName& n : f->names) {
      if (n.*side == pattern) return &n;
    }
  }
  for (const TensorName& n : kCommonNames) {
    if (n.*side == pattern) return &n;
  }
  return nullptr;
}

int count_holes(std::string_view pattern) {
  int n = 0;
  for (auto at = pattern.find("{}"); at != std::string_view::npos; at = pattern.find("{}", at + 2)) ++n;
  return n;
}

}  // namespace

const std::span<const TensorName> kCommonNames = kCommon;

std::string Family::hf_key(std::string_view usual) const {
  for (const KeyName& k : hf_keys) {
    if (k.usual == usual) return std::string(k.own);
  }
  if (usual == "norm_eps") return norm == NormKind::kRms ? "rms_norm_eps" : "layer_norm_eps";
  return std::string(usual);
}

const Family* family_from_gguf_name(std::string_view name) {
  // The BitNet fork's own reproduction of the release.
  if (name == "bitnet-25") name = kBitnetB158.gguf_name;
  for (const Family* f : kFamilies) {
    if (f->gguf_name == name) return f;
  }
  return nullptr;
}

const Family* family_from_hf(std::string_view architecture, std::string_view model_type) {
  for (const Family* f : kFamilies) {
    for (const std::string_view name : f->hf_architectures) {
      if (name == architecture) return f;
    }
  }
  for (const Family* f : kFamilies) {
    if (architecture.empty() && f->hf_model_type == model_type) return f;
  }
  return nullptr;
}

std::string family_names() {
  std::string names;
  for (const Family* f : kFamilies) {
    const std::string name(f->gguf_name);
    if (names.find(name + ",") == std::string::npos) names += name + ", ";
  }
  names.resize(names.size() - 2);
  return names;
}

std::string families_markdown() {
  std::string out =
      "| family (GGUF) | Hugging Face | models | runs | converts | tunes |\n|---|---|---|---|---|---|\n";
  for (const Family* f : kFamilies) {
    const std::string_view runs = f->causal ? "text, embeddings" : f->converts ? "embeddings, ranking" : "embeddings";
    const std::string_view converts = f->converts ? "GGUF and safetensors" : "no";
    out += fmt::format("| {} | {} | {} | {} | {} | {} |\n", f->gguf_name, f->hf_architectures[0], f->models, runs, converts, f->causal ? "yes" : "no");
  }
  return out;
}

GgufName gguf_tensor_name(const Family& family, std::string_view hf_name) {
  const auto parts = take_apart(hf_name);
  if (!parts) return {};
  const TensorName* n = find_name(family, parts->pattern, &TensorName::hf);
  if (n == nullptr) return {};
  GgufName out{put_together(n->gguf, *parts)};
  if (count_holes(n->hf) == 2) {
    const std::string& number = parts->numbers[1];  // at most six digits
    std::from_chars(number.data(), number.data() + number.size(), out.part);
  }
  return out;
}

GgufName gguf_name_in_checkpoint(const Family& family, const std::string& name) {
  for (const std::string_view prefix : {"model.language_model.", "language_model.model.", "language_model."}) {
    if (!name.starts_with(prefix)) continue;
    const std::string rest = name.substr(prefix.size());
    return gguf_tensor_name(family, prefix == "language_model." ? rest : "model." + rest);
  }
  GgufName found = gguf_tensor_name(family, name);
  for (const std::string_view prefix : {"model.", "transformer."}) {
    if (found.name.empty()) found = gguf_tensor_name(family, std::string(prefix) + name);
  }
  for (const std::string_view prefix : {"bert.", "roberta."}) {
    if (found.name.empty() && name.starts_with(prefix)) found = gguf_tensor_name(family, name.substr(prefix.size()));
  }
  return found;
}

std::string hf_tensor_name(const Family& family, std::string_view gguf_name, int64_t part) {
  auto parts = take_apart(gguf_name);
  if (!parts) return {};
  const TensorName* n = find_name(family, parts->pattern, &TensorName::gguf);
  if (n == nullptr) return {};
  if (count_holes(n->hf) == 2) parts->numbers.push_back(std::to_string(part));
  return put_together(n->hf, *parts);
}

bool is_stacked(const Family& family, std::string_view gguf_name) {
  const auto parts = take_apart(gguf_name);
  const TensorName* n = parts ? find_name(family, parts->pattern, &TensorName::gguf) : nullptr;
  return n != nullptr && count_holes(n->hf) == 2;
}

std::optional<HfLayout> hf_layout(const Family& family, std::string_view gguf_name) {
  const auto parts = take_apart(gguf_name);
  if (!parts) return std::nullopt;
  for (const LayoutRule& rule : family.layouts) {
    if (rule.gguf == parts->pattern + parts->suffix) return rule.layout;
  }
  return std::nullopt;
}

}  // namespace minnow
