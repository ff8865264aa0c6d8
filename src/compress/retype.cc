#include "compress/retype.h"

#include <cstring>

#include "base/error.h"
#include "base/topology.h"
#include "models/adapter.h"
#include "models/outgoing.h"
#include "tensor/codec.h"

namespace minnow {

Tensor retyped(const std::string& name, const Tensor& tensor, DType type) {
  if (tensor.dtype == type) return tensor;
  std::byte* data = nullptr;
  const Tensor made = Tensor::allocate(type, tensor.shape, &data);
  ThreadPool pool(available_cores());
  const Outgoing outgoing{tensor, tensor.shape, type, {}, 0, name};
  produce(outgoing, pool, [&](std::span<const std::byte> bytes) {
    std::memcpy(data, bytes.data(), bytes.size());
    data += bytes.size();
  });
  return made;
}

RetypeReport retype_layers(Model& model, DType type) {
  if (!can_encode(type)) fail(ErrorCode::kUsage, "cannot encode to {}", name(type));
  RetypeReport report;
  for (const AdaptableMatrix& m : adaptable_matrices(model)) {
    const Tensor& t = model.weights.require(m.name);
    if (is_quantized(t.dtype)) continue;
    const auto fits = [&](DType wanted) { return t.shape.last() % static_cast<int64_t>(info(wanted).block_size) == 0; };
    const DType to = fits(type) ? type : fits(DType::kQ8_0) ? DType::kQ8_0 : t.dtype;
    ++(to == type ? report.n_changed : to == t.dtype ? report.n_kept : report.n_fallback);
    model.weights.set(m.name, retyped(m.name, t, to));
  }
  return report;
}

}  // namespace minnow
