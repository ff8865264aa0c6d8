#include "cpu/packed_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/fast_hash.h"
#include "base/file.h"
#include "base/random.h"
#include "cpu/pack.h"
#include "cpu/panels.h"
#include "tensor/dtype.h"

namespace minnow {
namespace {

// Packed at a time by one thread, and written at once: whole pages of 2 MB of the cache file.
constexpr uint64_t kRunBytes = 8 << 20;

int64_t n_units(const Tensor& t) { return (t.shape[0] + kPanelRows - 1) / kPanelRows; }
uint64_t unit_bytes(const Tensor& t) { return panel_bytes(t.dtype, t.shape[1]); }

// Neighbouring panels that one thread packs at a time: those that overlap bytes [begin, end) of the packed memory, or, when
// each panel belongs to one run only, those that begin there.
struct Run {
  struct Piece {
    std::size_t matrix;
    int64_t begin, end;  // units
    uint64_t offset;     // in the packed memory
  };
  uint64_t begin = 0, end = 0;
  uint64_t source_bytes = 0;
  std::vector<Piece> pieces;

  uint64_t first() const { return pieces.empty() ? begin : pieces.front().offset; }
};

std::vector<Run> cut_into_runs(const std::vector<WeightMatrix>& matrices, const std::vector<uint64_t>& offsets, uint64_t bytes,
                               bool overlapping) {
  std::vector<Run> runs;
  for (uint64_t begin = 0; begin < bytes; begin += kRunBytes) runs.push_back({begin, std::min(bytes, begin + kRunBytes), 0, {}});
  for (std::size_t m = 0; m < matrices.size(); ++m) {
    const Tensor& t = matrices[m].tensor;
    const uint64_t unit = unit_bytes(t);
    if (unit == 0) continue;
    const auto n = static_cast<uint64_t>(n_units(t)), at = offsets[m];
    for (uint64_t r = at / kRunBytes; r < runs.size() && runs[r].begin < at + n * unit; ++r) {
      Run& run = runs[r];
      const uint64_t skipped = run.begin > at ? run.begin - at : 0;
      const uint64_t begin = overlapping ? skipped / unit : (skipped + unit - 1) / unit;
      const uint64_t end = std::min(n, (run.end - at + unit - 1) / unit);
      if (begin >= end) continue;
      run.pieces.push_back({m, static_cast<int64_t>(begin), static_cast<int64_t>(end), at + begin * unit});
      run.source_bytes += t.bytes() * end / n - t.bytes() * ((skipped + unit - 1) / unit) / n;
    }
  }
  return runs;
}

// Packs all runs. `place` gives the memory of a run's first piece, `done` takes the run: false gives up.
struct Packer {
  const std::vector<WeightMatrix>& matrices;
  ThreadPool& pool;
  const std::function<void(uint64_t)>& progress;

