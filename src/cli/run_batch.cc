// `minnow run --batch`: JSON lines in, the same lines with the answers out.
#include <algorithm>
#include <deque>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/progress.h"
#include "cli/cmd_run.h"

namespace minnow {
namespace {

// Answers that are asked for before the first of them has been written: keeps the engine full and memory bounded.
constexpr std::size_t kAhead = 64;

struct Line {
  OrderedJson json;
  std::unique_ptr<ChatAnswer> answer;
};

// Fields of a line override the command's settings.
Prompter::Settings line_settings(Prompter::Settings s, const OrderedJson& json, const std::string& where, uint64_t number) {
  const Json copy = Json::parse(json.dump());
  const JsonFields f{copy, where};
  s.max_tokens = f.integer("max_tokens", s.max_tokens, -1, int64_t{1} << 27);
  s.sampling.temperature = static_cast<float>(f.number("temperature", static_cast<double>(s.sampling.temperature)));
  s.sampling.top_p = static_cast<float>(f.number("top_p", static_cast<double>(s.sampling.top_p)));
  s.sampling.top_k = static_cast<int>(f.integer("top_k", s.sampling.top_k, 0, INT32_MAX));
  s.sampling.seed = f.has("seed") ? static_cast<uint64_t>(f.integer("seed", 0, 0, INT64_MAX)) : s.sampling.seed + number;
  if (f.has("format")) {
    const OrderedJson& format = json["format"];
    s.constraint = {.compact = s.constraint.compact};
    if (format == "json") s.constraint.kind = ConstraintSpec::Kind::kObject;
    else if (format.is_object()) s.constraint = {.kind = ConstraintSpec::Kind::kSchema, .text = format.dump(), .compact = s.constraint.compact};
    else fail(ErrorCode::kInvalidInput, "{}: \"format\" must be \"json\" or a JSON schema", where);
  }
  if (f.has("stop")) {
    s.stop.clear();
    const Json& stop = copy["stop"];
    for (const Json& one : stop.is_array() ? stop : Json::array({stop})) {
      if (!one.is_string()) fail(ErrorCode::kInvalidInput, "{}: \"stop\" must be a text or a list of texts", where);
      s.stop.push_back(one.get<std::string>());
    }
  }
  return s;
}

Line start_line(Prompter& prompter, const std::string& text, const std::string& where, uint64_t number) {
  Line line;
  line.json = parse_ordered_json(text, where);
  if (!line.json.is_object() || !line.json.contains("prompt") || !line.json["prompt"].is_string()) {
    throw Error(ErrorCode::kInvalidInput, fmt::format("{}: a line must be an object with a text \"prompt\"", where));
  }
  const std::string system = line.json.contains("system") && line.json["system"].is_string() ? line.json["system"].get<std::string>() : "";
  const auto settings = line_settings(prompter.settings(), line.json, where, number);
  line.answer = prompter.start(line.json["prompt"].get<std::string>(), system, settings);
  return line;
}

void write_line(AtomicFile& out, Line line) {
  const ChatReply end = line.answer->wait();
  line.json["text"] = end.content;
  if (!end.reasoning.empty()) line.json["reasoning"] = end.reasoning;
  line.json["finish_reason"] = std::string(name(end.reason));
  line.json["prompt_tokens"] = end.stats.prompt_tokens;
  line.json["generated_tokens"] = end.stats.generated_tokens;
  out.write(line.json.dump() + "\n");
}

}  // namespace

void run_batch(Engine& engine, const RunArguments& a) {
  // The input is checked to be a readable file before the output is begun.
  const std::string input = read_text_file(a.batch, limits::kMaxTextFileBytes);
  Prompter prompter(engine, a);
  AtomicFile out(a.output);
  Progress progress("answers", static_cast<uint64_t>(std::count(input.begin(), input.end(), '\n')), ProgressUnit::kItems);
  std::deque<Line> ahead;
  const auto write_first = [&] {
    write_line(out, std::move(ahead.front()));
    ahead.pop_front();
    progress.advance(1);
  };
  uint64_t number = 0;
  for (std::size_t begin = 0; begin < input.size();) {
    const std::size_t end = std::min(input.find('\n', begin), input.size());
    const std::string text = input.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    ahead.push_back(start_line(prompter, text, fmt::format("{}: line {}", a.batch, number), number));
    if (ahead.size() >= kAhead) write_first();
  }
  while (!ahead.empty()) write_first();
  out.commit();
}

}  // namespace minnow
