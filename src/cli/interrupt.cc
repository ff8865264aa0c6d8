#include "cli/interrupt.h"

#include <csignal>

namespace minnow {
namespace {

volatile std::sig_atomic_t interrupted = 0;  // a signal handler can reach nothing else

void set_handler(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigaction(SIGINT, &action, nullptr);
}

}  // namespace

InterruptWatch::InterruptWatch() {
  interrupted = 0;
  set_handler([](int) { interrupted = 1; });
}

InterruptWatch::~InterruptWatch() { set_handler(SIG_DFL); }

bool InterruptWatch::take() {
  const bool was = interrupted != 0;
  interrupted = 0;
  return was;
}

}  // namespace minnow
