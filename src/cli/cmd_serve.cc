// minnow serve: what is to be served, from the command line and minnow.toml, put together and run.
#include <fmt/core.h>
#include <sys/prctl.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/serve_limits.h"
#include "models/shipped.h"
#include "serve/ollama_environment.h"
#include "serve/operations.h"
#include "serve/response_store.h"
#include "serve/routes.h"
#include "serve/server.h"
#include "serve/timestamp.h"

namespace minnow {
namespace {

using Overlay = std::vector<std::function<void(ServeConfig&)>>;

struct Arguments {
  Overlay overlay;           // what was given, on top of the file
  std::string config_file;   // empty: the default one, when it exists
  std::vector<std::string> models_folders;
  std::size_t max_queue = limits::kMaxRequestsInProgress;
  ServerTimes times;
  bool show_limits = false, show_routes = false, json = false, no_cache = false;
};

std::chrono::nanoseconds parse_keep_alive(const std::string& text) {
  if (text == "-1" || text == "forever") return std::chrono::seconds(-1);
  const auto seconds = text == "0" ? std::optional<int64_t>(0) : parse_period(text);
  if (!seconds) fail(ErrorCode::kUsage, "--keep-alive {}: must be a period such as 30s, 5m or 2h, 0 or forever", text);
  return std::chrono::seconds(*seconds);
}

const std::string& checked_log(const std::string& text) {
  if (text.empty()) fail(ErrorCode::kUsage, "--log-requests: must be off, stderr or a file");
  return text;
}

// An option that, when it is given, changes the configuration.
template <typename T>
CLI::Option* add(CLI::App& c, Arguments& a, const std::string& name, std::function<void(ServeConfig&, const T&)> set, const std::string& text) {
  return c.add_option_function<T>(
      name, [&a, set](const T& value) { a.overlay.push_back([set, value](ServeConfig& config) { set(config, value); }); }, text);
}

void declare_network(CLI::App& c, Arguments& a) {
  using Texts = std::vector<std::string>;
  const auto network = [](CLI::Option* option) { return option->group("Network"); };
  network(add<std::string>(c, a, "--host", [](ServeConfig& s, const std::string& v) { s.server.host = v; }, "address or name to listen on (default 127.0.0.1)"));
  network(add<int>(c, a, "--port", [](ServeConfig& s, const int& v) { s.server.port = v; }, "port (default 11434); 0: one that is free, which is printed"))
      ->check(CLI::Range(0, 65535));
  network(add<std::string>(c, a, "--unix", [](ServeConfig& s, const std::string& v) { s.server.socket = v; }, "path of a Unix socket to listen on as well"));
  c.add_flag_callback("--no-tcp", [&a] { a.overlay.push_back([](ServeConfig& s) { s.server.tcp = false; }); }, "listen on the Unix socket only")->group("Network");
  network(add<std::string>(c, a, "--tls-cert", [](ServeConfig& s, const std::string& v) { s.tls.certificate = v; }, "certificate with its chain, PEM: serve https"));
  network(add<std::string>(c, a, "--tls-key", [](ServeConfig& s, const std::string& v) { s.tls.key = v; }, "its key, PEM"));
  c.add_flag_callback("--allow-open", [&a] { a.overlay.push_back([](ServeConfig& s) { s.keys.allow_open = true; }); },
                      "listen beyond this machine although there are no keys: anybody who reaches it can use it")->group("Network");
  network(add<Texts>(c, a, "--origin", [](ServeConfig& s, const Texts& v) { s.server.origins = v; }, "web pages that may use it, as https://example.com; may be given again"))->allow_extra_args(false);
  network(add<Texts>(c, a, "--allow-host", [](ServeConfig& s, const Texts& v) { s.server.hosts = v; }, "a name that clients may know it by, besides localhost; may be given again"))->allow_extra_args(false);
}

// Named as in minnow.toml, whose [keys], [limits] and [log] they are.
void declare_operations(CLI::App& c, Arguments& a) {
  using Texts = std::vector<std::string>;
  const auto flag = [&](const char* name, void (*set)(ServeConfig&), const char* group, const char* text) {
    c.add_flag_callback(name, [&a, set] { a.overlay.emplace_back(set); }, text)->group(group);
  };
  const auto rate = [&](const char* name, void (*set)(ServeConfig&, const int64_t&), const char* text) {
    add<int64_t>(c, a, name, set, text)->check(CLI::Range(int64_t{0}, limits::kMaxRatePerMinute))->group("Keys and limits");
  };
  add<std::string>(c, a, "--keys", [](ServeConfig& s, const std::string& v) { s.keys.file = v; },
                   "file of keys (default: keys.json in $MINNOW_CONFIG_DIR or ~/.config/minnow); see minnow key --keys")->group("Keys and limits");
  flag("--keys-required", [](ServeConfig& s) { s.keys.required = true; }, "Keys and limits", "let nobody in while there are no keys");
  rate("--requests-per-minute", [](ServeConfig& s, const int64_t& v) { s.limits.requests_per_minute = v; },
       "of each key that has no limit of its own (default 0: no limit)");
  rate("--tokens-per-minute", [](ServeConfig& s, const int64_t& v) { s.limits.tokens_per_minute = v; }, "likewise; prompts and answers together");
  rate("--address-requests-per-minute", [](ServeConfig& s, const int64_t& v) { s.limits.address_requests_per_minute = v; },
       "of each address, with whatever keys (default 0: no limit)");
  add<Texts>(c, a, "--trusted-proxy", [](ServeConfig& s, const Texts& v) { s.server.trusted_proxies = v; },
             "an address or network whose X-Forwarded-For is believed, as 10.0.0.0/8; may be given again")->allow_extra_args(false)->group("Keys and limits");
  add<std::string>(c, a, "--log-requests", [](ServeConfig& s, const std::string& v) { s.log.requests = checked_log(v); },
                   "off, stderr (default) or a file: a line of JSON for each request, without prompts, keys and paths")->group("Log");
  flag("--log-addresses", [](ServeConfig& s) { s.log.addresses = true; }, "Log", "write the addresses of clients as well");
}

void declare_engine(CLI::App& c, Arguments& a) {
  const auto engine = [](CLI::Option* option) { return option->group("Models"); };
  c.add_option("--models-dir", a.models_folders, "a folder whose .gguf files are served; may be given again")->allow_extra_args(false)->group("Models");
  engine(add<int64_t>(c, a, "-c,--ctx", [](ServeConfig& s, const int64_t& v) { s.engine.context = v; }, "context in tokens (default: the model's, at most 8192)"))->check(CLI::Range(1, 1 << 27));
  engine(add<int>(c, a, "-t,--threads", [](ServeConfig& s, const int& v) { s.engine.threads = v; }, "threads (default: one per fast core, see doctor)"))->check(CLI::Range(1, EngineOptions::kMostThreads));
  engine(add<int64_t>(c, a, "-b,--batch-size", [](ServeConfig& s, const int64_t& v) { s.engine.batch = v; }, "tokens processed in one step (default 512)"))->check(CLI::Range(int64_t{1}, EngineOptions::kMostBatch));
  engine(add<std::string>(c, a, "--kv", [](ServeConfig& s, const std::string& v) { s.engine.kv = v; }, "type of the KV cache: f32, f16, bf16, q8_0 or auto (default)"));
  engine(add<int>(c, a, "--parallel", [](ServeConfig& s, const int& v) { s.engine.parallel = v; }, "answers of a model made at the same time (default 16); more wait"))->check(CLI::Range(1, EngineOptions::kMostSequences));
  engine(add<std::string>(c, a, "--default-model", [](ServeConfig& s, const std::string& v) { s.models.default_model = v; },
                          "the API name of the model for requests that name none (default: the first)"));
  engine(add<std::string>(c, a, "--keep-alive", [](ServeConfig& s, const std::string& v) { s.models.keep_alive = parse_keep_alive(v); },
                          "how long a model stays in memory after its last use: 30s, 5m (default), 0, forever"));
  engine(add<int>(c, a, "--max-loaded", [](ServeConfig& s, const int& v) { s.models.max_loaded = v; }, "models in memory at the same time (default 3)"))->check(CLI::Range(1, 1024));
  c.add_flag("--no-cache", a.no_cache, "neither use nor keep packed weights (kept in $MINNOW_CACHE, or in ~/.cache/minnow/packed)")->group("Models");
}

void declare_bounds(CLI::App& c, Arguments& a) {
  const auto seconds = [&](const char* name, std::chrono::milliseconds& value, const char* text) {
    c.add_option_function<double>(name, [&value](const double& v) { value = std::chrono::milliseconds(static_cast<int64_t>(v * 1000)); }, text)
        ->check(CLI::Range(0.05, 86400.0))->group("Bounds");
  };
  c.add_option("--max-queue", a.max_queue, "requests being answered or waiting; more are refused with 503 at once")
      ->capture_default_str()->check(CLI::Range(std::size_t{1}, std::size_t{1} << 20))->group("Bounds");
  seconds("--head-seconds", a.times.head, "for the head of a request (default 10)");
  seconds("--body-seconds", a.times.body, "for all of it, with its body (default 30)");
  seconds("--write-seconds", a.times.write, "until a client has taken what was sent (default 30)");
  seconds("--answer-seconds", a.times.answer, "for the answer of a model, waiting included (default 3600)");
  seconds("--idle-seconds", a.times.idle, "between two requests of a connection (default 75)");
  add<double>(c, a, "--drain-seconds", [](ServeConfig& s, const double& v) { s.server.drain = std::chrono::milliseconds(static_cast<int64_t>(v * 1000)); },
              "from SIGTERM until answers that still run are ended (default 30)")->check(CLI::Range(0.0, 3600.0))->group("Bounds");
  c.add_flag("--limits", a.show_limits, "print all bounds on what clients may send, and end")->group("Bounds");
}

std::filesystem::path config_path(const Arguments& a) {
  if (!a.config_file.empty()) return a.config_file;
  std::error_code ignored;
  const auto standard = default_config_file();
  return std::filesystem::exists(standard, ignored) ? standard : std::filesystem::path();
}

// A folder without a model's own configuration holds models.
bool is_folder_of_models(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored) && !std::filesystem::exists(path / "config.json", ignored);
}

struct Served {
  PoolOptions pool;
  std::vector<std::filesystem::path> files;
  bool named = false;  // by the user: they are loaded before the first request, so that what is wrong with one is said at once
};

Served what_to_serve(const ServeConfig& config, const Arguments& a) {
  Served out;
  ModelArguments engine;
  engine.n_ctx = config.engine.context;
  engine.n_threads = config.engine.threads;
  engine.kv = config.engine.kv;
  engine.n_sequences = config.engine.parallel;
  engine.n_batch = config.engine.batch;
  engine.no_cache = a.no_cache;
  out.pool.engine = engine.engine_options();
  out.pool.keep_alive = config.models.keep_alive;
  out.pool.max_loaded = config.models.max_loaded;
  for (const std::string& folder : a.models_folders) {
    if (!std::filesystem::is_directory(folder)) fail(ErrorCode::kNotFound, "--models-dir {}: there is no such folder", folder);
    out.pool.folders.emplace_back(folder);
  }
  for (const std::string& name : config.models.files) {
    const auto path = find_shipped_model(name);
    if (is_folder_of_models(path)) {
      out.pool.folders.push_back(path);
    } else {
      out.files.push_back(path);
    }
  }
  out.named = !out.files.empty();
  if (out.files.empty() && out.pool.folders.empty()) {
    for (const std::string& name : shipped_models()) out.files.push_back(find_shipped_model(name));
    out.pool.default_model = kDefaultModel;
  }
  if (!config.models.default_model.empty()) out.pool.default_model = config.models.default_model;
  return out;
}

// As many of those that were named as may be in memory together.
void load_named(ModelPool& models, const Served& served) {
  int n = 0;
  for (const auto& file : served.files) {
    for (const ModelEntry& entry : models.list()) {
      if (entry.path != file || n++ >= served.pool.max_loaded) continue;
      try {
        models.acquire(entry.name);
      } catch (const ModelNotLoaded& error) {
        fail(ErrorCode::kInvalidInput, "{}", error.reason());
      }
    }
  }
}

// Requests that name no model would all be refused.
void check_default(const ServeConfig& config, const ModelPool& models) {
  const std::string& name = config.models.default_model;
  if (name.empty()) return;
  try {
    models.find(name);
  } catch (const UnknownModel& error) {
    std::string known;
    for (const ModelEntry& entry : models.list()) known += (known.empty() ? "" : ", ") + entry.name;
    throw Error(ErrorCode::kInvalidInput, fmt::format("--default-model (models.default): {}", error.what()),
                !error.hint().empty() ? "" : known.empty() ? "there are no models" : "there are: " + known);
  }
}

ServerOptions server_options(const ServeConfig& config, const Arguments& a) {
  ServerOptions o;
  o.host = config.server.host;
  o.port = static_cast<uint16_t>(config.server.port);
  o.address_hint = ollama_host_hint(std::getenv("OLLAMA_HOST"), config);
  o.unix_path = config.server.socket;
  o.tcp = config.server.tcp;
  o.tls_certificate = config.tls.certificate.string();
  o.tls_key = config.tls.key.string();
  o.allow_open = config.keys.allow_open;
  o.hosts = config.server.hosts;
  o.origins = config.server.origins;
  o.max_requests = a.max_queue;
  o.times = a.times;
  o.times.drain = std::chrono::duration_cast<std::chrono::milliseconds>(config.server.drain);
  return o;
}

std::string_view name_of(Dialect dialect) {
  switch (dialect) {
    case Dialect::kOpenAi: return "openai";
    case Dialect::kOllama: return "ollama";
    case Dialect::kAnthropic: return "anthropic";
    case Dialect::kLlamaServer: break;
  }
  return "llama-server";
}

std::string_view name_of(Scope scope) {
  switch (scope) {
    case Scope::kOpen: return "open";
    case Scope::kInfer: return "infer";
    case Scope::kManage: return "manage";
    case Scope::kAdmin: break;
  }
  return "admin";
}

void print_routes(bool json) {
  Json list = Json::array();
  for (const Route& r : all_routes()) {
    list.push_back({{"method", r.method}, {"path", r.path}, {"dialect", name_of(r.dialect)}, {"scope", name_of(r.scope)}});
    if (!json) fmt::print("{:<7} {:<40} {:<13} {}\n", r.method, r.path, name_of(r.dialect), name_of(r.scope));
  }
  if (json) fmt::print("{}\n", Json{{"routes", list}}.dump());
}

void serve(const Arguments& a) {
  if (a.show_limits) return print_serve_limits(a.json);
  if (a.show_routes) return print_routes(a.json);
  ::prctl(PR_SET_DUMPABLE, 0);  // a core file would hold prompts and keys
  const auto overlay = [&a](ServeConfig& config) {
    for (const auto& change : a.overlay) change(config);
  };
  const auto file = config_path(a);
  ServeConfig config = file.empty() ? environment_config() : load_config(file);
  overlay(config);
  Served served = what_to_serve(config, a);
  // A file that was there must be read again; one that was not may come.
  Operations operations(config, [&a, known = file]() mutable { return known = known.empty() ? config_path(a) : known; }, overlay);
  std::atomic<bool> started = false;  // until then what is wrong ends the program with the reason
  served.pool.on_failure = [&](const ModelEntry& entry, const std::string& reason) {
    if (started) operations.log().note("model_not_loaded", {{"level", "error"}, {"model", entry.name}, {"path", entry.path.string()}, {"error", reason}});
  };
  served.pool.on_end = [&](LoadedModel& model) { operations.metrics().model_ends(model); };
  ModelPool models(served.pool);
  for (const auto& path : served.files) models.add(path);
  check_default(config, models);
  const auto tell_hidden = [&] {
    for (const std::string& line : models.hidden()) operations.log().note("model_hidden", {{"level", "warning"}, {"message", line}});
  };
  ResponseStore responses;
  Services services{models, operations.metrics(), responses, std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count()};
  ServerOptions options = server_options(config, a);
  options.reload = [&](const ServerOptions::Prepare& prepare) {
    operations.reload([&](const ServeConfig& next) {
      if (next.models.files == config.models.files) check_default(next, models);  // others are served after a restart
      return prepare(next.server.origins);
    });
    tell_hidden();
  };
  options.log = [&](std::string_view line) { operations.log().note("server", {{"message", std::string(line)}}); };
  Server server(std::move(options), {all_routes(), services, operations.authenticator(), operations.observer()});
  server.listen();  // what is wrong with an address is said before models are loaded; connections wait
  if (served.named) load_named(models, served);
  started = true;
  tell_hidden();
  const auto tell = [&] {
    for (const std::string& address : server.addresses()) fmt::print("listening on {}\n", address);
    std::fflush(stdout);
  };
  if (server.run(tell)) return;
  std::fflush(nullptr);
  std::_Exit(0);  // a second signal, or a load that cannot be stopped
}

}  // namespace

void add_serve(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* c = app.add_subcommand("serve", "answer over HTTP: the APIs of OpenAI, Ollama, Anthropic and llama-server");
  add<std::vector<std::string>>(*c, *a, "MODEL", [](ServeConfig& s, const std::vector<std::string>& v) { s.models.files = v; },
                                "models: .gguf files, folders with safetensors, folders of .gguf files, or shipped models' names (default: all shipped ones). "
                                "The API name is the file's name without its ending; requests that name none get the first");
  c->add_option("--config", a->config_file, "settings (default: minnow.toml in the configuration folder, when it is there)");
  declare_network(*c, *a);
  declare_operations(*c, *a);
  declare_engine(*c, *a);
  declare_bounds(*c, *a);
  c->add_flag("--routes", a->show_routes, "print what can be asked for, and end");
  declare_json(*c, a->json);
  c->footer("Examples:\n  minnow serve\n  minnow serve qwen3-0.6b.gguf --port 8080\n  minnow serve --models-dir ~/models --parallel 32\n"
            "  minnow serve --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem   (after 'minnow key add')\n"
            "  minnow serve --keys keys.json --requests-per-minute 60 --log-requests requests.log");
  c->callback([a] { serve(*a); });
}

}  // namespace minnow
