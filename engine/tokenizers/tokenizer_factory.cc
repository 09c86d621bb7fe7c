// A table, so that the kinds known can be listed in the error for one that is not.
#include "engine/tokenizers/tokenizer_factory.h"

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/tokenizers/marian_tokenizer.h"
#include "engine/tokenizers/sentencepiece_tokenizer.h"

namespace attend {
namespace {

struct Kind {
  std::string_view model_type;
  absl::StatusOr<std::unique_ptr<Tokenizer>> (*load)(const ModelDirectory& directory,
                                                     LoadReport* report);
};

constexpr Kind kKinds[] = {
    {"marian", MarianTokenizer::Load},         {"t5", SentencePieceTokenizer::Load},
    {"pegasus", SentencePieceTokenizer::Load}, {"mbart", SentencePieceTokenizer::Load},
    {"m2m_100", SentencePieceTokenizer::Load},
};

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(const ModelDirectory& directory,
                                                         LoadReport* report) {
  const auto model_type = directory.config().GetString("model_type");
  if (!model_type.ok()) return CorruptJson("config.json", model_type.status());
  std::string known;
  for (const Kind& kind : kKinds) {
    if (kind.model_type == *model_type) return kind.load(directory, report);
    absl::StrAppend(&known, known.empty() ? "" : ", ", std::string(kind.model_type));
  }
  return UnsupportedCheckpoint({"config.json", {}},
                               absl::StrCat("key 'model_type': no tokenizer is known for '",
                                            Printable(*model_type), "' (known: ", known, ")"));
}

}  // namespace attend
