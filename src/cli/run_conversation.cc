// `minnow run` on a terminal: a conversation.
#include <editline/readline.h>
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "cli/cmd_run.h"
#include "cli/interrupt.h"

namespace minnow {
namespace {

constexpr const char* kHelp =
    "/help            this list\n"
    "/clear           forget the conversation\n"
    "/system [TEXT]   set the system message, or remove it\n"
    "/retry           answer the last question again\n"
    "/set NAME VALUE  temperature, top_k, top_p, min_p, seed or max_tokens\n"
    "/show            the settings and the length of the conversation\n"
    "/save FILE       write the conversation as JSON\n"
    "/load FILE       go on with a saved conversation\n"
    "/quit            leave (Ctrl-D does too; Ctrl-C stops an answer)\n"
    "\"\"\"              begins and ends a question of several lines\n";

class Conversation {
 public:
  Conversation(Engine& engine, const RunArguments& a)
      : engine_(engine), arguments_(a), prompter_(engine, a), settings_(prompter_.settings()), system_(a.system) {
    reset();
  }

  void run() {
    fmt::print("{} ({}). /help lists the commands, Ctrl-D leaves.\n", arguments_.model.model,
               prompter_.is_chat() ? "chat" : "plain continuation: this model has no chat template, or --raw was given");
    while (!quit_) {
      const std::optional<std::string> line = read_question();
      if (!line && interrupt_.take()) {
        fmt::print("\n(Ctrl-D or /quit leaves)\n");
        continue;
      }
      if (!line) break;
      if (line->empty()) continue;
      try {
        (*line)[0] == '/' ? command(*line) : ask(*line);
      } catch (const Error& e) {  // a bad question must not end the conversation
        fmt::print(stderr, "error: {}\n", e.what());
      }
    }
  }

 private:
  std::optional<std::string> read_line(const char* prompt) {
    char* line = readline(prompt);
    if (line == nullptr) return std::nullopt;
    std::string text(line);
    std::free(line);  // readline's contract
    return text;
  }

  std::optional<std::string> read_question() {
    auto line = read_line(">>> ");
    if (line && line->starts_with("\"\"\"")) {
      std::string text = line->substr(3);
      while (!text.ends_with("\"\"\"")) {
        const auto more = read_line("... ");
        if (!more) return std::nullopt;
        text += "\n" + *more;
      }
      text.resize(text.size() - 3);
      line = text;
    }
    if (line && !line->empty()) add_history(line->c_str());
    return line;
  }

  void reset() {
    messages_ = OrderedJson::array();
    if (!system_.empty()) messages_.push_back({{"role", "system"}, {"content", system_}});
  }

  void ask(const std::string& question) {
    if (!prompter_.is_chat()) {
      std::string ignored;
      stream(prompter_.start(question, "", settings_), ignored);
      return;
    }
    messages_.push_back({{"role", "user"}, {"content", question}});
    answer();
  }

  // Answers the last message; when that fails the question is taken back.
  void answer() {
    std::string text;
    try {
      stream(prompter_.start_chat(messages_, settings_), text);
    } catch (...) {
      messages_.erase(messages_.size() - 1);
      throw;
    }
    messages_.push_back({{"role", "assistant"}, {"content", text}});
  }

  void stream(std::unique_ptr<ChatAnswer> answer, std::string& text) {
    interrupt_.take();
    AnswerPrinter printer(arguments_.show_thinking);
    ChatEvent event;
    do {
      if (interrupt_.take()) answer->cancel();
      auto next = answer->next_for(std::chrono::milliseconds(50));
      if (!next) continue;
      event = std::move(*next);
      printer.print(event.output);
    } while (!event.done);
    printer.finish();
    text = printer.message().content;
    if (event.reason == FinishReason::kError) throw Error(ErrorCode::kInternal, event.error);
    if (event.reason == FinishReason::kContextFull) {
      fmt::print(stderr, "[the context of {} tokens is full: /clear, or start with a larger --ctx]\n", engine_.n_ctx());
    }
    if (arguments_.verbose) fmt::print(stderr, "{}\n", describe(event.stats, event.reason));
  }

