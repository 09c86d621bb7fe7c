// The loop itself only carries things between its parts: arrivals from the queue to the scheduler,
// plans from the scheduler to the runner, outcomes to the callers. It sleeps on the queue's
// condition variable when nothing waits or runs.
#include "engine/scheduler/engine_loop.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/call_errors.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/ops/op_threads.h"
#include "engine/scheduler/request_queue.h"
#include "engine/scheduler/scheduler.h"
#include "engine/scheduler/step_runner.h"

namespace attend {
namespace {

int64_t TickNow() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(MonotonicNow().time_since_epoch())
      .count();
}

absl::Status StatusOf(CancelCause cause, int tokens_done) try {
  switch (cause) {
    case CancelCause::kClient:
    case CancelCause::kMerged:
      break;
    case CancelCause::kDeadline:
      return DeadlinePassed(tokens_done);
    case CancelCause::kShutdown:
      return ShuttingDown("model", tokens_done);
  }
  return absl::CancelledError("the caller cancelled");
} catch (const std::bad_alloc&) {
  return OutOfMemory();
}

absl::Status TooLong(const char* what, size_t found, int64_t limit) {
  ErrorDetail detail;
  detail.reason = "INPUT_TOO_LONG";
  detail.metadata = {{"limit", absl::StrCat(limit)}, {"found", absl::StrCat(found)}};
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat("the ", what, " has ", found, " tokens, the model takes ", limit),
                   std::move(detail));
}

absl::Status CheckIds(const char* what, absl::Span<const int32_t> ids, int64_t vocab_size) {
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocab_size) {
      return InvalidField("OPTION_OUT_OF_RANGE", "",
                          absl::StrCat("the ", what, " has token id ", id,
                                       ", outside the vocabulary of ", vocab_size));
    }
  }
  return absl::OkStatus();
}

int64_t WorkOf(const SequenceDemand& demand) {
  return demand.encode_tokens * std::max<int64_t>(1, demand.rows);
}

// For what may find no memory and whose failure changes nothing here: the loop goes on without.
template <typename Action>
void Try(const Action& action) {
  try {
    action();
  } catch (const std::bad_alloc&) {
  }
}

}  // namespace

struct EngineLoop::State {
  State(const Model* m, const SchedulerOptions& o, EngineObserver* ob)
      : model(m),
        observer(ob),
        limits{o.max_batch_rows, o.max_encode_tokens, o.kv_cache_bytes},
        num_threads(o.num_threads),
        queue(o.queue_capacity_tokens),
        scheduler(limits),
        runner(m, o.kv_cache_bytes, ob) {}

  const Model* const model;
  EngineObserver* const observer;
  const SchedulerLimits limits;
  const int num_threads;
  RequestQueue queue;

  // The loop's thread only (WorstCaseBytes, which is constant, apart).
  Scheduler scheduler;
  StepRunner runner;
  SequenceTable sequences;
  SequenceId last_id = 0;

  std::atomic<int64_t> last_tick_ns{0};  // monotonic; 0 while asleep
  std::atomic<int64_t> outstanding_work{0};
  std::thread thread;

  absl::Status Check(const GenerationRequest& request) const;
  SequenceDemand DemandOf(const GenerationRequest& request) const;

  void Loop();
  void Accept(std::vector<Arrival> arrivals);
  void Enter(const Arrival& arrival, const SequenceDemand& demand);
  StepPlan Plan(const RequestQueue::Notices& notices);
  void Drop(const StepPlan& plan);
  void LeaveQueue(Sequence* sequence, MonotonicTime now);
  void RunStep(const StepPlan& plan);
  void Start(const StepPlan& plan);
  void Compute(const StepPlan& plan, std::vector<SequenceId>* ended);
  void GiveUp(const StepPlan& plan);
  void GiveUpAll();
  void ReportSettled(Sequence* sequence);
  void Answer(SequenceId id, absl::Status status);
  void Deliver(const GenerationRequest& request, int64_t work, GenerationResult result);
  void ObserveLoad();
};

