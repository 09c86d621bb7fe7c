// The forward pass of a checkpoint of every family against what transformers 4.48 computes from the
// same files (tests/golden/*/forward.json): hidden states, logits, attention. Then what the
// reference cannot show: the same bits alone and in company, and step by step the same as all at
// once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "engine/ops/op_threads.h"
#include "tests/conformance/golden_family.h"

namespace attend {
namespace {

// Keeps everything, by kind, layer and head.
class Recorder : public AttentionObserver {
 public:
  bool Wants(AttentionKind, int) const override { return true; }
  void OnAttention(const AttentionSite& site, ConstMatrixView weights) override {
    Matrix copy(weights.rows, weights.cols);
    for (int64_t r = 0; r < weights.rows; ++r)
      std::copy_n(weights.row(r), weights.cols, copy.row(r));
    const bool fresh =
        heads.emplace(std::tuple(site.kind, site.layer, site.head), std::move(copy)).second;
    EXPECT_TRUE(fresh) << "shown twice";
  }
  std::map<std::tuple<AttentionKind, int, int>, Matrix> heads;
};

struct Pass {
  Matrix encoded, hidden, logits;
  Recorder attention;
};

class ForwardTest : public ::testing::TestWithParam<std::string> {
 protected:
  ForwardTest() : model_(&GoldenModel(GetParam())) {
    const Json golden = Json::ReadFile(GoldenFolder(GetParam()) + "/forward.json").value();
    batch_ = golden.Get("batch").value();
    cases_ = List(golden, "single");
    EXPECT_EQ(cases_.size(), 10u);
  }

  CrossCache Project(ConstMatrixView encoded) {
    CrossCache cross;
    model_->ProjectCross(encoded, workspace_.get(), &cross);
    return cross;
  }

  void RunAlone(const Json& one, Pass* pass) {
    RaggedBatch source, target;
    source.Add(Ids(one, "input_ids"));
    target.Add(Ids(one, "decoder_input_ids"));
    AttentionObserver* const observer = &pass->attention;
    model_->Encode(source, {&observer, 1}, workspace_.get(), &pass->encoded);
    const CrossCache cross = Project(pass->encoded.view());
    const CrossCache* const crosses[] = {&cross};
    model_->DecodeForced(target, crosses, {&observer, 1}, workspace_.get(), &pass->logits,
                         &pass->hidden);
  }

