#include "serve/key_authenticator.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"

namespace minnow {
namespace {

using namespace std::chrono_literals;

class KeyAuthenticatorTest : public testing::Test {
 protected:
  void SetUp() override {
    folder = std::filesystem::path(testing::TempDir()) / ("authenticator_" + std::to_string(::getpid()));
    settings.keys_file = folder / "keys.json";
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  // The text of a new key.
  std::string add(ApiKey description) {
    NewKey made = make_key(std::move(description));
    update_keys(settings.keys_file, [&](std::vector<ApiKey>& keys) { keys.push_back(made.key); });
    return made.text;
  }
  std::string add_infer() {
    ApiKey key;
    key.infer = true;
    return add(key);
  }
  KeyAuthenticator make() {
    return KeyAuthenticator(settings, [this] { return now; }, [this] { return unix_seconds; });
  }

  static int status(const AuthResult& result) {
    return std::holds_alternative<Caller>(result) ? 200 : std::get<Refusal>(result).status;
  }
  static AuthResult ask(Authenticator& who, std::vector<std::pair<std::string, std::string>> headers, Scope scope = Scope::kInfer,
                        std::string_view peer = "192.0.2.1") {
    HttpRequest request;
    request.headers = std::move(headers);
    return who.check(request, Route{"POST", "/v1/x", Dialect::kOpenAi, scope, {}}, peer);
  }
  static AuthResult bearer(Authenticator& who, const std::string& key, Scope scope = Scope::kInfer) {
    return ask(who, {{"authorization", "Bearer " + key}}, scope);
  }

  std::filesystem::path folder;
  AuthSettings settings;
  RateLimiter::Duration now = 1000s;
  int64_t unix_seconds = 1'800'000'000;
};

TEST_F(KeyAuthenticatorTest, WithoutKeysEverybodyGetsIn) {
  KeyAuthenticator who = make();
  EXPECT_FALSE(who.has_keys());
  for (const Scope scope : {Scope::kOpen, Scope::kInfer, Scope::kManage, Scope::kAdmin}) EXPECT_EQ(status(ask(who, {}, scope)), 200);
  EXPECT_EQ(status(bearer(who, "ollama")), 200) << "clients send some word as their key";
}

TEST_F(KeyAuthenticatorTest, WhenAKeyIsRequiredAndThereIsNoneNobodyGetsIn) {
  settings.key_required = true;
  KeyAuthenticator who = make();
  EXPECT_TRUE(who.has_keys());
  EXPECT_EQ(status(ask(who, {})), 401);
  EXPECT_EQ(status(ask(who, {}, Scope::kOpen)), 200);
}

TEST_F(KeyAuthenticatorTest, TakesAKeyFromEitherHeader) {
  const std::string key = add_infer();
  KeyAuthenticator who = make();
  EXPECT_EQ(status(ask(who, {})), 401);
  EXPECT_EQ(status(ask(who, {{"authorization", "Bearer " + key}})), 200);
  EXPECT_EQ(status(ask(who, {{"authorization", "bearer  " + key + " "}})), 200);
  EXPECT_EQ(status(ask(who, {{"x-api-key", key}})), 200);
  EXPECT_EQ(status(ask(who, {{"authorization", key}})), 401);
  EXPECT_EQ(status(ask(who, {{"authorization", "Basic " + key}})), 401);
  EXPECT_EQ(status(ask(who, {{"authorization", "Bearer "}})), 401);
  EXPECT_EQ(status(ask(who, {{"authorization", "Bearer"}})), 401);
  EXPECT_EQ(status(ask(who, {{"x-api-key", ""}})), 401);
  EXPECT_EQ(status(ask(who, {{"authorization", "Bearer wrong"}, {"x-api-key", key}})), 401) << "one wrong key is enough";
  EXPECT_EQ(status(ask(who, {{"cookie", key}})), 401);
}

TEST_F(KeyAuthenticatorTest, AsksForTheScopeOfTheRoute) {
  const std::string infer = add_infer();
  ApiKey description;
  description.manage = true;
  const std::string manage = add(description);
  KeyAuthenticator who = make();
  EXPECT_EQ(status(bearer(who, infer, Scope::kInfer)), 200);
  EXPECT_EQ(status(bearer(who, infer, Scope::kManage)), 403);
  EXPECT_EQ(status(bearer(who, infer, Scope::kAdmin)), 403);
  EXPECT_EQ(status(bearer(who, manage, Scope::kInfer)), 403);
  EXPECT_EQ(status(bearer(who, manage, Scope::kManage)), 200);
  EXPECT_EQ(status(bearer(who, "nonsense", Scope::kOpen)), 200);
}

TEST_F(KeyAuthenticatorTest, TellsWhoMayManage) {
  KeyAuthenticator open = make();
  EXPECT_TRUE(std::get<Caller>(ask(open, {})).manages) << "without keys everybody may";
  const std::string infer = add_infer();
  ApiKey description;
  description.infer = description.manage = true;
  const std::string both = add(description);
  ApiKey all;
  all.admin = true;
  const std::string admin = add(all);
  KeyAuthenticator who = make();
  EXPECT_FALSE(std::get<Caller>(bearer(who, infer)).manages);
  EXPECT_TRUE(std::get<Caller>(bearer(who, both)).manages);
  EXPECT_TRUE(std::get<Caller>(bearer(who, admin)).manages);
}

TEST_F(KeyAuthenticatorTest, TellsWhoAsksAndWhatIsAllowed) {
  ApiKey description;
  description.infer = true;
  description.models = {"a"};
  const std::string alone = add(description);
  description.tenant = "acme";
  const std::string one = add(description), two = add(description);
  KeyAuthenticator who = make();
  const Caller a = std::get<Caller>(bearer(who, alone)), b = std::get<Caller>(bearer(who, one)),
               c = std::get<Caller>(bearer(who, two));
  EXPECT_EQ(a.models, std::vector<std::string>{"a"});
  EXPECT_EQ(alone.substr(3, a.key_id.size()), a.key_id);
  EXPECT_EQ(b.tenant, c.tenant);
  EXPECT_NE(a.tenant, b.tenant);
  EXPECT_NE(b.key_id, c.key_id);
}

TEST_F(KeyAuthenticatorTest, ATenantNamedAsAKeyDoesNotShareItsCaches) {
  const std::string key = add_infer();
  ApiKey thief;
  thief.infer = true;
  thief.tenant = "key:" + key.substr(3, 12);
  const std::string other = add(thief);
  KeyAuthenticator who = make();
  EXPECT_NE(std::get<Caller>(bearer(who, key)).tenant, std::get<Caller>(bearer(who, other)).tenant);
}

TEST_F(KeyAuthenticatorTest, SaysThatAKeyExpired) {
  ApiKey description;
  description.infer = true;
  description.expires_unix = unix_seconds + 10;
  const std::string key = add(description);
  KeyAuthenticator who = make();
  EXPECT_EQ(status(bearer(who, key)), 200);
  unix_seconds += 10;
  const Refusal refusal = std::get<Refusal>(bearer(who, key));
  EXPECT_EQ(refusal.status, 401);
  EXPECT_NE(refusal.message.find("expired"), std::string::npos);
}

TEST_F(KeyAuthenticatorTest, RefusalsNeverRepeatTheKey) {
  const std::string key = add_infer();
  KeyAuthenticator who = make();
  for (const std::string& wrong : {key + "x", key.substr(0, key.size() - 1), std::string("mk-abc-def")}) {
    EXPECT_EQ(std::get<Refusal>(bearer(who, wrong)).message.find("mk-"), std::string::npos);
  }
}

TEST_F(KeyAuthenticatorTest, LimitsRequestsOfAKeyByItsOwnLimitOrTheCommonOne) {
  settings.of_keys.requests_per_minute = 3;
  const std::string common = add_infer();
  ApiKey description;
  description.infer = true;
  description.requests_per_minute = 5;
  const std::string own = add(description);
  KeyAuthenticator who = make();
  const auto admitted = [&](const std::string& key) {
    int n = 0;
    for (int i = 0; i < 10; ++i) n += status(bearer(who, key)) == 200;
    return n;
  };
  EXPECT_EQ(admitted(common), 3);
  EXPECT_EQ(admitted(own), 5);
  const Refusal refusal = std::get<Refusal>(bearer(who, own));
  EXPECT_EQ(refusal.status, 429);
  EXPECT_GT(refusal.retry_after_seconds, 0);
  EXPECT_LE(refusal.retry_after_seconds, 63);
  now += std::chrono::seconds(refusal.retry_after_seconds);
  EXPECT_EQ(status(bearer(who, own)), 200);
}

TEST_F(KeyAuthenticatorTest, LimitsTokensOfAKey) {
  settings.of_keys.tokens_per_minute = 100;
  const std::string key = add_infer();
  KeyAuthenticator who = make();
  const Caller caller = std::get<Caller>(bearer(who, key));
  who.use_tokens(caller, 99);
  EXPECT_EQ(status(bearer(who, key)), 200);
  who.use_tokens(caller, 1);
  const Refusal refusal = std::get<Refusal>(bearer(who, key));
  EXPECT_EQ(refusal.status, 429);
  EXPECT_NE(refusal.message.find("tokens"), std::string::npos);
}

TEST_F(KeyAuthenticatorTest, LimitsAnAddressWhateverKeysItTries) {
  settings.address_requests_per_minute = 60;
  add_infer();
  KeyAuthenticator who = make();
  int refused = 0;
  for (int i = 0; i < 1000; ++i, now += 10ms) {
    const std::string spoofed = "10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256);
    refused += status(ask(who, {{"authorization", "Bearer guess" + std::to_string(i)}, {"x-forwarded-for", spoofed}})) == 429;
  }
  EXPECT_EQ(refused, 940);
  EXPECT_EQ(status(ask(who, {}, Scope::kOpen)), 200) << "liveness knows no limit";
  EXPECT_EQ(status(ask(who, {}, Scope::kInfer, "192.0.2.2")), 401) << "others are not touched";
}

TEST_F(KeyAuthenticatorTest, CountsWhoIsBehindATrustedProxy) {
  settings.address_requests_per_minute = 1;
  settings.proxies = TrustedProxies({"192.0.2.1"});
  KeyAuthenticator who = make();
  EXPECT_EQ(status(ask(who, {{"x-forwarded-for", "198.51.100.1"}})), 200);
  EXPECT_EQ(status(ask(who, {{"x-forwarded-for", "198.51.100.1"}})), 429);
  EXPECT_EQ(status(ask(who, {{"x-forwarded-for", "198.51.100.2"}})), 200);
}

TEST_F(KeyAuthenticatorTest, AReloadTakesRevokedKeysAwayAndLetsNewOnesIn) {
  const std::string old_key = add_infer();
  KeyAuthenticator who = make();
  const std::string new_key = add_infer();
  update_keys(settings.keys_file, [](std::vector<ApiKey>& keys) { keys[0].revoked_unix = 1; });
  EXPECT_EQ(status(bearer(who, old_key)), 200);
  EXPECT_EQ(status(bearer(who, new_key)), 401);
  who.reload(settings);
  EXPECT_EQ(status(bearer(who, old_key)), 401);
  EXPECT_EQ(status(bearer(who, new_key)), 200);
}

TEST_F(KeyAuthenticatorTest, AFileThatWentAwayOrBrokeOpensNothing) {
  const std::string key = add_infer();
  KeyAuthenticator who = make();
  std::filesystem::rename(settings.keys_file, folder / "elsewhere.json");
  EXPECT_THROW(who.reload(settings), Error);
  EXPECT_EQ(status(ask(who, {})), 401);
  EXPECT_EQ(status(bearer(who, key)), 200);
}

TEST_F(KeyAuthenticatorTest, WhenTheLastKeyIsRevokedNobodyGetsIn) {
  add_infer();
  update_keys(settings.keys_file, [](std::vector<ApiKey>& keys) { keys[0].revoked_unix = 1; });
  KeyAuthenticator who = make();
  EXPECT_TRUE(who.has_keys());
  EXPECT_EQ(status(ask(who, {})), 401);
}

}  // namespace
}  // namespace minnow
