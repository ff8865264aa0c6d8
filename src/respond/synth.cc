#include "respond/synth.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/fast_hash.h"
#include "train/personal_data.h"

namespace minnow {
namespace {

constexpr std::array<std::string_view, kNumSynthFates> kFateNames = {"kept",         "too short", "too long", "personal data",
                                                                     "near duplicate", "not judged", "low score"};

OrderedJson one_message(const std::string& text) { return OrderedJson::array({{{"role", "user"}, {"content", text}}}); }

ChatRequest request(const std::string& text, const SamplingParams& sampling, int64_t max_tokens) {
  ChatRequest r;
  r.messages = one_message(text);
  r.sampling = sampling;
  r.max_tokens = max_tokens;
  return r;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

std::string instruction_prompt(const std::vector<SeedTask>& seeds, const std::vector<std::size_t>& shown) {
  std::string prompt = "Here are tasks that people gave to an assistant:\n\n";
  for (std::size_t i = 0; i < shown.size(); ++i) prompt += fmt::format("Task {}: {}\n\n", i + 1, seeds[shown[i]].instruction);
  return prompt + "Write one more task of this kind, about another subject. It must be clear by itself and possible to answer in text. "
                  "Write the task only, without its answer, a number or a title.";
}

// "Task 4: Name …" and quotes around all of it are taken away.
std::string clean_instruction(std::string_view text) {
  text = trimmed(text);
  if (text.size() > 4 && (text.starts_with("Task") || text.starts_with("task"))) {
    const std::size_t colon = text.find(':');
    if (colon != std::string_view::npos && colon < 10) text = trimmed(text.substr(colon + 1));
  }
  if (text.size() > 2 && text.front() == '"' && text.back() == '"') text = trimmed(text.substr(1, text.size() - 2));
  return std::string(text);
}

std::string judge_prompt(const std::string& instruction, const std::string& answer) {
  return fmt::format("Judge an assistant's answer to a task. Is it right, complete, clear and to the point? Is the task itself sensible?\n\n"
                     "Task:\n{}\n\nAnswer:\n{}\n\n"
                     "Give a whole number from 1 (useless) to 10 (could not be better). Write only \"Score: \" and the number.",
                     instruction, answer);
}

// Numbers of a text, each with the place behind it; 8.5 is one, of 8/10 the first counts.
struct Number {
  double value;
  std::size_t begin;
};
std::vector<Number> numbers(std::string_view text) {
  std::vector<Number> all;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] < '0' || text[i] > '9') {
      ++i;
      continue;
    }
    double value = 0;
    const auto end = std::from_chars(text.data() + i, text.data() + text.size(), value, std::chars_format::fixed).ptr;
    const bool negative = i > 0 && text[i - 1] == '-', of = i > 0 && text[i - 1] == '/';
    if (!negative && !of) all.push_back({value, i});
    i = std::max(i + 1, static_cast<std::size_t>(end - text.data()));
  }
  return all;
}

void check_options(const SynthOptions& o) {
  const auto expect = [](bool good, const char* what) {
    if (!good) fail(ErrorCode::kUsage, "synth: {}", what);
  };
  expect(o.count >= 1, "the number of records must be at least 1");
  expect(o.max_attempts >= 0, "the number of attempts must not be negative");
  expect(o.n_examples >= 1 && o.n_examples <= 32, "1 to 32 tasks are shown");
  expect(o.n_parallel >= 1 && o.n_parallel <= 4096, "1 to 4096 attempts are made at a time");
  expect(o.min_score >= 1 && o.min_score <= 10, "scores go from 1 to 10");
  expect(o.min_chars <= o.max_chars, "the shortest text must not be longer than the longest");
  expect(o.max_tokens >= 1, "a text needs at least one token");
}

}  // namespace

std::string_view name(SynthFate fate) { return kFateNames[static_cast<std::size_t>(fate)]; }

Ask ask_through(Responder& responder) {
  return [&responder](std::vector<ChatRequest> requests) {
    std::vector<std::unique_ptr<ChatAnswer>> answers;
    for (ChatRequest& r : requests) answers.push_back(responder.respond(std::move(r)));
    std::vector<std::string> texts;
    for (const auto& answer : answers) {
      ChatReply reply = answer->wait();
      const bool ended = reply.reason == FinishReason::kEndOfText || reply.reason == FinishReason::kStopString;
      texts.push_back(ended ? std::move(reply.content) : std::string());
    }
    return texts;
  };
}

