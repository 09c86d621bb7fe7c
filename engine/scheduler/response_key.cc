// Structures are taken apart by structured bindings, which name every member: whoever adds an
// option is stopped here by the compiler and has to say whether it changes answers. Values are
// written with their sizes, so that no two different requests give the same bytes. Options that a
// search never looks at are written too: they are the same for all requests of a model, and the
// rule stays "all".
#include "engine/scheduler/response_key.h"

#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

namespace attend {
namespace {

class KeyWriter {
 public:
  template <typename... Values>
  void Write(const Values&... values) {
    (Add(values), ...);
  }
  std::string Take() && { return std::move(bytes_); }

 private:
  template <typename T, std::enable_if_t<std::is_arithmetic_v<T> || std::is_enum_v<T>, int> = 0>
  void Add(const T& value) {
    AddBytes(&value, sizeof value);
  }

  void Add(const std::vector<int32_t>& ids) {
    Add(static_cast<uint64_t>(ids.size()));
    AddBytes(ids.data(), ids.size() * sizeof(int32_t));
  }

  template <typename T>
  void Add(const std::vector<std::vector<T>>& lists) {
    Add(static_cast<uint64_t>(lists.size()));
    for (const auto& list : lists) Add(list);
  }

  void Add(const std::string& text) {
    Add(static_cast<uint64_t>(text.size()));
    AddBytes(text.data(), text.size());
  }

  template <typename T>
  void Add(const std::optional<T>& value) {
    Add(value.has_value());
    if (value.has_value()) Add(*value);
  }

  void Add(const SamplingOptions& sampling) {
    const auto& [temperature, top_k, top_p, seed, seed_is_drawn] = sampling;
    Write(temperature, top_k, top_p, seed, seed_is_drawn);
  }

  void Add(const GenerationOptions& options) {
    const auto& [num_beams, num_return_sequences, length_penalty, early_stopping, max_length,
                 min_length, min_new_tokens, no_repeat_ngram_size, encoder_no_repeat_ngram_size,
                 repetition_penalty, bad_words_ids, forced_bos_token_id, forced_eos_token_id,
                 suppress_tokens, renormalize_logits, decoder_start_token_id, eos_token_ids,
                 pad_token_id, sampling, sampling_defaults, missing_sampling_key, prefix_tokens] =
        options;
    Write(num_beams, num_return_sequences, length_penalty, early_stopping, max_length, min_length,
          min_new_tokens, no_repeat_ngram_size, encoder_no_repeat_ngram_size, repetition_penalty,
          bad_words_ids, forced_bos_token_id, forced_eos_token_id, suppress_tokens,
          renormalize_logits, decoder_start_token_id, eos_token_ids, pad_token_id, sampling,
          sampling_defaults, missing_sampling_key, prefix_tokens);
  }

  void AddBytes(const void* begin, size_t size) {
    if (size > 0) bytes_.append(static_cast<const char*>(begin), size);
  }

  std::string bytes_;
};

}  // namespace

std::optional<std::string> ResponseKey(const GenerationRequest& request) {
  const auto& [source_ids, options, forced, forced_target, observer, on_encoded, deadline,
               cancelled, cancel_reason, caller, on_started, on_settled, on_done] = request;
  if (forced || observer != nullptr || !forced_target.empty() || on_encoded) return std::nullopt;
  if (options.sampling && options.sampling->seed_is_drawn) return std::nullopt;
  // The rest says who asks, until when, and where the answer goes; not what it is.
  KeyWriter writer;
  writer.Write(source_ids, options);
  return std::move(writer).Take();
}

size_t ResponseKeyHash::operator()(std::string_view key) const {
  return absl::Hash<absl::string_view>()(absl::string_view(key.data(), key.size()));
}

}  // namespace attend
