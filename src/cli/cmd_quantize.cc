#include <fmt/core.h>

#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/progress.h"
#include "base/table.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/quantize_types.h"
#include "models/receipt.h"

namespace minnow {
namespace {

struct QuantizeArguments {
  std::string source, destination, recipe;
  std::vector<std::string> metadata;
  QuantizeTypes types;
  int n_threads = 0;
  bool dry_run = false, json = false;
};

// KEY=TEXT, or KEY=@FILE for the text of a file.
std::pair<std::string, std::string> key_and_text(const std::string& option) {
  const std::size_t at = option.find('=');
  if (at == std::string::npos || at == 0) fail(ErrorCode::kUsage, "--metadata {}: give KEY=TEXT or KEY=@FILE", option);
  const std::string text = option.substr(at + 1);
  return {option.substr(0, at), text.starts_with('@') ? read_text_file(text.substr(1), limits::kMaxJsonFileBytes) : text};
}

QuantizeOptions options_of(const QuantizeArguments& a) {
  QuantizeOptions options;
  options.recipe = &find_recipe(a.recipe);
  a.types.apply(options);
  for (const std::string& text : a.metadata) options.metadata.push_back(key_and_text(text));
  return options;
}

// Every tensor, for a look before anything is written.
void print_plan(const QuantizeReport& report) {
  using enum Table::Align;
  Table table({{"tensor"}, {"shape"}, {"from"}, {"to"}, {"size", kRight}, {"", kLeft}});
  for (const PlannedTensor& t : report.tensors) {
    table.add_row({t.name, t.shape.text(), std::string(name(t.from)), std::string(name(t.to)), format_bytes(t.bytes_after()),
                   t.fell_back() ? fmt::format("rows are not whole blocks of {}", name(t.wanted)) : ""});
  }
  fmt::print("{}", table.text());
}

// What became what.
void print_summary(const QuantizeReport& report) {
  struct Sum {
    int count = 0;
    uint64_t before = 0, after = 0;
  };
  std::map<std::pair<DType, DType>, Sum> sums;
  for (const PlannedTensor& t : report.tensors) {
    Sum& sum = sums[{t.from, t.to}];
    ++sum.count;
    sum.before += t.bytes_before();
    sum.after += t.bytes_after();
  }
  using enum Table::Align;
  Table table({{"from"}, {"to"}, {"tensors", kRight}, {"before", kRight}, {"after", kRight}});
  for (const auto& [types, sum] : sums) {
    table.add_row({std::string(name(types.first)), std::string(name(types.second)), std::to_string(sum.count),
                   format_bytes(sum.before), format_bytes(sum.after)});
  }
  fmt::print("{}", table.text());
}

void print_json(const QuantizeArguments& a, const QuantizeOptions& options, const QuantizeReport& report) {
  Json tensors = Json::array();
  for (const PlannedTensor& t : report.tensors) {
    tensors.push_back({{"name", t.name}, {"from", std::string(name(t.from))}, {"to", std::string(name(t.to))},
                       {"bytes", t.bytes_after()}, {"fallback", t.fell_back()}});
  }
  const Json j = {{"path", a.destination}, {"recipe", std::string(options.recipe->name)}, {"dry_run", a.dry_run},
                  {"bytes_before", report.bytes_before}, {"bytes_after", report.bytes_after},
                  {"bits_per_weight", report.bits_per_weight}, {"tensors", tensors}};
  fmt::print("{}\n", j.dump(2));
}

Json settings_of(const QuantizeArguments& a) {
  return {{"recipe", a.recipe}, {"pure", a.types.pure}, {"output_tensor_type", a.types.output_type},
          {"token_embedding_type", a.types.embedding_type}, {"tensor_types", a.types.tensor_types}};
}

void run_quantize(const QuantizeArguments& a) {
  const QuantizeOptions options = options_of(a);
  const Model model = load_model(a.source);
  check_not_same(a.source, a.destination);
  QuantizeReport report = quantize_report(model, options);
  if (!a.dry_run) {
    Progress progress("quantizing", report.bytes_after, ProgressUnit::kBytes);
    report = quantize(model, a.destination, options, a.n_threads,
                      [&](uint64_t done) { progress.advance(done - std::min(done, progress.done())); });
  }
  if (!a.dry_run) {
    write_receipt(a.destination, {.step = "quantize", .parents = {a.source}, .data = {}, .settings = settings_of(a),
                                  .measured = {{"bytes_before", report.bytes_before}, {"bytes_after", report.bytes_after}, {"bits_per_weight", report.bits_per_weight}}});
  }
  warn_of_types(report);
  if (a.json) return print_json(a, options, report);
  if (a.dry_run) print_plan(report);
  print_summary(report);
  fmt::print("{}{}: {}, {} -> {}, {:.2f} bits per weight\n", a.destination, a.dry_run ? " (not written)" : "",
             options.recipe->name, format_bytes(report.bytes_before), format_bytes(report.bytes_after),
             report.bits_per_weight);
}

std::string help_footer() {
  using enum Table::Align;
  Table table({{"  RECIPE"}, {"bits per weight", kRight}, {"most of it", kLeft}, {"output", kLeft}});
  for (const Recipe& recipe : recipes()) {
    table.add_row({fmt::format("  {}", recipe.name), fmt::format("{:.2f}", typical_bits_per_weight(recipe)),
                   std::string(name(recipe.base)), std::string(name(recipe.output))});
  }
  return "Recipes (bits per weight for the shape of Llama 3 8B; Q3_K, Q4_K and Q5_K mean their _M):\n" + table.text() +
         "\nExamples:\n  minnow quantize model-f16.gguf model-q4.gguf Q4_K_M\n"
         "  minnow quantize model-f16.gguf model-q4.gguf Q4_K_M --tensor-type 'blk\\.0\\..*=Q8_0' --dry-run";
}

}  // namespace

void add_quantize(CLI::App& app) {
  auto a = std::make_shared<QuantizeArguments>();
  CLI::App* c = app.add_subcommand("quantize", "write a model in smaller types");
  c->add_option("SRC", a->source, "a model")->required();
  c->add_option("DST", a->destination, "the .gguf file to write")->required();
  c->add_option("RECIPE", a->recipe, "which types, see below")->required();
  a->types.declare(*c);
  c->add_option("--metadata", a->metadata, "KEY=TEXT or KEY=@FILE, to be written into the file's metadata; repeatable")
      ->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  c->add_option("-t,--threads", a->n_threads, "threads that encode (default: one per fast core, see doctor)")->check(CLI::Range(1, 1024));
  c->add_flag("--dry-run", a->dry_run, "print what would become what, write nothing");
  declare_json(*c, a->json);
  c->footer(help_footer);  // made when asked for
  c->callback([a] { run_quantize(*a); });
}

}  // namespace minnow
