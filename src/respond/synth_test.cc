#include "respond/synth.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "base/error.h"
#include "models/random_model.h"

namespace minnow {
namespace {

using ::testing::HasSubstr;

const std::vector<SeedTask> kSeeds = {{"Name three rivers of Europe.", "Rhine, Danube, Loire.", "seeds.jsonl:1"},
                                      {"Explain why the sky is blue.", "Air scatters blue light most.", "seeds.jsonl:2"},
                                      {"Write a rhyme about a fish.", "A fish had a wish.", "seeds.jsonl:3"},
                                      {"Translate 'good morning' into French.", "Bonjour.", "seeds.jsonl:4"}};

std::string said(const ChatRequest& r) { return r.messages.at(0).at("content").get<std::string>(); }
bool asks_for_task(const std::string& text) { return text.starts_with("Here are tasks"); }

// A teacher whose n-th task is what `task` gives, which answers everything with a sentence about it.
Ask scripted(std::function<std::string(int)> task, std::vector<ChatRequest>* asked = nullptr) {
  auto n = std::make_shared<int>(0);
  return [=](std::vector<ChatRequest> requests) {
    std::vector<std::string> answers;
    for (const ChatRequest& r : requests) {
      if (asked != nullptr) asked->push_back(r);
      answers.push_back(asks_for_task(said(r)) ? task((*n)++) : "This is what there is to say about: " + said(r));
    }
    return answers;
  };
}
Ask scores(const std::string& answer) {
  return [answer](std::vector<ChatRequest> requests) { return std::vector<std::string>(requests.size(), answer); };
}
// Of other words each time.
std::string fresh_task(int n) {
  std::string text = "Describe";
  for (int i = 0; i < 6; ++i) text += " w" + std::to_string(n) + "x" + std::to_string(i);
  return text;
}

std::vector<OrderedJson> run(Synthesizer& synth) {
  std::vector<OrderedJson> all;
  while (!synth.is_done()) {
    for (OrderedJson& record : synth.advance()) all.push_back(std::move(record));
  }
  return all;
}

int64_t fate(const Synthesizer& synth, SynthFate f) { return synth.progress().fates[static_cast<std::size_t>(f)]; }

TEST(Synth, WritesRecordsThatSayWhereTheyComeFrom) {
  std::vector<ChatRequest> asked;
  SynthOptions options{.count = 5, .n_parallel = 2};
  options.sampling.seed = 9;
  options.provenance = {{"teacher", "abc"}};
  Synthesizer synth(kSeeds, scripted(fresh_task, &asked), scores("Score: 9"), options);
  const std::vector<OrderedJson> records = run(synth);
  ASSERT_EQ(records.size(), 5u);
  const OrderedJson& first = records.front();
  EXPECT_EQ(first["instruction"], fresh_task(0));
  EXPECT_EQ(first["output"], "This is what there is to say about: " + fresh_task(0));
  EXPECT_EQ(first["provenance"]["teacher"], "abc");
  EXPECT_EQ(first["provenance"]["score"], 9);
  EXPECT_EQ(first["provenance"]["seed"], 9);
  EXPECT_EQ(first["provenance"]["attempt"], 0);
  ASSERT_EQ(first["provenance"]["seeds"].size(), 3u);
  EXPECT_THAT(first["provenance"]["seeds"][0].get<std::string>(), HasSubstr("seeds.jsonl:"));
  EXPECT_THAT(said(asked[0]), HasSubstr("Task 3:"));
  EXPECT_NE(asked[0].sampling.seed, asked[1].sampling.seed);
  const Record parsed = parse_record(first.dump(), "test");
  EXPECT_EQ(parsed.kind, RecordKind::kInstruction);
}

TEST(Synth, DropsWhatIsBadAndCountsWhy) {
  const auto task = [](int n) -> std::string {
    switch (n) {
      case 0: return "Hm.";
      case 1: return std::string(500, 'x');
      case 2: return "Write a letter to ann@example.org about trees.";
      case 3: return kSeeds[1].instruction;
      case 4: return "Task 4: " + fresh_task(1);
      case 5: return "\"" + fresh_task(1) + "\"";
      default: return fresh_task(n);
    }
  };
  SynthOptions options{.count = 2, .n_parallel = 3, .max_chars = 300};
  Synthesizer synth(kSeeds, scripted(task), scores("8"), options);
  const std::vector<OrderedJson> records = run(synth);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0]["instruction"], fresh_task(1));
  EXPECT_EQ(records[1]["instruction"], fresh_task(6));
  EXPECT_EQ(fate(synth, SynthFate::kTooShort), 1);
  EXPECT_EQ(fate(synth, SynthFate::kTooLong), 1);
  EXPECT_EQ(fate(synth, SynthFate::kPersonal), 1);
  EXPECT_EQ(fate(synth, SynthFate::kDuplicate), 2);
  EXPECT_EQ(synth.progress().attempts, 7);
}

