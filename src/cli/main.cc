#include <cstdio>
#include <string>

#include "base/error.h"
#include "base/map_guard.h"
#include "base/table.h"
#include "cli/command.h"

namespace {

constexpr int kOk = 0, kFailed = 1, kUsage = 2;

// One line on stderr, whatever the text holds.
int report(const std::string& text, int code) {
  std::fflush(stdout);
  std::fprintf(stderr, "error: %s\n", minnow::printable(text).c_str());
  return code;
}

void declare_commands(CLI::App& app) {
  app.require_subcommand(1);
  app.set_version_flag("--version", "minnow " MINNOW_VERSION);
  app.get_formatter()->column_width(34);
  minnow::add_run(app);
  minnow::add_serve(app);
  minnow::add_ps(app);
  minnow::add_stop(app);
  minnow::add_key(app);
  minnow::add_tokenize(app);
  minnow::add_tokenizer(app);
  minnow::add_embed(app);
  minnow::add_rerank(app);
  minnow::add_logits(app);
  minnow::add_show(app);
  minnow::add_convert(app);
  minnow::add_quantize(app);
  minnow::add_perplexity(app);
  minnow::add_bench(app);
  minnow::add_pretrain(app);
  minnow::add_tune(app);
  minnow::add_merge(app);
  minnow::add_distill(app);
  minnow::add_synth(app);
  minnow::add_doctor(app);
  app.footer("'minnow COMMAND --help' shows the arguments of a command, with examples.");
}

}  // namespace

// A server has told those whom it concerned, and gone on.
void check_inputs(const CLI::App& app) {
  if (minnow::MapGuard::n_damaged() == 0 || app.got_subcommand("serve")) return;
  throw minnow::Error(minnow::ErrorCode::kIo, "a file that was read became shorter while it was in use: what came of it is wrong",
                      "put it back, and replace files by renaming");
}

int main(int argc, char** argv) {
  CLI::App app("minnow: small language models, from file to answer", "minnow");
  try {
    declare_commands(app);
    app.parse(argc, argv);
    check_inputs(app);
    return std::fflush(stdout) == 0 ? kOk : report("cannot write to standard output", kFailed);
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    return report(std::string(e.what()) + "; see 'minnow --help'", kUsage);
  } catch (const minnow::Error& e) {
    return report(e.what(), e.code() == minnow::ErrorCode::kUsage ? kUsage : kFailed);
  } catch (const std::bad_alloc&) {
    return report("out of memory", kFailed);
  } catch (const std::exception& e) {
    return report(e.what(), kFailed);
  }
}
