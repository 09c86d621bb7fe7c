// Trees of control groups as machines and containers have them, written into a folder.
#include "engine/base/cpu_budget.h"

#include <sched.h>

#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kVersion2[] =
    "25 1 0:22 / / rw - ext4 /dev/sda1 rw\n"
    "31 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

using Files = std::map<std::string, std::string>;

CpuBudget Read(int affinity, const Files& files) {
  TemporaryFolder root;
  for (const auto& [name, content] : files) {
    std::filesystem::create_directories(std::filesystem::path(root.Path(name)).parent_path());
    root.Write(name, content);
  }
  return ReadCpuBudget(affinity, root.path());
}

Files Version2(const std::string& group, Files limits) {
  limits["proc/self/cgroup"] = "0::" + group + "\n";
  limits["proc/self/mountinfo"] = kVersion2;
  return limits;
}

TEST(CpuBudget, WithoutControlGroupsTheMaskCounts) {
  const CpuBudget budget = Read(6, {});
  EXPECT_EQ(budget.num_cpus, 6);
  EXPECT_EQ(budget.affinity, 6);
  EXPECT_EQ(budget.quota, 0);
  EXPECT_THAT(budget.notes, IsEmpty());
  EXPECT_EQ(DescribeLimits(budget), "affinity 6, no quota");
  EXPECT_EQ(Read(0, {}).num_cpus, 1);
}

TEST(CpuBudget, Version2GrantsAShareRoundedUp) {
  const CpuBudget budget =
      Read(8, Version2("/app", {{"sys/fs/cgroup/app/cpu.max", "150000 100000\n"}}));
  EXPECT_EQ(budget.num_cpus, 2);
  EXPECT_EQ(budget.quota, 1.5);
  EXPECT_EQ(budget.quota_file, "/sys/fs/cgroup/app/cpu.max");
  EXPECT_THAT(budget.notes, IsEmpty());
  EXPECT_EQ(DescribeLimits(budget), "affinity 8, cpu.max 1.5");
}

TEST(CpuBudget, TheMaskIsNeverExceeded) {
  EXPECT_EQ(Read(2, Version2("/", {{"sys/fs/cgroup/cpu.max", "900000 100000\n"}})).num_cpus, 2);
}

TEST(CpuBudget, AFractionOfOneCpuIsOne) {
  EXPECT_EQ(Read(8, Version2("/", {{"sys/fs/cgroup/cpu.max", "1000 100000\n"}})).num_cpus, 1);
}

TEST(CpuBudget, MaxIsNoLimit) {
  const CpuBudget budget =
      Read(8, Version2("/a/b", {{"sys/fs/cgroup/a/b/cpu.max", "max 100000\n"}}));
  EXPECT_EQ(budget.num_cpus, 8);
  EXPECT_THAT(budget.notes, IsEmpty());
}

TEST(CpuBudget, TheSmallestLimitOnTheWayUpCounts) {
  const Files limits = {{"sys/fs/cgroup/kube/cpu.max", "800000 100000\n"},
                        {"sys/fs/cgroup/kube/pod/cpu.max", "300000 100000\n"},
                        {"sys/fs/cgroup/kube/pod/box/cpu.max", "max 100000\n"},
                        {"sys/fs/cgroup/other/cpu.max", "100000 100000\n"}};
  const CpuBudget budget = Read(16, Version2("/kube/pod/box", limits));
  EXPECT_EQ(budget.num_cpus, 3);
  EXPECT_EQ(budget.quota_file, "/sys/fs/cgroup/kube/pod/cpu.max");
}

TEST(CpuBudget, GroupsOnTheWayUpCountWhereTheOwnFolderIsMissing) {
  EXPECT_EQ(
      Read(16, Version2("/pod/box", {{"sys/fs/cgroup/pod/cpu.max", "200000 100000"}})).num_cpus, 2);
}

// Only a part of the hierarchy is mounted, under a name with a blank.
TEST(CpuBudget, AMountMayShowOnlyAPartOfTheGroups) {
  const CpuBudget budget =
      Read(8, {{"proc/self/cgroup", "0::/docker/abc/inner\n"},
               {"proc/self/mountinfo", "9 1 0:3 /docker/abc /my\\040groups rw - cgroup2 none rw\n"},
               {"my groups/inner/cpu.max", "300000 100000\n"},
               {"my groups/cpu.max", "500000 100000\n"}});
  EXPECT_EQ(budget.num_cpus, 3);
}

