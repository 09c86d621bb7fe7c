// Spans and indices are taken as they came; the views leave out what does not fit.
#include "client/alignment_axes.h"

namespace attend::client {

Alignment ToAlignment(const std::string& source, const std::string& target,
                      const attend::v1::AlignWordsResponse& response) {
  Alignment alignment;
  alignment.source.text = source;
  alignment.target.text = target;
  for (const auto& word : response.source_words())
    alignment.source.words.push_back({word.text(), word.span().start(), word.span().end()});
  for (const auto& word : response.target_words())
    alignment.target.words.push_back({word.text(), word.span().start(), word.span().end()});
  for (const auto& link : response.links())
    alignment.links.push_back({link.source_word(), link.target_word(), link.score()});
  return alignment;
}

}  // namespace attend::client
