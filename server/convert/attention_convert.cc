// Rows travel as they are; only indices and spans change their unit. A slice of a sparse matrix has
// its row offsets counted from its own first entry, so that each slice reads like a small matrix.
#include "server/convert/attention_convert.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "server/convert/names.h"
#include "server/utf8.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;

// More than any model has; a message of 4 MiB has room for a million.
constexpr int kMaxHeads = 4096;

absl::Status ParseKinds(const v1::AttentionSelection& selection, AttentionSelection* out) {
  if (selection.kinds().empty()) {
    return InvalidField("OPTION_OUT_OF_RANGE", "kinds",
                        "at least one kind of attention is required");
  }
  for (int i = 0; i < selection.kinds_size(); ++i) {
    ATTEND_ASSIGN_OR_RETURN(const AttentionKind kind,
                            ParseKind(selection.kinds(i), absl::StrCat("kinds[", i, "]")));
    out->kinds.push_back(kind);
    if (std::count(out->kinds.begin(), out->kinds.end(), out->kinds.back()) > 1) {
      return InvalidField("OPTION_OUT_OF_RANGE", absl::StrCat("kinds[", i, "]"),
                          "a kind may be given once");
    }
  }
  return absl::OkStatus();
}

absl::Status ParseFolding(const v1::AttentionSelection& selection, AttentionSelection* out) {
  switch (static_cast<int>(selection.reduction())) {
    case v1::ATTENTION_REDUCTION_UNSPECIFIED:
    case v1::ATTENTION_REDUCTION_MEAN:
      out->reduction = AttentionReduction::kMean;
      break;
    case v1::ATTENTION_REDUCTION_NONE:
      out->reduction = AttentionReduction::kNone;
      break;
    case v1::ATTENTION_REDUCTION_MAX:
      out->reduction = AttentionReduction::kMax;
      break;
    case v1::ATTENTION_REDUCTION_ROLLOUT:
      out->reduction = AttentionReduction::kRollout;
      break;
    default:
      return UnknownEnumValue("reduction", selection.reduction());
  }
  switch (static_cast<int>(selection.granularity())) {
    case v1::ATTENTION_GRANULARITY_UNSPECIFIED:
    case v1::ATTENTION_GRANULARITY_TOKEN:
      out->granularity = AttentionGranularity::kToken;
      break;
    case v1::ATTENTION_GRANULARITY_WORD:
      out->granularity = AttentionGranularity::kWord;
      break;
    default:
      return UnknownEnumValue("granularity", selection.granularity());
  }
  return absl::OkStatus();
}

void DurationToProto(absl::Duration duration, google::protobuf::Duration* out) {
  const int64_t nanoseconds = absl::ToInt64Nanoseconds(duration);
  out->set_seconds(nanoseconds / 1000000000);
  out->set_nanos(static_cast<int32_t>(nanoseconds % 1000000000));
}

// Bytes of one row's weights, with the column index of each where sparse.
int64_t RowBytes(const AttentionMatrix& matrix, int row) {
  if (!matrix.sparse) return int64_t{4} * matrix.columns;
  const size_t r = static_cast<size_t>(row);
  return int64_t{8} * (matrix.row_offsets[r + 1] - matrix.row_offsets[r]) + 4;
}

void RowsToProto(const AttentionMatrix& matrix, int first_row, int num_rows,
                 v1::AttentionMatrix* out) {
  out->set_kind(ToProto(matrix.kind));
  if (matrix.head) {
    out->mutable_head()->set_layer(static_cast<uint32_t>(matrix.head->layer));
    out->mutable_head()->set_head(static_cast<uint32_t>(matrix.head->head));
  }
  out->set_row_count(static_cast<uint32_t>(num_rows));
  out->set_column_count(static_cast<uint32_t>(matrix.columns));
  const float* weights = matrix.weights.data();
  if (!matrix.sparse) {
    const size_t begin = static_cast<size_t>(first_row) * static_cast<size_t>(matrix.columns);
    const size_t end = begin + static_cast<size_t>(num_rows) * static_cast<size_t>(matrix.columns);
    out->mutable_dense()->mutable_weights()->Add(weights + begin, weights + end);
    return;
  }
  v1::SparseWeights* sparse = out->mutable_sparse();
  const uint32_t begin = matrix.row_offsets[static_cast<size_t>(first_row)];
  const uint32_t end = matrix.row_offsets[static_cast<size_t>(first_row + num_rows)];
  for (int row = first_row; row <= first_row + num_rows; ++row) {
    sparse->add_row_offsets(matrix.row_offsets[static_cast<size_t>(row)] - begin);
  }
  const uint32_t* columns = matrix.column_indices.data();
  sparse->mutable_columns()->Add(columns + begin, columns + end);
  sparse->mutable_weights()->Add(weights + begin, weights + end);
}

}  // namespace