  void command(const std::string& line) {
    const auto space = line.find(' ');
    const std::string word = line.substr(0, space);
    const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
    if (word == "/help" || word == "/?") {
      fmt::print("{}", kHelp);
    } else if (word == "/quit" || word == "/exit" || word == "/bye") {
      quit_ = true;
    } else if (word == "/clear") {
      reset();
    } else if (word == "/system") {
      system_ = rest;
      reset();
    } else if (word == "/retry") {
      retry();
    } else if (word == "/set") {
      set(rest);
    } else if (word == "/show") {
      show();
    } else if (word == "/save") {
      save(rest);
    } else if (word == "/load") {
      load(rest);
    } else {
      fail(ErrorCode::kUsage, "{}: unknown command; /help lists them", word);
    }
  }

  void retry() {
    if (!messages_.empty() && messages_.back()["role"] == "assistant") messages_.erase(messages_.size() - 1);
    if (messages_.empty() || messages_.back()["role"] != "user") fail(ErrorCode::kUsage, "there is no question to answer again");
    ++settings_.sampling.seed;
    answer();
  }

  void set(const std::string& rest) {
    const auto space = rest.find(' ');
    const std::string key = rest.substr(0, space);
    const std::string value = space == std::string::npos ? "" : rest.substr(space + 1);
    char* end = nullptr;
    const double number = std::strtod(value.c_str(), &end);
    if (value.empty() || *end != '\0') fail(ErrorCode::kUsage, "/set {}: give a number", key);
    Prompter::Settings changed = settings_;
    SamplingParams& p = changed.sampling;
    if (key == "temperature") p.temperature = static_cast<float>(number);
    else if (key == "top_k") p.top_k = static_cast<int>(number);
    else if (key == "top_p") p.top_p = static_cast<float>(number);
    else if (key == "min_p") p.min_p = static_cast<float>(number);
    else if (key == "seed") p.seed = static_cast<uint64_t>(number);
    else if (key == "max_tokens") changed.max_tokens = static_cast<int64_t>(number);
    else fail(ErrorCode::kUsage, "/set: no setting \"{}\"; there are temperature, top_k, top_p, min_p, seed, max_tokens", key);
    p.validate(static_cast<int32_t>(engine_.model().config.n_vocab));
    settings_ = changed;
  }

  void show() {
    const SamplingParams& p = settings_.sampling;
    fmt::print("temperature {}, top_k {}, top_p {}, min_p {}, seed {}, max_tokens {}\n", p.temperature, p.top_k, p.top_p,
               p.min_p, p.seed, settings_.max_tokens);
    fmt::print("{} messages, context of {} tokens\n", messages_.size(), engine_.n_ctx());
    if (!system_.empty()) fmt::print("system: {}\n", system_);
  }

  void save(const std::string& path) {
    if (path.empty()) fail(ErrorCode::kUsage, "/save needs a file name");
    AtomicFile file(path);
    file.write(OrderedJson{{"messages", messages_}}.dump(2) + "\n");
    file.commit();
  }

  void load(const std::string& path) {
    if (path.empty()) fail(ErrorCode::kUsage, "/load needs a file name");
    const OrderedJson json = parse_ordered_json(read_text_file(path, limits::kMaxJsonFileBytes), path);
    const bool usable = json.is_object() && json.contains("messages") && json["messages"].is_array() &&
                        std::all_of(json["messages"].begin(), json["messages"].end(), [](const OrderedJson& m) {
                          return m.is_object() && m.contains("role") && m["role"].is_string() && m.contains("content");
                        });
    if (!usable) fail(ErrorCode::kInvalidInput, "{}: not a saved conversation", path);
    messages_ = json["messages"];
  }

  InterruptWatch interrupt_;
  Engine& engine_;
  const RunArguments& arguments_;
  Prompter prompter_;
  Prompter::Settings settings_;
  std::string system_;
  OrderedJson messages_;
  bool quit_ = false;
};

// Questions of former conversations, in the user's state folder; absent when there is none.
std::string history_path() {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  std::filesystem::path folder;
  if (state != nullptr && *state != '\0') folder = state;
  else if (home != nullptr && *home != '\0') folder = std::filesystem::path(home) / ".local" / "state";
  else return {};
  std::error_code ignored;
  std::filesystem::create_directories(folder / "minnow", ignored);
  return (folder / "minnow" / "history").string();
}

}  // namespace

void run_conversation(Engine& engine, const RunArguments& a) {
  const std::string history = history_path();
  using_history();
  stifle_history(1000);
  if (!history.empty()) read_history(history.c_str());
  Conversation(engine, a).run();
  if (!history.empty() && write_history(history.c_str()) == 0) {
    std::error_code ignored;  // questions are private
    std::filesystem::permissions(history, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, ignored);
  }
}

}  // namespace minnow
