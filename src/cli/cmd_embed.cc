#include <fmt/core.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/table.h"
#include "cli/command.h"
#include "cli/options.h"
#include "engine/embedder.h"

namespace minnow {
namespace {

struct Arguments {
  ModelArguments model;
  std::vector<std::string> texts;
  std::string file, pooling, tokens;
  int64_t dimensions = 0;
  bool no_normalize = false, no_truncate = false, similarity = false, json = false;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

std::vector<TokenId> ids_of(const std::string& list) {
  std::vector<TokenId> ids;
  std::istringstream in(list);
  for (std::string part; std::getline(in, part, ',');) {
    TokenId id = kNoToken;
    const char* end = part.data() + part.size();
    const auto [stop, error] = std::from_chars(part.data(), end, id);
    if (error != std::errc() || stop != end) fail(ErrorCode::kUsage, "--tokens: \"{}\" is not a token id", part);
    ids.push_back(id);
  }
  return ids;
}

EmbedOptions options_of(const Arguments& a) {
  EmbedOptions o{.normalize = !a.no_normalize, .dimensions = a.dimensions, .truncate = !a.no_truncate};
  if (a.pooling.empty()) return o;
  const auto pooling = pooling_from_name(a.pooling);
  if (!pooling || *pooling == Pooling::kNone || *pooling == Pooling::kRank) {
    fail(ErrorCode::kUsage, "--pooling {}: choose mean, cls or last", a.pooling);
  }
  o.pooling = *pooling;
  return o;
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

void print_json(const Embedder& embedder, const std::vector<Embedding>& all) {
  Json data = Json::array();
  int64_t n_tokens = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    data.push_back({{"index", i}, {"embedding", all[i].vector}, {"tokens", all[i].n_tokens}, {"truncated", all[i].truncated}});
    n_tokens += all[i].n_tokens;
  }
  const Json out = {{"model", embedder.engine().model().path.string()}, {"data", data}, {"usage", {{"prompt_tokens", n_tokens}}}};
  fmt::print("{}\n", out.dump());
}

void print_similarity(const std::vector<Embedding>& all) {
  std::vector<Table::Column> columns = {{"", Table::Align::kRight}};
  for (std::size_t i = 0; i < all.size(); ++i) columns.push_back({std::to_string(i), Table::Align::kRight});
  Table table(columns);
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::vector<std::string> row = {std::to_string(i)};
    for (const Embedding& other : all) row.push_back(fmt::format("{:.4f}", cosine(all[i].vector, other.vector)));
    table.add_row(row);
  }
  fmt::print("{}", table.text());
}

void embed(const Arguments& a) {
  const EmbedOptions options = options_of(a);
  std::vector<std::string> texts = a.texts;
  if (!a.file.empty()) texts = lines_of(read_text_file(a.file, limits::kMaxTextFileBytes));
  if (texts.empty() && a.tokens.empty()) texts = lines_of(read_stdin());
  Embedder embedder(a.model.load(), a.model.engine_options());
  std::vector<Embedding> all;
  if (!a.tokens.empty()) {
    const std::vector<std::vector<TokenId>> prompts = {ids_of(a.tokens)};
    all = embedder.embed_tokens(prompts, options);
  } else {
    all = embedder.embed(texts, options);
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].truncated) fmt::print(stderr, "note: text {} is longer than the model's context and was cut\n", i);
  }
  if (a.json) return print_json(embedder, all);
  if (a.similarity) return print_similarity(all);
  for (const Embedding& e : all) fmt::print("{:.6g}\n", fmt::join(e.vector, " "));
}

}  // namespace

void add_embed(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  a->model.n_sequences = 16;
  CLI::App* c = app.add_subcommand("embed", "turn texts into vectors");
  a->model.kv = "f16";  // f32 arithmetic
  a->model.declare(*c);
  c->add_option("TEXT", a->texts, "the texts; none: lines of standard input");
  c->add_option("-f,--file", a->file, "read the texts from a file, one per line");
  c->add_option("--tokens", a->tokens, "token ids instead of a text, separated by commas");
  c->add_option("--pooling", a->pooling, "mean, cls or last (default: as the model says)");
  c->add_option("--dimensions", a->dimensions, "keep only the first so many numbers (for models trained so: Matryoshka)");
  c->add_flag("--no-normalize", a->no_normalize, "leave the vectors' lengths as they are");
  c->add_flag("--no-truncate", a->no_truncate, "refuse texts longer than the context instead of cutting them");
  c->add_flag("--similarity", a->similarity, "print the cosine similarity of every pair instead of the vectors");
  declare_json(*c, a->json);
  c->footer("Examples:\n  minnow embed minilm.gguf 'a small fish' 'a minnow' --similarity\n"
            "  minnow embed nomic/ -f lines.txt --dimensions 256 --json > vectors.json");
  c->callback([a] { embed(*a); });
}

}  // namespace minnow
