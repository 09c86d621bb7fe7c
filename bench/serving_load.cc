// One thread sends at the planned times; answers come on gRPC's own threads. Latency counts from
// the planned time, so that a call which had to be sent late, or which waited in this process,
// still shows all the time that its caller waited.
#include "bench/serving_load.h"

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "attend/v1/model.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace attend::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kConnectSeconds = 30;

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

double Seconds(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) + 1e-9 * duration.nanos();
}

std::chrono::system_clock::time_point DeadlineIn(double seconds) {
  return std::chrono::system_clock::now() +
         std::chrono::milliseconds(static_cast<int64_t>(seconds * 1e3));
}

std::string NameOf(int code) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

// A server has a limit of calls on one connection, and a channel waits quietly when it is reached.
std::shared_ptr<grpc::Channel> OpenConnection(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // no sharing between channels
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

struct ServingLoad::Call {
  grpc::ClientContext context;
  attend::v1::TranslateRequest request;
  attend::v1::TranslateResponse response;
  Clock::time_point planned, sent;
  std::function<void(CallRecord)> done;
  bool attention = false;

  CallRecord Record(const grpc::Status& status) const {
    CallRecord record;
    record.latency = Seconds(Clock::now() - planned);
    record.lateness = Seconds(sent - planned);
    record.attention = attention;
    if (!status.ok()) {
      record.error = NameOf(status.error_code());
    } else if (response.outcomes_size() != 1) {
      record.error = "no outcome";
    } else if (response.outcomes(0).has_error()) {
      record.error = absl::StrCat("item:", NameOf(response.outcomes(0).error().code()));
    }
    const attend::v1::Usage& usage = response.usage();
    record.output_tokens = static_cast<int>(usage.output_tokens());
    record.engine_seconds = Seconds(usage.encode_duration()) + Seconds(usage.decode_duration());
    record.queue_seconds = Seconds(usage.queue_duration());
    record.server_seconds = Seconds(usage.total_duration());
    record.peak_batch = static_cast<int>(usage.peak_batch_items());
    return record;
  }
};

// What is under way in one run. It lives until the last answer has been noted.
struct ServingLoad::Progress {
  std::mutex mutex;
  std::condition_variable all_answered;
  size_t in_flight = 0;  // all under mutex
  std::vector<CallRecord> calls;

  void Begin() {
    const std::lock_guard<std::mutex> lock(mutex);
    ++in_flight;
  }
  // Notifies under the lock: the waiting thread may end this object as soon as it has it.
  void End(CallRecord record) {
    const std::lock_guard<std::mutex> lock(mutex);
    calls.push_back(std::move(record));
    if (--in_flight == 0) all_answered.notify_all();
  }
  void Wait() {
    std::unique_lock<std::mutex> lock(mutex);
    all_answered.wait(lock, [this] { return in_flight == 0; });
  }
};

absl::StatusOr<std::unique_ptr<ServingLoad>> ServingLoad::Connect(const LoadOptions& options,
                                                                  std::vector<ServedText> texts) {
  std::unique_ptr<ServingLoad> load(new ServingLoad());
  load->options_ = options;
  load->texts_ = std::move(texts);
  const Clock::time_point until = Clock::now() + std::chrono::seconds(kConnectSeconds);
  for (int i = 0; i < options.connections; ++i) {
    load->channels_.push_back(OpenConnection(options.address));
    if (!load->channels_.back()->WaitForConnected(DeadlineIn(Seconds(until - Clock::now())))) {
      return absl::UnavailableError(absl::StrCat(options.address, ": no server can be reached"));
    }
    load->stubs_.push_back(attend::v1::TranslationService::NewStub(load->channels_.back()));
  }
  absl::Status status = load->FindModel();
  while (absl::IsUnavailable(status) && Clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    status = load->FindModel();
  }
  if (!status.ok()) return status;
  return load;
}

absl::Status ServingLoad::FindModel() {
  const auto stub = attend::v1::ModelService::NewStub(channels_[0]);
  attend::v1::ListModelsResponse response;
  grpc::ClientContext context;
  context.set_deadline(DeadlineIn(kConnectSeconds));
  const grpc::Status status = stub->ListModels(&context, {}, &response);
  if (!status.ok()) {
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  }
  for (const attend::v1::Model& model : response.models()) {
    if (model.name() != options_.model && !(options_.model.empty() && response.models_size() == 1))
      continue;
    if (model.state() != attend::v1::MODEL_STATE_SERVING) {
      return absl::UnavailableError(absl::StrCat(model.name(), " is not being served"));
    }
    options_.model = model.name();
    compute_type_ = model.compute_type();
    return absl::OkStatus();
  }
  if (!options_.model.empty()) {
    return absl::NotFoundError(absl::StrCat("the server has no model ", options_.model));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the server has ", response.models_size(), " models; name one with --model"));
}

void ServingLoad::Send(size_t index, Clock::time_point planned,
                       std::function<void(CallRecord)> done) {
  auto call = std::make_shared<Call>();
  const ServedText& text = texts_[index % texts_.size()];
  const auto every = static_cast<size_t>(options_.attention_every);
  call->attention = every > 0 && index % every == every - 1;
  attend::v1::TranslationConfig* const config = call->request.mutable_config();
  config->set_model(options_.model);
  config->mutable_decoding()->set_beam_size(static_cast<uint32_t>(options_.beam));
  if (text.target_tokens > 0) {
    config->mutable_decoding()->set_min_output_tokens(static_cast<uint32_t>(text.target_tokens));
    config->mutable_decoding()->set_max_output_tokens(static_cast<uint32_t>(text.target_tokens));
  }
  if (call->attention) {
    config->mutable_attention()->add_kinds(attend::v1::ATTENTION_KIND_CROSS);
  }
  call->request.add_texts(text.text);
  call->context.set_deadline(DeadlineIn(options_.deadline_seconds));
  call->done = std::move(done);
  call->planned = planned;
  call->sent = Clock::now();
  Call* const raw = call.get();
  stubs_[index % stubs_.size()]->async()->Translate(
      &raw->context, &raw->request, &raw->response,
      [call = std::move(call)](const grpc::Status& status) { call->done(call->Record(status)); });
}

LoadOutcome ServingLoad::RunOpen(const std::vector<double>& arrivals) {
  Progress progress;
  const Clock::time_point start = Clock::now();
  for (size_t i = 0; i < arrivals.size(); ++i) {
    const auto planned = start + std::chrono::duration_cast<Clock::duration>(
                                     std::chrono::duration<double>(arrivals[i]));
    std::this_thread::sleep_until(planned);
    progress.Begin();
    Send(i, planned, [&progress](CallRecord record) { progress.End(std::move(record)); });
  }
  progress.Wait();
  return {Seconds(Clock::now() - start), std::move(progress.calls)};
}

LoadOutcome ServingLoad::RunClosed(int callers, double seconds, size_t max_calls) {
  Progress progress;
  std::atomic<size_t> next{0};
  const Clock::time_point start = Clock::now();
  const auto is_over = [&](size_t index) {
    return (max_calls > 0 && index >= max_calls) || Seconds(Clock::now() - start) >= seconds;
  };
  // A caller sends its next call from the answer to its last one; it ends after the first call
  // that comes too late.
  std::function<void()> send_next = [&] {
    const size_t index = next.fetch_add(1);
    if (is_over(index)) return;
    progress.Begin();
    Send(index, Clock::now(), [&](CallRecord record) {
      send_next();
      progress.End(std::move(record));
    });
  };
  // Held until all have begun, so that the first caller's end is not taken for everybody's.
  progress.Begin();
  for (int caller = 0; caller < callers; ++caller) send_next();
  {
    const std::lock_guard<std::mutex> lock(progress.mutex);
    --progress.in_flight;
  }
  progress.Wait();
  return {Seconds(Clock::now() - start), std::move(progress.calls)};
}

// By gRPC's callbacks, as the calls that it is compared with.
void ServingLoad::CheckHealth(size_t index, CallRecord* record) {
  const auto stub = grpc::health::v1::Health::NewStub(channels_[index % channels_.size()]);
  const grpc::health::v1::HealthCheckRequest request;
  grpc::health::v1::HealthCheckResponse response;
  grpc::ClientContext context;
  context.set_deadline(DeadlineIn(options_.deadline_seconds));
  std::promise<void> answered;
  const Clock::time_point asked = Clock::now();
  stub->async()->Check(&context, &request, &response, [&](const grpc::Status& status) {
    if (status.ok()) {
      record->health_check_seconds = Seconds(Clock::now() - asked);
    } else {
      record->health_check_error = NameOf(status.error_code());
    }
    answered.set_value();
  });
  answered.get_future().wait();
}

LoadOutcome ServingLoad::RunWithHealthChecks(size_t calls) {
  LoadOutcome outcome;
  for (size_t index = 0; index < calls; ++index) {
    std::promise<CallRecord> answered;
    Send(index, Clock::now(),
         [&answered](CallRecord record) { answered.set_value(std::move(record)); });
    CallRecord record = answered.get_future().get();
    outcome.wall_seconds += record.latency;
    if (record.error.empty()) {
      std::this_thread::sleep_for(std::chrono::duration<double>(record.engine_seconds));
      CheckHealth(index, &record);
    }
    outcome.calls.push_back(std::move(record));
  }
  return outcome;
}

}  // namespace attend::bench
