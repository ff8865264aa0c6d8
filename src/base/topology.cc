#include "base/topology.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <memory>
#include <set>
#include <string_view>
#include <tuple>

namespace minnow {
namespace {

constexpr int kMaxCpus = 8192;         // as many as Linux can be built for
constexpr std::size_t kMaxLine = 4096;  // files of /sys are pages
constexpr int kMaxCaches = 16;
constexpr double kSlow = 0.7;
// Until Linux tells capacities of hybrid x86 CPUs (6.12) it tells only which cores are the small ones. Their vector
// units are half as wide as the others'.
constexpr double kSmallCore = 0.5;

using CpuMask = std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)>;
constexpr std::size_t kMaskBytes = CPU_ALLOC_SIZE(kMaxCpus);
CpuMask empty_mask() {
  CpuMask mask(CPU_ALLOC(kMaxCpus), [](cpu_set_t* m) { CPU_FREE(m); });
  CPU_ZERO_S(kMaskBytes, mask.get());
  return mask;
}

// "" where there is no such file.
std::string first_line(const std::string& path) {
  char line[kMaxLine] = {};
  std::ifstream file(path);
  file.getline(line, sizeof(line));
  return line;
}

template <typename T>
bool parse(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// -1 where there is no such file or it holds something else.
double number_in(const std::string& path) {
  double value = 0;
  return parse(first_line(path), value) && value >= 0 && std::isfinite(value) ? value : -1;
}

// "0-3,8" as Linux writes lists of CPUs; empty when it is none.
std::vector<int> cpu_list_in(const std::string& path) {
  const std::string line = first_line(path);
  std::vector<int> cpus;
  for (std::string_view rest = line; !rest.empty();) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    const std::size_t dash = item.find('-');
    int first = 0, last = 0;
    if (!parse(item.substr(0, dash), first)) return {};
    last = first;
    if (dash != std::string_view::npos && !parse(item.substr(dash + 1), last)) return {};
    if (first < 0 || last < first || last >= kMaxCpus) return {};
    for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

std::string cpu_folder(const std::string& root, int cpu) {
  return fmt::format("{}/sys/devices/system/cpu/cpu{}/", root, cpu);
}

// Those that share the cache of the highest level.
std::vector<int> sharers_of_last_cache(const std::string& folder) {
  double highest = 0;
  std::vector<int> sharers;
  for (int i = 0; i < kMaxCaches; ++i) {
    const std::string cache = fmt::format("{}cache/index{}/", folder, i);
    const double level = number_in(cache + "level");
    if (level < 0) break;
    if (level <= highest) continue;
    highest = level;
    sharers = cpu_list_in(cache + "shared_cpu_list");
  }
  return sharers;
}

// The lowest number of the group that holds `cpu`, or its own.
int group_of(const std::vector<int>& group, int cpu) {
  return group.empty() ? cpu : std::min(cpu, *std::min_element(group.begin(), group.end()));
}

// What `tell` says of every CPU, as a share of the largest; empty when it does not know one of them.
template <typename Tell>
std::vector<double> shares(const std::vector<Cpu>& cpus, Tell tell) {
  std::vector<double> values;
  for (const Cpu& cpu : cpus) {
    values.push_back(tell(cpu.id));
    if (values.back() <= 0) return {};
  }
  const double most = *std::max_element(values.begin(), values.end());
  for (double& value : values) value /= most;
  return values;
}

void find_speeds(const std::string& root, std::vector<Cpu>& cpus) {
  auto speeds = shares(cpus, [&](int id) { return number_in(cpu_folder(root, id) + "cpu_capacity"); });
  if (speeds.empty()) {
    const std::vector<int> small = cpu_list_in(root + "/sys/devices/cpu_atom/cpus");
    speeds = shares(cpus, [&](int id) {
      const double clock = number_in(cpu_folder(root, id) + "cpufreq/cpuinfo_max_freq");
      return std::find(small.begin(), small.end(), id) == small.end() ? clock : clock * kSmallCore;
    });
  }
  for (std::size_t i = 0; i < speeds.size(); ++i) cpus[i].speed = speeds[i];
}

void lower(double& quota, double time, double period) {
  const double share = time / period;
  if (time > 0 && period > 0 && share < kMaxCpus && (quota == 0 || share < quota)) quota = share;
}

// Of control groups version 2 ("<microseconds or max> <period>") and version 1, in the process's group and those
// around it. The second is 0 or has no such file where there is no limit.
void lower_by_group(double& quota, const std::string& group2, const std::string& group1) {
  const std::string line = first_line(group2 + "/cpu.max");
  const std::size_t space = line.find(' ');
  double time = 0, period = 0;
  if (space != std::string::npos && parse(std::string_view(line).substr(0, space), time) &&
      parse(std::string_view(line).substr(space + 1), period)) {
    lower(quota, time, period);
  }
  lower(quota, number_in(group1 + "/cpu.cfs_quota_us"), number_in(group1 + "/cpu.cfs_period_us"));
}

double read_quota(const std::string& root) {
  const std::string base2 = root + "/sys/fs/cgroup", base1 = base2 + "/cpu";
  double quota = 0;
  lower_by_group(quota, base2, base1);
  // Lines "<number>:<controllers>:<path>"; version 2 names no controllers.
  std::ifstream groups(root + "/proc/self/cgroup");
  char line[kMaxLine];
  while (groups.getline(line, sizeof(line))) {
    const std::string_view text = line;
    const std::size_t colon = text.find(':'), path_at = colon == text.npos ? text.npos : text.find(":/", colon + 1);
    if (path_at == text.npos) continue;
    const std::string_view controllers = text.substr(colon + 1, path_at - colon - 1);
    if (!controllers.empty() && controllers.substr(0, 3) != "cpu") continue;
    std::string path(text.substr(path_at + 1));
    if (path.find("..") != path.npos) continue;  // outside of what this container sees
    for (; path.size() > 1; path.resize(path.rfind('/'))) lower_by_group(quota, base2 + path, base1 + path);
  }
  return quota;
}

std::size_t count_different(const std::vector<Cpu>& cpus, int Cpu::*what) {
  std::set<int> values;
  for (const Cpu& cpu : cpus) values.insert(cpu.*what);
  return values.size();
}

// One CPU of each core, whatever its speed.
std::vector<Cpu> one_of_each_core(const std::vector<Cpu>& cpus) {
  std::vector<Cpu> cores;
  std::set<int> seen;
  for (const Cpu& cpu : cpus) {
    if (seen.insert(cpu.core).second) cores.push_back(cpu);
  }
  return cores;
}

bool is_slow(const Cpu& cpu) { return cpu.speed < kSlow; }

// team_cpus without the quota.
std::vector<Cpu> cores_that_pay(const Topology& topology) {
  std::vector<Cpu> cores = one_of_each_core(topology.cpus);
  double slow = 0, fast = 0;
  for (const Cpu& core : cores) (is_slow(core) ? slow : fast) += core.speed;
  if (slow <= fast) cores.erase(std::remove_if(cores.begin(), cores.end(), is_slow), cores.end());
  return cores;
}

}  // namespace

std::vector<int> allowed_cpus() {
  const CpuMask mask = empty_mask();
  std::vector<int> cpus;
  if (sched_getaffinity(0, kMaskBytes, mask.get()) == 0) {
    for (int cpu = 0; cpu < kMaxCpus; ++cpu) {
      if (CPU_ISSET_S(static_cast<std::size_t>(cpu), kMaskBytes, mask.get())) cpus.push_back(cpu);
    }
  }
  if (cpus.empty()) cpus.push_back(0);
  return cpus;
}

Topology read_topology(const std::string& root, const std::vector<int>& allowed) {
  Topology t;
  for (const int id : allowed) t.cpus.push_back({id, id, 0, 1.0});
  if (t.cpus.empty()) t.cpus.push_back({0, 0, 0, 1.0});
  for (Cpu& cpu : t.cpus) {
    const std::string folder = cpu_folder(root, cpu.id);
    auto siblings = cpu_list_in(folder + "topology/core_cpus_list");
    if (siblings.empty()) siblings = cpu_list_in(folder + "topology/thread_siblings_list");  // before Linux 5.3
    cpu.core = group_of(siblings, cpu.id);
    const auto sharers = sharers_of_last_cache(folder);
    cpu.cluster = sharers.empty() ? 0 : group_of(sharers, cpu.id);
  }
  find_speeds(root, t.cpus);
  std::sort(t.cpus.begin(), t.cpus.end(), [](const Cpu& a, const Cpu& b) {
    return std::tie(a.cluster, a.core, a.id) < std::tie(b.cluster, b.core, b.id);
  });
  t.online = std::max(static_cast<int>(cpu_list_in(root + "/sys/devices/system/cpu/online").size()),
                      static_cast<int>(t.cpus.size()));
  t.quota = read_quota(root);
  return t;
}

const Topology& this_machine() {
  static const Topology topology = read_topology("", allowed_cpus());
  return topology;
}

std::vector<Cpu> team_cpus(const Topology& topology) {
  std::vector<Cpu> team = cores_that_pay(topology);
  const double most = topology.quota > 0 ? std::ceil(topology.quota) : kMaxCpus;
  if (static_cast<double>(team.size()) > most) team.resize(static_cast<std::size_t>(most));
  return team;
}

int available_cores() { return static_cast<int>(team_cpus(this_machine()).size()); }

std::vector<std::vector<int>> team_bindings(const Topology& topology, int n) {
  const std::vector<Cpu> team = cores_that_pay(topology);
  const bool left_some_out = team.size() < one_of_each_core(topology.cpus).size();
  const bool alone = topology.quota == 0 && topology.online == static_cast<int>(topology.cpus.size());
  if (!alone || n != static_cast<int>(team.size())) return {};
  if (!left_some_out && count_different(team, &Cpu::cluster) == 1) return {};
  std::set<int> cores;
  for (const Cpu& member : team) cores.insert(member.core);
  std::vector<std::vector<int>> bindings;
  for (const Cpu& member : team) {
    bindings.emplace_back();
    for (const Cpu& cpu : topology.cpus) {
      if (cpu.cluster == member.cluster && cores.count(cpu.core) > 0) bindings.back().push_back(cpu.id);
    }
  }
  return bindings;
}

std::string describe(const Topology& topology) {
  const std::size_t cpus = topology.cpus.size(), cores = count_different(topology.cpus, &Cpu::core),
                    clusters = count_different(topology.cpus, &Cpu::cluster), used = cores_that_pay(topology).size();
  const auto plural = [](std::size_t n) { return n == 1 ? "" : "s"; };
  std::string text = fmt::format("{} core{}", cores, plural(cores));
  if (cpus > cores) text += fmt::format(" with {} hardware threads", cpus);
  if (clusters > 1) text += fmt::format(" in {} clusters that share a cache", clusters);
  if (used < cores) text += fmt::format(", {} slow one{} left out", cores - used, plural(cores - used));
  if (topology.online > static_cast<int>(cpus)) text += fmt::format(", of a machine with {} CPUs", topology.online);
  if (topology.quota > 0) text += fmt::format(", a quota of {:.3g} CPUs", topology.quota);
  return text;
}

void bind(std::thread& thread, const std::vector<int>& cpus) {
  const CpuMask mask = empty_mask();
  for (const int cpu : cpus) {
    if (cpu >= 0 && cpu < kMaxCpus) CPU_SET_S(static_cast<std::size_t>(cpu), kMaskBytes, mask.get());
  }
  if (!cpus.empty()) pthread_setaffinity_np(thread.native_handle(), kMaskBytes, mask.get());
}

}  // namespace minnow
