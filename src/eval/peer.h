// Another program's benchmark, as a command that the user wrote.
#pragma once

#include <string>
#include <string_view>

#include "eval/bench.h"

namespace minnow {

struct Peer {
  std::string name;
  std::string command;  // with placeholders
};

// "NAME=COMMAND", or a command alone, which is called by its program's file name. What stands before the first = is a
// name only if it is one word without a slash and the rest is not empty. Throws kUsage for an unknown placeholder.
Peer parse_peer(const std::string& text);

// Whether the command has the placeholders that the test needs: {prompt} for prompts, {generate} for generation, {depth}
// and {sequences} where the test has them.
bool can_run(const Peer& peer, const BenchTest& test);

// The command for one run of the test: {model} (quoted for the shell), {threads}, {prompt}, {generate}, {depth} and
// {sequences} replaced by what they stand for; 0 what the test has not.
std::string expand(const std::string& command, const std::string& model, int threads, const BenchTest& test);

}  // namespace minnow
