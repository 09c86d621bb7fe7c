// A table, so that the kinds known can be listed in the error for one that is not.
#include "engine/tokenizers/tokenizer_factory.h"

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/tokenizers/hf/hf_tokenizer.h"
#include "engine/tokenizers/sentencepiece/marian_tokenizer.h"
#include "engine/tokenizers/sentencepiece/sentencepiece_tokenizer.h"

namespace attend {
namespace {

using LoadFunction = absl::StatusOr<std::unique_ptr<Tokenizer>> (*)(const ModelDirectory& directory,
                                                                    LoadReport* report);

struct Kind {
  std::string_view model_type;
  LoadFunction load;
  // For folders without a file that HfTokenizer reads; null: there is no other way.
  LoadFunction load_otherwise = nullptr;
};

constexpr Kind kKinds[] = {
    {"marian", MarianTokenizer::Load},
    {"bart", HfTokenizer::Load},
    {"bert", HfTokenizer::Load},
    {"blip", HfTokenizer::Load},
    {"gpt2", HfTokenizer::Load},
    {"llama", HfTokenizer::Load},
    {"m2m_100", HfTokenizer::Load, SentencePieceTokenizer::Load},
    {"mbart", HfTokenizer::Load, SentencePieceTokenizer::Load},
    {"pegasus", HfTokenizer::Load, SentencePieceTokenizer::Load},
    {"t5", HfTokenizer::Load, SentencePieceTokenizer::Load},
    {"vision-encoder-decoder", HfTokenizer::Load},
};

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(const ModelDirectory& directory,
                                                         LoadReport* report) {
  const auto model_type = directory.config().GetString("model_type");
  if (!model_type.ok()) return CorruptJson("config.json", model_type.status());
  std::string known;
  for (const Kind& kind : kKinds) {
    if (kind.model_type == *model_type) {
      const bool otherwise = kind.load_otherwise != nullptr && !HfTokenizer::CanLoad(directory);
      return (otherwise ? kind.load_otherwise : kind.load)(directory, report);
    }
    absl::StrAppend(&known, known.empty() ? "" : ", ", std::string(kind.model_type));
  }
  return UnsupportedCheckpoint({"config.json", {}},
                               absl::StrCat("key 'model_type': no tokenizer is known for '",
                                            Printable(*model_type), "' (known: ", known, ")"));
}

}  // namespace attend
