// Attention between the wire and the engine: selections in, results out, with spans in the caller's
// unit. Large results are cut into slices of whole rows.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "attend/v1/attention.pb.h"
#include "engine/engine.h"
#include "engine/tasks/attention_types.h"
#include "engine/text/offset_map.h"

namespace attend::server {

// The maps of the two texts that one answer's spans count in.
struct OffsetMaps {
  const OffsetMap& source;
  const OffsetMap& target;
};

// Field paths in errors are relative to the message: "kinds[0]", "head_list.heads[3].layer".
absl::StatusOr<AttentionSelection> ParseAttentionSelection(
    const attend::v1::AttentionSelection& selection);

// The caller's heads; OPTION_OUT_OF_RANGE at "head_list.heads" for more than any model has.
absl::StatusOr<std::vector<HeadIndex>> ParseHeadList(const attend::v1::HeadList& list);
// A kind that is named; OPTION_OUT_OF_RANGE at `field` otherwise.
absl::StatusOr<AttentionKind> ParseKind(attend::v1::AttentionKind kind, std::string_view field);

attend::v1::AttentionKind ToProto(AttentionKind kind);
attend::v1::AttentionDirection ToProto(AttentionDirection direction);
void ToProto(const AttentionPreset& preset, attend::v1::AttentionPreset* out);
void ToProto(ByteSpan span, const OffsetMap& map, attend::v1::Span* out);
void ToProto(const AttendedToken& token, const OffsetMap& map, attend::v1::Token* out);
void ToProto(const AttendedWord& word, const OffsetMap& map, attend::v1::Word* out);
void ToProto(const WordLink& link, attend::v1::WordLink* out);
void ToProto(const CallUsage& usage, absl::Duration total, attend::v1::Usage* out);

// Tokens, words and target text, without matrices.
void AxesToProto(const AttentionResult& result, const OffsetMaps& maps, attend::v1::Attention* out);
void ToProto(const AttentionMatrix& matrix, attend::v1::AttentionMatrix* out);
void ToProto(const AttentionResult& result, const OffsetMaps& maps, attend::v1::Attention* out);

// Bytes of the weights (and, where sparse, their indices) as they travel.
int64_t WeightBytes(const AttentionMatrix& matrix);
int64_t WeightBytes(const AttentionResult& result);

// One slice: rows [first_row, first_row + num_rows) of a matrix.
struct SliceRange {
  size_t matrix;
  int first_row;
  int num_rows;
};

// Cuts every matrix into slices of whole rows whose weights stay within `max_bytes`; a single
// longer row is a slice of its own.
std::vector<SliceRange> PlanSlices(const AttentionResult& result, int64_t max_bytes);
void SliceToProto(const AttentionResult& result, const SliceRange& range,
                  attend::v1::AttentionSlice* out);

}  // namespace attend::server
