// What tokenizer_config.json and its two older companions (special_tokens_map.json,
// added_tokens.json) say that every kind of tokenizer made from vocabulary files reads, in
// transformers' order of precedence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/json.h"
#include "engine/checkpoint/model_directory.h"

namespace attend {

// A token that is found in texts as a whole, before anything else is done with them.
struct WholeToken {
  std::string text;
  int64_t id = -1;         // -1: not said
  bool lstrip = false;     // takes the white space before it along
  bool rstrip = false;     // and that behind it
  bool is_object = false;  // written as an object, so that these flags were said
};

struct TokenizerConfig {
  // What max_length is when the checkpoint sets no limit.
  static constexpr int64_t kUnlimited = int64_t{1} << 40;
  static constexpr char kFile[] = "tokenizer_config.json";
  // In transformers' order, which decides the ids of tokens that have none yet.
  enum Role { kBos, kEos, kUnk, kSep, kPad, kCls, kMask, kNumRoles };

  // Folders without any of the files give an empty configuration. Errors as tokenizer_factory.h
  // says; UNIMPLEMENTED for tokens that only match whole words.
  static absl::StatusOr<TokenizerConfig> Read(const ModelDirectory& directory,
                                              int64_t default_max_length);

  std::optional<WholeToken> named[kNumRoles];
  bool has_additional = false;         // additional_special_tokens is there, be it empty
  std::vector<WholeToken> additional;  // its tokens
  std::vector<WholeToken> added;       // all with ids
  const char* added_file = kFile;      // where they stand
  std::string source_name,
      target_name;  // src_lang or source_lang, tgt_lang or target_lang; as written
  bool clean_up_spaces = false;
  int64_t max_length = kUnlimited;
  Json json;  // tokenizer_config.json whole, for what only one kind knows; empty when there is none

  // The text of a role's token, `otherwise` when no file names one.
  std::string TextOf(Role role, std::string_view otherwise) const;

 private:
  absl::Status ReadSpecialTokens(const Json& source);
  absl::Status ReadOptions(int64_t default_max_length);
  absl::Status ReadAddedTokens(const Json& decoder);
};

// Errors of Json say which key of which file; here they mean that the file is bad.
template <typename T>
absl::StatusOr<T> AsCorrupt(absl::StatusOr<T> value, std::string_view file) {
  if (!value.ok()) return CorruptJson(file, value.status());
  return value;
}

}  // namespace attend
