// The door finds the model, hands the call to its task and counts it: what runs is known here and
// nowhere else, so that draining can wait for it and Wake can carry cancel flags to it.
#include "engine/engine.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/base/call_errors.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/served_model.h"
#include "engine/tasks/attention_presets.h"
#include "engine/tasks/attention_selection.h"  // PresetNotFound
#include "engine/tasks/attention_task.h"
#include "engine/tasks/call_checks.h"
#include "engine/tasks/language_codes.h"
#include "engine/tasks/model_languages.h"
#include "engine/tasks/query/preset_routing.h"
#include "engine/tasks/query/query_attention_task.h"
#include "engine/tasks/summary/summarize_task.h"
#include "engine/tasks/text_axis.h"
#include "engine/tasks/translate_task.h"
#include "engine/text/sentence_splitter.h"

namespace attend {
namespace {

constexpr char kModelType[] = "attend.v1.Model";

absl::Status ModelError(absl::StatusCode code, const char* reason, const std::string& name,
                        std::string message) {
  ErrorDetail detail;
  detail.reason = reason;
  detail.metadata = {{"model", name}};
  detail.resource_type = kModelType;
  detail.resource_name = absl::StrCat("models/", name);
  return MakeError(code, message, std::move(detail));
}

absl::Status NotFound(const std::string& name) {
  return ModelError(absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", name,
                    absl::StrCat("there is no model '", name, "'"));
}

absl::Status Loading(const std::string& name) {
  ErrorDetail detail;
  detail.reason = "MODEL_LOADING";
  detail.metadata = {{"model", name}};
  detail.retry_after = absl::Seconds(1);
  detail.resource_type = kModelType;
  detail.resource_name = absl::StrCat("models/", name);
  return MakeError(absl::StatusCode::kUnavailable,
                   absl::StrCat("model '", name, "' is being loaded"), std::move(detail));
}

absl::Status Failed(const std::string& name, const absl::Status& cause) {
  ErrorDetail detail;
  detail.reason = "MODEL_FAILED";
  detail.metadata = {{"model", name}, {"cause", std::string(cause.message())}};
  detail.resource_type = kModelType;
  detail.resource_name = absl::StrCat("models/", name);
  return MakeError(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat("model '", name, "' could not be loaded: ", std::string(cause.message())),
      std::move(detail));
}

struct Entry {
  std::string directory;
  ModelChoices choices;
  ModelState state = ModelState::kLoading;
  bool being_loaded = false;
  absl::Status error;
  absl::Time load_time;
  std::shared_ptr<ServedModel> model;  // when serving or draining
};

ModelInfo Describe(const std::string& name, const Entry& entry) {
  ModelInfo info;
  info.name = name;
  info.state = entry.state;
  info.error = entry.error;
  info.directory = entry.directory;
  info.load_time = entry.load_time;
  if (entry.model == nullptr) return info;
  const ServedModel& model = *entry.model;
  info.revision = model.revision();
  info.language_pairs = model.languages().pairs();
  for (const TokenizerLanguage& language : model.languages().languages())
    info.language_codes.push_back(language.code);
  info.spec = model.spec();
  info.max_input_tokens = model.max_input_tokens();
  info.max_output_tokens = model.max_output_tokens();
  info.compute_type = Name(model.compute_type());
  info.engines = model.shape().engines;
  info.threads = model.shape().threads;
  info.load = model.report();
  info.presets = model.presets();
  return info;
}

}  // namespace

struct Engine::State {
  explicit State(EngineOptions o)
      : options(std::move(o)),
        attention_memory(options.limits.attention_memory_bytes),
        workers(std::make_unique<WorkQueue>(std::max(1, options.num_workers))),
        preparers(std::make_unique<WorkQueue>(1)),
        senders(std::make_unique<WorkQueue>(1)) {}

  struct ActiveCall {
    CancelFlag caller;  // may be null
    CancelFlag stop;
  };

  EngineOptions options;
  mutable std::mutex mutex;  // guards models, calls, last_call and draining
  std::map<std::string, Entry> models;
  std::map<uint64_t, ActiveCall> calls;
  uint64_t last_call = 0;
  bool draining = false;
  std::condition_variable call_ended;
  ByteBudget attention_memory;
  std::unique_ptr<WorkQueue> workers, preparers, senders;