// What only the model and the caller can break; the model's passes take these for granted.
absl::Status EngineLoop::State::Check(const GenerationRequest& request) const {
  const ModelSpec& spec = model->spec();
  if (request.source_ids.empty())
    return InvalidField("EMPTY_INPUT", "", "the source has no tokens");
  if (static_cast<int64_t>(request.source_ids.size()) > spec.encoder.max_position_embeddings) {
    return TooLong("source", request.source_ids.size(), spec.encoder.max_position_embeddings);
  }
  ATTEND_RETURN_IF_ERROR(CheckIds("source", request.source_ids, spec.source_vocab_size));
  const int64_t positions = spec.decoder.max_position_embeddings;
  if (!spec.has_decoder() && (!request.forced || !request.forced_target.empty())) {
    ErrorDetail detail;
    detail.reason = "CAPABILITY_MISSING";
    detail.metadata = {{"capability", "decoder"}, {"architecture", spec.architecture}};
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     absl::StrCat(spec.architecture, " has no decoder: it writes nothing"),
                     std::move(detail));
  }
  if (request.forced) {
    if (static_cast<int64_t>(request.forced_target.size()) > positions) {
      return TooLong("target", request.forced_target.size(), positions);
    }
    return CheckIds("target", request.forced_target, spec.target_vocab_size);
  }
  const GenerationOptions& options = request.options;
  if (options.max_length < 2 || options.max_length - 1 > positions) {
    return InvalidField("OPTION_OUT_OF_RANGE", "max_output_tokens",
                        absl::StrCat("max_length must be from 2 to ", positions + 1, ", found ",
                                     options.max_length));
  }
  return CheckIds("target prefix", options.prefix_tokens, spec.target_vocab_size);
}

SequenceDemand EngineLoop::State::DemandOf(const GenerationRequest& request) const {
  SequenceDemand demand;
  const auto source_tokens = static_cast<int64_t>(request.source_ids.size());
  demand.caller = request.caller;
  demand.forced = request.forced;
  demand.encode_tokens = source_tokens;
  if (request.forced) {
    demand.encode_tokens += static_cast<int64_t>(request.forced_target.size());
    demand.kv_bytes = runner.WorstCaseBytes(0, 1, source_tokens);
  } else {
    const GenerationOptions& options = request.options;
    demand.rows = options.sampling ? options.num_return_sequences : options.num_beams;
    demand.kv_bytes = runner.WorstCaseBytes(demand.rows, options.max_length, source_tokens);
  }
  demand.deadline = request.deadline;
  demand.cancelled = request.cancelled;
  return demand;
}

// A request that finds no memory ends here; the others lose nothing by it.
void EngineLoop::State::Accept(std::vector<Arrival> arrivals) {
  for (Arrival& arrival : arrivals) {
    SequenceDemand demand = DemandOf(*arrival.request);
    demand.id = ++last_id;
    try {
      Enter(arrival, demand);
    } catch (const std::bad_alloc&) {
      sequences.erase(demand.id);
      queue.Release(arrival.tokens);
      GenerationResult result;
      result.status = OutOfMemory();
      result.stats.queue = Elapsed(arrival.submitted, MonotonicNow());
      result.stats.input_tokens = static_cast<int>(arrival.request->source_ids.size());
      Deliver(*arrival.request, WorkOf(demand), std::move(result));
    }
    arrival.request.reset();
  }
}

void EngineLoop::State::Enter(const Arrival& arrival, const SequenceDemand& demand) {
  auto sequence = std::make_unique<Sequence>();
  sequence->stats.input_tokens = static_cast<int>(arrival.request->source_ids.size());
  sequence->request = arrival.request;
  sequence->queued_tokens = arrival.tokens;
  sequence->submitted = arrival.submitted;
  sequence->work = WorkOf(demand);
  sequences.emplace(demand.id, std::move(sequence));
  scheduler.Enqueue(demand);
}

// Ends a sequence: frees what it holds, then calls back, so that the caller may submit again at
// once.
void EngineLoop::State::Answer(SequenceId id, absl::Status status) {
  const auto found = sequences.find(id);
  ATTEND_CHECK(found != sequences.end(), "a sequence is answered twice");
  std::unique_ptr<Sequence> sequence = std::move(found->second);
  sequences.erase(found);
  GenerationResult result;
  if (status.ok() && sequence->search != nullptr) {
    try {
      result.hypotheses = sequence->search->Hypotheses();
    } catch (const std::bad_alloc&) {
      status = OutOfMemory();
    }
    if (!result.hypotheses.empty()) {
      sequence->stats.output_tokens = static_cast<int>(result.hypotheses[0].tokens.size());
    }
  }
  result.status = std::move(status);
  result.stats = sequence->stats;
  runner.Release(sequence.get());
  const int64_t work = sequence->work;
  const std::shared_ptr<GenerationRequest> request = std::move(sequence->request);
  sequence.reset();
  Deliver(*request, work, std::move(result));
}

