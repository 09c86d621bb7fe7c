#include "client/json_output.h"

#include <gtest/gtest.h>

#include <limits>

namespace attend::client {
namespace {

TEST(JsonNumber, IsTheShortestDecimalOfTheFloat) {
  EXPECT_EQ(JsonNumber(0.3f).dump(), "0.3");
  EXPECT_EQ(JsonNumber(-1.25f).dump(), "-1.25");
  EXPECT_EQ(JsonNumber(std::numeric_limits<float>::quiet_NaN()).dump(), "null");
  EXPECT_EQ(JsonNumber(std::numeric_limits<float>::infinity()).dump(), "null");
}

TEST(JsonLine, AlwaysParses) {
  Json json;
  json["text"] = "caf\xC3\xA9 \xFF \n \x01";
  const std::string line = JsonLine(json);
  EXPECT_EQ(line, "{\"text\":\"café \uFFFD \\n \\u0001\"}\n");
  EXPECT_TRUE(Json::accept(line));
}

TEST(ToJson, WritesATranslation) {
  attend::v1::Translation translation;
  translation.set_text("Le chat");
  auto* hypothesis = translation.add_hypotheses();
  hypothesis->set_text("Le chat");
  hypothesis->set_score(-0.5f);
  hypothesis->set_finish_reason(attend::v1::FINISH_REASON_MAX_TOKENS);
  auto* token = hypothesis->add_tokens();
  token->set_id(7);
  token->set_piece("▁Le");
  token->mutable_span()->set_end(2);
  token->set_log_prob(-0.1f);
  EXPECT_EQ(
      ToJson(translation).dump(),
      "{\"text\":\"Le chat\",\"score\":-0.5,\"hypotheses\":[{\"text\":\"Le chat\",\"score\":-0.5,"
      "\"finish_reason\":\"MAX_TOKENS\",\"tokens\":[{\"id\":7,\"piece\":\"▁Le\",\"span\":[0,2],"
      "\"log_prob\":-0.1}]}],"
      "\"sentences\":[],\"source_words\":[],\"target_words\":[],\"links\":[],\"truncated_input_"
      "tokens\":0,"
      "\"model_revision\":\"\"}");
}

TEST(ToJson, WritesWhatWasSharedOnlyWhereItWas) {
  attend::v1::Usage usage;
  usage.set_input_tokens(4);
  EXPECT_FALSE(ToJson(usage).contains("cached_segments"));
  EXPECT_FALSE(ToJson(usage).contains("merged_segments"));
  usage.set_cached_segments(2);
  usage.set_merged_segments(3);
  EXPECT_EQ(ToJson(usage)["cached_segments"], 2);
  EXPECT_EQ(ToJson(usage)["merged_segments"], 3);
}

TEST(ToJson, WritesDenseAndSparseMatrices) {
  attend::v1::AttentionMatrix matrix;
  matrix.set_kind(attend::v1::ATTENTION_KIND_CROSS);
  matrix.set_row_count(2);
  matrix.set_column_count(2);
  for (const float weight : {0.5f, 0.25f, 1.0f, 0.0f}) matrix.mutable_dense()->add_weights(weight);
  EXPECT_EQ(ToJson(matrix).dump(),
            "{\"kind\":\"cross\",\"rows\":2,\"columns\":2,\"weights\":[[0.5,0.25],[1.0,0.0]]}");
  matrix.mutable_head()->set_layer(1);
  auto* sparse = matrix.mutable_sparse();
  for (const uint32_t offset : {0, 1, 9}) sparse->add_row_offsets(offset);  // the last one lies
  sparse->add_columns(1);
  sparse->add_weights(0.5f);
  EXPECT_EQ(ToJson(matrix).dump(),
            "{\"kind\":\"cross\",\"layer\":1,\"head\":0,\"rows\":2,\"columns\":2,\"entries\":[[[1,"
            "0.5]],[]]}");
}

}  // namespace
}  // namespace attend::client