  const Model* model_;
  std::vector<Json> cases_;
  Json batch_;  // the same, padded and in one call
  std::unique_ptr<Workspace> workspace_ = MakeWorkspace();
};

INSTANTIATE_TEST_SUITE_P(Families, ForwardTest, ::testing::ValuesIn(GoldenSeq2Seq()),
                         [](const auto& test) { return test.param; });

void ExpectHidden(const Json& one, const char* key, const Matrix& found, LargestError* error) {
  const std::vector<Json> positions = List(one, key);
  ASSERT_EQ(static_cast<int64_t>(positions.size()), found.rows());
  for (int64_t p = 0; p < found.rows(); ++p) {
    const Json& expected = positions[static_cast<size_t>(p)];
    const std::string where = std::string(key) + " position " + std::to_string(p);
    const std::vector<Json> first = List(expected, "first8");
    ASSERT_EQ(first.size(), 8u);
    for (size_t i = 0; i < 8; ++i)
      error->Expect(first[i].AsNumber().value(), found.row(p)[i], where + " first8");
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < found.cols(); ++c) {
      sum += found.row(p)[c];
      squares += static_cast<double>(found.row(p)[c]) * found.row(p)[c];
    }
    error->Expect(Number(expected, "mean"), sum / static_cast<double>(found.cols()),
                  where + " mean");
    error->Expect(Number(expected, "l2"), std::sqrt(squares), where + " l2");
  }
}

void ExpectLogits(const Json& one, const Matrix& found, LargestError* error) {
  const std::vector<Json> positions = List(one, "logits");
  ASSERT_EQ(static_cast<int64_t>(positions.size()), found.rows());
  for (int64_t p = 0; p < found.rows(); ++p) {
    const Json& expected = positions[static_cast<size_t>(p)];
    const float* row = found.row(p);
    const std::vector<int32_t> ids = Ids(expected, "ids");
    const std::vector<Json> values = List(expected, "logits");
    ASSERT_EQ(ids.size(), 10u);
    std::vector<float> sorted(row, row + found.cols());
    std::sort(sorted.begin(), sorted.end(), std::greater<float>());
    double sum = 0;
    for (int64_t c = 0; c < found.cols(); ++c)
      sum += std::exp(static_cast<double>(row[c]) - sorted[0]);
    for (size_t i = 0; i < ids.size(); ++i) {
      const double value = values[i].AsNumber().value();
      error->Expect(value, row[ids[i]], "logit of id " + std::to_string(ids[i]));
      error->Expect(value, sorted[i], "logit of rank " + std::to_string(i));
    }
    error->Expect(Number(expected, "logsumexp"), std::log(sum) + sorted[0], "logsumexp");
  }
}

void ExpectFullRow(const Json& expected, const float* row, int64_t n, const std::string& where,
                   LargestError* error) {
  const std::vector<Json> weights = expected.Elements();
  ASSERT_EQ(static_cast<int64_t>(weights.size()), n) << where;
  for (int64_t k = 0; k < n; ++k)
    error->Expect(weights[static_cast<size_t>(k)].AsNumber().value(), row[k], where);
}

// [argmax, its weight, entropy].
void ExpectSummaryRow(const Json& expected, const float* row, int64_t n, const std::string& where,
                      LargestError* error) {
  const std::vector<Json> summary = expected.Elements();
  ASSERT_EQ(summary.size(), 3u) << where;
  const int64_t best = summary[0].AsInt().value();
  const double weight = summary[1].AsNumber().value();
  error->Expect(weight, row[best], where + " weight");
  error->Expect(weight, *std::max_element(row, row + n), where + " largest");
  double entropy = 0;
  for (int64_t k = 0; k < n; ++k)
    entropy -= row[k] > 0 ? row[k] * std::log(static_cast<double>(row[k])) : 0;
  error->Expect(summary[2].AsNumber().value(), entropy, where + " entropy");
}

void ExpectAttention(const Json& attentions, const char* key, AttentionKind kind,
                     const Recorder& recorder, LargestError* error) {
  const bool full = attentions.GetString("kind").value() == "full";
  const std::vector<Json> layers = List(attentions, key);
  ASSERT_FALSE(layers.empty());
  size_t num_heads = 0;
  for (size_t l = 0; l < layers.size(); ++l) {
    const std::vector<Json> heads = layers[l].Elements();
    num_heads += heads.size();
    for (size_t h = 0; h < heads.size(); ++h) {
      const auto found = recorder.heads.find({kind, static_cast<int>(l), static_cast<int>(h)});
      ASSERT_NE(found, recorder.heads.end());
      const Matrix& weights = found->second;
      const std::vector<Json> queries = heads[h].Elements();
      ASSERT_EQ(static_cast<int64_t>(queries.size()), weights.rows());
      for (int64_t q = 0; q < weights.rows(); ++q) {
        const std::string where = std::string(key) + " layer " + std::to_string(l) + " head " +
                                  std::to_string(h) + " query " + std::to_string(q);
        const Json& expected = queries[static_cast<size_t>(q)];
        if (full)
          ExpectFullRow(expected, weights.row(q), weights.cols(), where, error);
        else
          ExpectSummaryRow(expected, weights.row(q), weights.cols(), where, error);
        double sum = 0;
        for (int64_t k = 0; k < weights.cols(); ++k) sum += weights.row(q)[k];
        EXPECT_NEAR(sum, 1.0, 1e-6) << where;
      }
    }
  }
  EXPECT_EQ(num_heads, static_cast<size_t>(std::count_if(
                           recorder.heads.begin(), recorder.heads.end(),
                           [&](const auto& entry) { return std::get<0>(entry.first) == kind; })));
}

void ExpectSameBits(ConstMatrixView expected, ConstMatrixView found, const std::string& what) {
  ASSERT_EQ(expected.rows, found.rows) << what;
  ASSERT_EQ(expected.cols, found.cols) << what;
  for (int64_t r = 0; r < expected.rows; ++r) {
    EXPECT_EQ(std::memcmp(expected.row(r), found.row(r),
                          static_cast<size_t>(expected.cols) * sizeof(float)),
              0)
        << what << " row " << r;
  }
}

TEST_P(ForwardTest, HiddenStatesAndLogitsEqualTransformers) {
  LargestError states("states"), logits("logits");
  for (const Json& one : cases_) {
    SCOPED_TRACE(one.GetString("text").value());
    Pass pass;
    RunAlone(one, &pass);
    ExpectHidden(one, "encoder_last_hidden_state", pass.encoded, &states);
    ExpectHidden(one, "decoder_last_hidden_state", pass.hidden, &states);
    ExpectLogits(one, pass.logits, &logits);
  }
}

// The reference pads its batch and masks the padding; ours is ragged. Both mean the same.
TEST_P(ForwardTest, ARaggedBatchEqualsThePaddedOneOfTransformers) {
  const std::vector<Json> padded_sources = List(batch_, "input_ids");
  const std::vector<Json> masks = List(batch_, "attention_mask");
  const std::vector<Json> padded_targets = List(batch_, "decoder_input_ids");
  const std::vector<Json> norms = List(batch_, "encoder_l2");
  const std::vector<Json> best = List(batch_, "top1");
  ASSERT_EQ(padded_sources.size(), cases_.size());
  RaggedBatch sources, targets;
  for (size_t i = 0; i < padded_sources.size(); ++i) {
    const std::vector<int64_t> mask = masks[i].AsInts().value();
    const auto length = std::count(mask.begin(), mask.end(), 1);
    const std::vector<int64_t> source = padded_sources[i].AsInts().value();
    const std::vector<int64_t> target = padded_targets[i].AsInts().value();
    const std::vector<int32_t> source_ids(source.begin(), source.begin() + length);
    const std::vector<int32_t> target_ids(
        target.begin(), target.begin() + static_cast<std::ptrdiff_t>(best[i].Elements().size()));
    EXPECT_EQ(source_ids, Ids(cases_[i], "input_ids"));
    sources.Add(source_ids);
    targets.Add(target_ids);
  }
  LargestError error("padded_batch");
  Matrix encoded, logits;
  model_->Encode(sources, {}, workspace_.get(), &encoded);
  std::vector<CrossCache> crosses(padded_sources.size());
  std::vector<const CrossCache*> cross_pointers;
  for (int s = 0; s < sources.num_sequences(); ++s) {
    crosses[static_cast<size_t>(s)] =
        Project(encoded.view().Rows(sources.begin(s), sources.length(s)));
    cross_pointers.push_back(&crosses[static_cast<size_t>(s)]);
  }
  model_->DecodeForced(targets, cross_pointers, {}, workspace_.get(), &logits, nullptr);
  for (int s = 0; s < sources.num_sequences(); ++s) {
    const std::string where = "sequence " + std::to_string(s);
    const std::vector<Json> expected_norms = norms[static_cast<size_t>(s)].Elements();
    ASSERT_EQ(static_cast<int64_t>(expected_norms.size()), sources.length(s)) << where;
    for (int64_t p = 0; p < sources.length(s); ++p) {
      const float* row = encoded.row(sources.begin(s) + p);
      double squares = 0;
      for (int64_t c = 0; c < encoded.cols(); ++c) squares += static_cast<double>(row[c]) * row[c];
      error.Expect(expected_norms[static_cast<size_t>(p)].AsNumber().value(), std::sqrt(squares),
                   where);
    }
    const std::vector<Json> expected_best = best[static_cast<size_t>(s)].Elements();
    for (int64_t p = 0; p < targets.length(s); ++p) {
      const std::vector<Json> id_and_logit = expected_best[static_cast<size_t>(p)].Elements();
      const float* row = logits.row(targets.begin(s) + p);
      const float* largest = std::max_element(row, row + logits.cols());
      EXPECT_EQ(largest - row, id_and_logit[0].AsInt().value()) << where;
      error.Expect(id_and_logit[1].AsNumber().value(), *largest, where);
    }
  }
}

TEST_P(ForwardTest, AttentionEqualsTransformers) {
  LargestError weights("attention");
  int full = 0, summaries = 0;
  for (const Json& one : cases_) {
    if (!one.Has("attentions")) continue;
    SCOPED_TRACE(one.GetString("text").value());
    Pass pass;
    RunAlone(one, &pass);
    const Json attentions = one.Get("attentions").value();
    (attentions.GetString("kind").value() == "full" ? full : summaries)++;
    ExpectAttention(attentions, "encoder", AttentionKind::kEncoderSelf, pass.attention, &weights);
    ExpectAttention(attentions, "decoder", AttentionKind::kDecoderSelf, pass.attention, &weights);
    ExpectAttention(attentions, "cross", AttentionKind::kCross, pass.attention, &weights);
  }
  EXPECT_GE(full, 1);
  EXPECT_GE(summaries, 1);
}

TEST_P(ForwardTest, ObservingChangesNoBit) {
  for (const Json& one : cases_) {
    Pass observed;
    RunAlone(one, &observed);
    RaggedBatch source, target;
    source.Add(Ids(one, "input_ids"));
    target.Add(Ids(one, "decoder_input_ids"));
    Pass plain;
    model_->Encode(source, {}, workspace_.get(), &plain.encoded);
    const CrossCache cross = Project(plain.encoded.view());
    const CrossCache* const crosses[] = {&cross};
    model_->DecodeForced(target, crosses, {}, workspace_.get(), &plain.logits, &plain.hidden);
    ExpectSameBits(observed.encoded.view(), plain.encoded.view(), "encoded");
    ExpectSameBits(observed.logits.view(), plain.logits.view(), "logits");
  }
}

TEST_P(ForwardTest, ARaggedBatchGivesTheBitsOfEachAlone) {
  std::vector<Pass> alone(cases_.size());
  for (size_t i = 0; i < alone.size(); ++i) RunAlone(cases_[i], &alone[i]);
  for (int threads : {1, 2, 3}) {
    SetOpThreads(threads);
    RaggedBatch sources, targets;
    // Some twice, in another order, so that every sequence stands in several places of a batch of
    // more than 64 rows.
    std::vector<size_t> order = {3, 0, 9, 1, 2, 4, 5, 6, 7, 8, 0, 3, 3, 9, 5};
    for (size_t i : order) {
      sources.Add(Ids(cases_[i], "input_ids"));
      targets.Add(Ids(cases_[i], "decoder_input_ids"));
    }
    std::vector<Recorder> recorders(order.size());
    std::vector<AttentionObserver*> observers;
    for (size_t i = 0; i < order.size(); ++i)
      observers.push_back(i % 2 == 0 ? &recorders[i] : nullptr);
    Matrix encoded, logits, hidden;
    model_->Encode(sources, observers, workspace_.get(), &encoded);
    std::vector<CrossCache> crosses(order.size());
    std::vector<const CrossCache*> cross_pointers;
    for (size_t i = 0; i < order.size(); ++i) {
      const int s = static_cast<int>(i);
      const MatrixView own = encoded.view().Rows(sources.begin(s), sources.length(s));
      ExpectSameBits(alone[order[i]].encoded.view(), own, "encoded");
      crosses[i] = Project(own);
      cross_pointers.push_back(&crosses[i]);
    }
    model_->DecodeForced(targets, cross_pointers, observers, workspace_.get(), &logits, &hidden);
    for (size_t i = 0; i < order.size(); ++i) {
      const int s = static_cast<int>(i);
      ExpectSameBits(alone[order[i]].logits.view(),
                     logits.view().Rows(targets.begin(s), targets.length(s)), "logits");
      ExpectSameBits(alone[order[i]].hidden.view(),
                     hidden.view().Rows(targets.begin(s), targets.length(s)), "hidden");
      EXPECT_EQ(recorders[i].heads.size(),
                i % 2 == 0 ? alone[order[i]].attention.heads.size() : 0u);
      for (const auto& [site, weights] : recorders[i].heads) {
        ExpectSameBits(alone[order[i]].attention.heads.at(site).view(), weights.view(),
                       "attention");
      }
    }
  }
  SetOpThreads(1);
}

// One sequence fed token by token.
struct Walk {
  std::vector<int32_t> tokens;
  const CrossCache* cross = nullptr;
  SelfCache cache;
  std::vector<std::vector<float>> logits;
};

TEST_P(ForwardTest, StepsEqualTheForcedPassAndThemselvesInAnyCompany) {
  const ModelSpec& spec = model_->spec();
  const auto vocab = static_cast<uint32_t>(spec.target_vocab_size);
  KvCachePool pool(spec.decoder.num_layers, spec.decoder.heads().width(), 64 << 20);
  {
    std::vector<Pass> forced(cases_.size());
    std::vector<CrossCache> crosses;
    std::vector<Walk> alone, together;
    for (size_t i = 0; i < cases_.size(); ++i) {
      RunAlone(cases_[i], &forced[i]);
      crosses.push_back(Project(forced[i].encoded.view()));
    }
    Matrix logits;
    for (size_t i = 0; i < cases_.size(); ++i) {
      for (std::vector<Walk>* walks : {&alone, &together}) {
        walks->push_back({Ids(cases_[i], "decoder_input_ids"), &crosses[i], SelfCache(&pool), {}});
      }
      Walk& walk = alone.back();
      for (int32_t token : walk.tokens) {
        const DecodeRow row = {token, &walk.cache, walk.cross};
        model_->DecodeStep({&row, 1}, workspace_.get(), &logits);
        walk.logits.emplace_back(logits.row(0), logits.row(0) + logits.cols());
      }
      for (size_t p = 0; p < walk.tokens.size(); ++p) {
        for (int64_t c = 0; c < logits.cols(); ++c) {
          const float whole = forced[i].logits.row(static_cast<int64_t>(p))[c];
          ASSERT_NEAR(walk.logits[p][static_cast<size_t>(c)], whole, 1e-5 * (1 + std::abs(whole)));
        }
      }
    }
    // Each step takes a random subset in random order. Now and then a walk goes on in a fork of its
    // cache while the original is fed nonsense (which must not reach the fork), or is dropped.
    std::mt19937 random(7);
    std::vector<SelfCache> strays;
    int forks = 0;
    for (bool unfinished = true; unfinished;) {
      std::vector<Walk*> chosen;
      unfinished = false;
      for (Walk& walk : together) {
        if (walk.logits.size() == walk.tokens.size()) continue;
        unfinished = true;
        if (random() % 3 != 0) chosen.push_back(&walk);
        if (random() % 4 == 0) {
          SelfCache fork = walk.cache.Fork();
          std::swap(fork, walk.cache);
          if (random() % 2 == 0) strays.push_back(std::move(fork));
          ++forks;
        }
      }
      std::shuffle(chosen.begin(), chosen.end(), random);
      std::vector<DecodeRow> rows;
      const size_t num_strays = strays.size();
      for (size_t i = num_strays > 6 ? num_strays - 6 : 0; i < num_strays; ++i) {
        rows.push_back({static_cast<int32_t>(random() % vocab), &strays[i],
                        &crosses[random() % crosses.size()]});
      }
      for (Walk* walk : chosen)
        rows.push_back({walk->tokens[walk->logits.size()], &walk->cache, walk->cross});
      if (rows.empty()) continue;
      model_->DecodeStep(rows, workspace_.get(), &logits);
      for (size_t i = 0; i < chosen.size(); ++i) {
        const float* row = logits.row(static_cast<int64_t>(rows.size() - chosen.size() + i));
        chosen[i]->logits.emplace_back(row, row + logits.cols());
      }
    }
    EXPECT_GT(forks, 10);
    for (size_t i = 0; i < alone.size(); ++i)
      EXPECT_EQ(alone[i].logits, together[i].logits) << "sequence " << i;
    EXPECT_GT(pool.used_bytes(), 0);
  }
  EXPECT_EQ(pool.used_bytes(), 0);
}

TEST_P(ForwardTest, LongSequencesUpToTheLimit) {
  const auto vocab = static_cast<uint32_t>(model_->spec().source_vocab_size);
  const int64_t limit = model_->spec().encoder.max_position_embeddings;
  std::mt19937 random(3);
  std::vector<int32_t> ids(static_cast<size_t>(limit));
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % vocab);
  RaggedBatch whole, both;
  whole.Add(ids);
  both.Add({ids.data(), 1});
  both.Add(ids);
  Matrix alone, second;
  model_->Encode(whole, {}, workspace_.get(), &alone);
  model_->Encode(both, {}, workspace_.get(), &second);
  ExpectSameBits(alone.view(), second.view().Rows(1, limit), "encoded");
  for (int64_t i = 0; i < limit * alone.cols(); ++i) ASSERT_TRUE(std::isfinite(alone.data()[i]));
}

}  // namespace
}  // namespace attend
