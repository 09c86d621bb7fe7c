// Who prepares a call, and that large ones take turns.
#include "engine/tasks/preparation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <thread>
#include <vector>

namespace attend {
namespace {

TEST(PrepareInSteps, FewBytesRunHere) {
  CallEnvironment environment;  // without a queue
  int steps = 0;
  PrepareInSteps(environment, 100, [&] { return ++steps < 3; });
  EXPECT_EQ(steps, 3);
}

TEST(PrepareInSteps, LargeCallsTakeTurns) {
  std::string order;
  std::promise<void> both_posted;
  {
    WorkQueue queue(1);
    CallEnvironment environment;
    environment.preparers = &queue;
    queue.Post([wait = both_posted.get_future().share()] { wait.wait(); });
    for (const char call : {'a', 'b'}) {
      PrepareInSteps(environment, 1 << 20, [&order, call, left = 3]() mutable {
        order += call;
        return --left > 0;
      });
    }
    both_posted.set_value();
  }
  EXPECT_EQ(order, "ababab");
}

}  // namespace
}  // namespace attend
