#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/table.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/options.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

struct Arguments {
  ModelArguments model;
  std::string text, file;
  bool json = false, ids = false, no_special = false, parse_special = false;
};

void tokenize(const Arguments& a) {
  const auto model = a.model.load();
  if (!model->tokenizer) fail(ErrorCode::kNotFound, "{}: no tokenizer came with this model; name one with --tokenizer", a.model.model);
  const auto tokenizer = Tokenizer::build(*model->tokenizer);
  const std::string text = !a.file.empty() ? read_text_file(a.file, limits::kMaxTextFileBytes) : a.text == "-" ? read_stdin() : a.text;
  const std::vector<TokenId> ids = tokenizer->encode(text, {.add_special = !a.no_special, .parse_special = a.parse_special});
  if (a.json) {
    Json pieces = Json::array();
    for (const TokenId id : ids) pieces.push_back(to_valid_utf8(tokenizer->piece(id, true)));
    fmt::print("{}\n", Json{{"ids", ids}, {"pieces", pieces}, {"count", ids.size()}}.dump());
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
  c->add_option("MODEL", a->model.model, "a model, for its tokenizer")->required();
  c->add_option("TEXT", a->text, "the text; '-' reads standard input")->default_str("-");
  a->text = "-";
  c->add_option("-f,--file", a->file, "read the text from a file");
  c->add_option("--tokenizer", a->model.tokenizer, "tokenizer file or folder, when it does not come with the model");
  c->add_flag("--ids", a->ids, "print only the ids, as a list");
  c->add_flag("--no-special", a->no_special, "add no BOS or EOS");
  c->add_flag("--parse-special", a->parse_special, "text that spells a control token becomes that token");
  declare_json(*c, a->json);
  c->footer("Examples:\n  minnow tokenize model.gguf 'Once upon a time'\n  minnow tokenize model.gguf -f book.txt --ids");
  c->callback([a] { tokenize(*a); });
}

}  // namespace minnow
