// The search against a second one written for plainness: all candidates in one sorted list,
// python-like lists of hypotheses, no sharing of rows, no reuse of memory. Random tables that
// depend on the last two ids, random options.
#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "engine/generation/beam_search.h"
#include "gtest/gtest.h"
#include "tests/engine/generation/scripted_model.h"

namespace attend {
namespace {

struct Plain {
  double score;
  std::vector<int32_t> ids;  // with the start token
};

std::vector<float> LogSoftmax(const std::vector<float>& row) {
  double sum = 0;
  for (const float x : row) sum += std::exp(static_cast<double>(x));
  std::vector<float> result;
  for (const float x : row)
    result.push_back(static_cast<float>(static_cast<double>(x) - std::log(sum)));
  return result;
}

// The processors this test varies, written apart from the engine's.
std::vector<float> Processed(std::vector<float> s, const std::vector<int32_t>& ids,
                             const GenerationOptions& o) {
  const size_t n = ids.size();
  if (o.repetition_penalty != 1) {
    for (const int32_t t : std::set<int32_t>(ids.begin(), ids.end())) {
      float& x = s[static_cast<size_t>(t)];
      x = x < 0 ? x * o.repetition_penalty : x / o.repetition_penalty;
    }
  }
  if (o.no_repeat_ngram_size == 2) {
    for (size_t i = 0; i + 1 < n; ++i) {
      if (ids[i] == ids[n - 1]) s[static_cast<size_t>(ids[i + 1])] = kMinusInfinity;
    }
  }
  if (static_cast<int>(n) < o.min_length) {
    for (const int32_t t : o.eos_token_ids) s[static_cast<size_t>(t)] = kMinusInfinity;
  }
  if (o.forced_eos_token_id && static_cast<int>(n) == o.max_length - 1) {
    for (float& x : s) x = kMinusInfinity;
    s[static_cast<size_t>(*o.forced_eos_token_id)] = 0;
  }
  if (o.renormalize_logits) s = LogSoftmax(s);
  return s;
}

std::vector<Plain> PlainSearch(const ScriptedLogits& script, const GenerationOptions& o) {
  const size_t k = static_cast<size_t>(o.num_beams);
  const double lp = static_cast<double>(o.length_penalty);
  const auto is_end = [&](int32_t t) {
    return std::count(o.eos_token_ids.begin(), o.eos_token_ids.end(), t) > 0;
  };
  std::vector<std::pair<float, std::vector<int32_t>>> beams(k, {-1e9f, {o.decoder_start_token_id}});
  beams[0].first = 0;
  std::vector<Plain> done;
  const auto add = [&](double sum, const std::vector<int32_t>& ids) {
    const double score = sum / std::pow(static_cast<double>(ids.size() - 1), lp);
    const auto worst = std::min_element(done.begin(), done.end(),
                                        [](auto& a, auto& b) { return a.score < b.score; });
    if (done.size() < k) {
      done.push_back({score, ids});
    } else if (score > worst->score) {
      done.erase(worst);
      done.push_back({score, ids});
    }
  };
  bool stopped = false;
  while (!stopped && static_cast<int>(beams[0].second.size()) < o.max_length) {
    std::vector<std::tuple<float, int, int>> all;  // minus score, beam, token
    for (size_t b = 0; b < k; ++b) {
      const std::vector<float> s =
          Processed(LogSoftmax(script(beams[b].second)), beams[b].second, o);
      for (size_t t = 0; t < s.size(); ++t)
        all.emplace_back(-(s[t] + beams[b].first), static_cast<int>(b), static_cast<int>(t));
    }
    std::sort(all.begin(), all.end());
    all.resize(std::max<size_t>(2, 1 + o.eos_token_ids.size()) * k);
    std::vector<std::pair<float, std::vector<int32_t>>> next;
    for (size_t rank = 0; rank < all.size() && next.size() < k; ++rank) {
      const auto [minus, b, t] = all[rank];
      std::vector<int32_t> ids = beams[static_cast<size_t>(b)].second;
      ids.push_back(t);
      if (!is_end(t)) {
        next.emplace_back(-minus, ids);
      } else if (rank < k) {
        ids.back() = o.eos_token_ids[0];
        add(static_cast<double>(-minus), ids);
      }
    }
    beams = next;
    if (done.size() < k) continue;
    const double length = o.early_stopping == EarlyStopping::kNever && lp > 0
                              ? o.max_length - 1
                              : static_cast<double>(beams[0].second.size()) - 1;
    const double worst = std::min_element(done.begin(), done.end(), [](auto& a, auto& b) {
                           return a.score < b.score;
                         })->score;
    stopped = o.early_stopping == EarlyStopping::kTrue ||
              worst >= static_cast<double>(-std::get<0>(all[0])) / std::pow(length, lp);
  }
  if (!stopped) {
    for (const auto& [sum, ids] : beams) add(static_cast<double>(sum), ids);
  }
  std::reverse(done.begin(), done.end());
  std::stable_sort(done.begin(), done.end(), [](auto& a, auto& b) { return a.score > b.score; });
  done.resize(std::min(done.size(), static_cast<size_t>(o.num_return_sequences)));
  return done;
}

TEST(BeamSearchReferenceTest, EqualsThePlainSearch) {
  std::mt19937 random(20240601);
  const auto pick = [&](int lowest, int highest) {
    return std::uniform_int_distribution<int>(lowest, highest)(random);
  };
  int num_ended = 0, num_cut = 0;
  for (int round = 0; round < 600; ++round) {
    const int vocab = pick(6, 40);
    std::vector<std::vector<float>> table(static_cast<size_t>(vocab * vocab));
    std::normal_distribution<float> normal(0, static_cast<float>(pick(1, 3)));
    for (auto& row : table) {
      for (int t = 0; t < vocab; ++t) row.push_back(normal(random));
      row[0] += static_cast<float>(pick(-1, 2));  // ends come more or less easily
    }
    const ScriptedLogits script = [&](const std::vector<int32_t>& ids) {
      const int before = ids.size() > 1 ? ids[ids.size() - 2] : 0;
      return table[static_cast<size_t>(before * vocab + ids.back())];
    };
    GenerationOptions options;
    options.num_beams = pick(2, 5);
    options.num_return_sequences = pick(1, options.num_beams);
    options.length_penalty = std::vector<float>{0, 0.6f, 1, 2, -1}[static_cast<size_t>(pick(0, 4))];
    options.early_stopping = static_cast<EarlyStopping>(pick(0, 2));
    options.max_length = pick(2, 16);
    options.min_length = pick(0, 1) * pick(0, 6);
    options.no_repeat_ngram_size = pick(0, 1) * 2;
    options.repetition_penalty = pick(0, 2) == 0 ? 1.3f : 1.0f;
    if (pick(0, 1)) options.forced_eos_token_id = 0;
    options.renormalize_logits = pick(0, 1) == 1;
    options.eos_token_ids = {0};
    if (pick(0, 3) == 0) options.eos_token_ids.push_back(1);
    options.decoder_start_token_id = vocab - 1;

    const std::vector<Plain> expected = PlainSearch(script, options);
    auto search = MakeSearch(options, {}, vocab);
    const std::vector<Hypothesis> found = ScriptedRun(search.get(), script, vocab).Finish();
    ASSERT_EQ(found.size(), expected.size()) << round;
    for (size_t i = 0; i < found.size(); ++i) {
      std::vector<int32_t> ids = found[i].tokens;
      ids.insert(ids.begin(), options.decoder_start_token_id);
      ASSERT_EQ(ids, expected[i].ids) << "round " << round << " hypothesis " << i;
      if (std::isfinite(expected[i].score)) {
        ASSERT_NEAR(found[i].score, expected[i].score,
                    1e-5 * std::max(1.0, std::fabs(expected[i].score)));
      }
      (found[i].finish_reason == FinishReason::kEos ? num_ended : num_cut)++;
    }
  }
  // The rounds must have met both ways of ending.
  EXPECT_GT(num_ended, 300);
  EXPECT_GT(num_cut, 100);
}

}  // namespace
}  // namespace attend
