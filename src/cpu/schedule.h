// From a graph's nodes to a list of steps: what executors share when they compile.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "cpu/step.h"

namespace minnow {

// Product of the inner dimensions; of a vector that all rows share, its length.
inline int64_t width_of(const Shape& shape) {
  int64_t n = shape.rank() == 1 && shape[0] > 0 ? shape[0] : 1;
  for (int i = 1; i < shape.rank(); ++i) n *= shape[i];
  return n;
}

// The node whose value a chain of views shows.
inline NodeId behind_views(const Graph& g, NodeId id) {
  while (g.node(id).op == Op::kReshape) id = g.node(id).inputs[0];
  return id;
}

// Appends steps. Token steps in a row become one chain, unless one of them writes bytes that another, in a different
// geometry, may still be reading for other tokens: values share memory once they are dead.
struct Schedule {
  std::vector<std::unique_ptr<Step>>& steps;
  int64_t max_rows;
  TokenChain* chain = nullptr;     // when that is the last step
  std::vector<Value> touched = {};  // by the chain

  void add(std::unique_ptr<Step> step, const std::vector<Value>& reads, const std::vector<Value>& writes) {
    const auto clashes = [&](const Value& written) {
      return std::any_of(touched.begin(), touched.end(), [&](const Value& v) {
        const bool same = v.data == written.data && v.width == written.width;
        return !same && v.data < written.row(max_rows) && written.data < v.row(max_rows);
      });
    };
    const bool by_tokens = dynamic_cast<TokenStep*>(step.get()) != nullptr;
    const bool joins = chain != nullptr && by_tokens && std::none_of(writes.begin(), writes.end(), clashes);
    if (!joins) {
      chain = nullptr;
      touched.clear();
    }
    if (!by_tokens) {
      steps.push_back(std::move(step));
      return;
    }
    touched.insert(touched.end(), reads.begin(), reads.end());
    touched.insert(touched.end(), writes.begin(), writes.end());
    std::unique_ptr<TokenStep> tokens(static_cast<TokenStep*>(step.release()));
    if (joins) {
      chain->add(std::move(tokens));
      return;
    }
    auto made = std::make_unique<TokenChain>(std::move(tokens));
    chain = made.get();
    steps.push_back(std::move(made));
  }
};

}  // namespace minnow
