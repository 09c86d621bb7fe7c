// What tells apart the tokenizers that transformers makes from one SentencePiece model: a closed
// description of each of its slow classes (4.48).
#pragma once

#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/tokenizers/decoded_parts.h"
#include "engine/tokenizers/language_tokens.h"
#include "engine/tokenizers/tokenizer_config.h"

namespace attend {

struct SentencePieceKind {
  // How pieces become ids.
  enum class Numbering {
    kPieces,   // as the model numbers them; "<extra_id_N>" behind, counted from the end
    kOffset,   // behind pad, eos, two masks and "<unk_N>": 103 ids further
    kFairseq,  // "<s>", "<pad>", "</s>", "<unk>", the pieces from the fourth on, languages, mask
    kFairseqAdded,    // the same, but languages and mask are added tokens
    kVocabularyFile,  // vocab.json, then languages
  };
  // What stands around a text.
  enum class Frame {
    kEnd,            // X </s>
    kEndOnce,        // X </s>, unless X ends with </s>
    kLanguageFirst,  // LANGUAGE X </s>
    kLanguageLast,   // X </s> LANGUAGE
  };

  std::string_view tokenizer_class;  // transformers' name
  const char* model_file;
  Numbering numbering;
  Frame frame;
  PartSpelling spelling;
  std::optional<LanguageList> languages;  // none: the kind knows no languages
  std::string_view default_language;      // where src_lang is not said
  // By TokenizerConfig::Role; null where a role has no token unless the checkpoint names one.
  const char* special_tokens[TokenizerConfig::kNumRoles];
};

// The kind that tokenizer_config.json names, else config.json, else the usual one of the
// model_type. UNIMPLEMENTED for classes that are not known.
absl::StatusOr<SentencePieceKind> FindSentencePieceKind(const ModelDirectory& directory,
                                                        const TokenizerConfig& config);

}  // namespace attend
