// GetAttention, StreamAttention, AlignWords as a client sees them.
#include <cmath>

#include "gtest/gtest.h"
#include "tests/integration/server_under_test.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;

constexpr char kText[] = "The café's cat sat on the mat.";

v1::GetAttentionRequest RequestFor(v1::AttentionKind kind) {
  v1::GetAttentionRequest request;
  request.set_model("models/tiny");
  request.set_source(kText);
  request.set_target("Le chat était assis sur le tapis.");
  request.mutable_selection()->add_kinds(kind);
  return request;
}

v1::GetAttentionResponse Get(const v1::GetAttentionRequest& request) {
  grpc::ClientContext context;
  v1::GetAttentionResponse response;
  const grpc::Status status = SharedServer().attention->GetAttention(&context, request, &response);
  EXPECT_TRUE(status.ok()) << Summary(status) << " " << status.error_message();
  return response;
}

void ExpectRowsSumToOne(const v1::AttentionMatrix& matrix) {
  ASSERT_EQ(matrix.dense().weights_size(),
            static_cast<int>(matrix.row_count() * matrix.column_count()));
  for (uint32_t row = 0; row < matrix.row_count(); ++row) {
    double sum = 0;
    for (uint32_t column = 0; column < matrix.column_count(); ++column) {
      sum += matrix.dense().weights(static_cast<int>(row * matrix.column_count() + column));
    }
    EXPECT_NEAR(sum, 1.0, 1e-4);
  }
}

TEST(GetAttentionTest, ShapesFollowTheAxes) {
  v1::GetAttentionRequest request = RequestFor(v1::ATTENTION_KIND_CROSS);
  request.mutable_selection()->add_kinds(v1::ATTENTION_KIND_ENCODER_SELF);
  request.mutable_selection()->add_kinds(v1::ATTENTION_KIND_DECODER_SELF);
  request.mutable_selection()->set_reduction(v1::ATTENTION_REDUCTION_NONE);
  const v1::GetAttentionResponse response = Get(request);
  const v1::Attention& attention = response.attention();
  EXPECT_EQ(attention.matrices_size(), 3 * 2 * 4);  // kinds, layers, heads
  EXPECT_EQ(attention.target_text(), request.target());
  const uint32_t sources = static_cast<uint32_t>(attention.source_tokens_size());
  const uint32_t targets = static_cast<uint32_t>(attention.target_tokens_size());
  ASSERT_GT(sources, 0u);
  ASSERT_GT(targets, 0u);
  for (const v1::AttentionMatrix& matrix : attention.matrices()) {
    EXPECT_TRUE(matrix.has_head());
    EXPECT_EQ(matrix.row_count(),
              matrix.kind() == v1::ATTENTION_KIND_ENCODER_SELF ? sources : targets);
    EXPECT_EQ(matrix.column_count(),
              matrix.kind() == v1::ATTENTION_KIND_DECODER_SELF ? targets : sources);
    ExpectRowsSumToOne(matrix);
  }
  EXPECT_GT(response.usage().input_tokens(), 0u);
}

TEST(GetAttentionTest, WordsAndUnits) {
  v1::GetAttentionRequest request = RequestFor(v1::ATTENTION_KIND_CROSS);
  request.mutable_selection()->set_granularity(v1::ATTENTION_GRANULARITY_WORD);
  request.mutable_selection()->set_drop_special(true);
  for (const v1::OffsetUnit unit :
       {v1::OFFSET_UNIT_BYTE, v1::OFFSET_UNIT_UTF16, v1::OFFSET_UNIT_CODE_POINT}) {
    request.set_offset_unit(unit);
    const v1::Attention attention = Get(request).attention();
    ASSERT_EQ(attention.matrices_size(), 1);
    EXPECT_EQ(attention.matrices(0).row_count(),
              static_cast<uint32_t>(attention.target_words_size()));
    EXPECT_EQ(attention.matrices(0).column_count(),
              static_cast<uint32_t>(attention.source_words_size()));
    ExpectRowsSumToOne(attention.matrices(0));
    for (const v1::Word& word : attention.source_words())
      EXPECT_EQ(TextOf(kText, word.span(), unit), word.text());
    for (const v1::Word& word : attention.target_words()) {
      EXPECT_EQ(TextOf(request.target(), word.span(), unit), word.text());
    }
  }
}

