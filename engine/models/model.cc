// Loading: family → spec → layers, each taking its own weights; then the reader says whether
// anything was left over.
#include "engine/models/model.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/base/check.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/panels_file.h"
#include "engine/layers/int8_store.h"
#include "engine/layers/token_table.h"
#include "engine/layers/transformer_decoder.h"
#include "engine/layers/transformer_encoder.h"
#include "engine/layers/weight_source.h"
#include "engine/models/model_registry.h"

namespace attend {

struct Model::Parts {
  ModelSpec spec;
  ComputeType compute_type;
  TransformerEncoder encoder;
  std::optional<TransformerDecoder> decoder;
  std::optional<Shortlist> shortlist;

  const TransformerDecoder& Decoder() const {
    ATTEND_CHECK(decoder.has_value(), "a model without a decoder was asked to decode");
    return *decoder;
  }
};

namespace {

struct TokenTables {
  std::shared_ptr<const TokenTable> source, target;  // may be one; no target without a decoder
  int64_t bytes() const {
    return source->bytes() + (target == nullptr || target == source ? 0 : target->bytes());
  }
};

absl::StatusOr<TokenTables> LoadTokenTables(const WeightSource& weights, const ModelSpec& spec) {
  TokenTables tables;
  ATTEND_ASSIGN_OR_RETURN(TokenTable source,
                          TokenTable::Load(weights, "encoder.embeddings.token.weight",
                                           spec.source_vocab_size, spec.encoder.hidden_size));
  tables.source = std::make_shared<const TokenTable>(std::move(source));
  if (!spec.has_decoder()) return tables;
  if (spec.share_embeddings) {
    tables.target = tables.source;
    return tables;
  }
  ATTEND_ASSIGN_OR_RETURN(TokenTable target,
                          TokenTable::Load(weights, "decoder.embeddings.token.weight",
                                           spec.target_vocab_size, spec.decoder.hidden_size));
  tables.target = std::make_shared<const TokenTable>(std::move(target));
  return tables;
}

// The output projection: the decoder's table where they are tied, a matrix of its own where not. A
// checkpoint without a bias means zeros.
absl::StatusOr<Dense> LoadOutputProjection(const WeightSource& weights, const ModelSpec& spec,
                                           const TokenTable& target_tokens) {
  Matrix bias;
  absl::Span<const float> bias_span;
  if (spec.has_logits_bias && weights.Has("lm_head.bias")) {
    ATTEND_ASSIGN_OR_RETURN(bias, weights.ReadMatrix("lm_head.bias", 1, spec.target_vocab_size));
    bias_span = {bias.data(), static_cast<size_t>(spec.target_vocab_size)};
  }
  std::optional<TokenTable> own;
  const char* const name =
      spec.tie_word_embeddings ? "decoder.embeddings.token.weight" : "lm_head.weight";
  if (!spec.tie_word_embeddings) {
    ATTEND_ASSIGN_OR_RETURN(
        own, TokenTable::Load(weights, name, spec.target_vocab_size, spec.decoder.hidden_size));
  }
  const TokenTable& table = spec.tie_word_embeddings ? target_tokens : *own;
  if (table.int8() != nullptr) return Dense(Int8Dense(table.int8(), bias_span, std::nullopt));
  auto packed = PackedDense::Create(table.floats()->view(), bias_span, std::nullopt);
  if (!packed.ok()) return weights.At(name, packed.status());
  return Dense(*std::move(packed));
}

absl::StatusOr<std::optional<TransformerDecoder>> LoadDecoder(const WeightSource& weights,
                                                              const ModelSpec& spec,
                                                              const TokenTables& tokens) {
  if (!spec.has_decoder()) return std::optional<TransformerDecoder>();
  ATTEND_ASSIGN_OR_RETURN(Dense lm_head, LoadOutputProjection(weights, spec, *tokens.target));
  ATTEND_ASSIGN_OR_RETURN(
      TransformerDecoder decoder,
      TransformerDecoder::Load(weights.Sub("decoder"), spec.decoder, tokens.target,
                               {std::move(lm_head), spec.logits_scale}));
  return std::optional<TransformerDecoder>(std::move(decoder));
}

// Whether a checkpoint holds the body of a model alone (model_family.h).
bool IsBodyAlone(const Checkpoint& checkpoint, const std::string& body_prefix) {
  const auto& tensors = checkpoint.tensors();
  const auto first = tensors.lower_bound(body_prefix);
  return first == tensors.end() || !absl::StartsWith(first->first, body_prefix);
}

// The names under which this checkpoint may hold a weight.
std::vector<std::string> NamesIn(const Checkpoint& checkpoint, const ModelFamily& family,
                                 std::vector<std::string> names) {
  const std::string body_prefix = family.body_prefix;
  if (!IsBodyAlone(checkpoint, body_prefix)) return names;
  for (std::string& name : names) {
    if (absl::StartsWith(name, body_prefix)) name.erase(0, body_prefix.size());
  }
  return names;
}

// The panels file of one load: read where there is one, else written. Not committed, it leaves
// nothing behind.
class PanelsOfLoad {
 public:
  PanelsOfLoad(const ModelOptions& options, ComputeType compute_type) {
    if (compute_type != ComputeType::kInt8) {
      report_.why = absl::StrCat(Name(compute_type), " weights are not kept");
      return;
    }
    if (options.cache.is_off()) {
      report_.why = "no folder to keep weights in";
      return;
    }
    id_ = {options.revision, compute_type, Int8Weight::kFormat, ""};
    std::shared_ptr<const WeightCacheFile> kept = OpenPanels(options.cache, id_, &report_);
    if (kept == nullptr) writer_ = StartPanels(options.cache, id_, &report_);
    store_.emplace(std::move(kept), writer_.get());
  }

