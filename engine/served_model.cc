// A model folder is a set of files that somebody put together: that each can be read does not mean
// that they belong together, so the ids of one are checked against the sizes of the other before
// the first caller comes.
#include "engine/served_model.h"

#include <algorithm>
#include <cmath>
#include <future>
#include <new>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "engine/base/cpu_budget.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/checkpoint/model_revision.h"
#include "engine/scheduler/step_runner.h"
#include "engine/tasks/attention_presets.h"
#include "engine/tasks/language_codes.h"
#include "engine/tasks/source_encoder.h"
#include "engine/tokenizers/tokenizer_factory.h"

namespace attend {
namespace {

constexpr char kGenerationFile[] = "generation_config.json";
constexpr absl::Duration kWarmUpTime = absl::Minutes(2);

// Some folders name no length at all. transformers then writes 20 tokens; a translation service
// goes by its own rule (3 x input + 32), so the model's positions are the only limit.
bool NamesLength(const Json& json) { return json.Has("max_length") || json.Has("max_new_tokens"); }

// Languages that a checkpoint declares in a way we cannot read count as unknown.
std::string CanonicalOrEmpty(const std::string& code) {
  auto parsed = ParseLanguageCode(code, "");
  return parsed.ok() ? *std::move(parsed) : std::string();
}

// "translation_en_to_de" of task_specific_params → en to de.
std::vector<PrefixedPair> PrefixedPairs(const ModelSpec& spec) {
  constexpr absl::string_view kTask = "translation_", kTo = "_to_";
  std::vector<PrefixedPair> out;
  for (const TaskParameters& task : spec.tasks) {
    if (!absl::StartsWith(task.task, kTask) || task.prefix.empty()) continue;
    const std::string pair = task.task.substr(kTask.size());
    const size_t to = pair.find(std::string(kTo));
    if (to == std::string::npos) continue;
    PrefixedPair prefixed;
    prefixed.pair = {CanonicalOrEmpty(pair.substr(0, to)),
                     CanonicalOrEmpty(pair.substr(to + kTo.size()))};
    prefixed.prefix = task.prefix;
    if (!prefixed.pair.source.empty() && !prefixed.pair.target.empty())
      out.push_back(std::move(prefixed));
  }
  return out;
}

// Two parts of a folder that each are sound and do not belong together. `part` is the one that is
// named first.
absl::Status PartsDisagree(const std::string& part, const std::string& expected,
                           const std::string& found) {
  ErrorDetail detail;
  detail.reason = "MODEL_FAILED";
  detail.metadata = {{"part", part}, {"expected", expected}, {"found", found}};
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat(part, ": expected ", expected, ", found ", found),
                   std::move(detail));
}

absl::Status OutOfMemory(const std::string& directory) {
  ErrorDetail detail;
  detail.reason = "MODEL_FAILED";
  detail.metadata = {{"folder", directory}};
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat(directory, ": memory ran out while the model was loaded"),
                   std::move(detail));
}

// Whatever goes wrong in a load has a reason that programs can read.
absl::Status WithReason(const absl::Status& status) {
  if (status.ok() || GetErrorDetail(status).has_value()) return status;
  ErrorDetail detail;
  detail.reason = "MODEL_FAILED";
  return MakeError(status.code(), std::string(status.message()), std::move(detail));
}

