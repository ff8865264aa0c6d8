// What a step that makes a model leaves beside it: from what, how, and what came out.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"

namespace minnow {

struct Receipt {
  std::string step;                             // "pretrain", "quantize", ...
  std::vector<std::filesystem::path> parents;   // models, adapters, tokenizers that it was made from
  std::vector<std::filesystem::path> data;      // files that it learned from
  Json settings = Json::object();               // that have a part in the result
  Json measured = Json::object();               // losses, sizes, speeds, as they were seen
};

// MODEL.gguf's is MODEL.receipt.json, a folder's FOLDER/receipt.json.
std::filesystem::path receipt_path(const std::filesystem::path& output);

// Written aside, then renamed. Files are named by their last part and their SHA-256; a parent that is a folder by those of its
// files. Throws kIo.
void write_receipt(const std::filesystem::path& output, const Receipt& receipt);

}  // namespace minnow