// In a container the process may see the host's name of its group, of which its mount knows
// nothing.
TEST(CpuBudget, AGroupThatTheMountDoesNotShowIsTheMountItself) {
  for (const char* group : {"/docker/abcdef", "/docker/other", "/../../host", "/docker/abc/../x"}) {
    const CpuBudget budget =
        Read(8, {{"proc/self/cgroup", std::string("0::") + group + "\n"},
                 {"proc/self/mountinfo", "9 1 0:3 /docker/abc /sys/fs/cgroup rw - cgroup2 c rw\n"},
                 {"sys/fs/cgroup/cpu.max", "400000 100000\n"}});
    EXPECT_EQ(budget.num_cpus, 4) << group;
  }
}

TEST(CpuBudget, Version1) {
  Files files = {
      {"proc/self/cgroup", "11:cpuset:/set\n4:cpuacct,cpu:/docker/abc\n3:memory:/m\n0::/unified\n"},
      {"proc/self/mountinfo",
       "40 25 0:30 /docker/abc /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup "
       "rw,cpu,cpuacct\n"
       "41 25 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"},
      {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "250000\n"},
      {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"},
      {"sys/fs/cgroup/memory/cpu.cfs_quota_us", "100000\n"},
      {"sys/fs/cgroup/memory/cpu.cfs_period_us", "100000\n"}};
  const CpuBudget budget = Read(8, files);
  EXPECT_EQ(budget.num_cpus, 3);
  EXPECT_EQ(DescribeLimits(budget), "affinity 8, cpu.cfs_quota_us 2.5");
  files["sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us"] = "-1\n";
  EXPECT_EQ(Read(8, files).num_cpus, 8);
  EXPECT_THAT(Read(8, files).notes, IsEmpty());
}

TEST(CpuBudget, TheSmallerOfBothVersionsCounts) {
  const Files files = {{"proc/self/cgroup", "2:cpu:/\n0::/\n"},
                       {"proc/self/mountinfo",
                        "40 25 0:30 / /v1 rw - cgroup cgroup rw,cpu\n"
                        "41 25 0:31 / /v2 rw - cgroup2 cgroup2 rw\n"},
                       {"v1/cpu.cfs_quota_us", "500000"},
                       {"v1/cpu.cfs_period_us", "100000"},
                       {"v2/cpu.max", "200000 100000"}};
  EXPECT_EQ(Read(8, files).num_cpus, 2);
}

TEST(CpuBudget, WhatIsNotUnderstoodIsPassedOverWithAReason) {
  for (const char* text : {"", "100000", "lots 100000", "100000 0", "-5 100000", "0 100000",
                           "99999999999999999999 1", "1 2 3", "\xff\xfe\x00"}) {
    const CpuBudget budget =
        Read(4, Version2("/app", {{"sys/fs/cgroup/app/cpu.max", text},
                                  {"sys/fs/cgroup/cpu.max", "300000 100000"}}));
    EXPECT_EQ(budget.num_cpus, 3) << text;
    EXPECT_THAT(budget.notes,
                ElementsAre(AllOf(HasSubstr("/sys/fs/cgroup/app/cpu.max"), HasSubstr("expected"))))
        << text;
  }
}

TEST(CpuBudget, AFolderInTheFilesPlaceIsPassedOverWithAReason) {
  const CpuBudget budget =
      Read(4, Version2("/app", {{"sys/fs/cgroup/app/cpu.max/inside", "100000 100000"}}));
  EXPECT_EQ(budget.num_cpus, 4);
  EXPECT_THAT(budget.notes, ElementsAre("/sys/fs/cgroup/app/cpu.max: cannot be read"));
}

TEST(CpuBudget, BrokenListsLimitNothing) {
  for (const char* lines : {"", "\n\n", "0:/app", "0::", "::::", "a b c - cgroup2", "1 2 3 4 5 6 -",
                            "- - - - - - - - -", "\\", "1 1 1 \\04 \\0 o - cgroup2 x y"}) {
    const CpuBudget budget = Read(4, {{"proc/self/cgroup", lines},
                                      {"proc/self/mountinfo", lines},
                                      {"sys/fs/cgroup/cpu.max", "100000 100000"}});
    EXPECT_EQ(budget.num_cpus, 4) << lines;
  }
}

TEST(CpuBudget, OfThisProcess) {
  const CpuBudget& budget = ProcessCpuBudget();
  EXPECT_GE(budget.num_cpus, 1);
  EXPECT_LE(budget.num_cpus, budget.affinity);
  cpu_set_t mask;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(mask), &mask), 0);
  EXPECT_EQ(budget.affinity, CPU_COUNT(&mask));
  EXPECT_EQ(&ProcessCpuBudget(), &budget);
}

}  // namespace
}  // namespace attend
