// Links between the words of a source and a target, read off cross attention.
#pragma once

#include <memory>
#include <vector>

#include "engine/layers/attention_observer.h"
#include "engine/models/model_spec.h"
#include "engine/tasks/attention_fold.h"
#include "engine/tasks/attention_types.h"
#include "engine/tasks/text_axis.h"

namespace attend {

// Attention below this makes no link, however much it is the largest of its row.
inline constexpr float kLinkThreshold = 0.1f;

// Links of a dense matrix with target words as rows and source words as columns. A link that is the
// largest of its row and of its column stands; from there, diagonal and adjacent links that are the
// largest one way are added where they reach a word without a link (Koehn et al.'s grow-diag), then
// such links of two words that still have none. Score: the attention of the link. By target word,
// then source word.
std::vector<WordLink> LinkWords(const AttentionMatrix& matrix, float threshold = kLinkThreshold);

// Watches one forced pass and links its words by a preset's heads. Words that no token belongs to
// get no link and cost nothing.
class WordAligner {
 public:
  WordAligner(const AttentionPreset& preset, const ModelSpec& spec, const TextAxis& source,
              const TextAxis& target);

  AttentionObserver* observer() { return folder_.get(); }
  // Indices of words as in the axes given. Call once, after the pass.
  std::vector<WordLink> Finish();

 private:
  std::vector<int> source_words_, target_words_;  // words that have tokens
  std::unique_ptr<AttentionFolder> folder_;
};

}  // namespace attend
