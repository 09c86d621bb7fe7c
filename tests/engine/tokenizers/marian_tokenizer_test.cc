// The golden tokenisations, and the properties of spans over golden and hostile texts.
#include "engine/tokenizers/marian_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/checkpoint/json.h"
#include "engine/text/offset_map.h"
#include "engine/tokenizers/tokenizer_factory.h"

namespace attend {
namespace {

using ::testing::ElementsAreArray;

const std::string kGolden = ATTEND_SOURCE_DIR "/tests/golden/marian_tiny";

const Tokenizer& GoldenTokenizer() {
  static const Tokenizer* const tokenizer = [] {
    auto directory = ModelDirectory::Open(kGolden + "/model");
    EXPECT_TRUE(directory.ok()) << directory.status();
    auto loaded = LoadTokenizer(*directory);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded->release();
  }();
  return *tokenizer;
}

const Json& Golden() {
  static const Json* const json = new Json(*Json::ReadFile(kGolden + "/tokenization.json"));
  return *json;
}

std::vector<int32_t> Ids(const Json& list) {
  std::vector<int32_t> ids;
  const auto values = list.AsInts();
  EXPECT_TRUE(values.ok());
  for (const int64_t id : *values) ids.push_back(static_cast<int32_t>(id));
  return ids;
}

std::string Decoded(const std::vector<int32_t>& ids, TextSide side, bool keep_special) {
  return GoldenTokenizer().Decode(ids, side, keep_special).text;
}

TEST(MarianTokenizerGolden, EncodesAndDecodesSources) {
  const std::vector<Json> cases = Golden().Get("cases")->Elements();
  ASSERT_GT(cases.size(), 70u);
  for (const Json& c : cases) {
    const std::string text = *c.GetString("text");
    SCOPED_TRACE(text);
    const EncodedText encoded = GoldenTokenizer().Encode(text, TextSide::kSource);
    const std::vector<int32_t> ids = Ids(*c.Get("ids"));
    EXPECT_THAT(encoded.ids(), ElementsAreArray(ids));
    std::vector<std::string> pieces, expected_pieces;
    for (const EncodedToken& token : encoded.tokens) pieces.push_back(token.piece);
    for (const Json& token : c.Get("tokens")->Elements()) expected_pieces.push_back(*token.AsString());
    EXPECT_THAT(pieces, ElementsAreArray(expected_pieces));
    EXPECT_EQ(Decoded(ids, TextSide::kTarget, false), *c.GetString("decoded"));
    EXPECT_EQ(Decoded(ids, TextSide::kTarget, true), *c.GetString("decoded_with_special"));
    EXPECT_EQ(Decoded(ids, TextSide::kSource, false), *c.GetString("decoded_source"));
  }
}

TEST(MarianTokenizerGolden, EncodesAndDecodesTargets) {
  const std::vector<Json> cases = Golden().Get("target_cases")->Elements();
  ASSERT_GT(cases.size(), 20u);
  for (const Json& c : cases) {
    SCOPED_TRACE(*c.GetString("text"));
    const std::vector<int32_t> ids = Ids(*c.Get("ids"));
    EXPECT_THAT(GoldenTokenizer().Encode(*c.GetString("text"), TextSide::kTarget).ids(), ElementsAreArray(ids));
    EXPECT_EQ(Decoded(ids, TextSide::kTarget, false), *c.GetString("decoded"));
  }
}

TEST(MarianTokenizerGolden, DecodesArbitraryIds) {
  const std::vector<Json> cases = Golden().Get("decode_cases")->Elements();
  ASSERT_GT(cases.size(), 10u);
  for (const Json& c : cases) {
    const std::vector<int32_t> ids = Ids(*c.Get("ids"));
    EXPECT_EQ(Decoded(ids, TextSide::kTarget, false), *c.GetString("decoded"));
    EXPECT_EQ(Decoded(ids, TextSide::kTarget, true), *c.GetString("decoded_with_special"));
  }
}

TEST(MarianTokenizerGolden, TruncatesBeforeTheEnd) {
  const std::vector<Json> cases = Golden().Get("truncation_single")->Elements();
  ASSERT_GT(cases.size(), 5u);
  for (const Json& c : cases) {
    EncodedText encoded = GoldenTokenizer().Encode(*c.GetString("text"), TextSide::kSource);
    TruncateKeepingEnd(&encoded, *c.GetInt("max_length"));
    EXPECT_THAT(encoded.ids(), ElementsAreArray(Ids(*c.Get("ids"))));
  }
}

}  // namespace
}  // namespace attend
