// First the cache, then the computations on their way. One that ends between the two looks is
// computed once more, which costs a pass and changes nothing.
#include "engine/scheduler/response_sharing.h"

#include <functional>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "engine/base/status_macros.h"
#include "engine/scheduler/response_cache.h"
#include "engine/scheduler/response_key.h"

namespace attend {
namespace {

bool IsWanted(const GenerationRequest& request) {
  if (request.cancelled != nullptr && request.cancelled->load()) return false;
  return request.deadline > absl::Now();
}

void Answer(const std::vector<Hypothesis>& kept, GenerationRequest* request) {
  GenerationResult result;
  result.hypotheses = kept;
  result.stats.input_tokens = static_cast<int>(request->source_ids.size());
  result.stats.output_tokens = static_cast<int>(kept[0].tokens.size());
  result.stats.origin = ResponseOrigin::kCached;
  const auto on_done = std::move(request->on_done);
  if (on_done) on_done(std::move(result));
}

}  // namespace

// The cache with its lock.
class ResponseSharing::Store {
 public:
  Store(int64_t capacity_bytes, EngineObserver* observer)
      : cache_(capacity_bytes), observer_(observer) {}

  KeptResponse Find(const std::string& key) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return cache_.Find(key);
  }

  // What there is no memory to keep is not kept: whoever waits for it must get it all the same.
  void Keep(const std::string& key, const GenerationResult& result) {
    if (!result.status.ok() || result.hypotheses.empty()) return;
    try {
      Insert(key, result);
    } catch (const std::bad_alloc&) {
    }
  }

 private:
  void Insert(const std::string& key, const GenerationResult& result) {
    auto kept = std::make_shared<const std::vector<Hypothesis>>(result.hypotheses);
    const std::lock_guard<std::mutex> lock(mutex_);
    cache_.Insert(key, std::move(kept));
    if (observer_ == nullptr) return;
    // Under the lock, so that the last report is the newest.
    observer_->OnResponseCache(
        {cache_.entries(), cache_.bytes(), cache_.evictions() - evictions_reported_});
    evictions_reported_ = cache_.evictions();
  }

  std::mutex mutex_;
  // Both under mutex_.
  ResponseCache cache_;
  int64_t evictions_reported_ = 0;
  EngineObserver* const observer_;
};

ResponseSharing::ResponseSharing(const ResponseSharingOptions& options, LoopDoor loop,
                                 EngineObserver* observer)
    : loop_(std::move(loop)),
      observer_(observer),
      store_(options.cache_bytes > 0 ? std::make_shared<Store>(options.cache_bytes, observer)
                                     : nullptr),
      merged_(options.merge_duplicates
                  ? std::make_unique<MergedRequests>(
                        options.follower_bytes, loop_,
                        [store = store_](const std::string& key, const GenerationResult& result) {
                          if (store != nullptr) store->Keep(key, result);
                        })
                  : nullptr) {}

ResponseSharing::~ResponseSharing() = default;

void ResponseSharing::Count(ResponseLookup lookup) {
  if (observer_ != nullptr) observer_->OnResponseLookup(lookup);
}

absl::Status ResponseSharing::Submit(std::shared_ptr<GenerationRequest> request) {
  const std::optional<std::string> key = ResponseKey(*request);
  // What nobody wants any more is for the loop to refuse.
  if (!key || !IsWanted(*request)) return loop_.submit(std::move(request));
  if (store_ != nullptr) {
    if (const KeptResponse kept = store_->Find(*key)) {
      Count(ResponseLookup::kHit);
      Answer(*kept, request.get());
      return absl::OkStatus();
    }
  }
  if (merged_ != nullptr) {
    ATTEND_ASSIGN_OR_RETURN(const MergedRequests::Part part, merged_->Submit(*key, request.get()));
    if (part != MergedRequests::Part::kNone) {
      Count(part == MergedRequests::Part::kFirst ? ResponseLookup::kMiss : ResponseLookup::kMerged);
      return absl::OkStatus();
    }
  }
  ATTEND_RETURN_IF_ERROR(ComputeAlone(*key, std::move(request)));
  Count(ResponseLookup::kMiss);
  return absl::OkStatus();
}

// As it is, but that its answer is kept.
absl::Status ResponseSharing::ComputeAlone(const std::string& key,
                                           std::shared_ptr<GenerationRequest> request) {
  if (store_ == nullptr) return loop_.submit(std::move(request));
  // Given back to a request that is refused: the caller may hand it over again.
  auto done = std::make_shared<std::function<void(GenerationResult)>>(std::move(request->on_done));
  request->on_done = [store = store_, key, done](GenerationResult result) {
    store->Keep(key, result);
    if (*done) (*done)(std::move(result));
  };
  absl::Status status = loop_.submit(request);
  if (!status.ok()) request->on_done = std::move(*done);
  return status;
}

void ResponseSharing::Wake() {
  if (merged_ != nullptr) merged_->Wake();
}

}  // namespace attend
