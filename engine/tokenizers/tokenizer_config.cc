// tokenizer_config.json counts alone where it lists the added tokens (transformers from 4.34);
// folders older than that say the same in two more files, of which newer ones keep copies that
// count no longer.
#include "engine/tokenizers/tokenizer_config.h"

#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace attend {
namespace {

constexpr char kSpecialTokensFile[] = "special_tokens_map.json";
constexpr char kAddedTokensFile[] = "added_tokens.json";
constexpr const char* kRoleKeys[TokenizerConfig::kNumRoles] = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

// A token is written as its text, or as an object with its text under "content".
absl::StatusOr<WholeToken> ReadToken(const Json& json) {
  WholeToken token;
  if (!json.IsObject()) {
    ATTEND_ASSIGN_OR_RETURN(token.text, json.AsString());
    return token;
  }
  token.is_object = true;
  ATTEND_ASSIGN_OR_RETURN(token.text, json.GetString("content"));
  ATTEND_RETURN_IF_ERROR(json.GetBoolOr("special", false).status());
  ATTEND_ASSIGN_OR_RETURN(token.lstrip, json.GetBoolOr("lstrip", false));
  ATTEND_ASSIGN_OR_RETURN(token.rstrip, json.GetBoolOr("rstrip", false));
  return token;
}

}  // namespace

absl::Status TokenizerConfig::ReadSpecialTokens(const Json& source) {
  for (int role = 0; role < kNumRoles; ++role) {
    if (!source.Has(kRoleKeys[role])) continue;
    ATTEND_ASSIGN_OR_RETURN(const Json token, source.Get(kRoleKeys[role]));
    ATTEND_ASSIGN_OR_RETURN(named[role], ReadToken(token));
  }
  if (!source.Has("additional_special_tokens")) return absl::OkStatus();
  has_additional = true;
  ATTEND_ASSIGN_OR_RETURN(const Json list, source.Get("additional_special_tokens"));
  ATTEND_RETURN_IF_ERROR(list.RequireArray());
  std::unordered_set<std::string> there;
  for (const WholeToken& token : additional) there.insert(token.text);
  for (const Json& json_token : list.Elements()) {
    ATTEND_ASSIGN_OR_RETURN(WholeToken token, ReadToken(json_token));
    if (there.insert(token.text).second) additional.push_back(std::move(token));
  }
  return absl::OkStatus();
}

absl::Status TokenizerConfig::ReadOptions(int64_t default_max_length) {
  ATTEND_ASSIGN_OR_RETURN(clean_up_spaces, json.GetBoolOr("clean_up_tokenization_spaces", false));
  ATTEND_ASSIGN_OR_RETURN(source_name, json.GetStringOr("source_lang", ""));
  ATTEND_ASSIGN_OR_RETURN(target_name, json.GetStringOr("target_lang", ""));
  ATTEND_ASSIGN_OR_RETURN(source_name, json.GetStringOr("src_lang", source_name));
  ATTEND_ASSIGN_OR_RETURN(target_name, json.GetStringOr("tgt_lang", target_name));
  ATTEND_ASSIGN_OR_RETURN(
      const double limit,
      json.GetNumberOr("model_max_length", static_cast<double>(default_max_length)));
  if (!(limit >= 1)) {
    return CorruptTensor({kFile, {}}, "a 'model_max_length' of at least 1", absl::StrCat(limit));
  }
  max_length = limit < static_cast<double>(kUnlimited) ? static_cast<int64_t>(limit) : kUnlimited;
  return absl::OkStatus();
}

// added_tokens_decoder: ids as text → tokens as objects.
absl::Status TokenizerConfig::ReadAddedTokens(const Json& decoder) {
  ATTEND_RETURN_IF_ERROR(decoder.RequireObject());
  for (const std::string& key : decoder.Keys()) {
    ATTEND_ASSIGN_OR_RETURN(const Json json_token, decoder.Get(key));
    const bool is_number =
        !key.empty() && key.size() <= 9 && key.find_first_not_of("0123456789") == std::string::npos;
    if (!is_number) {
      return CorruptTensor({kFile, {}}, "ids as keys of 'added_tokens_decoder'",
                           absl::StrCat("'", Printable(key), "'"));
    }
    ATTEND_RETURN_IF_ERROR(json_token.RequireObject());
    ATTEND_ASSIGN_OR_RETURN(WholeToken token, ReadToken(json_token));
    token.id = std::stol(key);
    ATTEND_ASSIGN_OR_RETURN(const bool single_word, json_token.GetBoolOr("single_word", false));
    if (single_word) {
      return UnsupportedCheckpoint({kFile, {}}, absl::StrCat("key 'added_tokens_decoder.", key,
                                                             "': 'single_word' is not supported"));
    }
    added.push_back(std::move(token));
  }
  return absl::OkStatus();
}

absl::StatusOr<TokenizerConfig> TokenizerConfig::Read(const ModelDirectory& directory,
                                                      int64_t default_max_length) {
  TokenizerConfig config;
  config.max_length = default_max_length;
  if (directory.Has(kFile)) {
    ATTEND_ASSIGN_OR_RETURN(config.json, AsCorrupt(directory.ReadJson(kFile), kFile));
    absl::Status status = config.json.RequireObject();
    if (status.ok()) status = config.ReadSpecialTokens(config.json);
    if (status.ok()) status = config.ReadOptions(default_max_length);
    if (!status.ok()) return CorruptJson(kFile, status);
  }
  if (config.json.Has("added_tokens_decoder")) {
    ATTEND_ASSIGN_OR_RETURN(const Json decoder, config.json.Get("added_tokens_decoder"));
    const absl::Status status = config.ReadAddedTokens(decoder);
    if (!status.ok()) return CorruptJson(kFile, status);
    return config;
  }
  if (directory.Has(kSpecialTokensFile)) {
    ATTEND_ASSIGN_OR_RETURN(const Json map,
                            AsCorrupt(directory.ReadJson(kSpecialTokensFile), kSpecialTokensFile));
    absl::Status status = map.RequireObject();
    if (status.ok()) status = config.ReadSpecialTokens(map);
    if (!status.ok()) return CorruptJson(kSpecialTokensFile, status);
  }
  if (directory.Has(kAddedTokensFile)) {
    ATTEND_ASSIGN_OR_RETURN(const Json added,
                            AsCorrupt(directory.ReadJson(kAddedTokensFile), kAddedTokensFile));
    ATTEND_ASSIGN_OR_RETURN(const auto ids, AsCorrupt(added.AsIntMap(), kAddedTokensFile));
    for (const auto& [text, id] : ids) {
      WholeToken token;
      token.text = text;
      token.id = id;
      config.added.push_back(std::move(token));
    }
    config.added_file = kAddedTokensFile;
  }
  return config;
}

std::string TokenizerConfig::TextOf(Role role, std::string_view otherwise) const {
  return named[role] ? named[role]->text : std::string(otherwise);
}

}  // namespace attend
