#include <fmt/core.h>

#include <memory>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/options.h"
#include "formats/tokenizer_files.h"
#include "text/tokenizer.h"
#include "train/train_tokenizer.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxAddedBytes = 16 << 20;

struct TrainArguments {
  std::vector<std::string> files, special;
  std::string output, added;
  TokenizerTrainingOptions options;
  bool json = false;
};

// The bar of the merges appears when the first token is learned: all bytes were counted then.
class TrainingProgress {
 public:
  TrainingProgress(uint64_t n_bytes, uint64_t n_tokens) : counting_(std::make_unique<Progress>("counting", n_bytes, ProgressUnit::kBytes)), n_tokens_(n_tokens) {}
  void on_bytes(uint64_t n) { counting_->advance(n); }
  void on_token() {
    counting_.reset();
    if (!merging_) merging_ = std::make_unique<Progress>("merging", n_tokens_, ProgressUnit::kItems);
    merging_->advance(1);
  }

 private:
  std::unique_ptr<Progress> counting_, merging_;
  uint64_t n_tokens_;
};

std::vector<std::string> lines_of(const std::string& path) {
  std::istringstream text(read_text_file(path, kMaxAddedBytes));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

bool is_json_file(const fs::path& path) { return path.extension() == ".json"; }

void write(const TokenizerSpec& spec, const fs::path& path) {
  if (is_json_file(path)) {
    AtomicFile file(path);
    file.write(tokenizer_json_text(spec));
    file.commit();
    return;
  }
  std::error_code error;
  fs::create_directory(path, error);
  if (error) fail(ErrorCode::kIo, "{}: cannot make this folder: {}", path.string(), error.message());
  write_tokenizer_folder(spec, path);
}

void print(const TrainArguments& a, const TokenizerTrainingReport& r) {
  const double per_token = r.tokens > 0 ? static_cast<double>(r.word_bytes) / static_cast<double>(r.tokens) : 0;
  const double seconds = r.count_seconds + r.merge_seconds;
  if (a.json) {
    fmt::print("{}\n", Json{{"path", a.output}, {"vocab_size", r.vocab_size}, {"bytes", r.bytes}, {"words", r.words},
                            {"distinct_words", r.distinct_words}, {"tokens", r.tokens}, {"bytes_per_token", per_token},
                            {"count_seconds", r.count_seconds}, {"merge_seconds", r.merge_seconds}}.dump());
    return;
  }
  fmt::print("{}: {} tokens from {} of text ({} words, {} of them different), {:.2f} bytes for each token of it, {} ({}/s)\n", a.output,
             r.vocab_size, format_bytes(r.bytes), format_count(r.words), format_count(r.distinct_words), per_token, format_duration(seconds),
             format_bytes(static_cast<uint64_t>(static_cast<double>(r.bytes) / std::max(seconds, 1e-9))));
}

void train(TrainArguments a) {
  const std::vector<fs::path> paths(a.files.begin(), a.files.end());
  for (const std::string& file : a.files) check_not_same(file, a.output);
  if (!a.special.empty()) a.options.special = a.special;
  if (!a.added.empty()) a.options.added = lines_of(a.added);
  TrainingProgress progress(total_bytes(paths), static_cast<uint64_t>(std::max<int64_t>(a.options.vocab_size, 256)) - 256);
  a.options.on_bytes = [&](uint64_t n) { progress.on_bytes(n); };
  a.options.on_token = [&] { progress.on_token(); };
  TokenizerTrainingReport report;
  const TokenizerSpec spec = train_tokenizer(paths, a.options, &report);
  Tokenizer::build(spec);  // what is written can be read
  write(spec, a.output);
  if (report.vocab_size < a.options.vocab_size) {
    fmt::print(stderr, "warning: only {} tokens: no further pair occurs {} times in the texts\n", report.vocab_size, a.options.min_frequency);
  }
  print(a, report);
}

void add_train(CLI::App& group) {
  auto a = std::make_shared<TrainArguments>();
  CLI::App* c = group.add_subcommand("train", "learn a byte-level BPE vocabulary from texts");
  c->add_option("FILES", a->files, "texts, UTF-8, or JSON lines (*.jsonl); or folders of either")->required();
  c->add_option("-o,--output", a->output, "NAME.json for a tokenizer.json alone, or a folder for it and a tokenizer_config.json")->required();
  c->add_option("--vocab-size", a->options.vocab_size, "tokens in all, with the special ones and the 256 bytes")->required();
  c->add_option("--special", a->special, "a special token; may be given several times (default: <|endoftext|>)")->allow_extra_args(false);
  c->add_option("--added", a->added, "a file with one token on each line that is never cut, but is text (labels, fragments of a format)");
  c->add_option("--eos", a->options.eos, "the special token that ends a text (default: the first one)");
  c->add_option("--bos", a->options.bos, "a special token that is put before every text (default: none)");
  c->add_option("--min-frequency", a->options.min_frequency, "how often a pair must occur to become a token")->capture_default_str();
  c->add_option("--pre-tokenizer", a->options.pre_tokenizer, "what cuts texts into words: gpt2, llama3, qwen2, smollm, tekken, gpt-4o, minnow (names and numbers without the space before them), ...")
      ->capture_default_str();
  c->add_option("-t,--threads", a->options.n_threads, "threads that count words (default: one per fast core, see doctor)")->check(CLI::Range(1, 1024));
  declare_json(*c, a->json);
  c->footer("Examples:\n  minnow tokenizer train books/ -o tokenizer.json --vocab-size 8192\n"
            "  minnow tokenizer train chats.jsonl -o my-model --vocab-size 32000 --pre-tokenizer qwen2 "
            "--special '<|endoftext|>' --special '<|im_start|>' --special '<|im_end|>'");
  c->callback([a] { train(*a); });
}

}  // namespace

void add_tokenizer(CLI::App& app) {
  CLI::App* c = app.add_subcommand("tokenizer", "make tokenizers");
  c->require_subcommand(1);
  c->footer("Example:\n  minnow tokenizer train --help");
  add_train(*c);
}

}  // namespace minnow
