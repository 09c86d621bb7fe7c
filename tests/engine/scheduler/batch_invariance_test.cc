// What a request gets is the same bits alone and in any company: neighbours that join, end and are
// cancelled, greedy search, beams and samples in one step, any number of threads. In both compute
// types and with a shortlist, on the bundled model, whose sizes reach every kernel and every way of
// cutting a batch.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/engine/scheduler/marian_tiny.h"  // Ticket

namespace attend {
namespace {

struct Bundled {
  std::unique_ptr<Model> model;
  GenerationOptions defaults;
};

const Bundled& BundledIn(ComputeType type, ShortlistChoice::Use shortlist) {
  static auto* const loaded = new std::map<std::pair<ComputeType, ShortlistChoice::Use>, Bundled>;
  if (const auto found = loaded->find({type, shortlist}); found != loaded->end())
    return found->second;
  const ModelDirectory directory = ModelDirectory::Open(ATTEND_SOURCE_DIR "/models/en-fr").value();
  ModelOptions options;
  options.compute_type = type;
  options.shortlist.use = shortlist;
  LoadReport report;
  Bundled bundled;
  bundled.model = Model::Load(directory, options, &report).value();
  bundled.defaults =
      ParseGenerationConfig(directory.ReadJson("generation_config.json").value(),
                            directory.config(), bundled.model->spec().target_vocab_size)
          .value();
  EXPECT_EQ(bundled.model->shortlist() != nullptr, shortlist != ShortlistChoice::Use::kOff);
  return loaded->emplace(std::pair(type, shortlist), std::move(bundled)).first->second;
}

// All weights of one sequence, as they were shown.
class Watcher : public AttentionObserver {
 public:
  bool Wants(AttentionKind, int) const override { return true; }
  void OnAttention(const AttentionSite& site, ConstMatrixView weights) override {
    std::vector<float>& head = heads[{site.kind, site.layer, site.head}];
    for (int64_t r = 0; r < weights.rows; ++r)
      head.insert(head.end(), weights.row(r), weights.row(r) + weights.cols);
  }
  std::map<std::tuple<AttentionKind, int, int>, std::vector<float>> heads;
};

// One kind of request, the same for the same number.
struct Kind {
  std::vector<int32_t> source, forced_target;
  GenerationOptions options;
};

std::vector<int32_t> SomeIds(std::mt19937* random, int count) {
  std::vector<int32_t> ids;
  for (int i = 0; i < count; ++i)
    ids.push_back(std::uniform_int_distribution<int32_t>(10, 7000)(*random));
  ids.push_back(0);
  return ids;
}

Kind KindOf(unsigned number, const GenerationOptions& defaults) {
  std::mt19937 random(number);
  const auto pick = [&](int lowest, int highest) {
    return std::uniform_int_distribution<int>(lowest, highest)(random);
  };
  Kind kind;
  kind.source = SomeIds(&random, pick(1, 45));
  kind.options = defaults;
  kind.options.max_length = pick(4, 30);
  switch (number % 4) {
    case 0:
      kind.options.num_beams = 1;
      break;
    case 1:
      kind.options.num_beams = pick(2, 5);
      break;
    case 2:
      kind.options.num_beams = 1;
      kind.options.sampling = SamplingOptions();
      kind.options.sampling->seed = number;
      kind.options.num_return_sequences = pick(1, 3);
      break;
    default:
      kind.forced_target = SomeIds(&random, pick(1, 20));
      break;
  }
  return kind;
}

struct Answer {
  std::vector<Hypothesis> hypotheses;
  Watcher watcher;
};

std::unique_ptr<Ticket> TicketOf(const Kind& kind, Watcher* watcher) {
  auto ticket = std::make_unique<Ticket>(kind.source, kind.options);
  if (!kind.forced_target.empty()) {
    ticket->request().forced = true;
    ticket->request().forced_target = kind.forced_target;
    ticket->request().observer = watcher;
  }
  return ticket;
}

void ExpectSame(const Answer& alone, const Answer& beside, unsigned number) {
  ASSERT_EQ(alone.hypotheses.size(), beside.hypotheses.size()) << number;
  for (size_t i = 0; i < alone.hypotheses.size(); ++i) {
    EXPECT_EQ(alone.hypotheses[i].tokens, beside.hypotheses[i].tokens) << number;
    EXPECT_EQ(alone.hypotheses[i].log_probs, beside.hypotheses[i].log_probs) << number;
    EXPECT_EQ(alone.hypotheses[i].score, beside.hypotheses[i].score) << number;
  }
  EXPECT_EQ(alone.watcher.heads == beside.watcher.heads, true) << number;
}

struct Setting {
  ComputeType type;
  int threads;
  ShortlistChoice::Use shortlist = ShortlistChoice::Use::kOff;
};

class BatchInvariance : public ::testing::TestWithParam<Setting> {};

TEST_P(BatchInvariance, NeighboursChangeNothing) {
  constexpr unsigned kKinds = 24;
  const Bundled& bundled = BundledIn(GetParam().type, GetParam().shortlist);
  std::vector<Answer> alone(kKinds);
  {
    EngineLoop loop(bundled.model.get(), SchedulerOptions(), nullptr);
    for (unsigned number = 0; number < kKinds; ++number) {
      const Kind kind = KindOf(number, bundled.defaults);
      const auto ticket = TicketOf(kind, &alone[number].watcher);
      ASSERT_TRUE(ticket->Submit(&loop).ok());
      const GenerationResult& result = ticket->Wait();
      ASSERT_TRUE(result.status.ok()) << result.status;
      alone[number].hypotheses = result.hypotheses;
      if (kind.forced_target.empty()) {
        EXPECT_FALSE(result.hypotheses.empty());
      } else {
        EXPECT_FALSE(alone[number].watcher.heads.empty());
      }
    }
  }
  SchedulerOptions options;
  options.num_threads = GetParam().threads;
  for (const int64_t encode_tokens : {16, 64, 256}) {
    options.max_encode_tokens = encode_tokens;
    EngineLoop loop(bundled.model.get(), options, nullptr);
    std::mt19937 random(static_cast<unsigned>(encode_tokens));
    std::vector<Answer> beside(kKinds);
    std::vector<std::unique_ptr<Ticket>> tickets, neighbours;
    std::vector<std::unique_ptr<Watcher>> watchers;
    for (unsigned number = 0; number < kKinds; ++number) {
      tickets.push_back(TicketOf(KindOf(number, bundled.defaults), &beside[number].watcher));
      ASSERT_TRUE(tickets.back()->Submit(&loop).ok());
      // Neighbours of other kinds, of which every second one is called back, sooner or later.
      watchers.push_back(std::make_unique<Watcher>());
      neighbours.push_back(
          TicketOf(KindOf(100 + random() % 50, bundled.defaults), watchers.back().get()));
      neighbours.back()->request().caller = 1 + random() % 3;
      ASSERT_TRUE(neighbours.back()->Submit(&loop).ok());
      if (random() % 2 == 0) neighbours[random() % neighbours.size()]->Cancel(&loop);
    }
    for (unsigned number = 0; number < kKinds; ++number) {
      const GenerationResult& result = tickets[number]->Wait();
      ASSERT_TRUE(result.status.ok()) << result.status;
      beside[number].hypotheses = result.hypotheses;
      ExpectSame(alone[number], beside[number], number);
    }
    for (const auto& neighbour : neighbours) neighbour->Wait();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Types, BatchInvariance,
    ::testing::Values(Setting{ComputeType::kFloat32, 1}, Setting{ComputeType::kFloat32, 2},
                      Setting{ComputeType::kInt8, 1}, Setting{ComputeType::kInt8, 2},
                      Setting{ComputeType::kInt8, 3},
                      Setting{ComputeType::kInt8, 3, ShortlistChoice::Use::kAuto}),
    [](const auto& setting) {
      const bool has_shortlist = setting.param.shortlist != ShortlistChoice::Use::kOff;
      return std::string(Name(setting.param.type)) + "_" + std::to_string(setting.param.threads) +
             "_threads" + (has_shortlist ? "_shortlist" : "");
    });

}  // namespace
}  // namespace attend
