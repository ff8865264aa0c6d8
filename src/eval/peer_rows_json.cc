// Rows of minnow bench --json, llama-bench -o json and jsonl, llama-batched-bench --output-format jsonl.
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "eval/peer_rows.h"

namespace minnow {
namespace {

constexpr int64_t kMost = int64_t{1} << 40;

class Reader {
 public:
  // Numbers that are absent, or no numbers, are 0: a program may print any JSON.
  static int64_t count(const Json& o, const char* key) {
    const double n = rate(o, key);
    return n < static_cast<double>(kMost) ? static_cast<int64_t>(n) : 0;
  }
  static double rate(const Json& o, const char* key) {
    const auto it = o.find(key);
    return it != o.end() && it->is_number() && it->get<double>() > 0 ? it->get<double>() : 0;
  }

  void read(const Json& j) {
    if (j.is_array()) {
      for (const Json& element : j) read(element);
    } else if (j.is_object()) {
      read_object(j);
    }
  }
  std::vector<PeerRow> rows;

 private:
  void read_object(const Json& o) {
    if (o.contains("avg_ts")) {
      read_llama_bench(o);
    } else if (o.contains("speed_tg")) {
      rows.push_back({count(o, "pp"), count(o, "tg"), 0, count(o, "pl"), rate(o, "speed_pp"), rate(o, "speed_tg"), true});
    } else if (o.contains("tests")) {
      read(o["tests"]);
    } else if (o.contains("test") && o.contains("tokens_per_second")) {
      const Json& t = o["test"];
      if (!t.is_object()) return;
      const double speed = rate(o, "tokens_per_second");
      rows.push_back({count(t, "prompt"), count(t, "generate"), count(t, "depth"), count(t, "sequences"), speed, speed});
    } else if (o.contains("generation_tokens_per_second")) {
      rows.push_back({count(o, "prompt_tokens"), 0, 0, 1, rate(o, "prompt_tokens_per_second"), 0});
      rows.push_back({0, count(o, "generation_tokens"), 0, 1, 0, rate(o, "generation_tokens_per_second")});
    }
  }

  void read_llama_bench(const Json& o) {
    const int64_t prompt = count(o, "n_prompt"), generate = count(o, "n_gen"), depth = count(o, "n_depth");
    const double speed = rate(o, "avg_ts");
    if (prompt > 0 && generate > 0) {
      // One speed for both together, but for tests that are called "tg4@pp64": generation after a prompt.
      const bool after = o.contains("test") && o["test"].is_string() && o["test"].get<std::string>().find("@pp") != std::string::npos;
      if (after) rows.push_back({0, generate, prompt, 1, 0, speed});
      return;
    }
    rows.push_back({prompt, generate, depth, 1, speed, speed});
  }
};

std::optional<Json> parsed(std::string_view text) {
  try {
    return parse_json(text, "output");
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::vector<PeerRow> rows_of_json(const std::string& text) {
  Reader reader;
  // One document over several lines: from the first line that opens it to the last that closes it.
  const auto at_line_start = [&](char c) { return text.starts_with(c) ? 0 : text.find(std::string("\n") + c); };
  for (const auto& [open, close] : {std::pair('[', ']'), std::pair('{', '}')}) {
    const std::size_t begin = at_line_start(open), end = text.rfind(close);
    if (begin == std::string::npos || end == std::string::npos || end <= begin) continue;
    if (const auto document = parsed(std::string_view(text).substr(begin, end + 1 - begin))) {
      reader.read(*document);
      return reader.rows;
    }
  }
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    if (!line.starts_with('{') && !line.starts_with('[')) continue;
    if (const auto document = parsed(line)) reader.read(*document);
  }
  return reader.rows;
}

}  // namespace minnow