  absl::StatusOr<std::shared_ptr<ServedModel>> Find(const std::string& name) const {
    const auto found = models.find(name);
    if (found == models.end()) return NotFound(name);
    switch (found->second.state) {
      case ModelState::kLoading:
        return Loading(name);
      case ModelState::kFailed:
        return Failed(name, found->second.error);
      case ModelState::kServing:
      case ModelState::kDraining:
        break;
    }
    return found->second.model;
  }

  absl::StatusOr<std::shared_ptr<ServedModel>> Choose(const std::string& name,
                                                      const LanguagePair& wanted) const;
  // The model for a query that names none: of those served that have the preset, the one whose
  // figure is best.
  absl::StatusOr<std::shared_ptr<ServedModel>> ChooseForSummary(SummaryMode mode) const;
  absl::StatusOr<std::shared_ptr<ServedModel>> ChooseForQuery(const std::string& preset,
                                                              const LanguagePair& wanted) const;
  // `choose` is called while the mutex is held.
  using Chooser = std::function<absl::StatusOr<std::shared_ptr<ServedModel>>()>;
  absl::StatusOr<CallEnvironment> Enter(const Chooser& choose, CallContext context, uint64_t* call);
  absl::StatusOr<CallEnvironment> Enter(const std::string& name, const LanguagePair& wanted,
                                        CallContext context, uint64_t* call) {
    return Enter([&] { return Choose(name, wanted); }, std::move(context), call);
  }
  void Leave(uint64_t call) {
    const std::lock_guard<std::mutex> lock(mutex);
    calls.erase(call);
    if (calls.empty()) call_ended.notify_all();
  }

  // `done`, after which the call counts as over.
  template <typename T>
  Done<T> Counted(Done<T> done, uint64_t call) {
    return [this, call, done = std::move(done)](absl::StatusOr<T> result) {
      done(std::move(result));
      Leave(call);
    };
  }

