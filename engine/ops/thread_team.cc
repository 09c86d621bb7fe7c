// Each member has one word of its own, through which work is handed over and back, so that a
// hand-over costs the exchange of one cache line. The word also says whether the other side sleeps
// and has to be woken: a system call that is made in no other case. Sleep is a futex, because a
// condition variable would need a lock beside the word.
#include "engine/ops/thread_team.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <thread>

#include "engine/base/check.h"

namespace attend {
namespace {

constexpr std::chrono::microseconds kSpin{30};

// What a member's word says.
enum Word : uint32_t {
  kIdle,     // no work; the member is awake
  kAsleep,   // no work; the member sleeps on the word
  kWork,     // the member's piece waits or runs
  kAwaited,  // as kWork; the first member sleeps on the word
  kEnd,      // the thread is to end
};

// Of all teams of the process: members that are awake. A team whose threads all sleep is none.
std::atomic<int>& AwakeMembers() {
  static std::atomic<int> count{0};
  return count;
}

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t), "a futex is a plain word");

// Sleeps unless the word has changed already. May return for no reason.
void SleepWhile(std::atomic<uint32_t>* word, Word value) {
  ::syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void WakeSleeper(std::atomic<uint32_t>* word) {
  ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

// Whether `done` came true within the time of a spin.
template <typename Done>
bool SpinUntil(const Done& done) {
  constexpr int kPausesPerLook = 16;  // at the clock
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      if (done()) return true;
      Pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return done();
}

}  // namespace

// On cache lines of its own. `body` and `error` belong to whoever the word says is at work.
struct alignas(64) ThreadTeam::Member {
  std::atomic<uint32_t> word{kIdle};
  const absl::FunctionRef<void(int)>* body = nullptr;
  std::exception_ptr error;
  std::thread thread;
};

ThreadTeam::ThreadTeam(int size, int cpus) : cpus_(cpus) {
  ATTEND_CHECK(size >= 1, "a team has at least the thread that made it");
  members_ = std::make_unique<Member[]>(static_cast<size_t>(size));
  for (; size_ < size; ++size_) {
    Member* member = &members_[static_cast<size_t>(size_)];
    CountAwake();
    try {
      member->thread = std::thread([this, member, number = size_] { Serve(member, number); });
    } catch (const std::exception&) {  // the system's or the container's limit
      CountAsleep();
      return;
    }
  }
}

ThreadTeam::~ThreadTeam() {
  for (int i = 1; i < size_; ++i) {
    Member& member = members_[static_cast<size_t>(i)];
    if (member.word.exchange(kEnd, std::memory_order_acq_rel) == kAsleep) WakeSleeper(&member.word);
  }
  for (int i = 1; i < size_; ++i) members_[static_cast<size_t>(i)].thread.join();
}

// The first member counts with the first of the others: alone it waits for nobody.
void ThreadTeam::CountAwake() {
  AwakeMembers().fetch_add(awake_.fetch_add(1, std::memory_order_relaxed) == 0 ? 2 : 1,
                           std::memory_order_relaxed);
}

void ThreadTeam::CountAsleep() {
  AwakeMembers().fetch_sub(awake_.fetch_sub(1, std::memory_order_relaxed) == 1 ? 2 : 1,
                           std::memory_order_relaxed);
}

bool ThreadTeam::MaySpin() const { return AwakeMembers().load(std::memory_order_relaxed) <= cpus_; }

void ThreadTeam::WaitForWork(Member* member) {
  std::atomic<uint32_t>& word = member->word;
  const auto has_work = [&word] { return word.load(std::memory_order_acquire) != kIdle; };
  if (has_work() || (MaySpin() && SpinUntil(has_work))) return;
  CountAsleep();
  uint32_t idle = kIdle;
  if (word.compare_exchange_strong(idle, kAsleep, std::memory_order_acq_rel)) {
    while (word.load(std::memory_order_acquire) == kAsleep) SleepWhile(&word, kAsleep);
  }
  CountAwake();
}

void ThreadTeam::Serve(Member* member, int number) {
  while (true) {
    WaitForWork(member);
    if (member->word.load(std::memory_order_acquire) == kEnd) break;
    try {
      (*member->body)(number);
    } catch (...) {
      member->error = std::current_exception();
    }
    if (member->word.exchange(kIdle, std::memory_order_acq_rel) == kAwaited) {
      WakeSleeper(&member->word);
    }
  }
  CountAsleep();
}

void ThreadTeam::WaitForEnd(Member* member) {
  std::atomic<uint32_t>& word = member->word;
  const auto has_ended = [&word] {
    const uint32_t value = word.load(std::memory_order_acquire);
    return value == kIdle || value == kAsleep;
  };
  if (has_ended() || (MaySpin() && SpinUntil(has_ended))) return;
  uint32_t at_work = kWork;
  if (word.compare_exchange_strong(at_work, kAwaited, std::memory_order_acq_rel)) {
    while (word.load(std::memory_order_acquire) == kAwaited) SleepWhile(&word, kAwaited);
  }
}

void ThreadTeam::Run(int pieces, absl::FunctionRef<void(int piece)> body) {
  ATTEND_CHECK(pieces >= 1 && pieces <= size_, "a piece for each member at most");
  for (int i = 1; i < pieces; ++i) {
    Member& member = members_[static_cast<size_t>(i)];
    member.body = &body;
    if (member.word.exchange(kWork, std::memory_order_acq_rel) == kAsleep) {
      WakeSleeper(&member.word);
    }
  }
  std::exception_ptr error;
  try {
    body(0);
  } catch (...) {
    error = std::current_exception();
  }
  // All must have ended before an exception may leave: they use what `body` refers to.
  for (int i = 1; i < pieces; ++i) {
    Member& member = members_[static_cast<size_t>(i)];
    WaitForEnd(&member);
    if (error == nullptr) error = member.error;
    member.error = nullptr;
  }
  if (error != nullptr) std::rethrow_exception(error);
}

}  // namespace attend
