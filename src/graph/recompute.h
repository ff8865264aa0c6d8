// Less memory for more computing in training (Chen et al. 2016, "Training deep nets with sublinear memory cost").
#pragma once

#include "graph/differentiate.h"

namespace minnow {

// Values of the forward pass through which all later ones come, in order: the embedding, and the sums at the ends of
// attention and of feed-forward parts. Reshapes of one value count as one.
std::vector<NodeId> narrow_places(const Graph& graph, NodeId first_backward);

// Keeps the first and then every `every`-th narrow place from forward to backward pass, and computes what lies between two
// of them again, right before the backward pass needs it: with 2, most models keep the inputs of layers and hold the
// values of one layer at a time. What comes last is needed at once and stays. Gradients are the same bits as before, since
// what is computed again is computed in the same way. every > 0; a larger one may keep less or more.
TrainingGraph recompute(const TrainingGraph& training, int every);
// The same with the number for which runs of at most `max` take the least memory.
TrainingGraph recompute_most(const TrainingGraph& training, StepSize max);

}  // namespace minnow
