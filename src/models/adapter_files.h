// The file forms of adapters; see load_adapter and save_adapter.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "models/adapter.h"

namespace minnow {

Adapter load_peft_adapter(const std::filesystem::path& folder, const Model& base);
void save_peft_adapter(const Adapter& adapter, const Model& base, const std::filesystem::path& folder);

Adapter load_gguf_adapter(const std::filesystem::path& path, const Model& base);
void save_gguf_adapter(const Adapter& adapter, const Model& base, const std::filesystem::path& path);

// For fuzzing and tests: the two files of a folder, or a GGUF file, in memory.
Adapter parse_peft_adapter(const std::string& config, std::span<const std::byte> tensors, const Model& base, const std::string& name);
Adapter parse_gguf_adapter(std::span<const std::byte> bytes, const Model& base, const std::string& name);

// Rows of B, or numbers of a magnitude, from the order that a file form has to that of the model, and back. `t` fits the weight.
Tensor adapter_rows_from_hf(const Model& base, const std::string& weight, const Tensor& t);
Tensor adapter_rows_to_hf(const Model& base, const std::string& weight, const Tensor& t);
Tensor adapter_rows_from_gguf(const Model& base, const std::string& weight, const Tensor& t);
Tensor adapter_rows_to_gguf(const Model& base, const std::string& weight, const Tensor& t);

// Puts the matrices in the order of the model's weights and checks them all. Throws kInvalidInput for a weight that has two.
void finish_adapter(Adapter& adapter, const Model& base, const std::string& source);

}  // namespace minnow
