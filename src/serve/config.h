// minnow.toml: what an operator says about a server.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace minnow {

struct ServeConfig {
  struct {
    std::string host = "127.0.0.1";
    int port = 11434;
    std::string socket;                        // path of a Unix socket to listen on besides; empty: none
    bool tcp = true;                           // false: on the socket only
    std::vector<std::string> hosts;            // names that a Host header may have besides this machine's own
    std::vector<std::string> origins;          // web pages that may ask (CORS), besides those of this machine
    std::vector<std::string> trusted_proxies;  // addresses and networks whose X-Forwarded-For is believed
    std::chrono::nanoseconds drain = std::chrono::seconds(30);  // what a stop waits for answers that are being made
  } server;
  struct {
    std::filesystem::path file;      // empty: default_keys_file()
    bool required = false;           // also while there are none: then nobody gets in
    bool allow_open = false;      // without keys listen on other addresses than loopback
  } keys;
  struct {
    std::vector<std::string> files;  // .gguf files, folders with safetensors, and folders with .gguf files in them
    std::string default_model;       // for requests that name none; empty: the first one
    std::chrono::nanoseconds keep_alive = std::chrono::minutes(5);  // negative: for ever
    int max_loaded = 3;
  } models;
  struct {
    int64_t context = 0;   // 0: what the model was trained on, at most kDefaultContext
    int parallel = 16;     // answers made at the same time
    int64_t batch = 512;
    int threads = 0;       // 0: the cores of this machine
    std::string kv = "auto";
  } engine;
  struct {
    int64_t requests_per_minute = 0;          // of a key that says nothing itself; 0: no limit
    int64_t tokens_per_minute = 0;            // likewise
    int64_t address_requests_per_minute = 0;  // of one address, with whatever keys
  } limits;
  struct {
    std::filesystem::path certificate, key;  // PEM
  } tls;
  struct {
    std::string requests = "stderr";  // "off", "stderr" or a file: one line of JSON for each request
    bool addresses = false;           // clients' addresses are written too
  } log;
};

// Defaults for what the file does not name. Throws kNotFound, kLimit, or kInvalidInput naming line and field: for what is not
// TOML, of a wrong type, out of range, or not known (with the nearest name that is).
// Those of load_config are what the environment says (ollama_environment.h).
ServeConfig load_config(const std::filesystem::path& file);
ServeConfig parse_config(std::string_view text, const std::string& source, ServeConfig defaults = {});

// config_folder()/minnow.toml.
std::filesystem::path default_config_file();

// What differs although a running server cannot change it: "server.port" and the like. Keys, limits, origins, trusted proxies and
// the log can be changed.
std::vector<std::string> changes_that_need_a_restart(const ServeConfig& before, const ServeConfig& now);

}  // namespace minnow