  // Cancels what callers no longer want, or everything.
  void Stop(bool all);
  std::vector<std::shared_ptr<ServedModel>> Serving() const {
    const std::lock_guard<std::mutex> lock(mutex);
    std::vector<std::shared_ptr<ServedModel>> out;
    for (const auto& [name, entry] : models) {
      if (entry.model != nullptr) out.push_back(entry.model);
    }
    return out;
  }
  bool WaitForCalls(absl::Duration timeout) {
    std::unique_lock<std::mutex> lock(mutex);
    const auto none = [this] { return calls.empty(); };
    if (timeout != absl::InfiniteDuration()) {
      return call_ended.wait_until(lock, absl::ToChronoTime(absl::Now() + timeout), none);
    }
    call_ended.wait(lock, none);
    return true;
  }
};

// By name, the pair then only checked; or by the pair among the models that translate.
absl::StatusOr<std::shared_ptr<ServedModel>> Engine::State::Choose(
    const std::string& name, const LanguagePair& wanted) const {
  std::vector<LanguageCandidate> candidates;
  if (!name.empty()) {
    ATTEND_ASSIGN_OR_RETURN(std::shared_ptr<ServedModel> model, Find(name));
    ATTEND_RETURN_IF_ERROR(model->languages().CheckServes(wanted, name));
    return model;
  }
  std::string loading, failed;
  for (const auto& [other, entry] : models) {
    if (entry.state == ModelState::kLoading && loading.empty()) loading = other;
    if (entry.state == ModelState::kFailed && failed.empty()) failed = other;
    if (entry.model == nullptr || !entry.model->spec().Has(ModelCapability::kTranslation)) continue;
    candidates.push_back({other, &entry.model->languages()});
  }
  // A model that is not here yet may be the one that is wanted.
  auto chosen = ChooseByLanguages(wanted, candidates);
  if (chosen.ok()) return Find(*chosen);
  if (!loading.empty() && absl::IsNotFound(chosen.status())) return Find(loading);
  if (!candidates.empty()) return chosen.status();
  if (!failed.empty()) return Find(failed);
  return ModelError(absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", "",
                    "no model that translates is served");
}

absl::StatusOr<std::shared_ptr<ServedModel>> Engine::State::ChooseForQuery(
    const std::string& preset, const LanguagePair& wanted) const {
  std::vector<PresetCandidate> candidates;
  std::vector<LanguageCandidate> of_other_languages;
  std::set<std::string> known;
  std::string loading, failed;
  for (const auto& [name, entry] : models) {
    if (entry.state == ModelState::kLoading && loading.empty()) loading = name;
    if (entry.state == ModelState::kFailed && failed.empty()) failed = name;
    if (entry.model == nullptr) continue;
    const ModelLanguages& languages = entry.model->languages();
    for (const AttentionPreset& other : entry.model->presets()) {
      known.insert(other.name);
      if (other.name != preset) continue;
      if (languages.Serves(wanted)) {
        candidates.push_back({name, other});
      } else {
        of_other_languages.push_back({name, &languages});
      }
    }
  }
  if (!candidates.empty()) return Find(candidates[ChooseByFigure(candidates)].model);
  // A model that is not here yet may be the one that is wanted.
  if (!loading.empty()) return Find(loading);
  if (!of_other_languages.empty()) return PairNotServed(wanted, of_other_languages);
  if (known.empty() && !failed.empty()) return Find(failed);
  return PresetNotFound(preset, {known.begin(), known.end()}, "preset");
}

// Extractive: a model made for embeddings, or any, whose encoder is then not looked at for scores.
// Abstractive: one that summarises. The first by name.
absl::StatusOr<std::shared_ptr<ServedModel>> Engine::State::ChooseForSummary(
    SummaryMode mode) const {
  const ModelCapability wanted = mode == SummaryMode::kExtractive ? ModelCapability::kEmbedding
                                                                  : ModelCapability::kSummarization;
  std::string any, loading, failed;
  for (const auto& [name, entry] : models) {
    if (entry.state == ModelState::kLoading && loading.empty()) loading = name;
    if (entry.state == ModelState::kFailed && failed.empty()) failed = name;
    if (entry.model == nullptr) continue;
    if (entry.model->spec().Has(wanted)) return entry.model;
    if (any.empty()) any = name;
  }
  // A model that is not here yet may be the one that is wanted.
  if (!loading.empty()) return Find(loading);
  if (mode == SummaryMode::kExtractive && !any.empty()) return Find(any);
  if (any.empty() && !failed.empty()) return Find(failed);
  return ModelError(absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", "",
                    mode == SummaryMode::kExtractive ? "no model is served"
                                                     : "no model that writes summaries is served");
}

absl::StatusOr<CallEnvironment> Engine::State::Enter(const Chooser& choose, CallContext context,
                                                     uint64_t* call) {
  CallEnvironment environment;
  environment.limits = options.limits;
  environment.workers = workers.get();
  environment.preparers = preparers.get();
  environment.senders = senders.get();
  environment.attention_memory = &attention_memory;
  environment.stop = std::make_shared<std::atomic<bool>>(false);
  const std::lock_guard<std::mutex> lock(mutex);
  if (draining) return ShuttingDown("server");
  ATTEND_ASSIGN_OR_RETURN(std::shared_ptr<ServedModel> model, choose());
  environment.model = ServedModel::Borrow(model);
  if (context.report != nullptr) context.report->model = environment.model.name;
  *call = ++last_call;
  calls[*call] = {context.cancelled, environment.stop};
  environment.context = std::move(context);
  return environment;
}

void Engine::State::Stop(bool all) {
  {
    const std::lock_guard<std::mutex> lock(mutex);
    for (const auto& [id, call] : calls) {
      if (all || (call.caller != nullptr && call.caller->load())) call.stop->store(true);
    }
  }
  for (const auto& model : Serving()) model->Wake();
}

Engine::Engine(EngineOptions options) : state_(std::make_unique<State>(std::move(options))) {}

Engine::~Engine() {
  Drain(absl::ZeroDuration());
  // Work uses the loops, so it goes first; preparing and sending may leave work to the workers.
  state_->preparers.reset();
  state_->senders.reset();
  state_->workers.reset();
  for (const auto& model : state_->Serving()) model->Stop();
}

absl::Status Engine::Register(const std::string& name, const std::string& directory,
                              const ModelChoices& choices) {
  if (name.empty() || name.find('/') != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", name, "' is no name of a model: it must not be empty or hold /"));
  }
  const std::lock_guard<std::mutex> lock(state_->mutex);
  Entry entry;
  entry.directory = directory;
  entry.choices = choices;
  if (!state_->models.emplace(name, std::move(entry)).second) {
    return absl::AlreadyExistsError(absl::StrCat("there is a model '", name, "' already"));
  }
  return absl::OkStatus();
}

absl::Status Engine::Load(const std::string& name) {
  ServedModel::Options options;
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    const auto found = state_->models.find(name);
    if (found == state_->models.end()) return NotFound(name);
    if (found->second.being_loaded) {
      return absl::FailedPreconditionError(absl::StrCat("model '", name, "' was loaded before"));
    }
    found->second.being_loaded = true;
    options.directory = found->second.directory;
    options.compute_type = found->second.choices.compute_type;
    options.shortlist = found->second.choices.shortlist;
  }
  options.name = name;
  options.scheduler = state_->options.scheduler;
  options.cache = state_->options.cache;
  options.sharing = state_->options.sharing;
  options.max_num_beams = state_->options.limits.max_num_beams;
  if (state_->options.make_observer) options.observer = state_->options.make_observer(name);
  auto loaded = ServedModel::Load(std::move(options));

