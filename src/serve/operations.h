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

  // Where the settings are at the moment; empty: nowhere.
  using File = std::function<std::filesystem::path()>;

  // `file` is asked for, and read, by reload(). Throws what reading keys and opening the log throws.
  Operations(ServeConfig config, File file, Overlay overlay);
  ~Operations();

  Authenticator& authenticator();
  Observer& observer();  // feeds metrics, log and limits
  Metrics& metrics();
  AccessLog& log();

  // Throws what is wrong with other settings; gives what takes them over elsewhere, and does not fail.
  using Prepare = std::function<std::function<void()>(const ServeConfig&)>;

  // Keys, limits, trusted proxies and the log as the files say now, and what `prepare` gives: all of it, or nothing when anything
  // cannot be read or is wrong. The log tells which. Gives what holds then. Any thread; never throws.
  ServeConfig reload(const Prepare& prepare = {});

 private:
  class Watcher;
  void reload_or_throw(const Prepare& prepare);

  std::mutex reloading_;
  ServeConfig config_;
  File file_;
  Overlay overlay_;
  AccessLog log_;
  Metrics metrics_;
  KeyAuthenticator authenticator_;
  std::unique_ptr<Watcher> watcher_;
};

}  // namespace minnow
