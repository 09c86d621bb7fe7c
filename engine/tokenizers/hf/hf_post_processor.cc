// All kinds come down to two lists of special tokens and texts. What some of them also do, taking
// white space off offsets, is done for all texts (hf_tokenizer.cc).
#include "engine/tokenizers/hf/hf_post_processor.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/tokenizers/hf/json_place.h"

namespace attend {
namespace {

using Kind = TemplateItem::Kind;

absl::StatusOr<int32_t> ToId(int64_t id, const Json& place) {
  if (id < 0 || id > INT32_MAX) return CorruptValue(place, absl::StrCat("no token id: ", id));
  return static_cast<int32_t>(id);
}

// ["</s>", 2]
absl::StatusOr<int32_t> ReadTokenAndId(const Json& json, const char* key) {
  ATTEND_ASSIGN_OR_RETURN(const Json value, json.Get(key));
  const std::vector<Json> pair = value.Elements();
  if (pair.size() != 2) return CorruptValue(value, "expected a token and its id");
  ATTEND_ASSIGN_OR_RETURN(const int64_t id, pair[1].AsInt());
  return ToId(id, value);
}

absl::Status AppendSpecial(const Json& item, const Json& special_tokens,
                           std::vector<TemplateItem>* items) {
  ATTEND_ASSIGN_OR_RETURN(const std::string name, item.GetString("id"));
  ATTEND_ASSIGN_OR_RETURN(const int64_t type, item.GetIntOr("type_id", 0));
  ATTEND_ASSIGN_OR_RETURN(const Json token, special_tokens.Get(name));
  ATTEND_ASSIGN_OR_RETURN(const Json ids, token.Get("ids"));
  ATTEND_ASSIGN_OR_RETURN(const std::vector<int64_t> values, ids.AsInts());
  for (const int64_t value : values) {
    ATTEND_ASSIGN_OR_RETURN(const int32_t id, ToId(value, ids));
    ATTEND_ASSIGN_OR_RETURN(const int32_t type_id, ToId(type, item));
    items->push_back({Kind::kToken, id, type_id});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<TemplateItem>> ReadItems(const Json& json, const char* key,
                                                    const Json& special_tokens) {
  ATTEND_ASSIGN_OR_RETURN(const Json list, json.Get(key));
  ATTEND_RETURN_IF_ERROR(list.RequireArray());
  std::vector<TemplateItem> items;
  for (const Json& element : list.Elements()) {
    if (element.Has("SpecialToken")) {
      ATTEND_ASSIGN_OR_RETURN(const Json item, element.Get("SpecialToken"));
      ATTEND_RETURN_IF_ERROR(AppendSpecial(item, special_tokens, &items));
      continue;
    }
    ATTEND_ASSIGN_OR_RETURN(const Json item, element.Get("Sequence"));
    ATTEND_ASSIGN_OR_RETURN(const std::string name, item.GetString("id"));
    ATTEND_ASSIGN_OR_RETURN(const int64_t type, item.GetIntOr("type_id", 0));
    ATTEND_ASSIGN_OR_RETURN(const int32_t type_id, ToId(type, item));
    if (name != "A" && name != "B") return CorruptValue(item, "expected sequence A or B");
    items.push_back({name == "A" ? Kind::kFirst : Kind::kSecond, 0, type_id});
  }
  const auto count = [&items](Kind kind) {
    int64_t found = 0;
    for (const TemplateItem& item : items) found += item.kind == kind ? 1 : 0;
    return found;
  };
  const int64_t second = key == std::string("pair") ? 1 : 0;
  if (count(Kind::kFirst) != 1 || count(Kind::kSecond) != second) {
    return CorruptValue(list, "expected each text once");
  }
  return items;
}

absl::StatusOr<TokenTemplate> ReadTemplate(const Json& json) {
  Json special_tokens;
  if (json.Has("special_tokens")) {
    ATTEND_ASSIGN_OR_RETURN(special_tokens, json.Get("special_tokens"));
  }
  TokenTemplate read = TokenTemplate::Plain();
  ATTEND_ASSIGN_OR_RETURN(read.single, ReadItems(json, "single", special_tokens));
  if (json.Has("pair")) {
    ATTEND_ASSIGN_OR_RETURN(read.pair, ReadItems(json, "pair", special_tokens));
  }
  return read;
}

absl::StatusOr<TokenTemplate> ReadSequence(const Json& json) {
  ATTEND_ASSIGN_OR_RETURN(const Json list, json.Get("processors"));
  ATTEND_RETURN_IF_ERROR(list.RequireArray());
  std::optional<TokenTemplate> found;
  for (const Json& part : list.Elements()) {
    ATTEND_ASSIGN_OR_RETURN(const std::string kind, part.GetString("type"));
    if (kind == "ByteLevel") continue;  // adds no token
    if (found) return UnsupportedValue(part, "a second one that adds tokens is not supported");
    ATTEND_ASSIGN_OR_RETURN(found, ReadHfPostProcessor(part));
  }
  return found ? *found : TokenTemplate::Plain();
}

}  // namespace

TokenTemplate TokenTemplate::Plain() {
  return {{{Kind::kFirst, 0, 0}}, {{Kind::kFirst, 0, 0}, {Kind::kSecond, 0, 1}}};
}

TokenTemplate TokenTemplate::Around(const std::vector<int32_t>& prefix,
                                    const std::vector<int32_t>& suffix) {
  TokenTemplate made;
  for (const int32_t id : prefix) made.single.push_back({Kind::kToken, id, 0});
  made.single.push_back({Kind::kFirst, 0, 0});
  made.pair = made.single;
  made.pair.push_back({Kind::kSecond, 0, 0});
  for (const int32_t id : suffix) {
    made.single.push_back({Kind::kToken, id, 0});
    made.pair.push_back({Kind::kToken, id, 0});
  }
  return made;
}

TokenTemplate TokenTemplate::Bert(int32_t cls, int32_t sep) {
  TokenTemplate made = Around({cls}, {sep});
  made.pair = made.single;
  made.pair.push_back({Kind::kSecond, 0, 1});
  made.pair.push_back({Kind::kToken, sep, 1});
  return made;
}

TokenTemplate TokenTemplate::Roberta(int32_t cls, int32_t sep) {
  TokenTemplate made = Around({cls}, {sep});
  made.pair = made.single;
  made.pair.push_back({Kind::kToken, sep, 0});
  made.pair.push_back({Kind::kSecond, 0, 0});
  made.pair.push_back({Kind::kToken, sep, 0});
  return made;
}

absl::StatusOr<TokenTemplate> ReadHfPostProcessor(const Json& json) {
  ATTEND_ASSIGN_OR_RETURN(const std::string kind, json.GetString("type"));
  if (kind == "TemplateProcessing") return ReadTemplate(json);
  if (kind == "ByteLevel") return TokenTemplate::Plain();
  if (kind == "Sequence") return ReadSequence(json);
  if (kind == "BertProcessing" || kind == "RobertaProcessing") {
    ATTEND_ASSIGN_OR_RETURN(const int32_t cls, ReadTokenAndId(json, "cls"));
    ATTEND_ASSIGN_OR_RETURN(const int32_t sep, ReadTokenAndId(json, "sep"));
    return kind == "BertProcessing" ? TokenTemplate::Bert(cls, sep)
                                    : TokenTemplate::Roberta(cls, sep);
  }
  return UnknownKind(json, kind);
}

}  // namespace attend
