// Tokenize, Detokenize, SplitSentences as a client sees them.
#include "gtest/gtest.h"
#include "tests/integration/server_under_test.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;

constexpr char kText[] = "Le café 😀 est là. Yes.";

TEST(TokenizeTest, SpansAndRoundTrip) {
  v1::TokenizeRequest request;
  request.set_model("models/tiny");
  request.set_text(kText);
  for (const v1::OffsetUnit unit :
       {v1::OFFSET_UNIT_BYTE, v1::OFFSET_UNIT_UTF16, v1::OFFSET_UNIT_CODE_POINT}) {
    request.set_offset_unit(unit);
    grpc::ClientContext context;
    v1::TokenizeResponse response;
    ASSERT_TRUE(SharedServer().tokenization->Tokenize(&context, request, &response).ok());
    ASSERT_GT(response.tokens_size(), 3);
    const v1::Token& last = response.tokens(response.tokens_size() - 1);
    EXPECT_TRUE(last.special());
    EXPECT_FALSE(last.has_span());
    for (const v1::Token& token : response.tokens()) {
      if (token.special()) continue;
      EXPECT_NE(TextOf(kText, token.span(), unit), "(no span)");
    }
  }
  request.set_omit_special(true);
  grpc::ClientContext context;
  v1::TokenizeResponse response;
  ASSERT_TRUE(SharedServer().tokenization->Tokenize(&context, request, &response).ok());
  for (const v1::Token& token : response.tokens()) EXPECT_FALSE(token.special());
}

TEST(DetokenizeTest, JoinsAndRefusesWhatIsNoId) {
  v1::DetokenizeRequest request;
  request.set_model("tiny");
  for (const uint32_t id : {202u, 148u, 9u, 0u}) request.add_ids(id);
  grpc::ClientContext context;
  v1::DetokenizeResponse plain, special;
  ASSERT_TRUE(SharedServer().tokenization->Detokenize(&context, request, &plain).ok());
  EXPECT_EQ(plain.text(), "Le chat");  // ids of generate.json
  request.set_keep_special(true);
  grpc::ClientContext again;
  ASSERT_TRUE(SharedServer().tokenization->Detokenize(&again, request, &special).ok());
  EXPECT_NE(special.text(), plain.text());
  request.add_ids(4000000000u);
  grpc::ClientContext wrong;
  EXPECT_EQ(Summary(SharedServer().tokenization->Detokenize(&wrong, request, &plain)),
            "INVALID_ARGUMENT OPTION_OUT_OF_RANGE ids[4]");
}

TEST(SplitSentencesTest, SpansInTheCallersUnit) {
  v1::SplitSentencesRequest request;
  request.set_text("😀 Dr. Smith came. He left.");
  request.set_language_code("en");
  request.set_offset_unit(v1::OFFSET_UNIT_UTF16);
  grpc::ClientContext context;
  v1::SplitSentencesResponse response;
  ASSERT_TRUE(SharedServer().tokenization->SplitSentences(&context, request, &response).ok());
  ASSERT_EQ(response.sentences_size(), 2);
  EXPECT_EQ(TextOf(request.text(), response.sentences(1), v1::OFFSET_UNIT_UTF16), "He left.");
  request.set_language_code("no code at all");
  grpc::ClientContext wrong;
  EXPECT_EQ(Summary(SharedServer().tokenization->SplitSentences(&wrong, request, &response)),
            "INVALID_ARGUMENT LANGUAGE_CODE_INVALID language_code");
  request.clear_language_code();
  request.set_text(std::string(256 * 1024 + 1, 'a'));
  grpc::ClientContext large;
  EXPECT_EQ(Summary(SharedServer().tokenization->SplitSentences(&large, request, &response)),
            "INVALID_ARGUMENT INPUT_TOO_LONG text");
}

TEST(TokenizeTest, UnknownModelsAndLongTexts) {
  v1::TokenizeRequest request;
  request.set_model("models/none");
  request.set_text("a");
  v1::TokenizeResponse response;
  grpc::ClientContext missing;
  EXPECT_EQ(Summary(SharedServer().tokenization->Tokenize(&missing, request, &response)),
            "NOT_FOUND MODEL_NOT_FOUND");
  request.set_model("models/tiny");
  request.set_text(std::string(256 * 1024 + 1, 'a'));
  grpc::ClientContext large;
  EXPECT_EQ(Summary(SharedServer().tokenization->Tokenize(&large, request, &response)),
            "INVALID_ARGUMENT INPUT_TOO_LONG text");
}

}  // namespace
}  // namespace attend::server
