#include <fmt/core.h>

#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/table.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/options.h"
#include "serve/key_file.h"
#include "serve/key_store.h"
#include "serve/timestamp.h"

namespace minnow {
namespace {

struct Arguments {
  std::string file, name, tenant, expires, key;
  std::vector<std::string> scopes, models;
  int64_t requests = 0, tokens = 0;
  bool json = false, all = false;

  std::filesystem::path keys_file() const { return file.empty() ? default_keys_file() : std::filesystem::path(file); }
};

// A running server reads the file when it is told to.
constexpr const char* kReloadHint = "a server that runs reads it when it gets SIGHUP (systemctl reload minnow)";

void check_text(const char* option, const std::string& text, bool may_be_empty = false) {
  if (text.empty() && !may_be_empty) fail(ErrorCode::kUsage, "{}: is empty", option);
  if (text.size() > limits::kMaxKeyNameBytes) fail(ErrorCode::kUsage, "{}: longer than {} bytes", option, limits::kMaxKeyNameBytes);
  if (!is_valid_utf8(text)) fail(ErrorCode::kUsage, "{}: not valid UTF-8", option);
}

int64_t expiry(const std::string& text) {
  if (text.empty()) return 0;
  const int64_t now = unix_now();
  const auto period = parse_period(text);
  const auto time = period ? now + *period : parse_utc(text);
  if (!time)
    throw Error(ErrorCode::kUsage, "--expires " + text + ": not a time", "write 30d, 12h, 2026-12-31 or 2026-12-31T18:00:00Z");
  if (*time <= now) fail(ErrorCode::kUsage, "--expires {}: that is over", text);
  return *time;
}

ApiKey description(const Arguments& a) {
  ApiKey key;
  check_text("NAME", a.name);
  check_text("--tenant", a.tenant, true);
  for (const std::string& model : a.models) check_text("--model", model);
  if (a.models.size() > limits::kMaxKeyModels) fail(ErrorCode::kUsage, "--model: more than {}", limits::kMaxKeyModels);
  key.name = a.name;
  key.tenant = a.tenant;
  key.models = a.models;
  key.requests_per_minute = a.requests;
  key.tokens_per_minute = a.tokens;
  key.expires_unix = expiry(a.expires);
  for (const std::string& scope : a.scopes) {
    if (scope == "infer") key.infer = true;
    if (scope == "manage") key.manage = true;
    if (scope == "admin") key.admin = true;
  }
  return key;
}

void add(const Arguments& a) {
  const NewKey made = make_key(description(a));
  update_keys(a.keys_file(), [&](std::vector<ApiKey>& keys) { keys.push_back(made.key); });
  if (a.json) {
    Json j = describe_key(made.key);
    j["key"] = made.text;
    fmt::print("{}\n", j.dump());
    return;
  }
  fmt::print("{}\n", made.text);
  fmt::print(stderr, "This is the only time that the key is shown. It is in force from the next start of the server on; {}.\n",
             kReloadHint);
}

std::string state_of(const ApiKey& key) {
  if (key.revoked_unix != 0) return "revoked " + utc_text(key.revoked_unix);
  if (key.expires_unix == 0) return "in force";
  return (key.expires_unix <= unix_now() ? "expired " : "until ") + utc_text(key.expires_unix);
}

template <typename List>
std::string joined(const List& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

std::string per_minute(int64_t n) { return n > 0 ? std::to_string(n) : "-"; }

void list(const Arguments& a) {
  Json listed = Json::array();
  Table table({{"id"},
               {"name"},
               {"scopes"},
               {"tenant"},
               {"models"},
               {"requests/min", Table::Align::kRight},
               {"tokens/min", Table::Align::kRight},
               {"state"}});
  for (const ApiKey& key : read_keys(a.keys_file())) {
    if (key.revoked_unix != 0 && !a.all) continue;
    listed.push_back(describe_key(key));
    table.add_row({key.id, key.name, joined(key.scopes()), key.tenant, key.models.empty() ? "all" : joined(key.models),
                   per_minute(key.requests_per_minute), per_minute(key.tokens_per_minute), state_of(key)});
  }
  if (a.json) {
    fmt::print("{}\n", Json{{"keys", listed}}.dump());
  } else if (table.rows() == 0) {
    fmt::print("no keys in {}\n", printable(a.keys_file().string()));
  } else {
    fmt::print("{}", table.text());
  }
}

void revoke(const Arguments& a) {
  std::string id;
  update_keys(a.keys_file(), [&](std::vector<ApiKey>& keys) {
    ApiKey& key = find_key(keys, a.key);
    key.revoked_unix = unix_now();
    key.digest = {};
    id = key.id;
  });
  if (a.json) {
    fmt::print("{}\n", Json{{"revoked", id}}.dump());
  } else {
    fmt::print("revoked {}; {}\n", id, kReloadHint);
  }
}

void declare_common(CLI::App& c, const std::shared_ptr<Arguments>& a) {
  c.add_option("--keys", a->file, "file of keys (default: keys.json in $MINNOW_CONFIG_DIR or ~/.config/minnow)");
  declare_json(c, a->json);
}

void declare_add(CLI::App& app, const std::shared_ptr<Arguments>& a) {
  CLI::App* c = app.add_subcommand("add", "make a key and show it, once");
  c->add_option("NAME", a->name, "whose key it is, for lists")->required();
  a->scopes = {"infer"};
  c->add_option("--scope", a->scopes,
                "what it allows: infer (use models), manage (load and unload models, metrics), admin (all); may be repeated")
      ->allow_extra_args(false)
      ->check(CLI::IsMember({"infer", "manage", "admin"}))
      ->default_str("infer");
  c->add_option("--model", a->models, "a model that it may use (default: all); may be repeated")->allow_extra_args(false);
  c->add_option("--requests-per-minute", a->requests, "limit (default: what minnow.toml says)")
      ->check(CLI::Range(int64_t{1}, limits::kMaxRatePerMinute));
  c->add_option("--tokens-per-minute", a->tokens, "limit, prompts and answers together")
      ->check(CLI::Range(int64_t{1}, limits::kMaxRatePerMinute));
  c->add_option("--expires", a->expires, "30d, 12h, 2026-12-31 or 2026-12-31T18:00:00Z (UTC; default: never)");
  c->add_option("--tenant", a->tenant, "keys of one tenant share what is remembered of prompts (default: a key shares with nobody)");
  declare_common(*c, a);
  c->footer(
      "Examples:\n  minnow key add laptop\n  minnow key add prometheus --scope manage\n"
      "  minnow key add intern --model qwen3-0.6b --requests-per-minute 20 --expires 30d\n  KEY=$(minnow key add ci --json | jq "
      "-r .key)");
  c->callback([a] { add(*a); });
}

}  // namespace

void add_key(CLI::App& app) {
  CLI::App* c = app.add_subcommand("key", "API keys of minnow serve: add, list, revoke");
  c->require_subcommand(1);
  declare_add(*c, std::make_shared<Arguments>());

  auto listed = std::make_shared<Arguments>();
  CLI::App* l = c->add_subcommand("list", "the keys, without their secrets, which nobody knows any more");
  l->add_flag("--all", listed->all, "revoked ones too");
  declare_common(*l, listed);
  l->footer("Examples:\n  minnow key list\n  minnow key list --all --json");
  l->callback([listed] { list(*listed); });

  auto revoked = std::make_shared<Arguments>();
  CLI::App* r = c->add_subcommand("revoke", "take a key out of force");
  r->add_option("KEY", revoked->key, "its id or name")->required();
  declare_common(*r, revoked);
  r->footer("Examples:\n  minnow key revoke laptop\n  minnow key revoke h7k2m9x3p4qw --json");
  r->callback([revoked] { revoke(*revoked); });
  c->footer("Examples:\n  minnow key add laptop\n  minnow key list\n  minnow key revoke laptop");
}

}  // namespace minnow