absl::StatusOr<AttentionSelection> ParseAttentionSelection(
    const v1::AttentionSelection& selection) {
  AttentionSelection out;
  if (absl::Status status = ParseKinds(selection, &out); !status.ok()) return status;
  if (absl::Status status = ParseFolding(selection, &out); !status.ok()) return status;
  if (selection.choice_case() == v1::AttentionSelection::kPreset) {
    if (selection.preset().empty()) {
      return InvalidField("OPTION_OUT_OF_RANGE", "preset",
                          "a preset's name is required, for example \"alignment\"");
    }
    out.preset = selection.preset();
  }
  if (selection.choice_case() == v1::AttentionSelection::kHeadList) {
    out.has_head_list = true;
    ATTEND_ASSIGN_OR_RETURN(out.heads, ParseHeadList(selection.head_list()));
  }
  out.top_k = ToInt(selection.top_k());
  out.min_weight = selection.min_weight();
  out.drop_special = selection.drop_special();
  return out;
}

absl::StatusOr<std::vector<HeadIndex>> ParseHeadList(const v1::HeadList& list) {
  if (list.heads_size() > kMaxHeads) {
    return InvalidField("OPTION_OUT_OF_RANGE", "head_list.heads",
                        absl::StrCat("at most ", kMaxHeads, " heads may be listed"));
  }
  std::vector<HeadIndex> heads;
  for (const v1::HeadRef& head : list.heads()) {
    heads.push_back({ToInt(head.layer()), ToInt(head.head())});
  }
  return heads;
}

absl::StatusOr<AttentionKind> ParseKind(v1::AttentionKind kind, std::string_view field) {
  switch (static_cast<int>(kind)) {
    case v1::ATTENTION_KIND_ENCODER_SELF:
      return AttentionKind::kEncoderSelf;
    case v1::ATTENTION_KIND_DECODER_SELF:
      return AttentionKind::kDecoderSelf;
    case v1::ATTENTION_KIND_CROSS:
      return AttentionKind::kCross;
    default:
      return UnknownEnumValue(field, kind);
  }
}

v1::AttentionDirection ToProto(AttentionDirection direction) {
  switch (direction) {
    case AttentionDirection::kFromQuery:
      return v1::ATTENTION_DIRECTION_FROM_QUERY;
    case AttentionDirection::kToQuery:
      return v1::ATTENTION_DIRECTION_TO_QUERY;
    case AttentionDirection::kBoth:
      return v1::ATTENTION_DIRECTION_BOTH;
  }
  return v1::ATTENTION_DIRECTION_UNSPECIFIED;
}

void ToProto(const AttentionPreset& preset, v1::AttentionPreset* out) {
  out->set_preset_id(ToUtf8(preset.name));
  out->set_kind(ToProto(preset.kind));
  for (const HeadIndex& head : preset.heads) {
    v1::HeadRef* ref = out->add_heads();
    ref->set_layer(static_cast<uint32_t>(head.layer));
    ref->set_head(static_cast<uint32_t>(head.head));
  }
  out->set_note(ToUtf8(preset.note));
  if (preset.kind == AttentionKind::kCross) {
    // Not for queries: no direction.
  } else if (preset.terms.empty()) {
    out->set_direction(ToProto(preset.direction));
  } else {
    out->set_floor(static_cast<float>(preset.floor));
  }
  for (const PresetTerm& term : preset.terms) {
    v1::PresetTerm* to = out->add_terms();
    to->mutable_head()->set_layer(static_cast<uint32_t>(term.head.layer));
    to->mutable_head()->set_head(static_cast<uint32_t>(term.head.head));
    to->set_direction(ToProto(term.direction));
    to->set_weight(static_cast<float>(term.weight));
  }
  if (!preset.figure) return;
  v1::PresetFigure* figure = out->mutable_figure();
  figure->set_metric(ToUtf8(preset.figure->metric));
  figure->set_value(static_cast<float>(preset.figure->value));
  figure->set_example_count(static_cast<uint32_t>(preset.figure->num_examples));
}

v1::AttentionKind ToProto(AttentionKind kind) {
  switch (kind) {
    case AttentionKind::kEncoderSelf:
      return v1::ATTENTION_KIND_ENCODER_SELF;
    case AttentionKind::kDecoderSelf:
      return v1::ATTENTION_KIND_DECODER_SELF;
    case AttentionKind::kCross:
      return v1::ATTENTION_KIND_CROSS;
  }
  return v1::ATTENTION_KIND_UNSPECIFIED;
}