// A callback that finds no memory has been called all the same. What its caller then never learns
// cannot be mended from here: called twice, it might count twice.
void EngineLoop::State::Deliver(const GenerationRequest& request, int64_t work,
                                GenerationResult result) {
  outstanding_work.fetch_sub(work, std::memory_order_relaxed);
  if (request.on_done) Try([&] { request.on_done(std::move(result)); });
  queue.MarkDone();
}

void EngineLoop::State::LeaveQueue(Sequence* sequence, MonotonicTime now) {
  sequence->stats.queue = Elapsed(sequence->submitted, now);
  queue.Release(std::exchange(sequence->queued_tokens, 0));
}

StepPlan EngineLoop::State::Plan(const RequestQueue::Notices& notices) {
  try {
    return notices.aborted ? scheduler.DropAll() : scheduler.Schedule(absl::Now(), notices.woken);
  } catch (const std::bad_alloc&) {
    GiveUpAll();
    return StepPlan();
  }
}

void EngineLoop::State::Drop(const StepPlan& plan) {
  const MonotonicTime now = MonotonicNow();
  for (const PlannedDrop& drop : plan.drop) {
    Sequence& sequence = *sequences.at(drop.id);
    int tokens_done = 0;
    int64_t wasted = 0;
    if (drop.was_running) {
      tokens_done = sequence.search->num_generated();
      wasted = sequence.stats.input_tokens + sequence.stats.computed_tokens;
    } else {
      LeaveQueue(&sequence, now);
    }
    if (observer != nullptr) {
      const CancelReason& reason = sequence.request->cancel_reason;
      const bool has_reason = drop.cause == CancelCause::kClient && reason != nullptr;
      Try([&] {
        observer->OnCancelled(has_reason ? reason->load() : drop.cause,
                              drop.was_running ? CancelStage::kDecode : CancelStage::kQueued,
                              wasted);
      });
    }
    Answer(drop.id, StatusOf(drop.cause, tokens_done));
  }
}

void EngineLoop::State::ReportSettled(Sequence* sequence) {
  if (!sequence->request->on_settled) return;
  const absl::Span<const int32_t> settled = sequence->search->settled();
  if (settled.size() <= sequence->num_reported) return;
  const absl::Span<const int32_t> fresh = settled.subspan(sequence->num_reported);
  sequence->num_reported = settled.size();
  sequence->request->on_settled(fresh);
}

void EngineLoop::State::RunStep(const StepPlan& plan) {
  const MonotonicTime now = MonotonicNow();
  for (const std::vector<SequenceId>* admitted : {&plan.forced, &plan.encode}) {
    for (const SequenceId id : *admitted) LeaveQueue(sequences.at(id).get(), now);
  }
  std::vector<SequenceId> ended;
  try {
    Start(plan);
    Compute(plan, &ended);
  } catch (const std::bad_alloc&) {
    GiveUp(plan);
    return;
  }
  scheduler.Update(ended);
  for (const SequenceId id : plan.forced) Answer(id, absl::OkStatus());
  for (const SequenceId id : ended) Answer(id, absl::OkStatus());
}

void EngineLoop::State::Start(const StepPlan& plan) {
  for (const std::vector<SequenceId>* admitted : {&plan.forced, &plan.encode}) {
    for (const SequenceId id : *admitted) {
      const Sequence& sequence = *sequences.at(id);
      if (observer != nullptr) observer->OnQueueWait(sequence.stats.queue);
      if (sequence.request->on_started) sequence.request->on_started();
    }
  }
}

void EngineLoop::State::Compute(const StepPlan& plan, std::vector<SequenceId>* ended) {
  ended->reserve(plan.decode.size());
  runner.Run(plan, sequences);
  for (const SequenceId id : plan.decode) {
    Sequence* sequence = sequences.at(id).get();
    ReportSettled(sequence);
    if (sequence->search->finished()) ended->push_back(id);
  }
}

// Memory ran out in the middle of a step. Nobody can tell how far each sequence has come, so all
// that took part end; those that wait have lost nothing.
void EngineLoop::State::GiveUp(const StepPlan& plan) {
  scheduler.Update(plan.decode);
  for (const std::vector<SequenceId>* ids : {&plan.forced, &plan.decode}) {
    for (const SequenceId id : *ids) runner.Release(sequences.at(id).get());
  }
  runner.Recover();
  for (const std::vector<SequenceId>* ids : {&plan.forced, &plan.decode}) {
    for (const SequenceId id : *ids) Answer(id, OutOfMemory());
  }
}

