// Every option has a line here that changes it, and the number of lines is compared with the number
// of members: an option that is added is either in the key or fails here.
#include "engine/scheduler/response_key.h"

#include <functional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace attend {
namespace {

template <typename T>
struct Change {
  const char* name;
  std::function<void(T*)> apply;
};

// As many elements as the structure has members; does not compile when that changes.
auto MembersOf(const SamplingOptions& options) {
  const auto& [a, b, c, d, e] = options;
  return std::tie(a, b, c, d, e);
}
auto MembersOf(const GenerationOptions& options) {
  const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v] = options;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v);
}

std::vector<Change<GenerationOptions>> AllOptions() {
  using O = GenerationOptions;
  return {
      {"num_beams", [](O* o) { o->num_beams = 4; }},
      {"num_return_sequences", [](O* o) { o->num_return_sequences = 2; }},
      {"length_penalty", [](O* o) { o->length_penalty = 0.5f; }},
      {"early_stopping", [](O* o) { o->early_stopping = EarlyStopping::kTrue; }},
      {"max_length", [](O* o) { o->max_length = 21; }},
      {"min_length", [](O* o) { o->min_length = 1; }},
      {"min_new_tokens", [](O* o) { o->min_new_tokens = 1; }},
      {"no_repeat_ngram_size", [](O* o) { o->no_repeat_ngram_size = 1; }},
      {"encoder_no_repeat_ngram_size", [](O* o) { o->encoder_no_repeat_ngram_size = 1; }},
      {"repetition_penalty", [](O* o) { o->repetition_penalty = 1.5f; }},
      {"bad_words_ids", [](O* o) { o->bad_words_ids = {{7}}; }},
      {"forced_bos_token_id", [](O* o) { o->forced_bos_token_id = 0; }},
      {"forced_eos_token_id", [](O* o) { o->forced_eos_token_id = 0; }},
      {"suppress_tokens", [](O* o) { o->suppress_tokens = {7}; }},
      {"renormalize_logits", [](O* o) { o->renormalize_logits = true; }},
      {"decoder_start_token_id", [](O* o) { o->decoder_start_token_id = 7; }},
      {"eos_token_ids", [](O* o) { o->eos_token_ids = {7}; }},
      {"pad_token_id", [](O* o) { o->pad_token_id = 7; }},
      {"sampling", [](O* o) { o->sampling = SamplingOptions(); }},
      {"sampling_defaults", [](O* o) { o->sampling_defaults.top_k = 7; }},
      {"missing_sampling_key", [](O* o) { o->missing_sampling_key = "typical_p"; }},
      {"prefix_tokens", [](O* o) { o->prefix_tokens = {7}; }},
  };
}

std::vector<Change<SamplingOptions>> AllSamplingOptions() {
  using O = SamplingOptions;
  return {
      {"temperature", [](O* o) { o->temperature = 0.5f; }},
      {"top_k", [](O* o) { o->top_k = 7; }},
      {"top_p", [](O* o) { o->top_p = 0.5f; }},
      {"seed", [](O* o) { o->seed = 7; }},
      {"seed_is_drawn", [](O* o) { o->seed_is_drawn = true; }},
  };
}

GenerationRequest Request() {
  GenerationRequest request;
  request.source_ids = {3, 4, 5};
  return request;
}

TEST(ResponseKeyTest, EqualRequestsHaveOneKeyWhoeverAsks) {
  GenerationRequest other = Request();
  other.caller = 7;
  other.deadline = absl::UnixEpoch();
  other.cancelled = std::make_shared<std::atomic<bool>>(true);
  other.on_settled = [](absl::Span<const int32_t>) {};
  other.on_done = [](const GenerationResult&) {};
  ASSERT_TRUE(ResponseKey(other).has_value());
  EXPECT_EQ(ResponseKey(other), ResponseKey(Request()));
}

TEST(ResponseKeyTest, EveryOptionChangesIt) {
  const auto changes = AllOptions();
  EXPECT_EQ(changes.size(), std::tuple_size_v<decltype(MembersOf(GenerationOptions()))>);
  std::set<std::string> keys = {*ResponseKey(Request())};
  for (const auto& change : changes) {
    GenerationRequest request = Request();
    change.apply(&request.options);
    const auto key = ResponseKey(request);
    ASSERT_TRUE(key.has_value()) << change.name;
    EXPECT_TRUE(keys.insert(*key).second) << change.name;
  }
}

TEST(ResponseKeyTest, EveryOptionOfSamplingChangesItOrForbidsIt) {
  const auto changes = AllSamplingOptions();
  EXPECT_EQ(changes.size(), std::tuple_size_v<decltype(MembersOf(SamplingOptions()))>);
  GenerationRequest plain = Request();
  plain.options.sampling = SamplingOptions();
  std::set<std::string> keys = {*ResponseKey(plain)};
  for (const auto& change : changes) {
    GenerationRequest request = plain;
    change.apply(&*request.options.sampling);
    const auto key = ResponseKey(request);
    if (std::string(change.name) == "seed_is_drawn") {
      EXPECT_FALSE(key.has_value()) << "samples of one call were given to another";
    } else {
      EXPECT_TRUE(keys.insert(key.value()).second) << change.name;
    }
  }
}

TEST(ResponseKeyTest, ListsThatHoldTheSameNumbersAreToldApart) {
  std::set<std::string> keys;
  const auto add = [&](std::vector<int32_t> source, std::vector<std::vector<int32_t>> bad_words,
                       std::vector<int32_t> suppressed, std::vector<int32_t> prefix) {
    GenerationRequest request;
    request.source_ids = std::move(source);
    request.options.bad_words_ids = std::move(bad_words);
    request.options.suppress_tokens = std::move(suppressed);
    request.options.prefix_tokens = std::move(prefix);
    EXPECT_TRUE(keys.insert(*ResponseKey(request)).second);
  };
  add({1, 2}, {}, {}, {});
  add({1}, {{2}}, {}, {});
  add({1}, {}, {2}, {});
  add({1}, {}, {}, {2});
  add({}, {{1, 2}}, {}, {});
  add({}, {{1}, {2}}, {}, {});
  add({}, {{1}}, {2}, {});
  add({1, 0}, {}, {}, {});
  add({1}, {}, {}, {});
  add({}, {}, {}, {});
}

class Watcher : public AttentionObserver {
 public:
  bool Wants(AttentionKind, int) const override { return false; }
  void OnAttention(const AttentionSite&, ConstMatrixView) override {}
};

TEST(ResponseKeyTest, ForcedAndObservedPassesHaveNone) {
  GenerationRequest forced = Request();
  forced.forced = true;
  EXPECT_FALSE(ResponseKey(forced).has_value());
  Watcher watcher;
  GenerationRequest watched = Request();
  watched.observer = &watcher;
  EXPECT_FALSE(ResponseKey(watched).has_value());
}

}  // namespace
}  // namespace attend
