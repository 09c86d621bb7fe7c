// Which words may answer is asked of the server too, so that what is calibrated is what will be
// used.
#include "client/calibration/calibration_reader.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>

#include "client/attention_stream.h"

namespace attend::client {
namespace {

namespace v1 = attend::v1;

TextSpan SpanOf(const v1::Word& word) { return {word.span().start(), word.span().end()}; }

// Index of the first word that the span overlaps; -1 for none.
int WordAt(const google::protobuf::RepeatedPtrField<v1::Word>& words, TextSpan span) {
  for (int i = 0; i < words.size(); ++i) {
    if (SpanOf(words[i]).Overlaps(span)) return i;
  }
  return -1;
}

bool IsWhole(const v1::Attention& attention, uint32_t rows, uint32_t columns) {
  return std::all_of(attention.matrices().begin(), attention.matrices().end(), [&](const auto& m) {
    return m.row_count() == rows && m.column_count() == columns &&
           m.dense().weights_size() == static_cast<int>(rows * columns);
  });
}

ReadOutcome Problem(std::string problem) { return {std::nullopt, std::move(problem)}; }

// The noun before the pronoun that is nearest to it, else the first after it.
std::optional<TextSpan> NearestNoun(const CoreferenceExample& example) {
  std::optional<TextSpan> before, after;
  for (const TextSpan noun : example.nouns) {
    if (noun.end <= example.query.start) {
      if (!before || noun.end > before->end) before = noun;
    } else if (noun.start >= example.query.end && (!after || noun.start < after->start)) {
      after = noun;
    }
  }
  return before ? before : after;
}

// For each spaced word the server's words in it.
std::vector<std::vector<int>> Group(const std::vector<TextSpan>& spaced,
                                    const google::protobuf::RepeatedPtrField<v1::Word>& words) {
  std::vector<std::vector<int>> groups(spaced.size());
  for (int w = 0; w < words.size(); ++w) {
    for (std::size_t i = 0; i < spaced.size(); ++i) {
      if (!spaced[i].Overlaps(SpanOf(words[w]))) continue;
      groups[i].push_back(w);
      break;
    }
  }
  return groups;
}

}  // namespace

CalibrationReader::CalibrationReader(Connection* connection, std::string model,
                                     v1::AttentionKind kind)
    : connection_(connection),
      model_(std::move(model)),
      kind_(kind),
      stub_(v1::AttentionService::NewStub(connection->channel())) {}

ReadOutcome CalibrationReader::ReadAttention(const std::string& source, const std::string* target,
                                             bool drop_special, v1::Attention* out) {
  v1::StreamAttentionRequest request;
  request.set_model(model_);
  request.set_source(source);
  if (target != nullptr) request.set_target(*target);
  request.mutable_selection()->add_kinds(kind_);
  request.mutable_selection()->set_reduction(v1::ATTENTION_REDUCTION_NONE);
  request.mutable_selection()->set_granularity(v1::ATTENTION_GRANULARITY_WORD);
  request.mutable_selection()->set_drop_special(drop_special);
  request.set_offset_unit(v1::OFFSET_UNIT_CODE_POINT);
  MatrixAssembler assembler;
  std::string problem;
  const auto keep = [out](std::optional<v1::AttentionMatrix> matrix) {
    if (matrix) *out->add_matrices() = *std::move(matrix);
  };
  bool has_begun = false;
  CallResult result = connection_->CallStream(
      [&](grpc::ClientContext* context) {
        const auto reader = stub_->StreamAttention(context, request);
        v1::StreamAttentionResponse response;
        while (reader->Read(&response)) {
          has_begun = true;
          if (response.has_axes()) *out = response.axes();
          if (response.has_slice()) keep(assembler.Add(response.slice(), &problem));
          if (!problem.empty()) context->TryCancel();
        }
        return reader->Finish();
      },
      [&] { return has_begun; });
  if (!problem.empty()) return Problem(problem);
  if (result) return {std::move(result), ""};
  keep(assembler.Finish());
  if (heads_.empty()) {
    for (const v1::AttentionMatrix& matrix : out->matrices()) heads_.push_back(matrix.head());
  }
  if (out->matrices_size() == 0 || out->matrices_size() != static_cast<int>(heads_.size()))
    return Problem("the server sent another number of heads than before");
  return {};
}

ReadOutcome CalibrationReader::ReadPlaces(const CoreferenceExample& example,
                                          std::vector<TextSpan>* places) {
  v1::QueryAttentionRequest request;
  request.set_model(model_);
  request.set_source(example.text);
  request.mutable_query()->set_start(example.query.start);
  request.mutable_query()->set_end(example.query.end);
  request.mutable_head_list()->add_heads();  // any head: only the places are looked at
  request.set_kind(kind_);
  request.set_direction(v1::ATTENTION_DIRECTION_BOTH);
  request.set_max_results(1u << 20);
  request.set_offset_unit(v1::OFFSET_UNIT_CODE_POINT);
  v1::QueryAttentionResponse response;
  CallResult result = connection_->CallUnary([&](grpc::ClientContext* context) {
    response.Clear();
    return stub_->QueryAttention(context, request, &response);
  });
  if (result) return {std::move(result), ""};
  for (const v1::QueryAnswer& answer : response.answers()) places->push_back(SpanOf(answer.word()));
  std::sort(places->begin(), places->end(),
            [](TextSpan a, TextSpan b) { return a.start < b.start; });
  return {};
}

ReadOutcome CalibrationReader::Read(const CoreferenceExample& example, CoreferenceCase* out) {
  v1::Attention attention;
  ReadOutcome outcome = ReadAttention(example.text, nullptr, /*drop_special=*/true, &attention);
  if (outcome.failure || !outcome.problem.empty()) return outcome;
  std::vector<TextSpan> places;
  outcome = ReadPlaces(example, &places);
  if (outcome.failure || !outcome.problem.empty()) return outcome;

  const auto& words = attention.source_words();
  const auto size = static_cast<uint32_t>(words.size());
  if (!IsWhole(attention, size, size))
    return Problem("the server sent a matrix whose sizes contradict each other");
  const int query = WordAt(words, example.query);
  if (query < 0) return Problem("there is no word at the pronoun");
  out->is_held_out = example.is_held_out;
  out->choice.num_options = static_cast<int>(places.size());
  for (std::size_t p = 0; p < places.size(); ++p) {
    // Of an antecedent of several words the last one is the one to find: the head of the phrase.
    if (places[p].Overlaps(example.answer)) out->choice.answer = static_cast<int>(p);
    if (places[p].end <= example.query.start || p == 0)
      out->nearest_word = places[p].Overlaps(example.answer);
    const int word = WordAt(words, places[p]);
    if (word < 0) return Problem("the server's answers are none of its words");
    for (const auto& [row, column] : {std::pair(query, word), std::pair(word, query)}) {
      for (const v1::AttentionMatrix& matrix : attention.matrices()) {
        const float weight = matrix.dense().weights(row * words.size() + column);
        out->choice.features.push_back(std::log(kLogFloor + static_cast<double>(weight)));
      }
    }
  }
  if (const auto noun = NearestNoun(example)) out->nearest_noun = noun->Overlaps(example.answer);
  if (example.subject) out->subject = example.subject->Overlaps(example.answer);
  return {};
}

ReadOutcome CalibrationReader::Read(const AlignmentExample& example, AlignmentCase* out) {
  v1::Attention attention;
  // As it is: the mean of heads is the same with special tokens or without, and one that looks at
  // them has nothing to say.
  const ReadOutcome outcome =
      ReadAttention(example.source, &example.target, /*drop_special=*/false, &attention);
  if (outcome.failure || !outcome.problem.empty()) return outcome;
  const auto columns = static_cast<uint32_t>(attention.source_words_size());
  if (!IsWhole(attention, static_cast<uint32_t>(attention.target_words_size()), columns))
    return Problem("the server sent a matrix whose sizes contradict each other");
  const auto source = Group(SpacedWords(example.source), attention.source_words());
  const auto target = Group(SpacedWords(example.target), attention.target_words());
  out->num_source = static_cast<int>(source.size());
  out->num_target = static_cast<int>(target.size());
  out->links = example.links;
  out->is_held_out = example.is_held_out;
  for (const v1::AttentionMatrix& matrix : attention.matrices()) {
    std::vector<float> weights;
    for (const std::vector<int>& rows : target) {
      for (const std::vector<int>& group : source) {
        float sum = 0;
        for (const int row : rows) {
          for (const int column : group)
            sum += matrix.dense().weights(row * static_cast<int>(columns) + column);
        }
        weights.push_back(rows.empty() ? 0 : sum / static_cast<float>(rows.size()));
      }
    }
    out->heads.push_back(std::move(weights));
  }
  return {};
}

}  // namespace attend::client
