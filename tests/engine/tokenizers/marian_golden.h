// The tokenizer of the golden Marian folder.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "engine/tokenizers/tokenizer_factory.h"

namespace attend {

inline const std::string kGolden = ATTEND_SOURCE_DIR "/tests/golden/marian_tiny";

inline const Tokenizer& GoldenTokenizer() {
  static const Tokenizer* const tokenizer = [] {
    auto directory = ModelDirectory::Open(kGolden + "/model");
    EXPECT_TRUE(directory.ok()) << directory.status();
    auto loaded = LoadTokenizer(*directory);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded->release();
  }();
  return *tokenizer;
}

}  // namespace attend
