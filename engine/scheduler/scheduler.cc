// Bookkeeping over demands. Waiting sequences live in a map by id (order of arrival); the turns of
// the callers only point into it, so that a drop from the middle costs nothing.
#include "engine/scheduler/scheduler.h"

#include <algorithm>
#include <new>
#include <optional>

#include "engine/base/check.h"

namespace attend {
namespace {

const char* Name(CancelCause cause) {
  switch (cause) {
    case CancelCause::kClient:
      return "client";
    case CancelCause::kDeadline:
      return "deadline";
    case CancelCause::kShutdown:
      return "shutdown";
    case CancelCause::kMerged:
      return "merged";
  }
  return "?";
}

void Print(std::ostream& out, const char* name, const std::vector<SequenceId>& ids) {
  out << ' ' << name << " [";
  for (size_t i = 0; i < ids.size(); ++i) out << (i == 0 ? "" : " ") << ids[i];
  out << ']';
}

// Why a sequence should not go on, if so. The caller's own wish comes first.
std::optional<CancelCause> ReasonToDrop(const SequenceDemand& demand, absl::Time now) {
  if (demand.cancelled != nullptr && demand.cancelled->load(std::memory_order_acquire))
    return CancelCause::kClient;
  if (demand.deadline <= now) return CancelCause::kDeadline;
  return std::nullopt;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const StepPlan& plan) {
  out << "drop [";
  for (size_t i = 0; i < plan.drop.size(); ++i) {
    out << (i == 0 ? "" : " ") << plan.drop[i].id << ' ' << Name(plan.drop[i].cause);
    if (plan.drop[i].was_running) out << " running";
  }
  out << ']';
  Print(out, "forced", plan.forced);
  Print(out, "encode", plan.encode);
  Print(out, "decode", plan.decode);
  return out;
}

bool Scheduler::CanEverFit(const SequenceDemand& demand, const SchedulerLimits& limits) {
  return demand.rows <= limits.max_batch_rows && demand.kv_bytes <= limits.kv_cache_bytes;
}

void Scheduler::Enqueue(const SequenceDemand& demand) {
  ATTEND_CHECK(CanEverFit(demand, limits_), "a sequence that can never run was enqueued");
  ATTEND_CHECK(waiting_.empty() || waiting_.rbegin()->first < demand.id, "sequence ids must rise");
  waiting_.emplace_hint(waiting_.end(), demand.id, demand);
  try {
    std::deque<SequenceId>& ids = by_caller_[demand.caller];
    ids.push_back(demand.id);
    if (ids.size() == 1) turns_.push_back(demand.caller);
  } catch (const std::bad_alloc&) {
    waiting_.erase(demand.id);
    const auto found = by_caller_.find(demand.caller);
    // A caller with others that wait has its turn already, so only a new entry got that far.
    if (found != by_caller_.end() && (found->second.empty() || found->second.back() == demand.id)) {
      by_caller_.erase(found);
    }
    throw;
  }
  next_deadline_ = std::min(next_deadline_, demand.deadline);
}

void Scheduler::Reserve(const SequenceDemand& demand) {
  reserved_rows_ += demand.rows;
  reserved_bytes_ += demand.kv_bytes;
  Holding& held = held_by_[demand.caller];
  ++held.sequences;
  held.rows += demand.rows;
  held.bytes += demand.kv_bytes;
}

void Scheduler::Free(const SequenceDemand& demand) {
  reserved_rows_ -= demand.rows;
  reserved_bytes_ -= demand.kv_bytes;
  const auto held = held_by_.find(demand.caller);
  held->second.rows -= demand.rows;
  held->second.bytes -= demand.kv_bytes;
  if (--held->second.sequences == 0) held_by_.erase(held);
}

bool Scheduler::ExceedsShare(const SequenceDemand& demand) const {
  const auto held = held_by_.find(demand.caller);
  if (demand.forced || held == held_by_.end()) return false;
  const auto share = [](int64_t all) { return all - all / 4; };
  return held->second.rows + demand.rows > share(limits_.max_batch_rows) ||
         held->second.bytes + demand.kv_bytes > share(limits_.kv_cache_bytes);
}

void Scheduler::DropRunning(absl::Time now, StepPlan* plan) {
  const auto dropped = [&](const SequenceDemand& demand) {
    const std::optional<CancelCause> cause = ReasonToDrop(demand, now);
    if (!cause) return false;
    plan->drop.push_back({demand.id, *cause, /*was_running=*/true});
    Free(demand);
    return true;
  };
  running_.erase(std::remove_if(running_.begin(), running_.end(), dropped), running_.end());
}

void Scheduler::DropWaiting(absl::Time now, StepPlan* plan) {
  next_deadline_ = absl::InfiniteFuture();
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const std::optional<CancelCause> cause = ReasonToDrop(it->second, now);
    if (cause) {
      plan->drop.push_back({it->first, *cause, /*was_running=*/false});
      it = waiting_.erase(it);
    } else {
      next_deadline_ = std::min(next_deadline_, it->second.deadline);
      ++it;
    }
  }
}

void Scheduler::Admit(absl::Time now, StepPlan* plan) {
  int64_t encode_tokens = 0, forced_bytes = 0;
  size_t passed_over = 0;  // callers at the end of turns_ that hold their share already
  while (passed_over < turns_.size()) {
    const uint64_t caller = turns_.front();
    std::deque<SequenceId>& ids = by_caller_[caller];
    while (!ids.empty() && waiting_.count(ids.front()) == 0) ids.pop_front();
    if (ids.empty()) {
      by_caller_.erase(caller);
      turns_.pop_front();
      continue;
    }
    const auto next = waiting_.find(ids.front());
    const SequenceDemand& demand = next->second;
    if (const std::optional<CancelCause> cause = ReasonToDrop(demand, now)) {
      plan->drop.push_back({demand.id, *cause, /*was_running=*/false});
      waiting_.erase(next);
      continue;
    }
    if (ExceedsShare(demand)) {
      turns_.pop_front();
      turns_.push_back(caller);
      ++passed_over;
      continue;
    }
    const bool fits =
        reserved_rows_ + demand.rows <= limits_.max_batch_rows &&
        reserved_bytes_ + forced_bytes + demand.kv_bytes <= limits_.kv_cache_bytes &&
        (encode_tokens == 0 || encode_tokens + demand.encode_tokens <= limits_.max_encode_tokens);
    if (!fits) return;
    encode_tokens += demand.encode_tokens;
    if (demand.forced) {
      forced_bytes += demand.kv_bytes;
      plan->forced.push_back(demand.id);
    } else {
      Reserve(demand);
      plan->encode.push_back(demand.id);
      running_.push_back(demand);
    }
    waiting_.erase(next);
    ids.pop_front();
    turns_.pop_front();
    if (ids.empty()) {
      by_caller_.erase(caller);
    } else {
      // Before those passed over, whose turn is not over yet.
      turns_.insert(turns_.end() - static_cast<ptrdiff_t>(passed_over), caller);
    }
  }
}

StepPlan Scheduler::Schedule(absl::Time now, bool check_waiting) {
  StepPlan plan;
  DropRunning(now, &plan);
  if (check_waiting || next_deadline_ <= now) DropWaiting(now, &plan);
  Admit(now, &plan);
  for (const SequenceDemand& demand : running_) plan.decode.push_back(demand.id);
  return plan;
}

StepPlan Scheduler::DropAll() {
  StepPlan plan;
  for (const SequenceDemand& demand : running_)
    plan.drop.push_back({demand.id, CancelCause::kShutdown, /*was_running=*/true});
  for (const auto& [id, demand] : waiting_)
    plan.drop.push_back({id, CancelCause::kShutdown, /*was_running=*/false});
  Clear();
  return plan;
}

void Scheduler::Clear() {
  running_.clear();
  waiting_.clear();
  by_caller_.clear();
  turns_.clear();
  held_by_.clear();
  reserved_rows_ = reserved_bytes_ = 0;
  next_deadline_ = absl::InfiniteFuture();
}

void Scheduler::Update(absl::Span<const SequenceId> ended) {
  if (ended.empty()) return;
  const auto has_ended = [&](const SequenceDemand& demand) {
    if (std::find(ended.begin(), ended.end(), demand.id) == ended.end()) return false;
    Free(demand);
    return true;
  };
  running_.erase(std::remove_if(running_.begin(), running_.end(), has_ended), running_.end());
}

}  // namespace attend
