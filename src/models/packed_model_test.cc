// A folder as GPTQ tools write it loads like the plain model that it stands for.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "formats/safetensors.h"
#include "models/family.h"
#include "models/random_model.h"
#include "models/save.h"
#include "tensor/codec.h"
#include "tensor/half.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

// A safetensors file, written by hand since the writer of minnow has no integers.
class SafetensorsText {
 public:
  template <typename T>
  void add(const std::string& name, const char* dtype, std::vector<int64_t> shape, const std::vector<T>& values) {
    const std::size_t begin = data_.size();
    data_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
    header_[name] = {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {begin, data_.size()}}};
  }
  void write(const fs::path& path) const {
    const std::string json = header_.dump();
    const uint64_t length = json.size();
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(&length), 8);
    file << json << data_;
  }

 private:
  Json header_ = Json::object();
  std::string data_;
};

// Rounds the weight [out, in] to 4 bits in groups of 32 inputs, zero 8, and gives the values that are left.
std::vector<float> add_gptq(SafetensorsText& file, const std::string& layer, const Tensor& weight) {
  const std::vector<float> w = to_f32(weight);
  const auto out = static_cast<std::size_t>(weight.shape[0]), in = static_cast<std::size_t>(weight.shape[1]);
  std::vector<uint32_t> qweight(in / 8 * out), qzeros(in / 32 * (out / 8), 0x77777777u);
  std::vector<uint16_t> scales(in / 32 * out);
  std::vector<float> left(w.size());
  for (std::size_t o = 0; o < out; ++o) {
    for (std::size_t g = 0; g < in / 32; ++g) {
      float most = 0;
      for (std::size_t k = 32 * g; k < 32 * g + 32; ++k) most = std::max(most, std::fabs(w[o * in + k]));
      scales[g * out + o] = f32_to_f16(most / 7);
      const float scale = f16_to_f32(scales[g * out + o]);
      for (std::size_t k = 32 * g; k < 32 * g + 32; ++k) {
        const int code = std::clamp(static_cast<int>(std::lround(w[o * in + k] / scale)) + 8, 0, 15);
        qweight[k / 8 * out + o] |= static_cast<uint32_t>(code) << (4 * (k % 8));
        left[o * in + k] = f16_to_f32(f32_to_f16(scale * static_cast<float>(code - 8)));
      }
    }
  }
  const auto n = [](std::size_t v) { return static_cast<int64_t>(v); };
  file.add(layer + ".qweight", "I32", {n(in / 8), n(out)}, qweight);
  file.add(layer + ".qzeros", "I32", {n(in / 32), n(out / 8)}, qzeros);
  file.add(layer + ".scales", "F16", {n(in / 32), n(out)}, scales);
  return left;
}

TEST(PackedModel, LoadsAsThePlainModelThatItStandsFor) {
  const fs::path folder = fs::path(testing::TempDir()) / "minnow_packed_model";
  fs::remove_all(folder);
  const Model original = random_model({.family = &kLlama, .dtype = DType::kF16}, 3);
  save_hf(original, folder, {});
  std::map<std::string, std::vector<float>> expected;  // by GGUF name
  {
    const Safetensors plain = Safetensors::open(folder);
    SafetensorsText packed;
    for (const NamedTensor& t : plain.tensors()) {
      if (t.name.find(".layers.") != std::string::npos && t.tensor.shape.rank() == 2) {
        const std::string layer = t.name.substr(0, t.name.size() - std::string_view(".weight").size());
        expected[gguf_tensor_name(kLlama, t.name).name] = add_gptq(packed, layer, t.tensor);
      } else {
        std::vector<int64_t> shape;
        for (int i = 0; i < t.tensor.shape.rank(); ++i) shape.push_back(t.tensor.shape[i]);
        packed.add(t.name, "F32", shape, to_f32(t.tensor));
      }
    }
    packed.write(folder / "packed.tmp");
  }
  fs::rename(folder / "packed.tmp", folder / "model.safetensors");
  Json config = parse_json(read_text_file(folder / "config.json", 1 << 20), "config.json");
  config["quantization_config"] = {{"quant_method", "gptq"}, {"bits", 4}, {"group_size", 32}, {"sym", true}};
  std::ofstream(folder / "config.json") << config;
  const Model model = load_model(folder);
  EXPECT_EQ(expected.size(), 14u);
  for (const auto& [name, values] : expected) {
    const Tensor& weight = model.weights.require(name);
    EXPECT_EQ(weight.dtype, DType::kF16);
    EXPECT_EQ(to_f32(weight), values) << name;
  }
  EXPECT_EQ(model.weights.all().size(), original.weights.all().size());
  fs::remove_all(folder);
}

}  // namespace
}  // namespace minnow
