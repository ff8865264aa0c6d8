#include "eval/peer.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace minnow {
namespace {

TEST(Peer, MayHaveAName) {
  EXPECT_EQ(parse_peer("ik=bench -m {model}").name, "ik");
  EXPECT_EQ(parse_peer("ik=bench -m {model}").command, "bench -m {model}");
  EXPECT_EQ(parse_peer("/opt/llama/llama-bench -m {model}").name, "llama-bench");
  const Peer with_variable = parse_peer("FOO=1 ./bench x=2");  // a name is said first; what follows is the command
  EXPECT_EQ(with_variable.name, "FOO");
  EXPECT_EQ(parse_peer("./bench --x=2").command, "./bench --x=2");
}

TEST(Peer, WithUnknownPlaceholderIsRefused) {
  EXPECT_THROW(parse_peer("bench {modell}"), Error);
  EXPECT_THROW(parse_peer(""), Error);
  EXPECT_NO_THROW(parse_peer("bench ${HOME} {model} {a,b} { x; }"));
}

TEST(Peer, RunsWhatItsPlaceholdersCanSay) {
  const Peer simple{"a", "bench {prompt} {generate}"}, batched{"b", "bench {generate} {sequences} {depth}"};
  EXPECT_TRUE(can_run(simple, {.n_prompt = 8}));
  EXPECT_TRUE(can_run(simple, {.n_generate = 8}));
  EXPECT_FALSE(can_run(simple, {.n_generate = 8, .depth = 64}));
  EXPECT_FALSE(can_run(simple, {.n_generate = 8, .n_sequences = 2}));
  EXPECT_FALSE(can_run(batched, {.n_prompt = 8}));
  EXPECT_TRUE(can_run(batched, {.n_generate = 8, .depth = 64, .n_sequences = 2}));
  EXPECT_TRUE(can_run({"c", "anything"}, {.start = true}));
}

TEST(Peer, CommandIsFilledIn) {
  const std::string command = "b -m {model} -t {threads} -p {prompt} -n {generate} -d {depth} -s {sequences} ${X}";
  EXPECT_EQ(expand(command, "my model.gguf", 2, {.n_generate = 128, .depth = 4096, .n_sequences = 4}),
            "b -m 'my model.gguf' -t 2 -p 0 -n 128 -d 4096 -s 4 ${X}");
  EXPECT_EQ(expand("{generate}", "m", 1, {.start = true}), "1");
}

}  // namespace
}  // namespace minnow
