// Two steps that never mix: reading what a checkpoint says (its errors blame a file) and laying a
// caller's wishes on it (its errors blame a request field).
#include "engine/generation/generation_options.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"

namespace attend {
namespace {

// transformers' default of max_length; it then means so many new tokens, besides the start token.
constexpr int64_t kDefaultMaxLength = 20;
constexpr int64_t kMaxCheckpointLength = 1 << 20;

// ---- Reading a checkpoint. ----

absl::Status BadKey(const Json& file, std::string_view key, const std::string& what) {
  std::string origin = file.origin().empty() ? "generation_config.json" : file.origin();
  ErrorDetail detail;
  detail.reason = "CHECKPOINT_CORRUPT";
  detail.metadata = {{"file", origin}, {"key", std::string(key)}};
  return MakeError(absl::StatusCode::kDataLoss,
                   absl::StrCat(origin, ": key '", std::string(key), "': ", what),
                   std::move(detail));
}

absl::Status MissingFeature(const Json& file, std::string_view key) {
  std::string origin = file.origin().empty() ? "generation_config.json" : file.origin();
  ErrorDetail detail;
  detail.reason = "CAPABILITY_MISSING";
  detail.metadata = {{"file", origin}, {"key", std::string(key)}};
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat(origin, ": key '", std::string(key),
                                "' asks for a search that is not supported"),
                   std::move(detail));
}

// Reads typed fields of one file; the first failure is kept and later reads give the default.
class FieldReader {
 public:
  FieldReader(const Json& file, int64_t vocab_size) : file_(file), vocab_size_(vocab_size) {}

  const absl::Status& status() const { return status_; }
  bool Has(std::string_view key) const { return file_.Has(key); }

  int Int(std::string_view key, int64_t otherwise, int64_t lowest, int64_t highest) {
    absl::StatusOr<int64_t> value = file_.GetIntOr(key, otherwise);
    if (!value.ok())
      return Fail(key, std::string(value.status().message())), static_cast<int>(otherwise);
    if (file_.Has(key) && (*value < lowest || *value > highest)) {
      Fail(key, absl::StrCat("expected ", lowest, " to ", highest, ", found ", *value));
      return static_cast<int>(otherwise);
    }
    return static_cast<int>(*value);
  }

  float Number(std::string_view key, double otherwise, double lowest, double highest) {
    absl::StatusOr<double> value = file_.GetNumberOr(key, otherwise);
    if (!value.ok())
      return Fail(key, std::string(value.status().message())), static_cast<float>(otherwise);
    if (!(*value >= lowest && *value <= highest)) {
      Fail(key, absl::StrCat("expected ", lowest, " to ", highest, ", found ", *value));
      return static_cast<float>(otherwise);
    }
    return static_cast<float>(*value);
  }

  bool Bool(std::string_view key, bool otherwise) {
    absl::StatusOr<bool> value = file_.GetBoolOr(key, otherwise);
    if (!value.ok()) return Fail(key, std::string(value.status().message())), otherwise;
    return *value;
  }

  // An id or a list of ids; empty when absent.
  std::vector<int32_t> Ids(std::string_view key) {
    if (!file_.Has(key)) return {};
    absl::StatusOr<Json> value = file_.Get(key);
    if (!value.ok())
      return Fail(key, std::string(value.status().message())), std::vector<int32_t>();
    return IdsOf(key, *value);
  }

  std::optional<int32_t> Id(std::string_view key) {
    const std::vector<int32_t> ids = Ids(key);
    if (ids.size() > 1) Fail(key, absl::StrCat("expected one id, found ", ids.size()));
    return ids.empty() ? std::nullopt : std::optional<int32_t>(ids[0]);
  }

  std::vector<std::vector<int32_t>> IdLists(std::string_view key) {
    std::vector<std::vector<int32_t>> lists;
    if (!file_.Has(key)) return lists;
    absl::StatusOr<Json> value = file_.Get(key);
    if (!value.ok() || !value->IsArray())
      return Fail(key, "expected a list of lists of ids"), lists;
    for (const Json& element : value->Elements()) {
      if (!element.IsArray()) return Fail(key, "expected a list of lists of ids"), lists;
      lists.push_back(IdsOf(key, element));
      if (lists.back().empty()) return Fail(key, "expected at least one id in every list"), lists;
    }
    return lists;
  }

