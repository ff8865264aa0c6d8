#include <fmt/core.h>

#include <memory>

#include "base/error.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/course.h"
#include "cli/options.h"
#include "compress/merge_adapters.h"
#include "models/receipt.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

struct MergeArguments {
  std::string base, output, tokenizer, type, combine;
  std::vector<std::string> adapters;
  std::vector<double> weights;
  int64_t rank = 0;
  bool json = false;
};

void check(const MergeArguments& a) {
  check_not_same(a.base, a.output);
  for (const std::string& path : a.adapters) check_not_same(path, a.output);
  if (!a.weights.empty() && a.weights.size() != a.adapters.size()) {
    fail(ErrorCode::kUsage, "{} --weight for {} --adapter: give one for each, in the same order, or none", a.weights.size(), a.adapters.size());
  }
  if (!a.combine.empty() && !a.type.empty()) fail(ErrorCode::kUsage, "--type is of a model, --combine makes an adapter");
  if (a.rank > 0 && a.combine != "svd") fail(ErrorCode::kUsage, "--rank goes with --combine svd");
}

// Merged weights of a folder need not be quantized once more: it holds no quantized ones.
DType type_of(const MergeArguments& a, const NamedTensor& t) {
  if (const auto type = float_type(a.type)) return *type;
  const bool gguf = std::filesystem::path(a.output).extension() == ".gguf";
  return is_quantized(t.tensor.dtype) && !gguf ? DType::kF16 : t.tensor.dtype;
}

void warn_of_rounding(const Model& model, const std::vector<WeightedAdapter>& adapters, const MergeArguments& a) {
  int n = 0;
  for (const NamedTensor& t : model.weights.all()) {
    bool touched = false;
    for (const WeightedAdapter& w : adapters) {
      const AdapterMatrix* m = w.adapter->find(t.name);
      touched |= m != nullptr && (m->name == t.name || model.weights.find(m->name) == nullptr);
    }
    n += touched && is_quantized(type_of(a, t));
  }
  if (n > 0) fmt::print(stderr, "warning: {} quantized matrices are rounded once more, small changes may get lost; --type f16 keeps them\n", n);
}

void merge(const MergeArguments& a) {
  check(a);
  Model model = load_model(a.base, {.tokenizer = a.tokenizer});
  std::vector<Adapter> adapters;
  for (const std::string& path : a.adapters) adapters.push_back(load_adapter_aloud(path, model));
  std::vector<WeightedAdapter> weighted;
  for (std::size_t i = 0; i < adapters.size(); ++i) weighted.push_back({&adapters[i], a.weights.empty() ? 1 : a.weights[i]});
  Json j = {{"path", a.output}, {"adapters", adapters.size()}};
  if (a.combine.empty()) {
    warn_of_rounding(model, weighted, a);
    merge_adapters(model, weighted, [&](const NamedTensor& t) { return type_of(a, t); });
    save_model(model, a.output, float_type(a.type));
    j["parameters"] = model.n_parameters();
  } else {
    const Adapter combined = combine_adapters(model, weighted, *combination_from_name(a.combine), a.rank);
    save_adapter(combined, model, a.output);
    j["parameters"] = combined.n_parameters();
  }
  std::vector<std::filesystem::path> parents = {a.base};
  parents.insert(parents.end(), a.adapters.begin(), a.adapters.end());
  write_receipt(a.output, {.step = "merge", .parents = parents, .data = {}, .settings = {{"weights", a.weights}, {"combine", a.combine}, {"rank", a.rank}, {"type", a.type}},
                           .measured = {{"parameters", j["parameters"]}}});
  if (a.json) {
    fmt::print("{}\n", j.dump());
  } else {
    fmt::print("{}: {} of {} adapters, {} parameters\n", a.output, a.combine.empty() ? "a model with the sum" : "one adapter for the sum",
               adapters.size(), format_count(j["parameters"].get<uint64_t>()));
  }
}

}  // namespace

void add_merge(CLI::App& app) {
  auto a = std::make_shared<MergeArguments>();
  CLI::App* c = app.add_subcommand("merge", "put adapters into the weights of their model, or combine several into one");
  c->add_option("BASE", a->base, "the model: a .gguf file, or a folder with safetensors")->required();
  c->add_option("--adapter", a->adapters, "a folder as PEFT writes it, or a GGUF adapter; may be given again")->allow_extra_args(false)->required();
  c->add_option("--weight", a->weights, "how much each adapter counts, in their order (default: 1)")->allow_extra_args(false);
  c->add_option("-o,--output", a->output, "the model (with --combine: the adapter): NAME.gguf, or a folder for safetensors")->required();
  declare_type(*c, a->type)->description("of all matrices: f32, f16 or bf16 (default: as they are; quantized ones to f16 in safetensors)");
  c->add_option("--combine", a->combine, "make an adapter instead of a model: cat (exact), svd (exact, cut to a rank) or linear (sums of A and of B)")
      ->check(CLI::IsMember({"cat", "svd", "linear"}));
  c->add_option("--rank", a->rank, "of --combine svd (default: the largest of the adapters)")->check(CLI::Range(1, 1 << 16));
  c->add_option("--tokenizer", a->tokenizer, "tokenizer file or folder, when it does not come with the model");
  declare_json(*c, a->json);
  c->footer("Examples:\n  minnow merge model.gguf --adapter adapter -o tuned.gguf\n"
            "  minnow merge model.gguf --adapter law --weight 0.7 --adapter style --weight 0.3 -o both.gguf\n"
            "  minnow merge model.gguf --adapter law --adapter style --combine svd --rank 16 -o both");
  c->callback([a] { merge(*a); });
}

}  // namespace minnow
