// tokenizer.json names each stage; for the older files the stages are those that transformers
// builds from them (convert_slow_tokenizer.py).
#include "engine/tokenizers/hf/hf_tokenizer_parts.h"

#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/stored_file.h"
#include "engine/tokenizers/hf/bpe_model.h"
#include "engine/tokenizers/hf/json_place.h"
#include "engine/tokenizers/hf/wordpiece_model.h"

namespace attend {
namespace {

constexpr char kTokenizerFile[] = "tokenizer.json";
constexpr char kVocabTxt[] = "vocab.txt";
constexpr char kVocabJson[] = "vocab.json";
constexpr char kMergesTxt[] = "merges.txt";
constexpr uint64_t kMaxFileBytes = uint64_t{64} << 20;

absl::StatusOr<std::string> ReadText(const ModelDirectory& directory, const char* name) {
  ATTEND_ASSIGN_OR_RETURN(const std::unique_ptr<StoredFile> file,
                          StoredFile::Open(directory.PathOf(name)));
  ATTEND_RETURN_IF_ERROR(file->RefuseLfsPointer());
  if (file->size() > kMaxFileBytes) {
    return CorruptCheckpoint({name, {}}, absl::StrCat("expected at most ", kMaxFileBytes,
                                                      " bytes, found ", file->size()));
  }
  return file->ReadString(0, file->size());
}

absl::StatusOr<std::vector<AddedToken>> ReadAddedTokens(const Json& json) {
  std::vector<AddedToken> tokens;
  ATTEND_RETURN_IF_ERROR(json.RequireArray());
  for (const Json& entry : json.Elements()) {
    ATTEND_ASSIGN_OR_RETURN(AddedToken token, ReadAddedToken(entry));
    ATTEND_ASSIGN_OR_RETURN(const int64_t id, entry.GetInt("id"));
    if (id < 0 || id > INT32_MAX) return CorruptValue(entry, absl::StrCat("no token id: ", id));
    token.id = static_cast<int32_t>(id);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

absl::StatusOr<int32_t> RequireSpecial(const HfTokenizerConfig& config, const char* key,
                                       const HfTokenizerParts& parts) {
  const AddedToken* token = config.Special(key);
  const std::string content = token == nullptr ? "" : token->content;
  if (const auto id = parts.model->vocabulary().Find(content)) return *id;
  return CorruptTensor({parts.file, {}},
                       absl::StrCat("the ", key, " '", Printable(content), "' in the vocabulary"),
                       "none");
}

}  // namespace

absl::StatusOr<HfTokenizerParts> HfTokenizerParts::Parse(const Json& json,
                                                         const HfTokenizerConfig& config,
                                                         int64_t max_size) {
  HfTokenizerParts parts;
  parts.file = kTokenizerFile;
  ATTEND_RETURN_IF_ERROR(json.RequireObject());
  if (json.Has("normalizer")) {
    ATTEND_ASSIGN_OR_RETURN(const Json part, json.Get("normalizer"));
    ATTEND_ASSIGN_OR_RETURN(parts.normalizer,
                            ReadHfNormalizer(part, config.IsBertClass() ? &config.bert : nullptr));
  }
  if (json.Has("pre_tokenizer")) {
    ATTEND_ASSIGN_OR_RETURN(const Json part, json.Get("pre_tokenizer"));
    ATTEND_ASSIGN_OR_RETURN(parts.pre_tokenizer, ReadHfPreTokenizer(part, config.add_prefix_space));
  }
  ATTEND_ASSIGN_OR_RETURN(const Json model, json.Get("model"));
  ATTEND_ASSIGN_OR_RETURN(parts.model, ReadSubwordModel(model, max_size));
  parts.around = TokenTemplate::Plain();
  if (json.Has("post_processor")) {
    ATTEND_ASSIGN_OR_RETURN(const Json part, json.Get("post_processor"));
    ATTEND_ASSIGN_OR_RETURN(parts.around, ReadHfPostProcessor(part));
  }
  parts.decoder = MakeSpacingDecoder();
  if (json.Has("decoder")) {
    ATTEND_ASSIGN_OR_RETURN(const Json part, json.Get("decoder"));
    ATTEND_ASSIGN_OR_RETURN(parts.decoder, ReadHfDecoder(part));
  }
  if (json.Has("added_tokens")) {
    ATTEND_ASSIGN_OR_RETURN(const Json part, json.Get("added_tokens"));
    ATTEND_ASSIGN_OR_RETURN(parts.added_tokens, ReadAddedTokens(part));
  }
  return parts;
}

absl::StatusOr<HfTokenizerParts> HfTokenizerParts::ReadTokenizerJson(
    const ModelDirectory& directory, const HfTokenizerConfig& config, int64_t max_size) {
  const auto json = directory.ReadJson(kTokenizerFile, kMaxFileBytes);
  if (!json.ok()) return CorruptJson(kTokenizerFile, json.status());
  auto parts = Parse(*json, config, max_size);
  if (!parts.ok()) return CorruptJson(kTokenizerFile, parts.status());
  return parts;
}

absl::StatusOr<HfTokenizerParts> HfTokenizerParts::ReadVocabTxt(const ModelDirectory& directory,
                                                                const HfTokenizerConfig& config,
                                                                int64_t max_size) {
  ATTEND_ASSIGN_OR_RETURN(const std::string text, ReadText(directory, kVocabTxt));
  Vocabulary vocabulary;
  std::string_view rest = text;
  for (int64_t id = 0; !rest.empty(); ++id) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    ATTEND_RETURN_IF_ERROR(vocabulary.Add(line, id, kVocabTxt, max_size));
  }
  HfTokenizerParts parts;
  parts.file = kVocabTxt;
  WordPieceOptions options;
  if (const AddedToken* unk = config.Special("unk_token")) options.unk_token = unk->content;
  ATTEND_ASSIGN_OR_RETURN(parts.model,
                          WordPieceModel::Make(std::move(vocabulary), options, kVocabTxt));
  BertNormalizerOptions normalizer;
  normalizer.lowercase = config.bert.do_lower_case;
  normalizer.handle_chinese_chars = config.bert.tokenize_chinese_chars;
  normalizer.strip_accents =
      config.bert.has_strip_accents ? config.bert.strip_accents : config.bert.do_lower_case;
  parts.normalizer = MakeBertNormalizer(normalizer);
  parts.pre_tokenizer = MakeBertPreTokenizer();
  ATTEND_ASSIGN_OR_RETURN(const int32_t cls, RequireSpecial(config, "cls_token", parts));
  ATTEND_ASSIGN_OR_RETURN(const int32_t sep, RequireSpecial(config, "sep_token", parts));
  parts.around = TokenTemplate::Bert(cls, sep);
  parts.decoder = MakeWordPieceDecoder(options.continuing_subword_prefix, /*cleanup=*/true);
  return parts;
}

absl::StatusOr<HfTokenizerParts> HfTokenizerParts::ReadMergesTxt(const ModelDirectory& directory,
                                                                 const HfTokenizerConfig& config,
                                                                 int64_t max_size) {
  const auto json = directory.ReadJson(kVocabJson, kMaxFileBytes);
  if (!json.ok()) return CorruptJson(kVocabJson, json.status());
  ATTEND_ASSIGN_OR_RETURN(Vocabulary vocabulary, Vocabulary::FromJson(*json, kVocabJson, max_size));
  ATTEND_ASSIGN_OR_RETURN(const std::string text, ReadText(directory, kMergesTxt));
  ATTEND_ASSIGN_OR_RETURN(const std::vector<BpeModel::Merge> merges,
                          BpeModel::ParseMerges(text, kMergesTxt));
  HfTokenizerParts parts;
  parts.file = kVocabJson;
  ATTEND_ASSIGN_OR_RETURN(parts.model,
                          BpeModel::Make(std::move(vocabulary), merges, BpeOptions(), kMergesTxt));
  parts.pre_tokenizer = MakeByteLevelPreTokenizer(config.add_prefix_space, /*use_regex=*/true);
  parts.decoder = MakeByteLevelDecoder();
  parts.around = TokenTemplate::Plain();
  if (config.IsRobertaClass()) {
    ATTEND_ASSIGN_OR_RETURN(const int32_t cls, RequireSpecial(config, "cls_token", parts));
    ATTEND_ASSIGN_OR_RETURN(const int32_t sep, RequireSpecial(config, "sep_token", parts));
    parts.around = TokenTemplate::Roberta(cls, sep);
  } else if (config.add_bos_token) {
    ATTEND_ASSIGN_OR_RETURN(const int32_t bos, RequireSpecial(config, "bos_token", parts));
    parts.around = TokenTemplate::Around({bos}, {});
  }
  return parts;
}

}  // namespace attend
