// Built by SentencePieceNumbering; here it only answers.
#include "engine/tokenizers/sentencepiece/sentencepiece_vocabulary.h"

#include "engine/base/status_macros.h"
#include "engine/tokenizers/sentencepiece/sentencepiece_numbering.h"

namespace attend {

absl::StatusOr<SentencePieceVocabulary> SentencePieceVocabulary::Build(
    const SentencePieceKind& kind, const TokenizerConfig& config, const SentencePieceModel& model,
    const ModelDirectory& directory, LoadReport* report) {
  SentencePieceVocabulary vocabulary;
  ATTEND_RETURN_IF_ERROR(
      SentencePieceNumbering(kind, config, model, directory).Run(&vocabulary, report));
  return vocabulary;
}

int32_t SentencePieceVocabulary::IdOf(std::string_view piece) const {
  const auto found = ids_.find(std::string(piece));
  return found == ids_.end() ? unk_id_ : found->second;
}

}  // namespace attend
