// The CPUs of this machine: which share a core or a cache, which are slower, how many this process may use, and how
// many a team of threads should.
#pragma once

#include <string>
#include <thread>
#include <vector>

namespace minnow {

struct Cpu {
  int id;        // as the system numbers it: one hardware thread
  int core;      // the lowest id among the hardware threads of the same core
  int cluster;   // the lowest id among those that share the last cache
  double speed;  // of its core, as a share of the fastest: 1 where nothing is known
};

struct Topology {
  std::vector<Cpu> cpus;  // those that this process may use, neighbours in a cluster and a core side by side; never empty
  int online = 1;         // CPUs of the machine
  double quota = 0;       // CPUs' worth of time that control groups leave to this process; 0: no limit
};

// The CPUs of this process's affinity mask.
std::vector<int> allowed_cpus();

// What /sys and /proc under `root` say about `allowed`. What they do not say is assumed: cores of their own, one
// cluster, equal speed.
Topology read_topology(const std::string& root, const std::vector<int>& allowed);

// That of this process, read once.
const Topology& this_machine();

// The CPUs for a team of threads, one for each core that pays:
// - Hardware threads of one core share the units that matrix products keep busy, so only the first counts.
// - A core is slow below 0.7 of the fastest one's speed. Slow cores are left out, since a team waits for its slowest
//   member at every step, unless all slow ones together are faster than all others together.
// - No more than the quota, rounded up.
std::vector<Cpu> team_cpus(const Topology& topology);

// How many threads a team has when the user does not say: those of team_cpus(this_machine()).
int available_cores();

// For each member of a team of n, the CPUs that it should keep to; empty: no binding, which is the rule. Left alone,
// the system moves a thread away from a neighbour's load, and on a plain machine the move costs nothing; bound to a
// core, the whole team would wait for the one that shares it. Two things the system does not know, though: that slow
// cores were left out on purpose, and that memory and caches of another cluster are far. In these two cases, if the
// team is the whole of team_cpus and the process may use the whole machine, each member keeps to the team's cores
// within its cluster, and moves freely among them.
std::vector<std::vector<int>> team_bindings(const Topology& topology, int n);

// One line for people.
std::string describe(const Topology& topology);

// Makes a thread keep to these CPUs. What the system refuses is no error: it is only slower.
void bind(std::thread& thread, const std::vector<int>& cpus);

}  // namespace minnow