  EarlyStopping Early(std::string_view key) {
    if (!file_.Has(key)) return EarlyStopping::kFalse;
    absl::StatusOr<Json> value = file_.Get(key);
    if (value.ok() && value->IsString()) {
      absl::StatusOr<std::string> text = value->AsString();
      if (text.ok() && *text == "never") return EarlyStopping::kNever;
    } else if (absl::StatusOr<bool> flag = file_.GetBoolOr(key, false); flag.ok()) {
      return *flag ? EarlyStopping::kTrue : EarlyStopping::kFalse;
    }
    return Fail(key, "expected true, false or \"never\""), EarlyStopping::kFalse;
  }

  // Whether a setting is absent or has the value that switches it off.
  bool IsOff(std::string_view key, double off) const {
    if (!file_.Has(key)) return true;
    absl::StatusOr<double> value = file_.GetNumberOr(key, off);
    return value.ok() && *value == off;
  }
  // A setting we lack must be off.
  void RefuseUnless(std::string_view key, double off) {
    if (status_.ok() && !IsOff(key, off)) status_ = MissingFeature(file_, key);
  }
  void RefuseIfFilled(std::string_view key) {
    if (!status_.ok() || !file_.Has(key)) return;
    absl::StatusOr<Json> value = file_.Get(key);
    const bool is_empty_list = value.ok() && value->IsArray() && value->Elements().empty();
    if (!is_empty_list) status_ = MissingFeature(file_, key);
  }

 private:
  void Fail(std::string_view key, const std::string& what) {
    if (status_.ok()) status_ = BadKey(file_, key, what);
  }

  std::vector<int32_t> IdsOf(std::string_view key, const Json& value) {
    std::vector<int32_t> ids;
    if (value.IsInt()) {
      absl::StatusOr<int64_t> id = value.AsInt();
      if (id.ok()) AddId(key, *id, &ids);
      return ids;
    }
    absl::StatusOr<std::vector<int64_t>> list = value.AsInts();
    if (!list.ok()) return Fail(key, "expected an id or a list of ids"), ids;
    for (const int64_t id : *list) AddId(key, id, &ids);
    return ids;
  }

  void AddId(std::string_view key, int64_t id, std::vector<int32_t>* ids) {
    if (id < 0 || id >= vocab_size_) {
      Fail(key, absl::StrCat("id ", id, " is outside the vocabulary of ", vocab_size_));
      return;
    }
    ids->push_back(static_cast<int32_t>(id));
  }

  const Json& file_;
  const int64_t vocab_size_;
  absl::Status status_;
};

SamplingOptions ReadSampling(FieldReader* reader) {
  SamplingOptions sampling;
  sampling.temperature = reader->Number("temperature", 1.0, 1e-6, 1e6);
  sampling.top_k = reader->Int("top_k", 50, 0, std::numeric_limits<int>::max());
  sampling.top_p = reader->Number("top_p", 1.0, 1e-9, 1.0);
  return sampling;
}

// The first setting for samples that is switched on and that we lack.
std::string FindMissingSamplingKey(const FieldReader& reader) {
  constexpr std::pair<const char*, double> kOff[] = {
      {"typical_p", 1}, {"min_p", 0}, {"epsilon_cutoff", 0}, {"eta_cutoff", 0}};
  for (const auto& [key, off] : kOff) {
    if (!reader.IsOff(key, off)) return key;
  }
  return "";
}

absl::Status MissingSampling(const std::string& key) {
  ErrorDetail detail;
  detail.reason = "CAPABILITY_MISSING";
  detail.field = "sampling";
  detail.metadata = {{"key", key}};
  detail.resource_type = "CAPABILITY";
  detail.resource_name = absl::StrCat("sampling/", key);
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("the checkpoint's generation options set '", key,
                                "' for sampling, which is not supported"),
                   std::move(detail));
}

