#include "eval/peer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>

#include "base/error.h"
#include "eval/shell_command.h"

namespace minnow {
namespace {

constexpr std::array<std::string_view, 6> kPlaceholders = {"model", "threads", "prompt", "generate", "depth", "sequences"};

bool is_name_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' || c == '+'; }

// The text with each {word} of small letters replaced. Other braces are the shell's.
std::string replace_placeholders(const std::string& text, const std::function<std::string(std::string_view)>& value) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = text[i] == '{' && (i == 0 || text[i - 1] != '$') ? text.find('}', i) : std::string::npos;
    const std::string_view word = end == std::string::npos ? "" : std::string_view(text).substr(i + 1, end - i - 1);
    const bool small = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
    if (small) {
      out += value(word);
      i = end + 1;
    } else {
      out += text[i++];
    }
  }
  return out;
}

bool has(const Peer& peer, const char* placeholder) { return peer.command.find(placeholder) != std::string::npos; }

// "llama-bench" of "/opt/bin/llama-bench -m …"
std::string program_of(const std::string& command) {
  const std::string word = command.substr(0, command.find(' '));
  const auto slash = word.rfind('/');
  return slash == std::string::npos ? word : word.substr(slash + 1);
}

}  // namespace

Peer parse_peer(const std::string& text) {
  Peer peer;
  const auto equals = text.find('=');
  const bool named = equals != std::string::npos && equals > 0 && equals + 1 < text.size() &&
                     std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(equals), is_name_char);
  peer.command = named ? text.substr(equals + 1) : text;
  peer.name = named ? text.substr(0, equals) : program_of(text);
  if (peer.name.empty()) fail(ErrorCode::kUsage, "--peer: the command is empty");
  replace_placeholders(peer.command, [&](std::string_view word) -> std::string {
    if (std::find(kPlaceholders.begin(), kPlaceholders.end(), word) != kPlaceholders.end()) return {};
    throw Error(ErrorCode::kUsage, fmt::format("--peer {}: unknown placeholder {{{}}}", peer.name, word),
                fmt::format("use {{{}}}", fmt::join(kPlaceholders, "}, {")));
  });
  return peer;
}

bool can_run(const Peer& peer, const BenchTest& t) {
  if (t.start) return true;
  return has(peer, t.generates() ? "{generate}" : "{prompt}") && (t.depth == 0 || has(peer, "{depth}")) &&
         (t.n_sequences == 1 || has(peer, "{sequences}"));
}

std::string expand(const std::string& command, const std::string& model, int threads, const BenchTest& t) {
  return replace_placeholders(command, [&](std::string_view word) -> std::string {
    if (word == "model") return shell_quote(model);
    if (word == "threads") return std::to_string(threads);
    if (word == "prompt") return std::to_string(t.n_prompt);
    if (word == "generate") return std::to_string(t.start ? 1 : t.n_generate);
    if (word == "depth") return std::to_string(t.depth);
    if (word == "sequences") return std::to_string(t.n_sequences);
    return fmt::format("{{{}}}", word);
  });
}

}  // namespace minnow