TEST(GetAttentionTest, TopKIsSparseAndTheModelWritesAMissingTarget) {
  v1::GetAttentionRequest request = RequestFor(v1::ATTENTION_KIND_CROSS);
  request.clear_target();
  request.mutable_selection()->set_top_k(2);
  const v1::Attention attention = Get(request).attention();
  EXPECT_FALSE(attention.target_text().empty());
  const v1::SparseWeights& sparse = attention.matrices(0).sparse();
  ASSERT_EQ(sparse.row_offsets_size(), static_cast<int>(attention.matrices(0).row_count()) + 1);
  EXPECT_EQ(sparse.row_offsets(1), 2u);
  EXPECT_GE(sparse.weights(0), sparse.weights(1));
  EXPECT_EQ(sparse.columns_size(), sparse.weights_size());
}

TEST(GetAttentionTest, Presets) {
  v1::GetAttentionRequest request = RequestFor(v1::ATTENTION_KIND_CROSS);
  request.mutable_selection()->set_preset("alignment");
  EXPECT_EQ(Get(request).attention().matrices_size(), 1);
}

TEST(StreamAttentionTest, SlicesJoinToWhatUnaryGives) {
  v1::GetAttentionRequest request = RequestFor(v1::ATTENTION_KIND_CROSS);
  request.mutable_selection()->set_reduction(v1::ATTENTION_REDUCTION_NONE);
  const v1::Attention whole = Get(request).attention();
  v1::StreamAttentionRequest stream_request;
  ASSERT_TRUE(stream_request.ParseFromString(request.SerializeAsString()));
  grpc::ClientContext context;
  auto reader = SharedServer().attention->StreamAttention(&context, stream_request);
  v1::Attention joined;
  int axes = 0, usages = 0;
  for (v1::StreamAttentionResponse part; reader->Read(&part);) {
    EXPECT_EQ(usages, 0);
    if (part.has_axes()) {
      EXPECT_EQ(joined.matrices_size(), 0);
      joined = part.axes();
      ++axes;
    } else if (part.has_usage()) {
      ++usages;
    } else {
      const v1::AttentionSlice& slice = part.slice();
      if (slice.first_row() == 0) {
        *joined.add_matrices() = slice.matrix();
      } else {
        v1::AttentionMatrix* last = joined.mutable_matrices(joined.matrices_size() - 1);
        EXPECT_EQ(slice.first_row(), last->row_count());
        last->set_row_count(last->row_count() + slice.matrix().row_count());
        last->mutable_dense()->MergeFrom(slice.matrix().dense());
      }
    }
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(axes, 1);
  EXPECT_EQ(usages, 1);
  EXPECT_EQ(joined.SerializeAsString(), whole.SerializeAsString());
}

TEST(AlignWordsTest, LinksPointAtWords) {
  v1::AlignWordsRequest request;
  request.set_model("models/tiny");
  request.set_source(kText);
  request.set_target("Le chat était assis sur le tapis.");
  request.set_offset_unit(v1::OFFSET_UNIT_CODE_POINT);
  grpc::ClientContext context;
  v1::AlignWordsResponse response;
  ASSERT_TRUE(SharedServer().attention->AlignWords(&context, request, &response).ok());
  ASSERT_GT(response.links_size(), 0);
  uint32_t last_target = 0;
  for (const v1::WordLink& link : response.links()) {
    ASSERT_LT(link.source_word(), static_cast<uint32_t>(response.source_words_size()));
    ASSERT_LT(link.target_word(), static_cast<uint32_t>(response.target_words_size()));
    EXPECT_GE(link.target_word(), last_target);
    last_target = link.target_word();
    EXPECT_GE(link.score(), 0.0f);
    EXPECT_LE(link.score(), 1.0f + 1e-5f);
  }
  for (const v1::Word& word : response.source_words()) {
    EXPECT_EQ(TextOf(kText, word.span(), v1::OFFSET_UNIT_CODE_POINT), word.text());
  }
  request.set_min_score(2.0f);
  grpc::ClientContext strict;
  response.Clear();
  ASSERT_TRUE(SharedServer().attention->AlignWords(&strict, request, &response).ok());
  EXPECT_EQ(response.links_size(), 0) << "no link can score above one";
  EXPECT_GT(response.source_words_size(), 0);
}

}  // namespace
}  // namespace attend::server