SeedTask seed_task(const Record& r, const std::string& place) {
  const auto text = [&](const OrderedJson& value) {
    if (!value.is_string()) fail(ErrorCode::kUnsupported, "{}: only prompts and answers that are texts can be seeds", place);
    return value.get<std::string>();
  };
  switch (r.kind) {
    case RecordKind::kInstruction: return {r.input.empty() ? r.instruction : r.instruction + "\n" + r.input, text(r.answer), place};
    case RecordKind::kCompletion: return {text(r.prompt), text(r.answer), place};
    case RecordKind::kChat: {
      SeedTask task{{}, {}, place};
      for (const OrderedJson& m : r.messages) {
        if (task.instruction.empty() && m["role"] == "user" && m.contains("content")) task.instruction = text(m["content"]);
        if (!task.instruction.empty() && m["role"] == "assistant" && m.contains("content")) {
          task.answer = text(m["content"]);
          return task;
        }
      }
      fail(ErrorCode::kUnsupported, "{}: a chat without a question and an answer", place);
    }
    case RecordKind::kText:
    case RecordKind::kPreference: break;
  }
  fail(ErrorCode::kUnsupported, "{}: records of kind {} hold no tasks", place, record_kind_name(r.kind));
}

Json SynthProgress::to_json() const {
  Json j = {{"attempts", attempts}};
  for (std::size_t i = 0; i < kNumSynthFates; ++i) j[std::string(kFateNames[i])] = fates[i];
  return j;
}

SynthProgress SynthProgress::from_json(const Json& json, const std::string& source) {
  if (!json.is_object()) fail(ErrorCode::kInvalidInput, "{}: not the progress of a run", source);
  const JsonFields fields{json, source};
  SynthProgress p;
  p.attempts = fields.integer("attempts", 0, 0, INT64_MAX);
  int64_t sum = 0;
  for (std::size_t i = 0; i < kNumSynthFates; ++i) sum += p.fates[i] = fields.integer(std::string(kFateNames[i]).c_str(), 0, 0, p.attempts);
  if (sum != p.attempts) fail(ErrorCode::kInvalidInput, "{}: {} attempts, of which {} are accounted for", source, p.attempts, sum);
  return p;
}

double parse_score(std::string_view answer) {
  std::string lower(answer);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const std::size_t word = lower.rfind("score");
  const std::vector<Number> all = numbers(lower);
  const auto is_score = [](const Number& n) { return n.value >= 1 && n.value <= 10; };
  if (word != std::string::npos) {
    for (const Number& n : all) {
      if (n.begin > word) return is_score(n) ? n.value : -1;
    }
  }
  return all.size() == 1 && is_score(all[0]) ? all[0].value : -1;
}

Synthesizer::Synthesizer(std::vector<SeedTask> seeds, Ask teacher, Ask judge, SynthOptions options)
    : seeds_(std::move(seeds)), teacher_(std::move(teacher)), judge_(std::move(judge)), options_(std::move(options)),
      instructions_({.n = 3, .threshold = 0.7}) {
  check_options(options_);
  if (seeds_.empty()) fail(ErrorCode::kUsage, "synth: there is no seed task");
  if (options_.max_attempts == 0) options_.max_attempts = options_.count > INT64_MAX / 20 ? INT64_MAX : 20 * options_.count;
  for (const SeedTask& seed : seeds_) remember(seed.instruction, seed.answer);
}

void Synthesizer::remember(std::string_view instruction, std::string_view answer) {
  instructions_.add(instruction);
  whole_.add(fmt::format("{}\n{}", instruction, answer));
}

void Synthesizer::resume(const SynthProgress& progress, const std::vector<OrderedJson>& records) {
  if (static_cast<int64_t>(records.size()) != progress.kept()) {
    fail(ErrorCode::kInvalidInput, "synth: {} records of a run that kept {}", records.size(), progress.kept());
  }
  progress_ = progress;
  for (const OrderedJson& r : records) remember(r.at("instruction").get<std::string>(), r.at("output").get<std::string>());
}

bool Synthesizer::is_done() const { return progress_.kept() >= options_.count || progress_.attempts >= options_.max_attempts; }

uint64_t Synthesizer::seed_of(int64_t attempt, uint64_t use) const {
  return hash_number(static_cast<uint64_t>(attempt) * 4 + use, options_.sampling.seed ^ 0x73796e7468);
}

SynthFate Synthesizer::check(std::string_view text) const {
  if (text.size() < options_.min_chars) return SynthFate::kTooShort;
  if (text.size() > options_.max_chars) return SynthFate::kTooLong;
  return find_personal_data(text) ? SynthFate::kPersonal : SynthFate::kKept;
}

