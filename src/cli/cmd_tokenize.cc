#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/table.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/options.h"
#include "models/find_tokenizer.h"
#include "models/model.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

struct Arguments {
  std::string model, tokenizer;
  std::string text, file;
  bool json = false, json_lines = false, ids = false, no_special = false, parse_special = false;
};

// A tokenizer needs no weights: its own files and those of vocabularies alone will do.
TokenizerSpec load_spec(const Arguments& a) {
  if (const auto spec = load_tokenizer(a.tokenizer.empty() ? a.model : a.tokenizer)) return *spec;
  const Model model = load_model(a.model, {.tokenizer = a.tokenizer});
  if (!model.tokenizer) fail(ErrorCode::kNotFound, "{}: no tokenizer came with this model; name one with --tokenizer", a.model);
  return *model.tokenizer;
}

Json to_json(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  Json pieces = Json::array();
  for (const TokenId id : ids) pieces.push_back(to_valid_utf8(tokenizer.piece(id, true)));
  return {{"ids", ids}, {"pieces", pieces}, {"count", ids.size()}, {"decoded", tokenizer.decode(ids)}};
}

// Each line is a JSON string.
void print_lines(const Tokenizer& tokenizer, std::string_view lines, const EncodeOptions& options) {
  for (std::size_t number = 1; !lines.empty(); ++number) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    const Json text = parse_json(lines.substr(0, end), fmt::format("line {}", number));
    if (!text.is_string()) fail(ErrorCode::kInvalidInput, "line {}: not a JSON string", number);
    fmt::print("{}\n", to_json(tokenizer, tokenizer.encode(text.get_ref<const std::string&>(), options)).dump());
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
}

void tokenize(const Arguments& a) {
  const auto tokenizer = Tokenizer::build(load_spec(a));
  const std::string text = !a.file.empty() ? read_text_file(a.file, limits::kMaxTextFileBytes) : a.text == "-" ? read_stdin() : a.text;
  const EncodeOptions options{.add_special = !a.no_special, .parse_special = a.parse_special};
  if (a.json_lines) return print_lines(*tokenizer, text, options);
  const std::vector<TokenId> ids = tokenizer->encode(text, options);
  if (a.json) {
    fmt::print("{}\n", to_json(*tokenizer, ids).dump());
  } else if (a.ids) {
    fmt::print("[{}]\n", fmt::join(ids, ", "));
  } else {
    Table table({{"id", Table::Align::kRight}, {"piece"}});
    for (const TokenId id : ids) table.add_row({std::to_string(id), "'" + tokenizer->piece(id, true) + "'"});
    fmt::print("{}", table.text());
  }
}

}  // namespace

void add_tokenize(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* c = app.add_subcommand("tokenize", "show how a text is cut into tokens");
  c->add_option("MODEL", a->model, "a model, for its tokenizer; or a tokenizer file or folder")->required();
  c->add_option("TEXT", a->text, "the text; '-' reads standard input")->default_str("-");
  a->text = "-";
  c->add_option("-f,--file", a->file, "read the text from a file");
  c->add_option("--tokenizer", a->tokenizer, "tokenizer file or folder, when it does not come with the model");
  c->add_flag("--ids", a->ids, "print only the ids, as a list");
  c->add_flag("--no-special", a->no_special, "add no BOS or EOS");
  c->add_flag("--parse-special", a->parse_special, "text that spells a control token becomes that token");
  declare_json(*c, a->json);
  c->add_flag("--json-lines", a->json_lines, "every line of the text is a JSON string; print a line of JSON for each");
  c->footer("Examples:\n  minnow tokenize model.gguf 'Once upon a time'\n  minnow tokenize model.gguf -f book.txt --ids");
  c->callback([a] { tokenize(*a); });
}

}  // namespace minnow