  template <typename Place, typename Done>
  bool operator()(const std::vector<Run>& runs, const Place& place, const Done& done) const {
    std::vector<std::atomic<Packing>> results(matrices.size());
    std::atomic<std::size_t> next{0};
    std::atomic<bool> going{true};
    std::mutex telling;
    uint64_t told = 0;
    pool.run([&](int member) {
      for (std::size_t i = next.fetch_add(1); i < runs.size() && going; i = next.fetch_add(1)) {
        const Run& run = runs[i];
        std::byte* out = place(member, run);
        for (const Run::Piece& p : run.pieces) {
          const Packing packing = pack_units(matrices[p.matrix].tensor, p.begin, p.end, out + (p.offset - run.first()));
          if (packing != Packing::kGood) results[p.matrix] = packing;
        }
        if (!done(run, out)) going = false;
        if (!progress) continue;
        const std::lock_guard lock(telling);
        progress(told += run.source_bytes);
      }
    });
    for (std::size_t m = 0; m < matrices.size(); ++m) check_packing(matrices[m].name, matrices[m].tensor.dtype, results[m]);
    return going;
  }
};

// Pages of a mapping are brought in by all threads; faults one at a time would take longer than reading the weights.
void populate(std::span<const std::byte> all, ThreadPool& pool) {
  constexpr int64_t kPiece = 16 << 20;
  if (all.size() > available_memory()) return;
  const auto size = static_cast<int64_t>(all.size());
  pool.parallel_for((size + kPiece - 1) / kPiece, 1, [&](int64_t begin, int64_t end) {
    const auto from = static_cast<std::size_t>(begin * kPiece), to = static_cast<std::size_t>(std::min(size, end * kPiece));
    populate_pages(all.subspan(from, to - from));
  });
}

// Changes when the layout of panels does: what packing makes of three panels of arbitrary blocks.
uint64_t layout_mark(DType dtype) {
  constexpr int64_t kRows = 3 * kPanelRows - 1, kColumns = 1024;
  Random random(static_cast<uint64_t>(dtype) + 1);
  std::vector<std::byte> blocks(static_cast<std::size_t>(kRows) * row_bytes(dtype, kColumns));
  for (std::byte& b : blocks) b = static_cast<std::byte>(random.next());
  const Tensor matrix{dtype, {kRows, kColumns}, blocks.data(), nullptr};
  std::vector<std::byte> packed(packed_bytes(dtype, matrix.shape));
  pack_units(matrix, 0, n_units(matrix), packed.data());
  return hash_text({reinterpret_cast<const char*>(packed.data()), packed.size()}, 1);
}

// From the middle of a matrix: weights that were changed were changed nearly everywhere.
uint64_t sample(const Tensor& t) {
  constexpr uint64_t kBytes = 1024;
  const uint64_t n = std::min(t.bytes(), kBytes);
  return hash_text({reinterpret_cast<const char*>(t.data) + (t.bytes() - n) / 2, n}, 1);
}

int64_t now_nanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::string packed_manifest(const std::vector<WeightMatrix>& matrices, std::chrono::seconds settled) {
  const int64_t latest = now_nanoseconds() - std::chrono::nanoseconds(settled).count();
  std::string files, list;
  std::vector<const MappedFile*> seen;
  std::vector<std::pair<DType, uint64_t>> marks;
  for (const WeightMatrix& m : matrices) {
    const Tensor& t = m.tensor;
    if (packed_bytes(t.dtype, t.shape) == 0) continue;
    const MappedFile* file = MappedFile::owned_by(t.owner);
    if (file == nullptr) return {};
    auto at = std::find(seen.begin(), seen.end(), file);
    if (at == seen.end()) {
      const FileIdentity& id = file->identity();
      if (std::max(id.modified, id.changed) > latest) return {};
      files += fmt::format("file {} {} {}\n", id.size, id.modified, id.changed);
      at = seen.insert(at, file);
    }
    auto mark = std::find_if(marks.begin(), marks.end(), [&](const auto& p) { return p.first == t.dtype; });
    if (mark == marks.end()) mark = marks.insert(mark, {t.dtype, layout_mark(t.dtype)});
    list += fmt::format("{} {} {} {}:{} {:x} {:x}\n", m.name, name(t.dtype), t.shape.text(), at - seen.begin(),
                        t.data - file->bytes().data(), sample(t), mark->second);
  }
  // One sample may have brought in two megabytes.
  for (const MappedFile* file : seen) MappedFile::release(file->bytes());
  return files + list;
}

PackedWeights::PackedWeights(const std::vector<WeightMatrix>& matrices, ThreadPool& pool, const PackedCacheSettings& settings,
                             const std::function<void(uint64_t)>& progress) {
  for (const WeightMatrix& m : matrices) {
    offsets_.push_back(bytes_);
    bytes_ += packed_bytes(m.tensor.dtype, m.tensor.shape);
  }
  if (bytes_ == 0) return;
  const PackedCache cache(settings);
  std::string manifest;
  if (!settings.folder.empty() && bytes_ >= settings.min_bytes) manifest = packed_manifest(matrices, settings.settled);
  if (!manifest.empty()) mapped_ = cache.find(manifest, bytes_);
  found_ = mapped_ != nullptr;
  const Packer pack{matrices, pool, progress};
  if (!found_ && !manifest.empty()) draft_ = cache.begin(manifest, bytes_);
  if (draft_) {
    const std::vector<Run> runs = cut_into_runs(matrices, offsets_, bytes_, true);
    uint64_t room = kRunBytes;  // and two panels that are cut by its ends
    for (const WeightMatrix& m : matrices) room = std::max(room, kRunBytes + 2 * unit_bytes(m.tensor));
    const auto buffers = PageMemory::allocate(room * static_cast<uint64_t>(pool.size()), "packing");
    const bool written = pack(runs, [&](int member, const Run&) { return buffers->data() + static_cast<uint64_t>(member) * room; },
                              [&](const Run& run, std::byte* out) {
                                return draft_->write(run.begin, {out + (run.begin - run.first()), run.end - run.begin});
                              });
    if (written) mapped_ = draft_->map();
    if (mapped_) publisher_ = std::thread([this] { draft_->publish(); });
  }
  if (mapped_) {
    data_ = mapped_.get();
    populate({data_, bytes_}, pool);
    return;
  }
  memory_ = PageMemory::allocate(bytes_, "packed weights");
  data_ = memory_->data();
  pack(cut_into_runs(matrices, offsets_, bytes_, false), [&](int, const Run& run) { return memory_->data() + run.first(); },
       [](const Run&, std::byte*) { return true; });
}

PackedWeights::~PackedWeights() {
  if (publisher_.joinable()) publisher_.join();
}

}  // namespace minnow
