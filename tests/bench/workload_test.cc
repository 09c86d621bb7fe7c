#include "bench/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/testing/temporary_folder.h"

namespace attend::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Workload : public ::testing::Test {
 protected:
  std::string Write(const std::string& content) {
    const std::string path = folder_.Path("workload.jsonl");
    std::ofstream(path) << content;
    return path;
  }

 private:
  const TemporaryFolder folder_;
};

TEST_F(Workload, ReadsSentencesUpToTheLimit) {
  const std::string path =
      Write("{\"src\": [12, 7], \"n\": 3}\n\n{\"src\": [], \"n\": 1}\n{\"src\": [5], \"n\": 2}\n");
  const auto all = ReadWorkload(path, 0);
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), 3u);
  EXPECT_THAT((*all)[0].source, ElementsAre(12, 7));
  EXPECT_EQ((*all)[0].target_tokens, 3);
  EXPECT_EQ(ReadWorkload(path, 2)->size(), 2u);
}

TEST_F(Workload, NamesTheLineThatIsWrong) {
  for (const char* line :
       {"[]", "{\"src\": [1]}", "{\"src\": [-1], \"n\": 1}", "{\"src\": 1, \"n\": 1}",
        "{\"src\": [1], \"n\": 0}", "{\"src\": [1.5], \"n\": 1}", "nothing"}) {
    const auto read =
        ReadWorkload(Write("{\"src\": [1], \"n\": 1}\n" + std::string(line) + "\n"), 0);
    ASSERT_FALSE(read.ok()) << line;
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument) << line;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr("workload.jsonl:2:")) << line;
  }
  EXPECT_FALSE(ReadWorkload(Write(""), 0).ok());
  EXPECT_EQ(ReadWorkload("/nowhere/workload.jsonl", 0).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(CutIntoBatches, KeepsOrSortsTheOrder) {
  const std::vector<WorkItem> items = {{{1}, 3}, {{1}, 1}, {{1}, 3}, {{1}, 2}, {{1}, 3}};
  EXPECT_THAT(CutIntoBatches(items, 2, WorkOrder::kArrival),
              ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3), ElementsAre(4)));
  EXPECT_THAT(CutIntoBatches(items, 2, WorkOrder::kSorted),
              ElementsAre(ElementsAre(1, 3), ElementsAre(0, 2), ElementsAre(4)));
  EXPECT_THAT(CutIntoBatches(items, 2, WorkOrder::kSame),
              ElementsAre(ElementsAre(1), ElementsAre(3), ElementsAre(0, 2), ElementsAre(4)));
}

TEST(ParseWorkOrder, KnowsTheNamesItGives) {
  for (const WorkOrder order : {WorkOrder::kArrival, WorkOrder::kSorted, WorkOrder::kSame}) {
    EXPECT_EQ(*ParseWorkOrder(NameOf(order)), order);
  }
  EXPECT_FALSE(ParseWorkOrder("random").ok());
}

}  // namespace
}  // namespace attend::bench
