// The tokenizers of the golden folders that have a tokenizer.json.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "engine/tokenizers/tokenizer_factory.h"

namespace attend {

inline std::string HfGoldenFolder(const std::string& family) {
  return ATTEND_SOURCE_DIR "/tests/golden/" + family;
}

inline const Tokenizer& HfGoldenTokenizer(const std::string& family) {
  static auto& loaded = *new std::map<std::string, std::unique_ptr<Tokenizer>>();
  std::unique_ptr<Tokenizer>& tokenizer = loaded[family];
  if (tokenizer == nullptr) {
    auto directory = ModelDirectory::Open(HfGoldenFolder(family) + "/model");
    EXPECT_TRUE(directory.ok()) << directory.status();
    auto read = LoadTokenizer(*directory);
    EXPECT_TRUE(read.ok()) << read.status();
    tokenizer = std::move(*read);
  }
  return *tokenizer;
}

}  // namespace attend
