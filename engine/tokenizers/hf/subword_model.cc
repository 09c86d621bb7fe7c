// The table of kinds.
#include "engine/tokenizers/hf/subword_model.h"

#include "engine/base/status_macros.h"
#include "engine/tokenizers/hf/bpe_model.h"
#include "engine/tokenizers/hf/json_place.h"
#include "engine/tokenizers/hf/unigram_model.h"
#include "engine/tokenizers/hf/wordpiece_model.h"

namespace attend {

absl::StatusOr<std::unique_ptr<const SubwordModel>> ReadSubwordModel(const Json& json,
                                                                     int64_t max_size) {
  ATTEND_RETURN_IF_ERROR(json.RequireObject());
  std::string kind = json.Has("merges")                      ? "BPE"
                     : json.Has("unk_id")                    ? "Unigram"
                     : json.Has("continuing_subword_prefix") ? "WordPiece"
                                                             : "";
  ATTEND_ASSIGN_OR_RETURN(kind, json.GetStringOr("type", kind));
  if (kind == "BPE") return BpeModel::Read(json, max_size);
  if (kind == "Unigram") return UnigramModel::Read(json, max_size);
  if (kind == "WordPiece") return WordPieceModel::Read(json, max_size);
  return UnknownKind(json, kind);
}

}  // namespace attend