void RefuseUnsupported(FieldReader* reader) {
  reader->RefuseUnless("num_beam_groups", 1);
  reader->RefuseUnless("diversity_penalty", 0);
  reader->RefuseUnless("encoder_repetition_penalty", 1);
  reader->RefuseUnless("penalty_alpha", 0);
  for (const char* key : {"sequence_bias", "exponential_decay_length_penalty", "forced_decoder_ids",
                          "begin_suppress_tokens", "force_words_ids", "constraints"}) {
    reader->RefuseIfFilled(key);
  }
}

void ReadLengths(const Json& config, FieldReader* reader, GenerationOptions* options) {
  int64_t max_length = reader->Int("max_length", kDefaultMaxLength, 1, kMaxCheckpointLength);
  if (reader->Has("max_new_tokens")) {
    max_length =
        1 + int64_t{reader->Int("max_new_tokens", kDefaultMaxLength, 1, kMaxCheckpointLength)};
  } else if (max_length == kDefaultMaxLength) {
    // Nobody named a length: twenty new tokens, as far as there are positions.
    max_length += 1;
    absl::StatusOr<int64_t> positions = config.GetIntOr("max_position_embeddings", 0);
    if (positions.ok() && *positions > 0) max_length = std::min(max_length, *positions);
  }
  options->max_length = static_cast<int>(std::max<int64_t>(max_length, 2));
  options->min_length = reader->Int("min_length", 0, 0, kMaxCheckpointLength);
  options->min_new_tokens = reader->Int("min_new_tokens", 0, 0, kMaxCheckpointLength);
  if (reader->Has("min_new_tokens")) options->min_length = 0;  // takes its place
}

// The id under `key` in either file.
std::optional<int32_t> EitherId(std::string_view key, FieldReader* first, FieldReader* second) {
  return first->Has(key) ? first->Id(key) : second->Id(key);
}

absl::Status ReadSpecialIds(const Json& config, FieldReader* reader, FieldReader* fallback,
                            GenerationOptions* options) {
  options->eos_token_ids =
      reader->Has("eos_token_id") ? reader->Ids("eos_token_id") : fallback->Ids("eos_token_id");
  std::optional<int32_t> start = EitherId("decoder_start_token_id", reader, fallback);
  if (!start) start = EitherId("bos_token_id", reader, fallback);
  // Padding is never computed here, so a pad id is a label only: one that is absent becomes an end
  // token.
  const std::optional<int32_t> pad = EitherId("pad_token_id", reader, fallback);
  ATTEND_RETURN_IF_ERROR(reader->status());
  ATTEND_RETURN_IF_ERROR(fallback->status());
  if (!start)
    return BadKey(config, "decoder_start_token_id", "missing, and there is no bos_token_id");
  options->decoder_start_token_id = *start;
  options->pad_token_id = pad                              ? *pad
                          : options->eos_token_ids.empty() ? 0
                                                           : options->eos_token_ids[0];
  return absl::OkStatus();
}

// ---- Checking a caller. ----

absl::Status OutOfRange(std::string_view field, const std::string& expected,
                        const std::string& found) {
  return InvalidField("OPTION_OUT_OF_RANGE", field,
                      absl::StrCat(std::string(field), " must be ", expected, ", found ", found));
}

absl::Status CheckInt(std::string_view field, const std::optional<int>& value, int lowest,
                      int highest) {
  if (!value || (*value >= lowest && *value <= highest)) return absl::OkStatus();
  const std::string expected = highest == std::numeric_limits<int>::max()
                                   ? absl::StrCat("at least ", lowest)
                                   : absl::StrCat("from ", lowest, " to ", highest);
  return OutOfRange(field, expected, absl::StrCat(*value));
}

struct Range {
  float lowest, highest;
  bool includes_lowest;
};

absl::Status CheckFloat(std::string_view field, const std::optional<float>& value, Range range) {
  if (!value) return absl::OkStatus();
  const bool above = range.includes_lowest ? *value >= range.lowest : *value > range.lowest;
  if (above && *value <= range.highest)
    return absl::OkStatus();  // NaN fails the first, infinity the second
  return OutOfRange(
      field,
      absl::StrCat(range.includes_lowest ? "from " : "above ", range.lowest, " to ", range.highest),
      absl::StrCat(*value));
}