// Not even a plan found memory, and the scheduler may be half-way through one: all end, those that
// wait too, and it starts anew.
void EngineLoop::State::GiveUpAll() {
  scheduler.Clear();
  const MonotonicTime now = MonotonicNow();
  for (const auto& [id, sequence] : sequences) {
    runner.Release(sequence.get());
    if (sequence->queued_tokens > 0) LeaveQueue(sequence.get(), now);
  }
  runner.Recover();
  while (!sequences.empty()) Answer(sequences.begin()->first, OutOfMemory());
}

void EngineLoop::State::ObserveLoad() {
  if (observer == nullptr) return;
  LoadStats load;
  load.queue_sequences = scheduler.num_waiting();
  load.queue_tokens = queue.waiting_tokens();
  if (load.queue_sequences > 0) {
    load.queue_oldest =
        Elapsed(sequences.at(scheduler.oldest_waiting())->submitted, MonotonicNow());
  }
  load.active_sequences = scheduler.num_running();
  load.kv_cache_bytes = runner.used_bytes();
  Try([&] { observer->OnLoad(load); });
}

void EngineLoop::State::Loop() {
  SetOpThreads(num_threads);
  while (true) {
    const bool may_sleep = scheduler.idle();
    if (may_sleep) last_tick_ns.store(0, std::memory_order_relaxed);
    RequestQueue::Notices notices = queue.Take(may_sleep);
    last_tick_ns.store(TickNow(), std::memory_order_relaxed);
    Accept(std::move(notices.arrivals));
    if (notices.stopped && scheduler.idle()) return;
    const StepPlan plan = Plan(notices);
    Drop(plan);
    if (!plan.runs_nothing()) RunStep(plan);
    if (scheduler.idle()) Try([this] { runner.Trim(); });  // makes some of it anew
    ObserveLoad();
  }
}

EngineLoop::EngineLoop(const Model* model, const SchedulerOptions& options,
                       EngineObserver* observer)
    : state_(std::make_unique<State>(model, options, observer)) {
  state_->thread = std::thread([state = state_.get()] { state->Loop(); });
}

EngineLoop::~EngineLoop() { Stop(); }

void EngineLoop::Stop() {
  state_->queue.Abort();
  state_->queue.Stop();
  if (state_->thread.joinable()) state_->thread.join();
}

void EngineLoop::Close() { state_->queue.Close(); }

absl::Status EngineLoop::Submit(std::shared_ptr<GenerationRequest> request) {
  ATTEND_RETURN_IF_ERROR(state_->Check(*request));
  const SequenceDemand demand = state_->DemandOf(*request);
  if (!Scheduler::CanEverFit(demand, state_->limits)) {
    ErrorDetail detail;
    detail.reason = "MEMORY_BUDGET";
    detail.metadata = {{"need_bytes", absl::StrCat(demand.kv_bytes)},
                       {"have_bytes", absl::StrCat(state_->limits.kv_cache_bytes)},
                       {"need_rows", absl::StrCat(demand.rows)},
                       {"have_rows", absl::StrCat(state_->limits.max_batch_rows)}};
    return MakeError(
        absl::StatusCode::kResourceExhausted,
        absl::StrCat("the request may need ", demand.kv_bytes, " bytes of cache and ", demand.rows,
                     " decoder rows; there are ", state_->limits.kv_cache_bytes, " and ",
                     state_->limits.max_batch_rows),
        std::move(detail));
  }
  // Counted first: the answer may come before Push returns.
  const int64_t work = WorkOf(demand);
  state_->outstanding_work.fetch_add(work, std::memory_order_relaxed);
  absl::Status status;
  try {
    status = state_->queue.Push(std::move(request), demand.encode_tokens);
  } catch (const std::bad_alloc&) {
    status = OutOfMemory();
  }
  if (!status.ok()) state_->outstanding_work.fetch_sub(work, std::memory_order_relaxed);
  return status;
}

void EngineLoop::Wake() { state_->queue.Wake(); }

void EngineLoop::Drain(absl::Duration timeout) {
  state_->queue.Close();
  if (state_->queue.WaitUntilDone(timeout)) return;
  state_->queue.Abort();
  state_->queue.WaitUntilDone(absl::InfiniteDuration());
}

absl::Duration EngineLoop::SinceLastTick() const {
  const int64_t tick = state_->last_tick_ns.load(std::memory_order_relaxed);
  if (tick == 0) return absl::ZeroDuration();
  return absl::Nanoseconds(TickNow() - tick);
}

int64_t EngineLoop::outstanding_work() const {
  return state_->outstanding_work.load(std::memory_order_relaxed);
}

int64_t EngineLoop::queue_capacity_tokens() const { return state_->queue.capacity_tokens(); }

}  // namespace attend
