#include "serve/config.h"

#include <fmt/format.h>

#include <toml++/toml.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/suggest.h"
#include "engine/engine.h"
#include "serve/client_address.h"
#include "serve/key_store.h"
#include "serve/ollama_environment.h"
#include "serve/timestamp.h"

namespace minnow {
namespace {

[[noreturn]] void refuse(const std::string& where, const std::string& what, const std::string& hint = {}) {
  throw Error(ErrorCode::kInvalidInput, where + ": " + what, hint);
}

// One table of the file. Fields are asked for by name; what nobody asked for is unknown.
class Section {
 public:
  Section(const toml::table& file, std::string name, std::string source) : name_(std::move(name)), source_(std::move(source)) {
    const toml::node* node = file.get(name_);
    if (node == nullptr) return;
    table_ = node->as_table();
    if (table_ == nullptr) refuse(where(*node, name_), "must be a table: [" + name_ + "]");
  }

  // Throws for fields that were not read.
  void check_all_read() const {
    if (table_ == nullptr) return;
    std::vector<std::string_view> known(known_.begin(), known_.end());
    for (const auto& [key, node] : *table_) {
      if (known_.contains(std::string(key.str()))) continue;
      const std::string_view near = closest_word(key.str(), known);
      refuse(where(node, full(key.str())), "unknown setting", near.empty() ? "" : "did you mean '" + std::string(near) + "'?");
    }
  }

  void read(std::string_view key, std::string& to) {
    if (const toml::node* node = find(key)) to = text(*node, key);
  }
  void read(std::string_view key, std::filesystem::path& to) {
    if (const toml::node* node = find(key)) to = text(*node, key);
  }
  void read(std::string_view key, bool& to) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    if (!node->is_boolean()) refuse(where(*node, full(key)), "must be true or false");
    to = node->as_boolean()->get();
  }
  template <typename Integer>
  void read(std::string_view key, Integer& to, int64_t lo, int64_t hi) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    if (!node->is_integer()) refuse(where(*node, full(key)), "must be a whole number");
    const int64_t value = node->as_integer()->get();
    if (value < lo || value > hi) refuse(where(*node, full(key)), fmt::format("is {}, must be from {} to {}", value, lo, hi));
    to = static_cast<Integer>(value);
  }
  void read(std::string_view key, std::vector<std::string>& to) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const toml::array* list = node->as_array();
    if (list == nullptr) refuse(where(*node, full(key)), "must be a list of texts");
    if (list->size() > limits::kMaxConfigItems)
      refuse(where(*node, full(key)), fmt::format("has more than {} items", limits::kMaxConfigItems));
    to.clear();
    for (const toml::node& item : *list) to.push_back(text(item, key));
  }
  // "30s", "5m"; "forever" where that is allowed, which is negative.
  void read_period(std::string_view key, std::chrono::nanoseconds& to, bool or_forever) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const std::string value = text(*node, key);
    const auto seconds = value == "0" || value == "0s" ? std::optional<int64_t>(0) : parse_period(value);
    if (seconds) {
      to = std::chrono::seconds(*seconds);
    } else if (or_forever && value == "forever") {
      to = std::chrono::nanoseconds(-1);
    } else {
      refuse(where(*node, full(key)), "'" + value + "' is not a period",
             or_forever ? "write 30s, 5m, 2h or forever" : "write 30s, 5m or 2h");
    }
  }

  std::string where_of(std::string_view key) const {
    const toml::node* node = table_ == nullptr ? nullptr : table_->get(key);
    return node == nullptr ? source_ + ": " + full(key) : where(*node, full(key));
  }

 private:
  std::string full(std::string_view key) const { return name_ + "." + std::string(key); }
  std::string where(const toml::node& node, const std::string& field) const {
    return fmt::format("{}:{}: {}", source_, node.source().begin.line, field);
  }
  const toml::node* find(std::string_view key) {
    known_.emplace(key);
    return table_ == nullptr ? nullptr : table_->get(key);
  }
  std::string text(const toml::node& node, std::string_view key) const {
    if (!node.is_string()) refuse(where(node, full(key)), "must be a text in quotes");
    return node.as_string()->get();
  }

  std::string name_, source_;
  const toml::table* table_ = nullptr;
  std::set<std::string> known_;
};

constexpr std::string_view kSections[] = {"server", "keys", "models", "engine", "limits", "tls", "log"};

void check_sections(const toml::table& file, const std::string& source) {
  for (const auto& [key, node] : file) {
    if (std::ranges::find(kSections, key.str()) != std::end(kSections)) continue;
    const std::string_view near = closest_word(key.str(), kSections);
    refuse(fmt::format("{}:{}: {}", source, node.source().begin.line, key.str()), "unknown setting",
           near.empty() ? "settings are in [server], [keys], [models], [engine], [limits], [tls] and [log]"
                        : "did you mean '" + std::string(near) + "'?");
  }
}

