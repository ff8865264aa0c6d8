// The operator's side of a running server: keys, limits, metrics and logs, made from its settings and changed while it runs.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "serve/access_log.h"
#include "serve/config.h"
#include "serve/key_authenticator.h"
#include "serve/metrics.h"

namespace minnow {

class Operations {
 public:
  // What the command line says, on top of what the file does.
  using Overlay = std::function<void(ServeConfig&)>;

  // `file` is read again by reload(); empty: there is none. Throws what reading keys and opening the log throws.
  Operations(ServeConfig config, std::filesystem::path file, Overlay overlay);
  ~Operations();

  Authenticator& authenticator();
  Observer& observer();  // feeds metrics, log and limits
  Metrics& metrics();
  AccessLog& log();

  // Keys, limits, trusted proxies and the log as the files say now; of the result the server takes the origins. What cannot be
  // read is logged, and everything stays as it was. Any thread; never throws.
  ServeConfig reload();

 private:
  class Watcher;
  void reload_or_throw();

  std::mutex reloading_;
  ServeConfig config_;
  std::filesystem::path file_;
  Overlay overlay_;
  AccessLog log_;
  Metrics metrics_;
  KeyAuthenticator authenticator_;
  std::unique_ptr<Watcher> watcher_;
};

}  // namespace minnow