constexpr int kMaxInt = std::numeric_limits<int>::max();

absl::Status CheckOverrides(const GenerationOverrides& overrides, const GenerationLimits& limits) {
  ATTEND_RETURN_IF_ERROR(CheckInt("beam_size", overrides.num_beams, 1, kMaxInt));
  if (overrides.num_beams && *overrides.num_beams > limits.max_num_beams) {
    ErrorDetail detail;
    detail.reason = "BEAM_TOO_LARGE";
    detail.field = "beam_size";
    detail.metadata = {{"limit", absl::StrCat(limits.max_num_beams)},
                       {"found", absl::StrCat(*overrides.num_beams)}};
    return MakeError(absl::StatusCode::kInvalidArgument,
                     absl::StrCat("beam_size must be at most ", limits.max_num_beams, ", found ",
                                  *overrides.num_beams),
                     std::move(detail));
  }
  ATTEND_RETURN_IF_ERROR(CheckInt("hypothesis_count", overrides.num_return_sequences, 1,
                                  std::max(1, limits.max_num_beams)));
  ATTEND_RETURN_IF_ERROR(CheckInt("max_output_tokens", overrides.max_new_tokens, 1, kMaxInt));
  ATTEND_RETURN_IF_ERROR(CheckInt("min_output_tokens", overrides.min_new_tokens, 0, kMaxInt));
  ATTEND_RETURN_IF_ERROR(
      CheckInt("no_repeat_ngram_size", overrides.no_repeat_ngram_size, 0, kMaxInt));
  ATTEND_RETURN_IF_ERROR(CheckFloat("length_penalty", overrides.length_penalty, {-100, 100, true}));
  ATTEND_RETURN_IF_ERROR(
      CheckFloat("repetition_penalty", overrides.repetition_penalty, {0, 100, false}));
  if (overrides.sampling) {
    const GenerationOverrides::Sampling& sampling = *overrides.sampling;
    ATTEND_RETURN_IF_ERROR(
        CheckFloat("sampling.temperature", sampling.temperature, {0, 100, false}));
    ATTEND_RETURN_IF_ERROR(CheckFloat("sampling.top_p", sampling.top_p, {0, 1, false}));
    ATTEND_RETURN_IF_ERROR(CheckInt("sampling.top_k", sampling.top_k, 0, kMaxInt));
    if (overrides.num_beams && *overrides.num_beams > 1) {
      return InvalidField(
          "OPTION_OUT_OF_RANGE", "beam_size",
          absl::StrCat("beam_size must be 1 when sampling, found ", *overrides.num_beams));
    }
  }
  return absl::OkStatus();
}

void LayOn(const GenerationOverrides& overrides, const GenerationLimits& limits,
           GenerationOptions* options) {
  if (overrides.sampling) {
    const GenerationOverrides::Sampling& wanted = *overrides.sampling;
    SamplingOptions sampling = options->sampling_defaults;
    sampling.temperature = wanted.temperature.value_or(sampling.temperature);
    sampling.top_p = wanted.top_p.value_or(sampling.top_p);
    sampling.top_k = wanted.top_k.value_or(sampling.top_k);
    sampling.seed = wanted.seed.value_or(sampling.seed);
    options->sampling = sampling;
  }
  if (overrides.num_beams && !overrides.sampling) options->sampling.reset();
  const int default_beams =
      options->sampling ? 1 : std::min(options->num_beams, std::max(1, limits.max_num_beams));
  options->num_beams = overrides.num_beams.value_or(default_beams);
  options->num_return_sequences = overrides.num_return_sequences.value_or(
      std::min(options->num_return_sequences,
               options->sampling ? limits.max_num_beams : options->num_beams));
  options->length_penalty = overrides.length_penalty.value_or(options->length_penalty);
  options->repetition_penalty = overrides.repetition_penalty.value_or(options->repetition_penalty);
  options->early_stopping = overrides.early_stopping.value_or(options->early_stopping);
  options->no_repeat_ngram_size =
      overrides.no_repeat_ngram_size.value_or(options->no_repeat_ngram_size);
  if (overrides.min_new_tokens) {
    options->min_new_tokens = *overrides.min_new_tokens;
    options->min_length = 0;
  }
  int64_t max_length = options->max_length;
  if (overrides.max_new_tokens) max_length = int64_t{*overrides.max_new_tokens} + 1;
  options->max_length = static_cast<int>(
      std::max<int64_t>(2, std::min<int64_t>(max_length, limits.max_target_positions + 1)));
}

}  // namespace

