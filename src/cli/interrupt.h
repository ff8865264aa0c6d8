// Ctrl-C as a question that loops can ask.
#pragma once

namespace minnow {

// While one lives, SIGINT is noted instead of ending the program.
class InterruptWatch {
 public:
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  // Whether SIGINT came since the last call.
  bool take();
};

}  // namespace minnow