void Synthesizer::write_instructions(std::vector<Attempt>& attempts) {
  std::vector<ChatRequest> requests;
  for (Attempt& a : attempts) {
    Random random(seed_of(a.number, 0));
    std::vector<std::size_t> order(seeds_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    const std::size_t n = std::min(order.size(), static_cast<std::size_t>(options_.n_examples));
    for (std::size_t i = 0; i < n; ++i) std::swap(order[i], order[i + random.below(order.size() - i)]);
    a.shown.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n));
    SamplingParams sampling = options_.sampling;
    sampling.seed = seed_of(a.number, 1);
    requests.push_back(request(instruction_prompt(seeds_, a.shown), sampling, options_.max_tokens));
  }
  const std::vector<std::string> texts = teacher_(std::move(requests));
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    attempts[i].instruction = clean_instruction(texts.at(i));
    attempts[i].fate = check(attempts[i].instruction);
  }
}

void Synthesizer::write_answers(std::vector<Attempt>& attempts) {
  std::vector<Attempt*> asked;
  std::vector<ChatRequest> requests;
  for (Attempt& a : attempts) {
    if (a.fate == SynthFate::kKept && instructions_.contains(a.instruction)) a.fate = SynthFate::kDuplicate;
    if (a.fate != SynthFate::kKept) continue;
    SamplingParams sampling = options_.sampling;
    sampling.seed = seed_of(a.number, 2);
    asked.push_back(&a);
    requests.push_back(request(a.instruction, sampling, options_.max_tokens));
  }
  if (asked.empty()) return;
  const std::vector<std::string> texts = teacher_(std::move(requests));
  for (std::size_t i = 0; i < asked.size(); ++i) {
    asked[i]->answer = std::string(trimmed(texts.at(i)));
    asked[i]->fate = check(asked[i]->answer);
  }
}

void Synthesizer::judge(std::vector<Attempt>& attempts) {
  constexpr int64_t kJudgeTokens = 32;
  SamplingParams greedy;
  greedy.temperature = 0;
  std::vector<Attempt*> asked;
  std::vector<ChatRequest> requests;
  for (Attempt& a : attempts) {
    if (a.fate != SynthFate::kKept) continue;
    asked.push_back(&a);
    requests.push_back(request(judge_prompt(a.instruction, a.answer), greedy, kJudgeTokens));
  }
  if (asked.empty()) return;
  const std::vector<std::string> texts = judge_(std::move(requests));
  for (std::size_t i = 0; i < asked.size(); ++i) {
    asked[i]->score = parse_score(texts.at(i));
    if (asked[i]->score < 0) asked[i]->fate = SynthFate::kUnjudged;
    else if (asked[i]->score < options_.min_score) asked[i]->fate = SynthFate::kLowScore;
  }
}

bool Synthesizer::is_known(const Attempt& a) const {
  return instructions_.contains(a.instruction) || whole_.contains(fmt::format("{}\n{}", a.instruction, a.answer));
}

OrderedJson Synthesizer::record_of(const Attempt& a) const {
  OrderedJson seeds = OrderedJson::array();
  for (const std::size_t i : a.shown) seeds.push_back(seeds_[i].place);
  const SamplingParams& s = options_.sampling;
  OrderedJson provenance = {{"attempt", a.number}, {"seeds", seeds}, {"score", a.score}, {"seed", s.seed}, {"temperature", s.temperature},
                            {"top_k", s.top_k}, {"top_p", s.top_p}, {"min_p", s.min_p}, {"max_tokens", options_.max_tokens}};
  for (const auto& [key, value] : options_.provenance.items()) provenance[key] = value;
  return {{"instruction", a.instruction}, {"output", a.answer}, {"provenance", provenance}};
}

std::vector<OrderedJson> Synthesizer::advance() {
  std::vector<Attempt> attempts;
  const int64_t n = std::min<int64_t>(options_.n_parallel, options_.max_attempts - progress_.attempts);
  for (int64_t i = 0; i < n; ++i) attempts.push_back({.number = progress_.attempts + i, .shown = {}, .instruction = {}, .answer = {}});
  write_instructions(attempts);
  write_answers(attempts);
  judge(attempts);
  std::vector<OrderedJson> kept;
  for (Attempt& a : attempts) {
    if (is_done()) break;  // what is left over is as if it had not been begun
    if (a.fate == SynthFate::kKept && is_known(a)) a.fate = SynthFate::kDuplicate;  // of one beside it
    ++progress_.attempts;
    ++progress_.fates[static_cast<std::size_t>(a.fate)];
    if (a.fate != SynthFate::kKept) continue;
    remember(a.instruction, a.answer);
    kept.push_back(record_of(a));
  }
  return kept;
}

}  // namespace minnow
