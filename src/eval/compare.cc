#include "eval/compare.h"

#include <algorithm>

#include "base/error.h"
#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "eval/peer_output.h"
#include "eval/shell_command.h"
#include "eval/spread.h"

namespace minnow {
namespace {

constexpr double kProbeSeconds = 0.2;
constexpr std::size_t kShownError = 300;  // bytes of a failed command's last words

// The end of the text on one line.
std::string last_words(const std::string& text) {
  std::string line;
  for (const char c : text.substr(text.size() - std::min(text.size(), 4 * kShownError))) {
    const bool end = c == '\n' || c == '\r';
    if (!end) {
      line += c;
    } else if (!line.empty() && !line.ends_with(" | ")) {
      line += " | ";
    }
  }
  while (line.ends_with(" | ") || line.ends_with(' ')) line.pop_back();
  if (line.ends_with(" |")) line.resize(line.size() - 2);
  return line.size() > kShownError ? "…" + line.substr(line.size() - kShownError) : line;
}

class Comparison {
 public:
  Comparison(const BenchTest& test, int threads, const CompareOptions& o) : test_(test), o_(o), threads_(threads), pool_(threads) {
    record_ = record_of_here();
    record_.model = o.model;
    record_.threads = threads;
    record_.test = test;
    for (const Peer& p : o.peers) {
      if (can_run(p, test)) record_.peers.push_back({.name = p.name, .command = p.command});
    }
  }

  BenchRecord run() {
    double before = probe();
    const auto beside = [&](Contender& c) {
      const double after = probe();
      if (after > 0) c.reads.push_back((before + after) / 2);
      before = after;
    };
    for (int i = 1; i <= o_.repetitions; ++i) {
      run_ours(i);
      beside(record_.ours);
      for (Contender& peer : record_.peers) {
        if (peer.error.empty() && run_peer(peer, i)) beside(peer);
      }
    }
    record_.load_seconds = spread_of(loads_).median;
    record_.first_token_seconds = spread_of(first_tokens_).median;
    record_.limit_share = spread_of(shares_).median;
    return std::move(record_);
  }

 private:
  // The buffer is given back at once: what this process holds would be counted as a child's.
  double probe() {
    return test_.generates() ? ReadProbe(pool_, chosen_isa()).bytes_per_second(kProbeSeconds) : 0;
  }

  ShellResult shell(const std::string& who, const std::string& command, int run) const {
    if (o_.progress) o_.progress(who, run);
    ShellResult r = run_shell(expand(command, o_.model, threads_, test_), {o_.time_limit_seconds, o_.cancelled});
    if (r.timed_out) fail(ErrorCode::kLimit, "ended after {:.0f} s; --peer-timeout allows more", o_.time_limit_seconds);
    if (r.exit_code != 0) {
      const std::string words = last_words(r.err.empty() ? r.out : r.err);
      fail(ErrorCode::kInvalidInput, "exit code {}{}{}", r.exit_code, words.empty() ? "" : ": ", words);
    }
    return r;
  }

  void run_ours(int i) {
    ShellResult r;
    try {
      r = shell("minnow", test_.start ? o_.ours_start : o_.ours, i);
    } catch (const Error& e) {
      if (e.code() == ErrorCode::kCancelled) throw;
      fail(e.code(), "{}: minnow's own run: {}", test_.name(), e.what());
    }
    Contender& ours = record_.ours;
    if (test_.start) {
      ours.runs.push_back(r.seconds);
      ours.peak_rss = std::max(ours.peak_rss, r.peak_rss);
      return;
    }
    const std::string source = "minnow's own run";
    const Json j = parse_json(r.out, source);
    if (!j.contains("tests") || !j["tests"].is_array() || j["tests"].empty()) fail(ErrorCode::kInternal, "{} has no tests", source);
    const BenchRecord one = record_from_json(j["tests"][0], source);
    ours.runs.push_back(spread_of(one.ours.runs).median);
    ours.peak_rss = std::max(ours.peak_rss, one.ours.peak_rss);
    record_.dtype = one.dtype;
    record_.kv = one.kv;
    record_.n_parameters = one.n_parameters;
    record_.n_batch = one.n_batch;
    record_.limits = one.limits;
    record_.memory_bound = one.memory_bound;
    loads_.push_back(one.load_seconds);
    first_tokens_.push_back(one.first_token_seconds);
    shares_.push_back(one.limit_share);
  }

  // Whether there is a run more.
  bool run_peer(Contender& peer, int i) {
    try {
      const ShellResult r = shell(peer.name, peer.command, i);
      peer.runs.push_back(test_.start ? r.seconds : speed_in(r));
      peer.peak_rss = std::max(peer.peak_rss, r.peak_rss);
      return true;
    } catch (const Error& e) {
      if (e.code() == ErrorCode::kCancelled) throw;
      peer.error = e.what();
      if (o_.warn) o_.warn(fmt::format("{}: peer {}: {}", test_.name(), peer.name, e.what()));
      return false;
    }
  }

  // Some print their table where others print their log.
  double speed_in(const ShellResult& r) const {
    if (!o_.pattern.empty()) return tokens_per_second_by(o_.pattern, r.out + "\n" + r.err);
    try {
      return tokens_per_second_in(r.out, test_);
    } catch (const Error& of_out) {
      try {
        return tokens_per_second_in(r.err, test_);
      } catch (const Error&) {
        throw of_out;
      }
    }
  }

  const BenchTest& test_;
  const CompareOptions& o_;
  int threads_;
  ThreadPool pool_;
  BenchRecord record_;
  std::vector<double> loads_, first_tokens_, shares_;
};

}  // namespace

BenchRecord compare(const BenchTest& test, int threads, const CompareOptions& options) {
  return Comparison(test, threads, options).run();
}

}  // namespace minnow