// What a pass over finite weights must give. Weights that are finite and far too large overflow in
// it, and every translation would be noise.
absl::Status CheckFinite(const GenerationResult& result) {
  for (const Hypothesis& hypothesis : result.hypotheses) {
    for (const float log_prob : hypothesis.log_probs) {
      if (!std::isfinite(log_prob)) {
        return PartsDisagree("warm-up", "finite log-probabilities",
                             std::isnan(log_prob) ? "NaN" : "infinity");
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckFinite(ConstMatrixView encoded) {
  for (int64_t r = 0; r < encoded.rows; ++r) {
    for (int64_t c = 0; c < encoded.cols; ++c) {
      const float value = encoded.row(r)[c];
      if (!std::isfinite(value)) {
        return PartsDisagree("warm-up", "finite encoder states",
                             std::isnan(value) ? "NaN" : "infinity");
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<ServedModel>> ServedModel::Load(Options options) {
  const std::string directory = options.directory;
  // Large blocks are asked for with care and refused with their names; what is caught here are the
  // many small ones between them.
  try {
    std::shared_ptr<ServedModel> model(new ServedModel());
    ATTEND_RETURN_IF_ERROR(WithReason(model->Read(options)));
    ATTEND_RETURN_IF_ERROR(model->CheckParts());
    model->observer_ = std::move(options.observer);
    model->shape_ = model->ChooseShape(options);
    SchedulerOptions scheduler = options.scheduler;
    scheduler.num_engines = model->shape_.engines;
    scheduler.num_threads = model->shape_.threads;
    model->loop_ =
        std::make_unique<EngineGroup>(model->model_.get(), scheduler, model->observer_.get());
    ATTEND_RETURN_IF_ERROR(model->WarmUp());
    if (options.sharing.any()) {
      EngineGroup* const loop = model->loop_.get();
      LoopDoor door;
      door.submit = [loop](std::shared_ptr<GenerationRequest> request) {
        return loop->Submit(std::move(request));
      };
      door.wake = [loop] { loop->Wake(); };
      model->sharing_ = std::make_unique<ResponseSharing>(options.sharing, std::move(door),
                                                          model->observer_.get());
    }
    return model;
  } catch (const std::bad_alloc&) {
    return OutOfMemory(directory);
  }
}

absl::Status ServedModel::Read(const Options& options) {
  name_ = options.name;
  directory_ = options.directory;
  ATTEND_ASSIGN_OR_RETURN(ModelDirectory directory, ModelDirectory::Open(options.directory));
  ModelOptions model_options;
  model_options.compute_type = options.compute_type;
  model_options.shortlist = options.shortlist;
  model_options.cache = CacheFolder(options.cache, options.directory);
  ATTEND_ASSIGN_OR_RETURN(const ModelRevision revision, RevisionOf(directory, model_options.cache));
  revision_ = model_options.revision = revision.id;
  ATTEND_ASSIGN_OR_RETURN(model_, Model::Load(directory, model_options, &report_));
  report_.is_revision_from_stamp = revision.is_from_stamp;
  ATTEND_ASSIGN_OR_RETURN(tokenizer_, LoadTokenizer(directory, &report_));
  if (spec().has_decoder()) ATTEND_RETURN_IF_ERROR(ReadGenerationOptions(directory, options));
  ATTEND_ASSIGN_OR_RETURN(presets_, LoadPresets(directory, spec()));
  languages_ = ModelLanguages({CanonicalOrEmpty(tokenizer_->source_language()),
                               CanonicalOrEmpty(tokenizer_->target_language())},
                              tokenizer_->languages(), PrefixedPairs(spec()));
  return absl::OkStatus();
}

absl::Status ServedModel::ReadGenerationOptions(const ModelDirectory& directory,
                                                const Options& options) {
  Json generation_config;
  const bool has_own_file = directory.Has(kGenerationFile);
  if (has_own_file) {
    ATTEND_ASSIGN_OR_RETURN(generation_config, directory.ReadJson(kGenerationFile));
    ATTEND_RETURN_IF_ERROR(generation_config.RequireObject());
  }
  ATTEND_ASSIGN_OR_RETURN(generation_, ParseGenerationConfig(generation_config, directory.config(),
                                                             spec().target_vocab_size));
  if (!NamesLength(has_own_file ? generation_config : directory.config())) {
    generation_.max_length = static_cast<int>(spec().decoder.max_position_embeddings) + 1;
  }
  // A checkpoint may like more beams than this server allows.
  generation_.num_beams = std::min(generation_.num_beams, options.max_num_beams);
  generation_.num_return_sequences = 1;
  return absl::OkStatus();
}

absl::Status ServedModel::CheckParts() const {
  const int64_t vocab_size = std::max(spec().source_vocab_size, spec().target_vocab_size);
  if (tokenizer_->vocab_size() > vocab_size) {
    return PartsDisagree(
        "tokenizer", absl::StrCat("at most ", vocab_size, " ids, as the model's embeddings have"),
        absl::StrCat(tokenizer_->vocab_size()));
  }
  const int64_t eos = tokenizer_->eos_id();
  if (eos < 0 || eos >= vocab_size) {
    return PartsDisagree("tokenizer",
                         absl::StrCat("an end token below the model's ", vocab_size, " ids"),
                         absl::StrCat(eos));
  }
  const auto& ends = generation_.eos_token_ids;
  if (!ends.empty() && std::find(ends.begin(), ends.end(), tokenizer_->eos_id()) == ends.end()) {
    return PartsDisagree("tokenizer",
                         absl::StrCat("end token ", ends[0], ", as the generation options have it"),
                         absl::StrCat(eos));
  }
  // With whatever stands around every text there must be room for a word.
  const TokenizerLanguage* language =
      tokenizer_->languages().empty() ? nullptr : &tokenizer_->languages()[0];
  std::vector<SourceFrame> frames = {{language, ""}};
  for (const TaskParameters& task : spec().tasks) frames.push_back({language, task.prefix});
  for (SourceFrame& frame : frames) {
    const std::string prefix = frame.prefix;
    const auto around = static_cast<int64_t>(
        SourceEncoder(tokenizer_.get(), std::move(frame)).Encode("").tokens.size());
    if (around < max_input_tokens()) continue;
    return PartsDisagree(
        prefix.empty() ? "model_max_length" : "task_specific_params",
        absl::StrCat("more than ", around, " tokens, which stand around every text",
                     prefix.empty() ? "" : " of this task"),
        absl::StrCat(max_input_tokens()));
  }
  return absl::OkStatus();
}

EngineShape ServedModel::ChooseShape(const Options& options) const {
  ShapeQuestion question;
  question.engines = options.scheduler.num_engines;
  question.threads = options.scheduler.num_threads;
  question.num_cpus = ProcessCpuBudget().num_cpus;
  question.weight_bytes = report_.weight_bytes;
  question.kv_cache_bytes = options.scheduler.kv_cache_bytes;
  question.largest_request_bytes =
      StepRunner(model_.get(), 0, nullptr)
          .WorstCaseBytes(options.max_num_beams, max_output_tokens() + 1, max_input_tokens());
  return attend::ChooseShape(question);
}

// The first pass allocates, builds primitives and touches every weight: better now than for the
// first caller. Much of it is each loop's own.
absl::Status ServedModel::WarmUp() {
  for (int i = 0; i < loop_->num_engines(); ++i) ATTEND_RETURN_IF_ERROR(WarmUp(loop_->engine(i)));
  return absl::OkStatus();
}

absl::Status ServedModel::WarmUp(EngineLoop* loop) {
  auto request = std::make_shared<GenerationRequest>();
  request->source_ids = tokenizer_->Encode("a", TextSide::kSource).ids();
  auto finite = std::make_shared<absl::Status>();  // of an encoder's output
  if (!spec().has_decoder()) {
    request->forced = true;
    request->on_encoded = [finite](ConstMatrixView encoded) { *finite = CheckFinite(encoded); };
  } else {
    ATTEND_ASSIGN_OR_RETURN(request->options, WarmUpOptions());
  }
  request->deadline = absl::Now() + kWarmUpTime;
  auto outcome = std::make_shared<std::promise<absl::Status>>();
  std::future<absl::Status> warm = outcome->get_future();
  request->on_done = [outcome, finite](const GenerationResult& result) {
    absl::Status status = result.status.ok() ? CheckFinite(result) : result.status;
    outcome->set_value(status.ok() ? *finite : std::move(status));
  };
  absl::Status status = loop->Submit(std::move(request));
  if (status.ok()) status = warm.get();
  if (status.ok() || GetErrorDetail(status).has_value()) return status;
  return PartsDisagree("warm-up", spec().has_decoder() ? "a translation" : "an encoding",
                       std::string(status.message()));
}

absl::StatusOr<GenerationOptions> ServedModel::WarmUpOptions() const {
  GenerationOverrides few_tokens;
  few_tokens.max_new_tokens = 3;
  few_tokens.min_new_tokens = 0;
  GenerationLimits limits;
  limits.max_num_beams = generation_.num_beams;
  limits.max_target_positions = static_cast<int>(max_output_tokens());
  limits.vocab_size = spec().target_vocab_size;
  return ResolveGenerationOptions(generation_, few_tokens, limits);
}

void ServedModel::Wake() {
  loop_->Wake();
  if (sharing_ != nullptr) sharing_->Wake();
}

int64_t ServedModel::max_input_tokens() const {
  return std::min<int64_t>(spec().encoder.max_position_embeddings, tokenizer_->max_length());
}

int64_t ServedModel::max_output_tokens() const { return spec().decoder.max_position_embeddings; }

TaskModel ServedModel::Borrow(const std::shared_ptr<ServedModel>& model) {
  TaskModel out;
  out.name = model->name_;
  out.revision = model->revision_;
  out.spec = &model->spec();
  out.tokenizer = model->tokenizer_.get();
  out.generation = &model->generation_;
  out.presets = &model->presets_;
  out.loop = model->loop_.get();
  out.sharing = model->sharing_.get();
  out.languages = &model->languages_;
  out.max_input_tokens = model->max_input_tokens();
  out.max_output_tokens = model->max_output_tokens();
  out.keep_alive = model;
  return out;
}

}  // namespace attend
