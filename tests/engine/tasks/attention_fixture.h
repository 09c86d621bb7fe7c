// Small specs, axes and matrices for tests of attention, written out by hand.
#pragma once

#include <string>
#include <vector>

#include "engine/models/model_spec.h"
#include "engine/tasks/attention_selection.h"
#include "engine/tasks/text_axis.h"
#include "engine/tensor/matrix.h"

namespace attend {

inline ModelSpec SpecOf(int encoder_layers, int decoder_layers, int heads) {
  ModelSpec spec;
  spec.architecture = "TestModel";
  spec.encoder.num_layers = encoder_layers;
  spec.encoder.num_attention_heads = heads;
  spec.decoder.num_layers = decoder_layers;
  spec.decoder.num_attention_heads = heads;
  return spec;
}

// Tokens by their word: {0, 0, 1, -1} is a word of two tokens, one of one, and a special token.
inline TextAxis AxisOfWords(const std::vector<int>& words) {
  TextAxis axis;
  int count = 0;
  for (int word : words) {
    AttendedToken token;
    token.word = word;
    token.special = word < 0;
    axis.tokens.push_back(token);
    count = std::max(count, word + 1);
  }
  for (int w = 0; w < count; ++w) axis.words.push_back({"w" + std::to_string(w), {}});
  return axis;
}

// A view on rows written out; lives as long as `flat`.
inline ConstMatrixView ViewOf(const std::vector<float>& flat, int64_t rows) {
  const int64_t columns = static_cast<int64_t>(flat.size()) / rows;
  return {flat.data(), rows, columns, columns};
}

}  // namespace attend