void read_server(Section s, ServeConfig& c) {
  s.read("host", c.server.host);
  s.read("port", c.server.port, 0, 65535);
  s.read("socket", c.server.socket);
  s.read("tcp", c.server.tcp);
  s.read("hosts", c.server.hosts);
  s.read("origins", c.server.origins);
  s.read("trusted_proxies", c.server.trusted_proxies);
  s.read_period("drain", c.server.drain, false);
  s.check_all_read();
  if (!c.server.tcp && c.server.socket.empty())
    refuse(s.where_of("tcp"), "is false, and there is no server.socket: there would be nothing to listen on");
  try {
    TrustedProxies{c.server.trusted_proxies};
  } catch (const Error& e) {
    refuse(s.where_of("trusted_proxies"), e.what());
  }
}

void read_keys_section(Section s, ServeConfig& c) {
  s.read("file", c.keys.file);
  s.read("required", c.keys.required);
  s.read("allow_open", c.keys.allow_open);
  s.check_all_read();
}

void read_models(Section s, ServeConfig& c) {
  s.read("files", c.models.files);
  s.read("default", c.models.default_model);
  s.read_period("keep_alive", c.models.keep_alive, true);
  s.read("max_loaded", c.models.max_loaded, 1, 1024);
  s.check_all_read();
}

void read_engine(Section s, ServeConfig& c) {
  s.read("context", c.engine.context, 0, static_cast<int64_t>(limits::kMaxContext));
  s.read("parallel", c.engine.parallel, 1, EngineOptions::kMostSequences);
  s.read("batch", c.engine.batch, 1, EngineOptions::kMostBatch);
  s.read("threads", c.engine.threads, 0, EngineOptions::kMostThreads);
  s.read("kv", c.engine.kv);
  s.check_all_read();
  static constexpr std::string_view kTypes[] = {"auto", "f32", "f16", "bf16", "q8_0"};
  if (std::ranges::find(kTypes, c.engine.kv) == std::end(kTypes)) refuse(s.where_of("kv"), "must be auto, f32, f16, bf16 or q8_0");
}

void read_limits(Section s, ServeConfig& c) {
  s.read("requests_per_minute", c.limits.requests_per_minute, 0, limits::kMaxRatePerMinute);
  s.read("tokens_per_minute", c.limits.tokens_per_minute, 0, limits::kMaxRatePerMinute);
  s.read("address_requests_per_minute", c.limits.address_requests_per_minute, 0, limits::kMaxRatePerMinute);
  s.check_all_read();
}

void read_tls(Section s, ServeConfig& c) {
  s.read("certificate", c.tls.certificate);
  s.read("key", c.tls.key);
  s.check_all_read();
  if (c.tls.certificate.empty() != c.tls.key.empty())
    refuse(s.where_of(c.tls.key.empty() ? "certificate" : "key"), "tls.certificate and tls.key go together");
}

void read_log(Section s, ServeConfig& c) {
  s.read("requests", c.log.requests);
  s.read("addresses", c.log.addresses);
  s.check_all_read();
  if (c.log.requests.empty()) refuse(s.where_of("requests"), "must be off, stderr or a file");
}

}  // namespace

ServeConfig parse_config(std::string_view text, const std::string& source, ServeConfig config) {
  toml::table file;
  try {
    file = toml::parse(text);
  } catch (const toml::parse_error& e) {
    refuse(fmt::format("{}:{}", source, e.source().begin.line), "not valid TOML: " + std::string(e.description()));
  }
  check_sections(file, source);
  read_server(Section(file, "server", source), config);
  read_keys_section(Section(file, "keys", source), config);
  read_models(Section(file, "models", source), config);
  read_engine(Section(file, "engine", source), config);
  read_limits(Section(file, "limits", source), config);
  read_tls(Section(file, "tls", source), config);
  read_log(Section(file, "log", source), config);
  return config;
}

ServeConfig load_config(const std::filesystem::path& file) {
  return parse_config(read_text_file(file, limits::kMaxConfigBytes), file.string(), environment_config());
}

std::filesystem::path default_config_file() { return config_folder() / "minnow.toml"; }

std::vector<std::string> changes_that_need_a_restart(const ServeConfig& a, const ServeConfig& b) {
  std::vector<std::string> changed;
  const auto compare = [&changed](const char* name, const auto& before, const auto& now) {
    if (before != now) changed.emplace_back(name);
  };
  compare("server.host", a.server.host, b.server.host);
  compare("server.port", a.server.port, b.server.port);
  compare("server.socket", a.server.socket, b.server.socket);
  compare("server.tcp", a.server.tcp, b.server.tcp);
  compare("server.hosts", a.server.hosts, b.server.hosts);
  compare("server.drain", a.server.drain, b.server.drain);
  compare("keys.allow_open", a.keys.allow_open, b.keys.allow_open);
  compare("models.files", a.models.files, b.models.files);
  compare("models.default", a.models.default_model, b.models.default_model);
  compare("models.keep_alive", a.models.keep_alive, b.models.keep_alive);
  compare("models.max_loaded", a.models.max_loaded, b.models.max_loaded);
  compare("engine.context", a.engine.context, b.engine.context);
  compare("engine.parallel", a.engine.parallel, b.engine.parallel);
  compare("engine.batch", a.engine.batch, b.engine.batch);
  compare("engine.threads", a.engine.threads, b.engine.threads);
  compare("engine.kv", a.engine.kv, b.engine.kv);
  compare("tls.certificate", a.tls.certificate, b.tls.certificate);
  compare("tls.key", a.tls.key, b.tls.key);
  return changed;
}

}  // namespace minnow