  const std::lock_guard<std::mutex> lock(state_->mutex);
  Entry& entry = state_->models[name];
  entry.load_time = absl::Now();
  if (!loaded.ok()) {
    entry.state = ModelState::kFailed;
    entry.error = loaded.status();
    return loaded.status();
  }
  entry.model = *std::move(loaded);
  entry.state = state_->draining ? ModelState::kDraining : ModelState::kServing;
  return absl::OkStatus();
}

std::vector<ModelInfo> Engine::ListModels() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  std::vector<ModelInfo> out;
  for (const auto& [name, entry] : state_->models) out.push_back(Describe(name, entry));
  return out;
}

absl::StatusOr<ModelInfo> Engine::GetModel(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  const auto found = state_->models.find(name);
  if (found == state_->models.end()) return NotFound(name);
  return Describe(name, found->second);
}

namespace {

absl::StatusOr<LanguagePair> ParsePair(const std::string& source, const std::string& target,
                                       const std::string& field_prefix) {
  LanguagePair pair;
  ATTEND_ASSIGN_OR_RETURN(pair.source,
                          ParseLanguageCode(source, field_prefix + "source_language_code"));
  ATTEND_ASSIGN_OR_RETURN(pair.target,
                          ParseLanguageCode(target, field_prefix + "target_language_code"));
  return pair;
}

}  // namespace

void Engine::Translate(TranslateInput input, CallContext context, Done<TranslateOutput> done) {
  auto pair = ParsePair(input.source_language, input.target_language, "config.");
  if (!pair.ok()) return done(pair.status());
  input.source_language = pair->source;
  input.target_language = pair->target;
  uint64_t call = 0;
  auto environment = state_->Enter(input.model, *pair, std::move(context), &call);
  if (!environment.ok()) return done(environment.status());
  RunTranslate(*std::move(environment), std::move(input), state_->Counted(std::move(done), call));
}

void Engine::GetAttention(AttentionInput input, CallContext context, Done<AttentionOutput> done) {
  auto pair = ParsePair(input.source_language, input.target_language, "");
  if (!pair.ok()) return done(pair.status());
  input.source_language = pair->source;
  input.target_language = pair->target;
  uint64_t call = 0;
  auto environment = state_->Enter(input.model, *pair, std::move(context), &call);
  if (!environment.ok()) return done(environment.status());
  RunGetAttention(*std::move(environment), std::move(input),
                  state_->Counted(std::move(done), call));
}

void Engine::QueryAttention(QueryAttentionInput input, CallContext context,
                            Done<QueryAttentionOutput> done) {
  auto pair = ParsePair(input.source_language, "", "");
  if (!pair.ok()) return done(pair.status());
  if (input.model.empty() && input.has_head_list) {
    return done(InvalidField("OPTION_OUT_OF_RANGE", "model",
                             "heads are those of one model: name it, or a preset instead"));
  }
  const std::string preset = input.preset.empty() ? kCoreferencePreset : input.preset;
  uint64_t call = 0;
  auto environment = state_->Enter(
      [&] {
        return input.model.empty() ? state_->ChooseForQuery(preset, *pair)
                                   : state_->Choose(input.model, *pair);
      },
      std::move(context), &call);
  if (!environment.ok()) return done(environment.status());
  RunQueryAttention(*std::move(environment), std::move(input),
                    state_->Counted(std::move(done), call));
}

