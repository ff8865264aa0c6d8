// Asks a running minnow serve, over TCP or its Unix socket.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "base/json.h"

namespace minnow {

struct ServerArguments {
  std::string server;    // "http://127.0.0.1:11434", "HOST:PORT", "unix:PATH"; empty: $MINNOW_SERVER, else loopback
  std::string key_file;  // empty: $MINNOW_API_KEY
  std::string ca_file;   // PEM, of the authority of an https server; empty: those of the system

  void declare(CLI::App& command);  // --server, --key-file, --ca
};

// The answer to a request, which must be a JSON object. Throws kNotFound when no server answers, kInvalidInput when its certificate
// is not to be trusted, with the server's own words
// for what it refuses. The key is in no argument and no error.
Json ask_server(const ServerArguments& server, const std::string& path, const std::optional<Json>& body = {});

}  // namespace minnow