absl::StatusOr<GenerationOptions> ParseGenerationConfig(const Json& generation_config,
                                                        const Json& config, int64_t vocab_size) {
  const bool has_own_file = generation_config.IsObject() && !generation_config.Keys().empty();
  const Json& file = has_own_file ? generation_config : config;
  FieldReader reader(file, vocab_size), fallback(config, vocab_size);
  GenerationOptions options;
  ReadLengths(config, &reader, &options);
  options.num_beams = reader.Int("num_beams", 1, 1, 1024);
  options.num_return_sequences = reader.Int("num_return_sequences", 1, 1, 1024);
  options.length_penalty = reader.Number("length_penalty", 1.0, -100, 100);
  options.early_stopping = reader.Early("early_stopping");
  options.no_repeat_ngram_size = reader.Int("no_repeat_ngram_size", 0, 0, kMaxCheckpointLength);
  options.encoder_no_repeat_ngram_size =
      reader.Int("encoder_no_repeat_ngram_size", 0, 0, kMaxCheckpointLength);
  options.repetition_penalty = reader.Number("repetition_penalty", 1.0, 1e-6, 1e6);
  options.bad_words_ids = reader.IdLists("bad_words_ids");
  options.forced_bos_token_id = reader.Id("forced_bos_token_id");
  options.forced_eos_token_id = reader.Id("forced_eos_token_id");
  options.suppress_tokens = reader.Ids("suppress_tokens");
  options.renormalize_logits = reader.Bool("renormalize_logits", false);
  options.missing_sampling_key = FindMissingSamplingKey(reader);
  if (reader.Bool("do_sample", false)) {
    options.sampling_defaults = ReadSampling(&reader);
    options.sampling = options.sampling_defaults;
    if (!options.missing_sampling_key.empty())
      return MissingFeature(file, options.missing_sampling_key);
  } else {
    // Nobody may ever sample with these: what is wrong with them does not stop the checkpoint.
    FieldReader lenient(file, vocab_size);
    const SamplingOptions sampling = ReadSampling(&lenient);
    if (lenient.status().ok()) options.sampling_defaults = sampling;
  }
  RefuseUnsupported(&reader);
  ATTEND_RETURN_IF_ERROR(reader.status());
  ATTEND_RETURN_IF_ERROR(ReadSpecialIds(config, &reader, &fallback, &options));
  if (!options.sampling)
    options.num_return_sequences = std::min(options.num_return_sequences, options.num_beams);
  return options;
}

absl::StatusOr<GenerationOptions> ResolveGenerationOptions(const GenerationOptions& checkpoint,
                                                           const GenerationOverrides& overrides,
                                                           const GenerationLimits& limits) {
  ATTEND_RETURN_IF_ERROR(CheckOverrides(overrides, limits));
  GenerationOptions options = checkpoint;
  LayOn(overrides, limits, &options);
  if (options.sampling && !options.missing_sampling_key.empty())
    return MissingSampling(options.missing_sampling_key);
  if (!options.sampling && options.num_return_sequences > options.num_beams) {
    return OutOfRange("hypothesis_count",
                      absl::StrCat("at most beam_size (", options.num_beams, ") unless sampling"),
                      absl::StrCat(options.num_return_sequences));
  }
  if (overrides.min_new_tokens && *overrides.min_new_tokens > options.max_length - 1) {
    return OutOfRange("min_output_tokens",
                      absl::StrCat("at most the most output tokens (", options.max_length - 1, ")"),
                      absl::StrCat(*overrides.min_new_tokens));
  }
  return options;
}

}  // namespace attend
