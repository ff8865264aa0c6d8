#include "base/topology.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <numeric>

namespace minnow {
namespace {

namespace fs = std::filesystem;

// A machine as Linux describes it, in a folder.
class FakeMachine : public testing::Test {
 protected:
  FakeMachine() {
    std::string pattern = (fs::temp_directory_path() / "minnow-topology-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) root_ = pattern;
  }
  ~FakeMachine() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    const fs::path file = root_ + "/" + path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text << "\n";
  }
  void cpu(int id, const std::string& core, const std::string& cluster) {
    const std::string folder = "sys/devices/system/cpu/cpu" + std::to_string(id) + "/";
    write(folder + "topology/core_cpus_list", core);
    write(folder + "cache/index0/level", "1");
    write(folder + "cache/index0/shared_cpu_list", core);
    write(folder + "cache/index1/level", "3");
    write(folder + "cache/index1/shared_cpu_list", cluster);
  }
  void of_cpu(int id, const std::string& file, int value) {
    write("sys/devices/system/cpu/cpu" + std::to_string(id) + "/" + file, std::to_string(value));
  }
  void online(int n) {
    n_ = n;
    write("sys/devices/system/cpu/online", "0-" + std::to_string(n - 1));
  }
  Topology read() const {
    std::vector<int> all(static_cast<std::size_t>(n_));
    std::iota(all.begin(), all.end(), 0);
    return read_topology(root_, all);
  }
  Topology read(const std::vector<int>& allowed) const { return read_topology(root_, allowed); }

  // Hardware threads 2i and 2i + 1 of a fast core, then single ones that are slow: as Intel numbers hybrid CPUs.
  void hybrid(int fast_cores, int slow_cores) {
    online(2 * fast_cores + slow_cores);
    const std::string all = "0-" + std::to_string(n_ - 1);
    for (int i = 0; i < n_; ++i) {
      const int pair = i / 2 * 2;
      const bool fast = i < 2 * fast_cores;
      cpu(i, fast ? std::to_string(pair) + "-" + std::to_string(pair + 1) : std::to_string(i), all);
      of_cpu(i, "cpufreq/cpuinfo_max_freq", fast ? 4'900'000 : 3'700'000);
    }
    write("sys/devices/cpu_atom/cpus", std::to_string(2 * fast_cores) + "-" + std::to_string(n_ - 1));
  }