TEST(Synth, KeepsWhatTheJudgeLikes) {
  const auto kept_with = [](const std::string& verdict) {
    Synthesizer synth(kSeeds, scripted(fresh_task), scores(verdict), {.count = 1, .max_attempts = 3});
    run(synth);
    return std::array<int64_t, 3>{synth.progress().kept(), fate(synth, SynthFate::kLowScore), fate(synth, SynthFate::kUnjudged)};
  };
  EXPECT_THAT(kept_with("Score: 8"), ::testing::ElementsAre(1, 0, 0));
  EXPECT_THAT(kept_with("Score: 7"), ::testing::ElementsAre(0, 3, 0));
  EXPECT_THAT(kept_with("a fine answer"), ::testing::ElementsAre(0, 0, 3));
}

TEST(Synth, ReadsScores) {
  EXPECT_EQ(parse_score("Score: 8"), 8);
  EXPECT_EQ(parse_score("score = 10/10"), 10);
  EXPECT_EQ(parse_score("**Score:** 7.5"), 7.5);
  EXPECT_EQ(parse_score("The 3 rivers are right.\nScore: 9"), 9);
  EXPECT_EQ(parse_score(" 6 "), 6);
  EXPECT_EQ(parse_score("8/10"), 8);
  for (const char* none : {"", "good", "Score: none", "Score: 11", "Score: -3", "1 or 2"}) EXPECT_LT(parse_score(none), 0) << none;
}

TEST(Synth, GoesOnWithTheRecordsThatWouldHaveCome) {
  const auto make = [](int done) {
    SynthOptions options{.count = 9, .n_parallel = 2};
    return std::make_unique<Synthesizer>(kSeeds, scripted([done](int n) { return fresh_task((n + done) % 6); }), scores("9"), options);
  };
  const auto whole = make(0), first = make(0);
  std::vector<OrderedJson> wanted, got;
  for (int i = 0; i < 4; ++i) {
    for (OrderedJson& r : whole->advance()) wanted.push_back(std::move(r));
    if (i < 2) {
      for (OrderedJson& r : first->advance()) got.push_back(std::move(r));
    }
  }
  const SynthProgress progress = SynthProgress::from_json(first->progress().to_json(), "test");
  const auto resumed = make(4);
  resumed->resume(progress, got);
  for (int i = 0; i < 2; ++i) {
    for (OrderedJson& r : resumed->advance()) got.push_back(std::move(r));
  }
  EXPECT_EQ(got, wanted);
  EXPECT_EQ(resumed->progress().to_json(), whole->progress().to_json());
  EXPECT_GT(fate(*resumed, SynthFate::kDuplicate), 0);
  EXPECT_THROW(make(0)->resume(progress, {}), Error);
  EXPECT_THROW(SynthProgress::from_json({{"attempts", 3}}, "test"), Error);
}

TEST(Synth, OfAnEngineIsTheSameForASeedWhateverRunsBeside) {
  Model model = random_model({.family = &kLlama, .n_vocab = 300, .n_ctx = 1024}, 1);
  model.tokenizer->chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}";
  const auto shared = std::make_shared<const Model>(std::move(model));
  const auto said_with = [&](int n_parallel, uint64_t seed) {
    Engine engine(shared, {.n_ctx = 1024, .n_sequences = 4, .n_threads = 1});
    LocalResponder responder(engine);
    std::vector<std::string> said;
    const Ask ask = ask_through(responder);
    // The first answers of each attempt; random models are not judged.
    const Ask listening = [&](std::vector<ChatRequest> requests) {
      for (ChatRequest& r : requests) r.stop = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "A", "B", "C", "D", "E", "F"};
      std::vector<std::string> answers = ask(std::move(requests));
      said.insert(said.end(), answers.begin(), answers.end());
      return std::vector<std::string>(answers.size());
    };
    SynthOptions options{.count = 4, .max_attempts = 4, .n_examples = 1, .n_parallel = n_parallel, .max_tokens = 24};
    options.sampling.seed = seed;
    Synthesizer synth(kSeeds, listening, scores("9"), options);
    run(synth);
    return said;
  };
  const std::vector<std::string> alone = said_with(1, 5);
  EXPECT_EQ(alone.size(), 4u);
  EXPECT_FALSE(std::ranges::all_of(alone, [](const std::string& s) { return s.empty(); }));
  EXPECT_EQ(said_with(4, 5), alone);
}

TEST(SeedTask, IsTheFirstQuestionAndItsAnswer) {
  const auto of = [](const std::string& line) { return seed_task(parse_record(line, "s:1"), "s:1"); };
  EXPECT_EQ(of(R"({"instruction": "Add.", "input": "1 2", "output": "3"})").instruction, "Add.\n1 2");
  EXPECT_EQ(of(R"({"prompt": "Hi", "completion": "Ho"})").answer, "Ho");
  const SeedTask chat = of(R"({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]})");
  EXPECT_EQ(chat.instruction, "Q");
  EXPECT_EQ(chat.answer, "A");
  EXPECT_THROW(of(R"({"text": "only a text"})"), Error);
}

TEST(Synth, RefusesOptionsOutOfRange) {
  const auto refuses = [](SynthOptions o) { EXPECT_THROW(Synthesizer(kSeeds, scripted(fresh_task), scores("9"), std::move(o)), Error); };
  refuses({.count = 0});
  refuses({.n_examples = 0});
  refuses({.n_parallel = 0});
  refuses({.min_score = 11});
  refuses({.min_chars = 10, .max_chars = 5});
  EXPECT_THROW(Synthesizer({}, scripted(fresh_task), scores("9"), {}), Error);
}

}  // namespace
}  // namespace minnow
