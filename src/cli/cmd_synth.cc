#include <fmt/core.h>

#include <cstdio>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/progress.h"
#include "base/table.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "models/digest.h"
#include "respond/synth.h"
#include "train/data_set.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

struct SynthArguments {
  ModelArguments teacher;
  SamplingArguments sampling;
  std::vector<std::string> seeds;
  std::string output, judge, template_file;
  SynthOptions options;
  bool resume = false, json = false;
};

constexpr uint64_t kMaxProgressBytes = 1 << 20;

// Beside the records: what was tried, and with what.
fs::path progress_path(const SynthArguments& a) { return a.output + ".progress"; }

std::vector<SeedTask> read_seeds(const SynthArguments& a) {
  DataSetOptions options;
  options.files.assign(a.seeds.begin(), a.seeds.end());
  const DataSet data = DataSet::open(options);
  std::vector<SeedTask> tasks;
  for (std::size_t i = 0; i < data.train.records.size(); ++i) tasks.push_back(seed_task(data.train.record(i), data.train.place(i)));
  return tasks;
}

// What the records follow from; a run goes on with the same only.
Json settings_of(const SynthArguments& a, const SamplingParams& s, const std::vector<SeedTask>& seeds) {
  const SynthOptions& o = a.options;
  std::string all;
  for (const SeedTask& seed : seeds) all += seed.instruction + "\n" + seed.answer + "\n";
  TokenizerSpec texts;
  texts.tokens.push_back({.text = all});
  Json j = {{"seeds", vocabulary_digest(texts)}, {"examples", o.n_examples}, {"min_score", o.min_score}, {"min_chars", o.min_chars},
            {"max_chars", o.max_chars}, {"max_tokens", o.max_tokens}, {"seed", s.seed}, {"temperature", s.temperature}, {"top_k", s.top_k},
            {"top_p", s.top_p}, {"min_p", s.min_p}};
  j.update(o.provenance);
  return j;
}

// Appends lines; they are on disk before the progress that counts them.
class Output {
 public:
  Output(const SynthArguments& a, Json settings) : path_(a.output), progress_(progress_path(a)), settings_(std::move(settings)) {}

  // The records of a run before this one; those behind its progress are taken away.
  std::vector<OrderedJson> read(SynthProgress& progress) const {
    const Json j = parse_json(read_text_file(progress_, kMaxProgressBytes), progress_.string());
    if (!j.is_object() || !j.contains("settings") || j["settings"] != settings_) {
      throw Error(ErrorCode::kInvalidInput, fmt::format("{}: of a run with other models, seeds or settings", progress_.string()),
                  "go on with those, or name another --output");
    }
    progress = SynthProgress::from_json(j.contains("progress") ? j["progress"] : Json(), progress_.string());
    const std::string text = progress.kept() > 0 ? read_text_file(path_, limits::kMaxTextFileBytes) : std::string();
    std::vector<OrderedJson> records;
    std::size_t begin = 0;
    while (static_cast<int64_t>(records.size()) < progress.kept()) {
      const std::size_t end = text.find('\n', begin);
      if (end == std::string::npos) fail(ErrorCode::kInvalidInput, "{}: fewer records than the run has written", path_.string());
      records.push_back(parse_ordered_json(std::string_view(text).substr(begin, end - begin), fmt::format("{}:{}", path_.string(), records.size() + 1)));
      const OrderedJson& r = records.back();
      const auto has_text = [&](const char* key) { return r.is_object() && r.contains(key) && r[key].is_string(); };
      if (!has_text("instruction") || !has_text("output")) fail(ErrorCode::kInvalidInput, "{}:{}: not a record of a run", path_.string(), records.size());
      begin = end + 1;
    }
    if (begin < text.size()) {
      AtomicFile file(path_);
      file.write(std::string_view(text).substr(0, begin));
      file.commit();
    }
    return records;
  }

  void begin() const {
    AtomicFile file(path_);
    file.commit();
    save({});
  }

  void append(const std::vector<OrderedJson>& records, const SynthProgress& progress) const {
    std::string text;
    for (const OrderedJson& r : records) text += r.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path_.c_str(), "a"), std::fclose);
    if (!file || std::fwrite(text.data(), 1, text.size(), file.get()) != text.size() || std::fflush(file.get()) != 0) {
      fail(ErrorCode::kIo, "{}: cannot be written", path_.string());
    }
    save(progress);
  }

 private:
  void save(const SynthProgress& progress) const {
    AtomicFile file(progress_);
    file.write(Json{{"settings", settings_}, {"progress", progress.to_json()}}.dump());
    file.commit();
  }
  fs::path path_, progress_;
  Json settings_;
};