  std::string root_;
  int n_ = 0;
};

std::vector<int> ids(const std::vector<Cpu>& cpus) {
  std::vector<int> ids;
  for (const Cpu& cpu : cpus) ids.push_back(cpu.id);
  return ids;
}

using Ids = std::vector<int>;

TEST_F(FakeMachine, PlainCoresAreAllUsedAndNoneIsBound) {
  online(4);
  for (int i = 0; i < 4; ++i) cpu(i, std::to_string(i), "0-3");
  const Topology t = read();
  EXPECT_EQ(ids(team_cpus(t)), (Ids{0, 1, 2, 3}));
  EXPECT_TRUE(team_bindings(t, 4).empty());
  EXPECT_EQ(describe(t), "4 cores");
}

TEST_F(FakeMachine, OneThreadOfEachCoreIsUsed) {
  online(8);  // as servers number them: the second threads after all first ones
  for (int i = 0; i < 8; ++i) cpu(i, std::to_string(i % 4) + "," + std::to_string(i % 4 + 4), "0-7");
  const Topology t = read();
  EXPECT_EQ(ids(t.cpus), (Ids{0, 4, 1, 5, 2, 6, 3, 7}));
  EXPECT_EQ(ids(team_cpus(t)), (Ids{0, 1, 2, 3}));
  EXPECT_EQ(ids(team_cpus(read({1, 5, 6}))), (Ids{1, 6})) << "whichever thread of a core is allowed";
  EXPECT_EQ(describe(t), "4 cores with 8 hardware threads");
  EXPECT_EQ(describe(read({1, 5, 6})), "2 cores with 3 hardware threads, of a machine with 8 CPUs");
}

TEST_F(FakeMachine, SmallCoresAreLeftOutAndTheTeamKeepsToTheOthers) {
  hybrid(8, 8);
  const Topology t = read();
  EXPECT_EQ(ids(team_cpus(t)), (Ids{0, 2, 4, 6, 8, 10, 12, 14}));
  const auto bindings = team_bindings(t, 8);
  ASSERT_EQ(bindings.size(), 8u);
  Ids fast(16);
  std::iota(fast.begin(), fast.end(), 0);
  for (const auto& binding : bindings) EXPECT_EQ(binding, fast);
  EXPECT_TRUE(team_bindings(t, 7).empty()) << "not the whole team";
  EXPECT_EQ(describe(t), "16 cores with 24 hardware threads, 8 slow ones left out");
}

TEST_F(FakeMachine, SmallCoresAreUsedWhereTheyAreMostOfTheMachine) {
  hybrid(2, 8);
  const Topology t = read();
  EXPECT_EQ(ids(team_cpus(t)), (Ids{0, 2, 4, 5, 6, 7, 8, 9, 10, 11}));
  EXPECT_TRUE(team_bindings(t, 10).empty());
}

TEST_F(FakeMachine, CapacitiesCountMoreThanClocks) {
  hybrid(4, 4);
  for (int i = 0; i < n_; ++i) of_cpu(i, "cpu_capacity", i < 8 ? 1024 : 800);
  EXPECT_EQ(team_cpus(read()).size(), 8u);
  for (int i = 0; i < n_; ++i) of_cpu(i, "cpu_capacity", i < 8 ? 1024 : 400);
  EXPECT_EQ(team_cpus(read()).size(), 4u);
}

TEST_F(FakeMachine, APhoneUsesItsBigAndMiddleCores) {
  online(8);
  const int capacity[] = {300, 300, 300, 300, 850, 850, 850, 1024};
  for (int i = 0; i < 8; ++i) {
    cpu(i, std::to_string(i), "0-7");
    of_cpu(i, "cpu_capacity", capacity[i]);
  }
  EXPECT_EQ(ids(team_cpus(read())), (Ids{4, 5, 6, 7}));
  EXPECT_EQ(ids(team_cpus(read({0, 1, 2, 3}))), (Ids{0, 1, 2, 3})) << "slow only beside faster ones";
}

TEST_F(FakeMachine, MembersKeepToTheirCluster) {
  online(8);  // two clusters, numbered alternately
  for (int i = 0; i < 8; ++i) cpu(i, std::to_string(i), i % 2 == 0 ? "0,2,4,6" : "1,3,5,7");
  const Topology t = read();
  EXPECT_EQ(ids(team_cpus(t)), (Ids{0, 2, 4, 6, 1, 3, 5, 7})) << "neighbours in the team are neighbours";
  const auto bindings = team_bindings(t, 8);
  ASSERT_EQ(bindings.size(), 8u);
  for (std::size_t m = 0; m < 8; ++m) EXPECT_EQ(bindings[m], m < 4 ? (Ids{0, 2, 4, 6}) : (Ids{1, 3, 5, 7}));
  EXPECT_TRUE(team_bindings(read({0, 1, 2, 3, 4, 5, 6}), 7).empty()) << "someone else has a part of the machine";
  EXPECT_EQ(describe(t), "8 cores in 2 clusters that share a cache");
}

TEST_F(FakeMachine, AQuotaBoundsTheTeamAndForbidsBinding) {
  online(8);
  for (int i = 0; i < 8; ++i) cpu(i, std::to_string(i), i < 4 ? "0-3" : "4-7");
  write("sys/fs/cgroup/cpu.max", "max 100000");
  EXPECT_EQ(team_cpus(read()).size(), 8u);
  write("sys/fs/cgroup/cpu.max", "250000 100000");
  EXPECT_EQ(team_cpus(read()).size(), 3u);
  EXPECT_TRUE(team_bindings(read(), 8).empty());
  EXPECT_EQ(describe(read()), "8 cores in 2 clusters that share a cache, a quota of 2.5 CPUs");
}

TEST_F(FakeMachine, TheTightestQuotaOfTheGroupsAroundCounts) {
  online(8);
  write("proc/self/cgroup", "0::/system.slice/minnow.service");
  write("sys/fs/cgroup/cpu.max", "max 100000");
  write("sys/fs/cgroup/system.slice/cpu.max", "200000 100000");
  write("sys/fs/cgroup/system.slice/minnow.service/cpu.max", "600000 100000");
  EXPECT_EQ(read().quota, 2);
}

TEST_F(FakeMachine, QuotasOfTheFirstVersionOfControlGroupsCount) {
  online(8);
  write("proc/self/cgroup", "5:memory:/box\n4:cpu,cpuacct:/box\n0::/");
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1");
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(read().quota, 0);
  write("sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "150000");
  write("sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000");
  EXPECT_EQ(read().quota, 1.5);
  EXPECT_EQ(team_cpus(read()).size(), 2u);
}

TEST_F(FakeMachine, WithoutAnyFilesEachCpuIsACore) {
  const Topology t = read({3, 5});
  EXPECT_EQ(ids(team_cpus(t)), (Ids{3, 5}));
  EXPECT_EQ(t.online, 2);
  EXPECT_EQ(team_cpus(read({})).size(), 1u);
}

TEST_F(FakeMachine, NonsenseInFilesIsAsGoodAsNoFiles) {
  for (const char* nonsense : {"", "-", "0-", "x", "3-1", "0-99999999999", "0-4294967295", "1,,2", "-5", "nan", "1e999"}) {
    online(2);
    write("sys/devices/system/cpu/online", nonsense);
    for (int i = 0; i < 2; ++i) {
      cpu(i, nonsense, nonsense);
      write("sys/devices/system/cpu/cpu" + std::to_string(i) + "/cpu_capacity", nonsense);
    }
    write("sys/devices/cpu_atom/cpus", nonsense);
    write("sys/fs/cgroup/cpu.max", std::string(nonsense) + " " + nonsense);
    write("proc/self/cgroup", std::string("0::/../") + nonsense + "\n::::\n:\n" + nonsense);
    EXPECT_EQ(ids(team_cpus(read())), (Ids{0, 1})) << nonsense;
  }
}

TEST(ThisMachine, HasTheCpusOfTheAffinityMask) {
  const Topology& t = this_machine();
  EXPECT_EQ(t.cpus.size(), allowed_cpus().size());
  EXPECT_GE(available_cores(), 1);
  EXPECT_LE(available_cores(), static_cast<int>(t.cpus.size()));
}

TEST(ThisMachine, BindsAThreadToACpu) {
  const int cpu = allowed_cpus().back();
  std::vector<int> seen;
  std::atomic<bool> bound{false};
  std::thread thread([&] {
    bound.wait(false);
    seen = allowed_cpus();
  });
  bind(thread, {cpu});
  bound = true;
  bound.notify_all();
  thread.join();
  EXPECT_EQ(seen, Ids{cpu});
}

}  // namespace
}  // namespace minnow
