#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/table.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/options.h"
#include "engine/embedder.h"

namespace minnow {
namespace {

struct Arguments {
  ModelArguments model;
  std::string query, file;
  std::vector<std::string> documents;
  int64_t top = 0;
  bool json = false;
};

void rerank(const Arguments& a) {
  std::vector<std::string> documents = a.documents;
  if (!a.file.empty()) {
    std::istringstream in(read_text_file(a.file, limits::kMaxTextFileBytes));
    for (std::string line; std::getline(in, line);) documents.push_back(line);
  }
  if (documents.empty()) throw Error(ErrorCode::kUsage, "there are no documents to rank", "give them after the query, or a file with --file");
  Ranker ranker(a.model.load(), a.model.engine_options());
  const std::vector<float> scores = ranker.score(a.query, documents);
  std::vector<std::size_t> order(documents.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) { return scores[x] > scores[y]; });
  if (a.top > 0) order.resize(std::min(order.size(), static_cast<std::size_t>(a.top)));
  const auto probability = [&](std::size_t i) { return 1 / (1 + std::exp(-static_cast<double>(scores[i]))); };
  if (a.json) {
    Json results = Json::array();
    for (const std::size_t i : order) {
      results.push_back({{"index", i}, {"relevance_score", probability(i)}, {"score", scores[i]}, {"document", to_valid_utf8(documents[i])}});
    }
    fmt::print("{}\n", Json{{"results", results}}.dump());
    return;
  }
  Table table({{"rank", Table::Align::kRight}, {"relevance", Table::Align::kRight}, {"score", Table::Align::kRight}, {"document"}});
  for (std::size_t r = 0; r < order.size(); ++r) {
    table.add_row({std::to_string(r + 1), fmt::format("{:.4f}", probability(order[r])), fmt::format("{:.4f}", scores[order[r]]), documents[order[r]]});
  }
  fmt::print("{}", table.text());
}

}  // namespace

void add_rerank(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  a->model.n_sequences = 16;
  CLI::App* c = app.add_subcommand("rerank", "order documents by how well they answer a query");
  a->model.kv = "f16";  // f32 arithmetic
  a->model.declare(*c);
  c->add_option("QUERY", a->query, "what is looked for")->required();
  c->add_option("DOCUMENT", a->documents, "the documents");
  c->add_option("-f,--file", a->file, "read documents from a file, one per line");
  c->add_option("-n,--top", a->top, "print only the best so many; 0: all");
  declare_json(*c, a->json);
  c->footer("Example:\n  minnow rerank bge-reranker.gguf 'what do minnows eat?' 'Minnows eat insects.' 'Cars need oil.'");
  c->callback([a] { rerank(*a); });
}

}  // namespace minnow