  Int8Store* store() { return store_ ? &*store_ : nullptr; }

  // Once every weight has been read.
  WeightCacheReport Finish() {
    if (writer_ != nullptr) FinishPanels(std::move(writer_), id_, &report_);
    return report_;
  }

 private:
  WeightCacheReport report_;
  PanelsId id_;
  std::unique_ptr<WeightCacheWriter> writer_;
  std::optional<Int8Store> store_;
};

absl::StatusOr<std::optional<Shortlist>> LoadShortlist(const ModelDirectory& directory,
                                                       const ModelOptions& options,
                                                       const ModelSpec& spec, ComputeType type,
                                                       LoadReport* report) {
  using Use = ShortlistChoice::Use;
  const bool is_named = options.shortlist.use == Use::kFile;
  if (options.shortlist.use == Use::kOff) return std::nullopt;
  if (!spec.has_decoder()) {
    report->shortlist.why = "shortlists are for models that write";
    if (!is_named) return std::nullopt;
    return FailedAt({options.shortlist.path, ""}, absl::UnimplementedError(report->shortlist.why));
  }
  if (type != ComputeType::kInt8) {
    report->shortlist.why = absl::StrCat("shortlists are for int8, the model runs in ", Name(type));
    if (!is_named) return std::nullopt;
    return FailedAt({options.shortlist.path, ""}, absl::UnimplementedError(report->shortlist.why));
  }
  if (!is_named && !directory.Has(kShortlistFileName)) {
    report->shortlist.why = absl::StrCat("the folder has no ", kShortlistFileName);
    return std::nullopt;
  }
  const std::string path = is_named ? options.shortlist.path : directory.PathOf(kShortlistFileName);
  ATTEND_ASSIGN_OR_RETURN(Shortlist shortlist, Shortlist::Load(path, spec));
  const ShortlistFile& file = shortlist.file();
  report->shortlist = {path, std::count(file.is_known.begin(), file.is_known.end(), true),
                       static_cast<int64_t>(file.tokens.size()),
                       static_cast<int64_t>(file.always.size()), ""};
  if (!options.revision.empty() && file.revision != options.revision) {
    report->notes.push_back(absl::StrCat(path, ": made with revision ", Printable(file.revision),
                                         " of ", Printable(file.model), ", this is ",
                                         options.revision));
  }
  return std::optional<Shortlist>(std::move(shortlist));
}

void CheckLengths(const RaggedBatch& batch, int64_t limit) {
  ATTEND_CHECK(static_cast<int64_t>(batch.token_ids.size()) == batch.total_tokens(),
               "a batch of all its tokens");
  for (int i = 0; i < batch.num_sequences(); ++i) {
    ATTEND_CHECK(batch.length(i) > 0, "an empty sequence in a batch");
    ATTEND_CHECK(batch.length(i) <= limit, "a sequence longer than max_position_embeddings");
  }
}

}  // namespace

std::unique_ptr<Workspace> MakeWorkspace() { return std::make_unique<Workspace>(); }

Model::Model(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Model::~Model() = default;

absl::StatusOr<std::unique_ptr<Model>> Model::Load(const ModelDirectory& directory,
                                                   const ModelOptions& options,
                                                   LoadReport* report) {
  const absl::Time start = absl::Now();
  ATTEND_ASSIGN_OR_RETURN(const ModelFamily* family, FindFamily(directory.config()));
  ATTEND_ASSIGN_OR_RETURN(const ModelSpec spec, family->ParseConfig(directory.config()));
  ATTEND_ASSIGN_OR_RETURN(const ComputeType compute_type,
                          ResolveComputeType(spec, options.compute_type));
  ATTEND_ASSIGN_OR_RETURN(const std::unique_ptr<Checkpoint> checkpoint,
                          Checkpoint::Open(directory));
  LoadReport read;
  PanelsOfLoad panels(options, compute_type);
  WeightReader reader(*checkpoint);
  const WeightSource weights(&reader,
                             [&](const std::string& name) {
                               return NamesIn(*checkpoint, *family,
                                              family->StoredNames(spec, name));
                             },
                             {compute_type, panels.store()});
  ATTEND_ASSIGN_OR_RETURN(const TokenTables tokens, LoadTokenTables(weights, spec));
  ATTEND_ASSIGN_OR_RETURN(
      TransformerEncoder encoder,
      TransformerEncoder::Load(weights.Sub("encoder"), spec.encoder, tokens.source));
  ATTEND_ASSIGN_OR_RETURN(std::optional<TransformerDecoder> decoder,
                          LoadDecoder(weights, spec, tokens));
  for (const IgnorableWeight& weight : family->IgnorableWeights(spec))
    reader.Ignore(weight.name, weight.reason);
  ATTEND_RETURN_IF_ERROR(reader.Finish(&read));
  read.weight_cache = panels.Finish();
  ATTEND_ASSIGN_OR_RETURN(std::optional<Shortlist> shortlist,
                          LoadShortlist(directory, options, spec, compute_type, &read));
  // What is held is the packed form, not what was read.
  read.weight_bytes = tokens.bytes() + encoder.weight_bytes();
  if (decoder) {
    read.weight_bytes += decoder->weight_bytes();
    // A quantised table that is the output projection as well is there once.
    if (spec.tie_word_embeddings && tokens.target->int8() != nullptr)
      read.weight_bytes -= tokens.target->bytes();
  }
  read.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  if (report != nullptr) *report = std::move(read);
  return std::unique_ptr<Model>(new Model(std::make_unique<Parts>(
      Parts{spec, compute_type, std::move(encoder), std::move(decoder), std::move(shortlist)})));
}

const ModelSpec& Model::spec() const { return parts_->spec; }
ComputeType Model::compute_type() const { return parts_->compute_type; }
const Shortlist* Model::shortlist() const {
  return parts_->shortlist ? &*parts_->shortlist : nullptr;
}

void Model::Encode(const RaggedBatch& sources, absl::Span<AttentionObserver* const> observers,
                   Workspace* workspace, Matrix* hidden) const {
  CheckLengths(sources, parts_->spec.encoder.max_position_embeddings);
  ATTEND_CHECK(sources.segment_ids.empty() ||
                   static_cast<int64_t>(sources.segment_ids.size()) == sources.total_tokens(),
               "a segment for every token, or none at all");
  parts_->encoder.Forward(sources, observers, workspace, hidden);
}

void Model::ProjectCross(ConstMatrixView encoded, Workspace*, CrossCache* cross) const {
  ATTEND_CHECK(encoded.rows > 0 && encoded.cols == parts_->spec.encoder.hidden_size,
               "one encoded source");
  parts_->Decoder().ProjectCross(encoded, cross);
}

void Model::DecodeHidden(absl::Span<const DecodeRow> rows, Workspace* workspace) const {
  for (const DecodeRow& row : rows) {
    ATTEND_CHECK(row.self->length() < parts_->spec.decoder.max_position_embeddings,
                 "a row longer than max_position_embeddings");
  }
  parts_->Decoder().Step(rows, workspace, &workspace->hidden);
}

void Model::DecodeStep(absl::Span<const DecodeRow> rows, Workspace* workspace,
                       Matrix* logits) const {
  DecodeHidden(rows, workspace);
  parts_->Decoder().Logits(workspace->hidden.view(), workspace, logits);
}

void Model::DecodeStep(absl::Span<const DecodeRow> rows, const OutputSubset& outputs,
                       Workspace* workspace, Matrix* logits) const {
  DecodeHidden(rows, workspace);
  outputs.Run(parts_->Decoder().ScaleForLogits(workspace->hidden.view(), workspace), logits);
}

std::unique_ptr<OutputSubset> Model::MakeOutputSubset() const {
  if (!parts_->shortlist) return nullptr;
  return std::make_unique<OutputSubset>(parts_->Decoder().lm_head().int8(),
                                        parts_->shortlist->always());
}

void Model::DecodeForced(const RaggedBatch& inputs, absl::Span<const CrossCache* const> cross,
                         absl::Span<AttentionObserver* const> observers, Workspace* workspace,
                         Matrix* logits, Matrix* hidden) const {
  CheckLengths(inputs, parts_->spec.decoder.max_position_embeddings);
  Matrix* states = hidden != nullptr ? hidden : &workspace->hidden;
  parts_->Decoder().Forward(inputs, cross, observers, workspace, states);
  if (logits != nullptr) parts_->Decoder().Logits(states->view(), workspace, logits);
}

}  // namespace attend