void print(const SynthArguments& a, const SynthProgress& p, bool finished) {
  if (a.json) {
    Json j = p.to_json();
    j["path"] = a.output;
    j["finished"] = finished;
    fmt::print("{}\n", j.dump());
    return;
  }
  Table table({{"attempts"}, {"", Table::Align::kRight}});
  for (std::size_t i = 0; i < kNumSynthFates; ++i) table.add_row({std::string(name(static_cast<SynthFate>(i))), fmt::format("{}", p.fates[i])});
  fmt::print("{}{}: {} records of {} attempts{}\n", table.text(), printable(a.output), p.kept(), p.attempts, finished ? "" : "; go on with --resume");
}

void synth(const SynthArguments& a) {
  if (a.output.empty()) fail(ErrorCode::kUsage, "no --output");
  if (!a.resume && fs::exists(progress_path(a))) {
    throw Error(ErrorCode::kUsage, fmt::format("{}: there is a run", progress_path(a).string()), "go on with --resume, or name another --output");
  }
  SynthOptions options = a.options;
  options.sampling = a.sampling.resolve();
  const std::vector<SeedTask> seeds = read_seeds(a);
  const std::string chat_template = a.template_file.empty() ? std::string() : read_text_file(a.template_file, limits::kMaxTemplateBytes);
  ModelArguments models = a.teacher;
  models.n_sequences = options.n_parallel;
  const auto engine = models.start();
  LocalResponder teacher(*engine, chat_template);
  options.provenance = {{"teacher", model_digest(engine->model())}};
  std::unique_ptr<Engine> judge_engine;
  std::unique_ptr<LocalResponder> judge;
  if (!a.judge.empty()) {
    models.model = a.judge;
    models.tokenizer.clear();
    judge_engine = models.start();
    judge = std::make_unique<LocalResponder>(*judge_engine);
    options.provenance["judge"] = model_digest(judge_engine->model());
  }
  SynthArguments resolved = a;
  resolved.options = options;
  const Output output(a, settings_of(resolved, options.sampling, seeds));
  Synthesizer synthesizer(seeds, ask_through(teacher), ask_through(judge ? static_cast<Responder&>(*judge) : teacher), options);
  if (a.resume) {
    SynthProgress progress;
    const std::vector<OrderedJson> records = output.read(progress);
    synthesizer.resume(progress, records);
  } else {
    output.begin();
  }
  {
    InterruptWatch interrupt;
    Progress progress("records", static_cast<uint64_t>(options.count), ProgressUnit::kItems);
    progress.advance(static_cast<uint64_t>(synthesizer.progress().kept()));
    while (!synthesizer.is_done() && !interrupt.take()) {
      const std::vector<OrderedJson> records = synthesizer.advance();
      output.append(records, synthesizer.progress());
      progress.advance(records.size());
    }
  }
  print(a, synthesizer.progress(), synthesizer.is_done());
}

}  // namespace

void add_synth(CLI::App& app) {
  auto a = std::make_shared<SynthArguments>();
  a->sampling.seed = 0;
  CLI::App* c = app.add_subcommand("synth", "let a model write data to learn from: tasks like some seeds, answers, and a judge's scores");
  a->teacher.declare(*c);
  SynthOptions& o = a->options;
  c->add_option("SEEDS", a->seeds, "JSON lines of instructions, prompts or chats, or folders of them")->required();
  c->add_option("-o,--output", a->output, "JSON lines with instruction, output and provenance");
  c->add_option("--count", o.count, "records wanted")->capture_default_str();
  c->add_option("--attempts", o.max_attempts, "at most (default: 20 for each record wanted)");
  c->add_option("--examples", o.n_examples, "seeds that are shown for each new task")->capture_default_str();
  c->add_option("--parallel", o.n_parallel, "attempts made at a time")->check(CLI::Range(1, 1024))->capture_default_str();
  c->add_option("--judge", a->judge, "the model that scores (default: the same)");
  c->add_option("--min-score", o.min_score, "of 10, from which on a record is kept")->capture_default_str();
  c->add_option("--min-chars", o.min_chars, "of a task and of an answer")->capture_default_str();
  c->add_option("--max-chars", o.max_chars, "of a task and of an answer")->capture_default_str();
  c->add_option("-n,--max-tokens", o.max_tokens, "of a task and of an answer; what did not end by then is too short")->capture_default_str();
  c->add_option("--template", a->template_file, "a chat template instead of the writing model's");
  c->add_flag("--resume", a->resume, "go on with the run that wrote the output");
  a->sampling.declare(*c);
  declare_json(*c, a->json);
  c->footer("Examples:\n  minnow synth large.gguf seeds.jsonl -o data.jsonl --count 1000\n"
            "  minnow synth large.gguf seeds.jsonl -o data.jsonl --count 1000 --resume\n"
            "  minnow synth large.gguf seeds.jsonl -o data.jsonl --judge larger.gguf --min-score 9 --temp 1 --seed 7");
  c->callback([a] { synth(*a); });
}

}  // namespace minnow
