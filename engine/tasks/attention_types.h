// Attention as a caller asks for it and gets it. All spans are bytes of the caller's own text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/span.h"
#include "engine/layers/block_spec.h"  // AttentionKind

namespace attend {

enum class AttentionReduction { kNone, kMean, kMax, kRollout };
enum class AttentionGranularity { kToken, kWord };

struct HeadIndex {
  int layer = 0;
  int head = 0;
  friend bool operator==(HeadIndex a, HeadIndex b) {
    return a.layer == b.layer && a.head == b.head;
  }
};

// Which way attention is followed from a span: what it attends to, what attends to it, or the mean
// of both.
enum class AttentionDirection { kFromQuery, kToQuery, kBoth };

constexpr const char* Name(AttentionDirection direction) {
  switch (direction) {
    case AttentionDirection::kFromQuery:
      return "from_query";
    case AttentionDirection::kToQuery:
      return "to_query";
    case AttentionDirection::kBoth:
      return "both";
  }
  return "?";
}

// A quality of a preset, measured on examples that played no part in choosing it.
struct PresetFigure {
  std::string metric;  // "accuracy" (1 is best) or "alignment_error_rate" (0 is best)
  double value = 0;
  int num_examples = 0;
};

// One part of a preset's log-linear score.
struct PresetTerm {
  HeadIndex head;
  AttentionDirection direction = AttentionDirection::kFromQuery;  // not kBoth
  double weight = 0;
};

// A named set of heads, from the model folder's attention_presets.json.
struct AttentionPreset {
  std::string name;  // "alignment"
  AttentionKind kind = AttentionKind::kCross;
  std::vector<HeadIndex> heads;
  std::string note;  // how it was chosen; "uncalibrated" when it is our fallback
  AttentionDirection direction = AttentionDirection::kFromQuery;  // for queries
  std::optional<PresetFigure> figure;
  // When there are any, a query's answers are ranked by the sum of weight * ln(floor + attention)
  // over the terms instead of mean attention. Their heads are `heads`.
  std::vector<PresetTerm> terms;
  double floor = 0.01;
};

struct AttentionSelection {
  std::vector<AttentionKind> kinds;  // at least one
  std::string preset;                // empty: heads below
  std::vector<HeadIndex> heads;      // empty: all
  bool has_head_list = false;        // an explicit list was given (then it may not be empty)
  AttentionReduction reduction = AttentionReduction::kMean;
  AttentionGranularity granularity = AttentionGranularity::kToken;
  int top_k = 0;  // per row; 0: all
  float min_weight = 0;
  bool drop_special = false;  // drop special tokens, scale rows back to one
};

struct AttendedToken {
  int32_t id = 0;
  std::string piece;
  ByteSpan span;  // empty for special tokens
  int word = -1;  // index into the words of its text; -1 for none
  bool special = false;
  std::optional<float> log_prob;  // output tokens only
};

struct AttendedWord {
  std::string text;
  ByteSpan span;
};

struct AttentionMatrix {
  AttentionKind kind = AttentionKind::kCross;
  std::optional<HeadIndex> head;  // absent when heads were folded
  int rows = 0, columns = 0;
  bool sparse = false;
  std::vector<float>
      weights;  // dense: rows * columns, row-major; sparse: kept ones, largest first in a row
  std::vector<uint32_t> row_offsets,
      column_indices;  // sparse only: rows + 1 offsets; one column per weight
};

// Rows and columns count the tokens (or words) listed here, special ones left out when drop_special
// was asked for. Row i of a decoder matrix is the step that WROTE target token i; column j of a
// decoder self matrix is the step that wrote token j, which read token j - 1 (j = 0 read the start
// token). transformers' matrices, in the same order.
struct AttentionResult {
  std::vector<AttendedToken> source_tokens, target_tokens;
  std::vector<AttendedWord> source_words, target_words;
  std::vector<AttentionMatrix> matrices;
  std::string target_text;  // the text that target spans count in; empty in a Translation, whose
                            // own text it is
};

struct WordLink {
  int source_word = 0, target_word = 0;
  float score = 0;  // 0 to 1
};

// A place in a text that a query's span attends to.
struct QueryAnswer {
  std::string text;
  ByteSpan span;
  float weight = 0;  // share of what all possible answers get together
};

}  // namespace attend