void ToProto(ByteSpan span, const OffsetMap& map, v1::Span* out) {
  const ByteSpan units = map.FromBytes(span);
  out->set_start(units.begin);
  out->set_end(units.end);
}

void ToProto(const AttendedToken& token, const OffsetMap& map, v1::Token* out) {
  out->set_id(static_cast<uint32_t>(token.id));
  out->set_piece(ToUtf8(token.piece));  // a vocabulary may hold any bytes
  if (!token.special) ToProto(token.span, map, out->mutable_span());
  if (token.word >= 0) out->set_word(static_cast<uint32_t>(token.word));
  out->set_special(token.special);
  if (token.log_prob) out->set_log_prob(*token.log_prob);
}

void ToProto(const AttendedWord& word, const OffsetMap& map, v1::Word* out) {
  out->set_text(word.text);
  ToProto(word.span, map, out->mutable_span());
}

void ToProto(const WordLink& link, v1::WordLink* out) {
  out->set_source_word(static_cast<uint32_t>(link.source_word));
  out->set_target_word(static_cast<uint32_t>(link.target_word));
  out->set_score(link.score);
}

void ToProto(const CallUsage& usage, absl::Duration total, v1::Usage* out) {
  out->set_input_tokens(static_cast<uint32_t>(usage.input_tokens));
  out->set_output_tokens(static_cast<uint32_t>(usage.output_tokens));
  DurationToProto(usage.queue, out->mutable_queue_duration());
  DurationToProto(usage.encode, out->mutable_encode_duration());
  DurationToProto(usage.decode, out->mutable_decode_duration());
  DurationToProto(total, out->mutable_total_duration());
  out->set_peak_batch_items(static_cast<uint32_t>(usage.peak_batch_items));
  out->set_cached_segments(static_cast<uint32_t>(usage.cached_segments));
  out->set_merged_segments(static_cast<uint32_t>(usage.merged_segments));
}

void AxesToProto(const AttentionResult& result, const OffsetMaps& maps, v1::Attention* out) {
  for (const AttendedToken& token : result.source_tokens)
    ToProto(token, maps.source, out->add_source_tokens());
  for (const AttendedToken& token : result.target_tokens)
    ToProto(token, maps.target, out->add_target_tokens());
  for (const AttendedWord& word : result.source_words)
    ToProto(word, maps.source, out->add_source_words());
  for (const AttendedWord& word : result.target_words)
    ToProto(word, maps.target, out->add_target_words());
  out->set_target_text(result.target_text);
}

void ToProto(const AttentionMatrix& matrix, v1::AttentionMatrix* out) {
  RowsToProto(matrix, 0, matrix.rows, out);
}

void ToProto(const AttentionResult& result, const OffsetMaps& maps, v1::Attention* out) {
  AxesToProto(result, maps, out);
  for (const AttentionMatrix& matrix : result.matrices) ToProto(matrix, out->add_matrices());
}

int64_t WeightBytes(const AttentionMatrix& matrix) {
  return int64_t{4} * static_cast<int64_t>(matrix.weights.size() + matrix.column_indices.size());
}

int64_t WeightBytes(const AttentionResult& result) {
  int64_t bytes = 0;
  for (const AttentionMatrix& matrix : result.matrices) bytes += WeightBytes(matrix);
  return bytes;
}

std::vector<SliceRange> PlanSlices(const AttentionResult& result, int64_t max_bytes) {
  std::vector<SliceRange> slices;
  for (size_t m = 0; m < result.matrices.size(); ++m) {
    const AttentionMatrix& matrix = result.matrices[m];
    int first = 0;
    int64_t bytes = 0;
    for (int row = 0; row < matrix.rows; ++row) {
      const int64_t more = RowBytes(matrix, row);
      if (row > first && bytes + more > max_bytes) {
        slices.push_back({m, first, row - first});
        first = row;
        bytes = 0;
      }
      bytes += more;
    }
    slices.push_back({m, first, matrix.rows - first});  // also a matrix without rows is told
  }
  return slices;
}

void SliceToProto(const AttentionResult& result, const SliceRange& range, v1::AttentionSlice* out) {
  out->set_first_row(static_cast<uint32_t>(range.first_row));
  RowsToProto(result.matrices[range.matrix], range.first_row, range.num_rows,
              out->mutable_matrix());
}

}  // namespace attend::server
