#include "serve/config.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/test_refusal.h"

namespace minnow {
namespace {

using namespace std::chrono_literals;

ServeConfig read(const std::string& text) { return parse_config(text, "minnow.toml"); }
std::string refused(const std::string& text) {
  return test::refusal([&] { read(text); });
}

TEST(ServeConfig, AnEmptyFileMeansTheDefaults) {
  const ServeConfig c = read("");
  EXPECT_EQ(c.server.host, "127.0.0.1");
  EXPECT_EQ(c.server.port, 11434);
  EXPECT_FALSE(c.keys.allow_open);
  EXPECT_EQ(c.models.keep_alive, 5min);
  EXPECT_EQ(c.limits.requests_per_minute, 0);
  EXPECT_TRUE(changes_that_need_a_restart(c, ServeConfig{}).empty());
}

TEST(ServeConfig, KeepsTheDefaultsThatItIsGivenWhereTheFileSaysNothing) {
  ServeConfig defaults;
  defaults.server.host = "0.0.0.0";
  defaults.server.port = 1;
  const ServeConfig c = parse_config("[server]\nhost = \"127.0.0.1\"\n", "minnow.toml", defaults);
  EXPECT_EQ(c.server.host, "127.0.0.1");
  EXPECT_EQ(c.server.port, 1);
}

TEST(ServeConfig, ReadsEverySetting) {
  const ServeConfig c = read(R"(
[server]
host = "0.0.0.0"
port = 8080
socket = "/run/minnow.sock"
tcp = false
hosts = ["models.example.org"]
origins = ["https://app.example.org"]
trusted_proxies = ["10.0.0.0/8", "::1"]
drain = "1m"
[keys]
file = "/etc/minnow/keys.json"
required = true
allow_open = true
[models]
files = ["a.gguf", "/srv/models"]
default = "a"
keep_alive = "forever"
max_loaded = 7
[engine]
context = 4096
parallel = 4
batch = 256
threads = 2
kv = "q8_0"
[limits]
requests_per_minute = 60
tokens_per_minute = 100_000
address_requests_per_minute = 600
[tls]
certificate = "cert.pem"
key = "key.pem"
[log]
requests = "/var/log/minnow.log"
addresses = true
)");
  EXPECT_EQ(c.server.host, "0.0.0.0");
  EXPECT_EQ(c.server.port, 8080);
  EXPECT_EQ(c.server.socket, "/run/minnow.sock");
  EXPECT_FALSE(c.server.tcp);
  EXPECT_EQ(c.server.hosts, std::vector<std::string>{"models.example.org"});
  EXPECT_EQ(c.server.origins, std::vector<std::string>{"https://app.example.org"});
  EXPECT_EQ(c.server.trusted_proxies.size(), 2u);
  EXPECT_EQ(c.server.drain, 60s);
  EXPECT_EQ(c.keys.file, "/etc/minnow/keys.json");
  EXPECT_TRUE(c.keys.required);
  EXPECT_TRUE(c.keys.allow_open);
  EXPECT_EQ(c.models.files.size(), 2u);
  EXPECT_EQ(c.models.default_model, "a");
  EXPECT_LT(c.models.keep_alive, 0s);
  EXPECT_EQ(c.models.max_loaded, 7);
  EXPECT_EQ(c.engine.context, 4096);
  EXPECT_EQ(c.engine.parallel, 4);
  EXPECT_EQ(c.engine.batch, 256);
  EXPECT_EQ(c.engine.threads, 2);
  EXPECT_EQ(c.engine.kv, "q8_0");
  EXPECT_EQ(c.limits.requests_per_minute, 60);
  EXPECT_EQ(c.limits.tokens_per_minute, 100'000);
  EXPECT_EQ(c.limits.address_requests_per_minute, 600);
  EXPECT_EQ(c.tls.certificate, "cert.pem");
  EXPECT_EQ(c.tls.key, "key.pem");
  EXPECT_EQ(c.log.requests, "/var/log/minnow.log");
  EXPECT_TRUE(c.log.addresses);
}

TEST(ServeConfig, TheExampleHoldsEverySettingWithItsDefault) {
  const std::string example = read_text_file(MINNOW_SOURCE_DIR "/packaging/minnow.toml", 1 << 20);
  const ServeConfig c = read(example), defaults;
  EXPECT_TRUE(changes_that_need_a_restart(c, defaults).empty());
  EXPECT_EQ(c.server.origins, defaults.server.origins);
  EXPECT_EQ(c.server.trusted_proxies, defaults.server.trusted_proxies);
  EXPECT_EQ(c.keys.required, defaults.keys.required);
  EXPECT_EQ(c.limits.requests_per_minute, defaults.limits.requests_per_minute);
  EXPECT_EQ(c.limits.tokens_per_minute, defaults.limits.tokens_per_minute);
  EXPECT_EQ(c.limits.address_requests_per_minute, defaults.limits.address_requests_per_minute);
  EXPECT_EQ(c.log.requests, defaults.log.requests);
  EXPECT_EQ(c.log.addresses, defaults.log.addresses);
}

TEST(ServeConfig, RefusesSettingsThatItDoesNotKnowWithTheNearestOne) {
  EXPECT_EQ(refused("[server]\n\nprot = 1\n"), "minnow.toml:3: server.prot: unknown setting; did you mean 'port'?");
  EXPECT_EQ(refused("[sever]\nport = 1\n"), "minnow.toml:1: sever: unknown setting; did you mean 'server'?");
  EXPECT_NE(refused("xyzzyxyzzy = 1\n").find("settings are in [server]"), std::string::npos);
  EXPECT_NE(refused("[limits]\nrequest_per_minute = 5\n").find("did you mean 'requests_per_minute'?"), std::string::npos);
}

TEST(ServeConfig, RefusesWrongTypesAndValuesOutOfRangeNamingLineAndField) {
  EXPECT_EQ(refused("[server]\nport = \"80\"\n"), "minnow.toml:2: server.port: must be a whole number");
  EXPECT_EQ(refused("[engine]\nparallel = 2000\n"), "minnow.toml:2: engine.parallel: is 2000, must be from 1 to 1024") << "as the engine has it";
  EXPECT_EQ(refused("[engine]\nbatch = 16385\n"), "minnow.toml:2: engine.batch: is 16385, must be from 1 to 16384");
  EXPECT_EQ(refused("[engine]\nthreads = 1025\n"), "minnow.toml:2: engine.threads: is 1025, must be from 0 to 1024");
  EXPECT_EQ(refused("[server]\nport = 65536\n"), "minnow.toml:2: server.port: is 65536, must be from 0 to 65535");
  EXPECT_NE(refused("[server]\nport = 80.0\n").find("whole number"), std::string::npos);
  EXPECT_NE(refused("[server]\nhost = 1\n").find("server.host: must be a text"), std::string::npos);
  EXPECT_NE(refused("[server]\norigins = \"*\"\n").find("must be a list"), std::string::npos);
  EXPECT_NE(refused("[server]\norigins = [1]\n").find("must be a text"), std::string::npos);
  EXPECT_NE(refused("server = 5\n").find("must be a table"), std::string::npos);
  EXPECT_NE(refused("[server]\ntcp = false\n").find("nothing to listen on"), std::string::npos);
  EXPECT_NE(refused("[keys]\nrequired = 1\n").find("true or false"), std::string::npos);
  EXPECT_NE(refused("[engine]\nkv = \"q5_1\"\n").find("minnow.toml:2: engine.kv"), std::string::npos);
  EXPECT_NE(refused("[limits]\nrequests_per_minute = -1\n").find("limits.requests_per_minute"), std::string::npos);
  EXPECT_NE(refused("[server]\ntrusted_proxies = [\"proxy\"]\n").find("minnow.toml:2: server.trusted_proxies"), std::string::npos);
  EXPECT_NE(refused("[tls]\ncertificate = \"a\"\n").find("go together"), std::string::npos);
  EXPECT_NE(refused("[log]\nrequests = \"\"\n").find("log.requests"), std::string::npos);
}

TEST(ServeConfig, RefusesPeriodsThatAreNone) {
  for (const char* value : {"\"5\"", "\"soon\"", "5", "\"-1s\"", "\"1.5m\""}) {
    EXPECT_NE(refused(std::string("[models]\nkeep_alive = ") + value).find("models.keep_alive"), std::string::npos) << value;
  }
  EXPECT_NE(refused("[server]\ndrain = \"forever\"").find("server.drain"), std::string::npos);
  EXPECT_EQ(read("[models]\nkeep_alive = \"0\"").models.keep_alive, 0s);
}

TEST(ServeConfig, TellsTheLineOfWhatIsNotToml) {
  EXPECT_NE(refused("[server]\nport = = 5\n").find("minnow.toml:2: not valid TOML"), std::string::npos);
  EXPECT_NE(refused(std::string(100'000, '[')).find("not valid TOML"), std::string::npos);
}

TEST(ServeConfig, TellsWhichChangesNeedARestart) {
  const ServeConfig before = read("[server]\nport = 1\n[limits]\nrequests_per_minute = 5\n");
  const ServeConfig now =
      read("[server]\nport = 2\norigins = [\"https://a\"]\n[limits]\nrequests_per_minute = 6\n[engine]\nparallel = 2\n");
  EXPECT_EQ(changes_that_need_a_restart(before, now), (std::vector<std::string>{"server.port", "engine.parallel"}));
}

}  // namespace
}  // namespace minnow
