// transformers reads special_tokens_map.json and added_tokens.json only where tokenizer_config.json
// has no added_tokens_decoder, which newer versions write.
#include "engine/tokenizers/hf/hf_tokenizer_config.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/tokenizers/hf/json_place.h"

namespace attend {
namespace {

constexpr char kConfigFile[] = "tokenizer_config.json";
constexpr char kSpecialTokensFile[] = "special_tokens_map.json";
constexpr char kAddedTokensFile[] = "added_tokens.json";
constexpr const char* kSpecialKeys[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                        "pad_token", "cls_token", "mask_token"};

AddedToken SpecialToken(std::string content) {
  AddedToken token;
  token.content = std::move(content);
  token.special = true;
  return token;
}

// A token is written as its text or as an object.
absl::StatusOr<AddedToken> ReadSpecialToken(const Json& json) {
  AddedToken token;
  if (json.IsObject()) {
    ATTEND_ASSIGN_OR_RETURN(token, ReadAddedToken(json));
    token.special = true;
    return token;
  }
  ATTEND_ASSIGN_OR_RETURN(const std::string content, json.AsString());
  return SpecialToken(content);
}

absl::Status ReadSpecialTokens(const Json& json, HfTokenizerConfig* config) {
  ATTEND_RETURN_IF_ERROR(json.RequireObject());
  for (const char* key : kSpecialKeys) {
    if (!json.Has(key)) continue;
    ATTEND_ASSIGN_OR_RETURN(const Json token, json.Get(key));
    ATTEND_ASSIGN_OR_RETURN(AddedToken read, ReadSpecialToken(token));
    // A plain spelling leaves the class's way of looking for the token as it is.
    const AddedToken* known = config->Special(key);
    if (token.IsString() && known != nullptr && known->content == read.content) continue;
    config->special_tokens[key] = std::move(read);
  }
  if (!json.Has("additional_special_tokens")) return absl::OkStatus();
  ATTEND_ASSIGN_OR_RETURN(const Json list, json.Get("additional_special_tokens"));
  ATTEND_RETURN_IF_ERROR(list.RequireArray());
  for (const Json& token : list.Elements()) {
    ATTEND_ASSIGN_OR_RETURN(config->further_special_tokens.emplace_back(), ReadSpecialToken(token));
  }
  return absl::OkStatus();
}

absl::Status ReadOptions(const Json& json, HfTokenizerConfig* config) {
  ATTEND_ASSIGN_OR_RETURN(config->clean_up_spaces,
                          json.GetBoolOr("clean_up_tokenization_spaces", false));
  ATTEND_ASSIGN_OR_RETURN(config->add_prefix_space, json.GetBoolOr("add_prefix_space", false));
  ATTEND_ASSIGN_OR_RETURN(config->add_bos_token, json.GetBoolOr("add_bos_token", false));
  ATTEND_ASSIGN_OR_RETURN(config->legacy_behaviour, json.GetBoolOr("legacy_behaviour", false));
  BertNormalizerOverride& bert = config->bert;
  ATTEND_ASSIGN_OR_RETURN(bert.do_lower_case, json.GetBoolOr("do_lower_case", true));
  ATTEND_ASSIGN_OR_RETURN(bert.tokenize_chinese_chars,
                          json.GetBoolOr("tokenize_chinese_chars", true));
  bert.has_strip_accents = json.Has("strip_accents");
  ATTEND_ASSIGN_OR_RETURN(bert.strip_accents, json.GetBoolOr("strip_accents", false));
  ATTEND_ASSIGN_OR_RETURN(config->source_language,
                          json.GetStringOr("src_lang", config->source_language));
  ATTEND_ASSIGN_OR_RETURN(config->target_language, json.GetStringOr("tgt_lang", ""));
  if (!json.Has("model_max_length")) return absl::OkStatus();
  ATTEND_ASSIGN_OR_RETURN(const double limit, json.GetNumber("model_max_length"));
  if (!(limit >= 1)) {
    ATTEND_ASSIGN_OR_RETURN(const Json value, json.Get("model_max_length"));
    return CorruptValue(value, absl::StrCat("expected at least 1, found ", limit));
  }
  config->max_length = limit < static_cast<double>(HfTokenizerConfig::kUnlimited)
                           ? static_cast<int64_t>(limit)
                           : HfTokenizerConfig::kUnlimited;
  return absl::OkStatus();
}

// added_tokens_decoder: ids as text → tokens as objects.
absl::Status ReadAddedTokens(const Json& added, HfTokenizerConfig* config) {
  ATTEND_RETURN_IF_ERROR(added.RequireObject());
  for (const std::string& key : added.Keys()) {
    ATTEND_ASSIGN_OR_RETURN(const Json json, added.Get(key));
    const bool is_number =
        !key.empty() && key.size() <= 9 && key.find_first_not_of("0123456789") == std::string::npos;
    if (!is_number) return CorruptValue(json, "expected an id as its key");
    ATTEND_ASSIGN_OR_RETURN(AddedToken token, ReadAddedToken(json));
    token.id = static_cast<int32_t>(std::stol(key));
    config->added_tokens.push_back(std::move(token));
  }
  std::sort(config->added_tokens.begin(), config->added_tokens.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  return absl::OkStatus();
}

absl::Status ReadOldAddedTokens(const Json& json, HfTokenizerConfig* config) {
  ATTEND_ASSIGN_OR_RETURN(const auto ids, json.AsIntMap());
  for (const auto& [content, id] : ids) {
    AddedToken token;
    token.content = content;
    token.normalized = true;
    if (id < 0 || id > INT32_MAX) return CorruptValue(json, absl::StrCat("no token id: ", id));
    token.id = static_cast<int32_t>(id);
    config->added_tokens.push_back(std::move(token));
  }
  return absl::OkStatus();
}

std::string ClassOfModelType(const std::string& model_type) {
  constexpr std::pair<std::string_view, std::string_view> kClasses[] = {
      {"bert", "BertTokenizer"}, {"blip", "BertTokenizer"},       {"bart", "BartTokenizer"},
      {"t5", "T5Tokenizer"},     {"pegasus", "PegasusTokenizer"}, {"mbart", "MBartTokenizer"},
      {"gpt2", "GPT2Tokenizer"}};
  for (const auto& [type, name] : kClasses) {
    if (type == model_type) return std::string(name);
  }
  return "";
}

bool IsOneOf(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// What a class has where its files say nothing.
void SetDefaults(HfTokenizerConfig* config) {
  const auto set = [config](const char* key, const char* content) {
    config->special_tokens[key] = SpecialToken(content);
  };
  const std::string& name = config->tokenizer_class;
  if (config->IsBertClass()) {
    set("unk_token", "[UNK]"), set("sep_token", "[SEP]"), set("pad_token", "[PAD]");
    set("cls_token", "[CLS]"), set("mask_token", "[MASK]");
  } else if (IsOneOf(name, {"MBartTokenizer", "MBart50Tokenizer", "NllbTokenizer"}) ||
             config->IsRobertaClass()) {
    set("bos_token", "<s>"), set("eos_token", "</s>"), set("unk_token", "<unk>");
    set("sep_token", "</s>"), set("pad_token", "<pad>"), set("cls_token", "<s>");
    set("mask_token", "<mask>");
    config->special_tokens["mask_token"].lstrip = true;
    if (!config->IsRobertaClass()) {
      config->source_language = name == "NllbTokenizer" ? "eng_Latn" : "en_XX";
    }
  } else if (IsOneOf(name, {"T5Tokenizer", "PegasusTokenizer"})) {
    set("eos_token", "</s>"), set("unk_token", "<unk>"), set("pad_token", "<pad>");
  } else if (name == "GPT2Tokenizer") {
    set("bos_token", "<|endoftext|>"), set("eos_token", "<|endoftext|>");
    set("unk_token", "<|endoftext|>");
  }
}

absl::StatusOr<Json> ReadObject(const ModelDirectory& directory, const char* file) {
  if (!directory.Has(file)) return Json();
  ATTEND_ASSIGN_OR_RETURN(Json json, directory.ReadJson(file));
  ATTEND_RETURN_IF_ERROR(json.RequireObject());
  return json;
}

absl::Status ReadConfigFile(const ModelDirectory& directory, HfTokenizerConfig* config,
                            bool* names_added_tokens) {
  ATTEND_ASSIGN_OR_RETURN(const Json json, ReadObject(directory, kConfigFile));
  ATTEND_ASSIGN_OR_RETURN(const std::string model_type,
                          directory.config().GetStringOr("model_type", ""));
  ATTEND_ASSIGN_OR_RETURN(
      const std::string default_class,
      directory.config().GetStringOr("tokenizer_class", ClassOfModelType(model_type)));
  ATTEND_ASSIGN_OR_RETURN(config->tokenizer_class,
                          json.GetStringOr("tokenizer_class", default_class));
  config->is_multilingual = model_type == "mbart" || model_type == "m2m_100";
  std::string& name = config->tokenizer_class;
  constexpr std::string_view kFast = "Fast";
  if (name.size() > kFast.size() &&
      name.compare(name.size() - kFast.size(), kFast.size(), kFast) == 0) {
    name.resize(name.size() - kFast.size());
  }
  SetDefaults(config);
  ATTEND_RETURN_IF_ERROR(ReadSpecialTokens(json, config));
  ATTEND_RETURN_IF_ERROR(ReadOptions(json, config));
  *names_added_tokens = json.Has("added_tokens_decoder");
  if (!*names_added_tokens) return absl::OkStatus();
  ATTEND_ASSIGN_OR_RETURN(const Json added, json.Get("added_tokens_decoder"));
  return ReadAddedTokens(added, config);
}

}  // namespace

bool HfTokenizerConfig::IsBertClass() const {
  return IsOneOf(tokenizer_class, {"BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer"});
}

bool HfTokenizerConfig::IsRobertaClass() const {
  return IsOneOf(tokenizer_class, {"BartTokenizer", "RobertaTokenizer"});
}

const AddedToken* HfTokenizerConfig::Special(const std::string& key) const {
  const auto found = special_tokens.find(key);
  return found == special_tokens.end() ? nullptr : &found->second;
}

absl::StatusOr<HfTokenizerConfig> HfTokenizerConfig::Read(const ModelDirectory& directory) {
  HfTokenizerConfig config;
  bool names_added_tokens = false;
  absl::Status status = ReadConfigFile(directory, &config, &names_added_tokens);
  if (!status.ok()) return CorruptJson(kConfigFile, status);
  if (names_added_tokens) return config;
  const auto read = [&](const char* file, absl::Status (*take)(const Json&, HfTokenizerConfig*)) {
    const auto json = ReadObject(directory, file);
    return CorruptJson(file, json.ok() ? take(*json, &config) : json.status());
  };
  status = read(kSpecialTokensFile, ReadSpecialTokens);
  if (status.ok()) status = read(kAddedTokensFile, ReadOldAddedTokens);
  if (!status.ok()) return status;
  return config;
}

}  // namespace attend
