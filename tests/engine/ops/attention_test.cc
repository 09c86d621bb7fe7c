// Attention against the definition, over head sizes that fit vectors and others, contiguous and
// paged keys.
#include "engine/ops/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/ops/op_threads.h"
#include "tests/engine/ops/reference_ops.h"

namespace attend {
namespace {

constexpr double kTolerance = 2e-5;

TEST(Attention, SequencesEqualTheReference) {
  for (int num_heads : {1, 3, 4}) {
    for (int64_t head_dim : {1, 2, 5, 8, 16, 32, 48, 64, 80}) {
      const HeadShape heads = {num_heads, head_dim};
      const int64_t hidden = heads.width();
      for (int64_t count : {1, 2, 15, 16, 17, 40}) {
        const Matrix queries = RandomMatrix(count, hidden, 1),
                     keys = RandomMatrix(count, hidden, 2), values = RandomMatrix(count, hidden, 3);
        for (bool causal : {false, true}) {
          Matrix out(count, hidden);
          std::vector<float> probabilities(static_cast<size_t>(num_heads * count * count), -1.0f);
          SequenceAttention attention;
          attention.queries = queries.view();
          attention.keys = keys.view();
          attention.values = values.view();
          attention.causal = causal;
          attention.out = out.view();
          attention.probabilities = probabilities.data();
          AttendSequence(heads, attention);
          for (int64_t r = 0; r < count; ++r) {
            const int64_t seen = causal ? r + 1 : count;
            const ReferenceAttentionResult expected =
                ReferenceAttention({queries.row(r), keys.view(), values.view(), num_heads, seen});
            for (int64_t i = 0; i < hidden; ++i) {
              ASSERT_NEAR(out.row(r)[i], expected.out[static_cast<size_t>(i)], kTolerance)
                  << head_dim << " " << count;
            }
            for (int h = 0; h < num_heads; ++h) {
              const float* row = probabilities.data() + (h * count + r) * count;
              for (int64_t k = 0; k < count; ++k) {
                const double weight =
                    k < seen
                        ? expected.probabilities[static_cast<size_t>(h)][static_cast<size_t>(k)]
                        : 0.0;
                ASSERT_NEAR(row[k], weight, kTolerance);
                if (k >= seen) {
                  ASSERT_EQ(row[k], 0.0f);
                }
              }
            }
          }
          // Nobody looking changes no bit, nor do threads.
          Matrix again(count, hidden);
          attention.probabilities = nullptr;
          attention.out = again.view();
          SetOpThreads(2);
          AttendSequence(heads, attention);
          SetOpThreads(1);
          ASSERT_EQ(std::memcmp(out.data(), again.data(),
                                static_cast<size_t>(count * hidden) * sizeof(float)),
                    0);
        }
      }
    }
  }
}

TEST(Attention, PagedKeysGiveTheBitsOfContiguousOnes) {
  const HeadShape heads = {6, 32};
  const int64_t hidden = heads.width();
  const Matrix queries = RandomMatrix(20, hidden, 4);
  const Matrix keys = RandomMatrix(70, hidden, 5), values = RandomMatrix(70, hidden, 6);
  // The same rows with gaps between them, as keys and values lie in a fused projection.
  Matrix strided(70, 2 * hidden);
  for (int64_t r = 0; r < 70; ++r) {
    std::copy_n(keys.row(r), hidden, strided.row(r));
    std::copy_n(values.row(r), hidden, strided.row(r) + hidden);
  }
  std::vector<KeyValueRun> whole, pages, gaps;
  std::vector<size_t> first_page;
  for (int64_t q = 0; q < 20; ++q) {
    const int64_t count = 1 + q * 69 / 19;
    whole.push_back({keys.data(), values.data(), count, hidden});
    gaps.push_back({strided.data(), strided.data() + hidden, count, 2 * hidden});
    first_page.push_back(pages.size());
    for (int64_t t = 0; t < count; t += 16)
      pages.push_back({keys.row(t), values.row(t), std::min<int64_t>(16, count - t), hidden});
  }
  first_page.push_back(pages.size());
  Matrix expected(20, hidden), paged(20, hidden), with_gaps(20, hidden);
  std::vector<AttentionQuery> a, b, c;
  for (size_t q = 0; q < 20; ++q) {
    const int64_t row = static_cast<int64_t>(q);
    a.push_back({queries.row(row), {&whole[q], 1}, expected.row(row)});
    b.push_back({queries.row(row),
                 {&pages[first_page[q]], first_page[q + 1] - first_page[q]},
                 paged.row(row)});
    c.push_back({queries.row(row), {&gaps[q], 1}, with_gaps.row(row)});
  }
  AttendRows(heads, a);
  AttendRows(heads, b);
  AttendRows(heads, c);
  EXPECT_EQ(
      std::memcmp(expected.data(), paged.data(), sizeof(float) * 20 * static_cast<size_t>(hidden)),
      0);
  EXPECT_EQ(std::memcmp(expected.data(), with_gaps.data(),
                        sizeof(float) * 20 * static_cast<size_t>(hidden)),
            0);
  for (int64_t q = 0; q < 20; ++q) {
    const ReferenceAttentionResult result =
        ReferenceAttention({queries.row(q), keys.view(), values.view(), heads.num_heads,
                            whole[static_cast<size_t>(q)].count});
    for (int64_t i = 0; i < hidden; ++i)
      ASSERT_NEAR(expected.row(q)[i], result.out[static_cast<size_t>(i)], kTolerance);
  }
}

// Whole sequences and single rows with a bias by distance, short and long reaches.
TEST(Attention, ABiasByDistanceIsAddedToTheScores) {
  const HeadShape heads = {3, 16};
  const int64_t width = heads.width();
  for (const int64_t reach : {1, 5, 16, 40, 200}) {
    const Matrix values_of_bias = RandomMatrix(heads.num_heads, 2 * reach + 1, 9);
    const DistanceBias bias = {values_of_bias.data(), reach};
    for (const int64_t count : {1, 2, 15, 17, 64, 101}) {
      const Matrix queries = RandomMatrix(count, width, 1), keys = RandomMatrix(count, width, 2),
                   values = RandomMatrix(count, width, 3);
      for (const bool causal : {false, true}) {
        Matrix out(count, width), unseen(count, width);
        std::vector<float> probabilities(static_cast<size_t>(heads.num_heads * count * count));
        SequenceAttention attention = {queries.view(), keys.view(),          values.view(), causal,
                                       out.view(),     probabilities.data(), &bias};
        AttendSequence(heads, attention);
        for (int64_t r = 0; r < count; ++r) {
          const int64_t seen = causal ? r + 1 : count;
          const ReferenceAttentionResult expected = ReferenceAttention(
              {queries.row(r), keys.view(), values.view(), heads.num_heads, seen, &bias, r});
          for (int64_t i = 0; i < width; ++i)
            ASSERT_NEAR(out.row(r)[i], expected.out[static_cast<size_t>(i)], kTolerance);
          for (int h = 0; h < heads.num_heads; ++h) {
            for (int64_t k = 0; k < seen; ++k) {
              ASSERT_NEAR(probabilities[static_cast<size_t>((h * count + r) * count + k)],
                          expected.probabilities[static_cast<size_t>(h)][static_cast<size_t>(k)],
                          kTolerance);
            }
          }
          if (!causal) continue;
          Matrix row(1, width);
          const KeyValueRun run = {keys.data(), values.data(), seen, width};
          const AttentionQuery one = {queries.row(r), {&run, 1}, row.data()};
          AttendRows(heads, {&one, 1}, &bias);
          for (int64_t i = 0; i < width; ++i)
            ASSERT_NEAR(row.data()[i], expected.out[static_cast<size_t>(i)], kTolerance);
        }
        attention.probabilities = nullptr;
        attention.out = unseen.view();
        SetOpThreads(3);
        AttendSequence(heads, attention);
        SetOpThreads(1);
        ASSERT_EQ(std::memcmp(out.data(), unseen.data(),
                              static_cast<size_t>(count * width) * sizeof(float)),
                  0);
      }
    }
  }
}

TEST(Attention, LargeScoresStayFinite) {
  const HeadShape heads = {1, 16};
  Matrix query = RandomMatrix(1, 16, 7);
  const Matrix keys = RandomMatrix(9, 16, 8);
  for (int i = 0; i < 16; ++i) query.data()[i] *= 1e4f;
  const ReferenceAttentionResult expected =
      ReferenceAttention({query.data(), keys.view(), keys.view(), 1, 9});
  Matrix row(1, 16), sequence(1, 16);
  const KeyValueRun run = {keys.data(), keys.data(), 9, 16};
  const AttentionQuery one = {query.data(), {&run, 1}, row.data()};
  AttendRows(heads, {&one, 1});
  std::vector<float> probabilities(9);
  AttendSequence(heads, {query.view(), keys.view(), keys.view(), false, sequence.view(),
                         probabilities.data(), nullptr});
  for (int i = 0; i < 16; ++i) {
    EXPECT_NEAR(row.data()[i], expected.out[static_cast<size_t>(i)], kTolerance);
    EXPECT_NEAR(sequence.data()[i], expected.out[static_cast<size_t>(i)], kTolerance);
  }
  float sum = 0;
  for (float p : probabilities) {
    ASSERT_TRUE(p >= 0 && p <= 1);
    sum += p;
  }
  EXPECT_NEAR(sum, 1, 1e-6);
}

}  // namespace
}  // namespace attend
