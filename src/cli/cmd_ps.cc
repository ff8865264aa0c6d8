#include <fmt/core.h>

#include "base/error.h"
#include "base/table.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/server_client.h"
#include "serve/timestamp.h"

namespace minnow {
namespace {

struct Arguments {
  ServerArguments server;
  std::string model;
  bool json = false;
};

// A date so far ahead means for ever.
constexpr int64_t kForever = 100ll * 365 * 86400;

std::string until(const Json& model) {
  const std::string text = JsonFields{model, "answer"}.text("expires_at", "");
  // Fractions of a second and the zone do not matter here: servers write UTC.
  const auto time = parse_utc(text.substr(0, 19) + "Z");
  if (!time) return "?";
  const int64_t left = *time - unix_now();
  return left > kForever ? "for ever" : left <= 0 ? "going" : format_duration(static_cast<double>(left));
}

const Json& models_in(const Json& answer) {
  const auto at = answer.find("models");
  if (at == answer.end() || !at->is_array()) fail(ErrorCode::kInvalidInput, "not the answer of a minnow server: it has no models");
  return *at;
}

void ps(const Arguments& a) {
  const Json answer = ask_server(a.server, "/api/ps");
  const Json& models = models_in(answer);
  if (a.json) {
    fmt::print("{}\n", answer.dump());
    return;
  }
  if (models.empty()) {
    fmt::print("no model is loaded\n");
    return;
  }
  Table table({{"model"}, {"memory", Table::Align::kRight}, {"context", Table::Align::kRight}, {"stays"}});
  for (const Json& model : models) {
    const JsonFields fields{model, "answer"};
    table.add_row({fields.text("name", ""), format_bytes(static_cast<uint64_t>(fields.integer("size", 0, 0, INT64_MAX))),
                   std::to_string(fields.integer("context_length", 0, 0, INT64_MAX)), until(model)});
  }
  fmt::print("{}", table.text());
}

void stop(const Arguments& a) {
  // An unknown name is an error of the server's; one that is not loaded is as it should be.
  const Json answer = ask_server(a.server, "/api/generate", Json{{"model", a.model}, {"keep_alive", 0}, {"stream", false}});
  if (a.json) {
    fmt::print("{}\n", answer.dump());
  } else {
    fmt::print("{} goes out of memory as soon as nobody uses it\n", printable(a.model));
  }
}

}  // namespace

void add_ps(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* c = app.add_subcommand("ps", "the models that a running server has in memory");
  a->server.declare(*c);
  declare_json(*c, a->json);
  c->footer("Examples:\n  minnow ps\n  minnow ps --server unix:/run/minnow/minnow.sock --json\n"
            "  minnow ps --server https://box.example.org:11434 --ca ca.pem");
  c->callback([a] { ps(*a); });
}

void add_stop(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* c = app.add_subcommand("stop", "take a model of a running server out of memory");
  c->add_option("MODEL", a->model, "its name, as in 'minnow ps'")->required();
  a->server.declare(*c);
  declare_json(*c, a->json);
  c->footer("Examples:\n  minnow stop qwen3-0.6b\n  minnow stop qwen3-0.6b --server http://127.0.0.1:8080");
  c->callback([a] { stop(*a); });
}

}  // namespace minnow