void Engine::Summarize(SummarizeInput input, CallContext context, Done<SummarizeOutput> done) {
  auto language = ParseLanguageCode(input.language, "config.language_code");
  if (!language.ok()) return done(language.status());
  input.language = *std::move(language);
  uint64_t call = 0;
  auto environment = state_->Enter(
      [&] {
        return input.model.empty() ? state_->ChooseForSummary(input.mode)
                                   : state_->Find(input.model);
      },
      std::move(context), &call);
  if (!environment.ok()) return done(environment.status());
  RunSummarize(*std::move(environment), std::move(input), state_->Counted(std::move(done), call));
}

void Engine::AlignWords(AlignInput input, CallContext context, Done<AlignOutput> done) {
  auto pair = ParsePair(input.source_language, input.target_language, "");
  if (!pair.ok()) return done(pair.status());
  input.source_language = pair->source;
  input.target_language = pair->target;
  uint64_t call = 0;
  auto environment = state_->Enter(input.model, *pair, std::move(context), &call);
  if (!environment.ok()) return done(environment.status());
  RunAlignWords(*std::move(environment), std::move(input), state_->Counted(std::move(done), call));
}

absl::StatusOr<std::vector<AttendedToken>> Engine::Tokenize(const std::string& model,
                                                            const std::string& text,
                                                            bool omit_special) const {
  std::shared_ptr<ServedModel> served;
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    ATTEND_ASSIGN_OR_RETURN(served, state_->Find(model));
  }
  ATTEND_RETURN_IF_ERROR(CheckText(text, state_->options.limits, "text"));
  std::vector<AttendedToken> tokens =
      AxisOfEncoded(text, served->tokenizer().Encode(text, TextSide::kSource), 0).tokens;
  if (omit_special) {
    tokens.erase(std::remove_if(tokens.begin(), tokens.end(),
                                [](const AttendedToken& t) { return t.special; }),
                 tokens.end());
  }
  return tokens;
}

absl::StatusOr<std::string> Engine::Detokenize(const std::string& model,
                                               const std::vector<int32_t>& ids,
                                               bool keep_special) const {
  std::shared_ptr<ServedModel> served;
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    ATTEND_ASSIGN_OR_RETURN(served, state_->Find(model));
  }
  const int64_t vocab_size = served->spec().target_vocab_size;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < vocab_size) continue;
    return InvalidField("OPTION_OUT_OF_RANGE", absl::StrCat("ids[", i, "]"),
                        absl::StrCat("id ", ids[i], " is outside the vocabulary of ", vocab_size));
  }
  return served->tokenizer().Decode(ids, TextSide::kTarget, keep_special).text;
}

std::vector<ByteSpan> Engine::SplitSentences(const std::string& text, const std::string& language) {
  return attend::SplitSentences(text, language);
}

void Engine::Wake() { state_->Stop(/*all=*/false); }

void Engine::Drain(absl::Duration timeout) {
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->draining = true;
    for (auto& [name, entry] : state_->models) {
      if (entry.state == ModelState::kServing) entry.state = ModelState::kDraining;
    }
  }
  const bool ended = state_->WaitForCalls(timeout);
  // The loops say SHUTTING_DOWN to what they still hold; the flags reach calls that wait for a
  // place in a queue.
  for (const auto& model : state_->Serving()) model->loop()->Drain(absl::ZeroDuration());
  if (!ended) state_->Stop(/*all=*/true);
  state_->WaitForCalls(absl::InfiniteDuration());
}

absl::Duration Engine::SinceLastTick() const {
  absl::Duration longest = absl::ZeroDuration();
  for (const auto& model : state_->Serving())
    longest = std::max(longest, model->loop()->SinceLastTick());
  return longest;
}

const EngineOptions& Engine::options() const { return state_->options; }

}  // namespace attend
