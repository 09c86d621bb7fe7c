// Sentences are encoded one by one and their ordinary tokens put side by side between the special
// tokens that the tokenizer puts around any text: what it would give for the text as a whole, as
// far as sentences are separated by white space.
#include "engine/tasks/summary/sentence_windows.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"

namespace attend {
namespace {

class WindowPacker {
 public:
  WindowPacker(const SourceEncoder& encoder, int64_t max_tokens) {
    const std::vector<EncodedToken> frame = encoder.Encode("").tokens;
    for (size_t i = 0; i < frame.size(); ++i)
      (i < encoder.num_leading() ? before_ : after_).push_back(frame[i].id);
    room_ = max_tokens - static_cast<int64_t>(frame.size());
    ATTEND_CHECK(room_ > 0, "a window has no room for text");
  }

  void Add(int sentence, absl::Span<const int32_t> tokens) {
    const auto count = static_cast<int64_t>(tokens.size());
    if (count == 0) return;
    if (used_ > 0 && used_ + count > room_) Close();
    for (int64_t at = 0; at < count;) {
      const int64_t piece = std::min(room_ - used_, count - at);
      Append(sentence, tokens.subspan(static_cast<size_t>(at), static_cast<size_t>(piece)));
      at += piece;
      if (count > room_) Close();
    }
  }

  std::vector<SentenceWindow> Finish() {
    if (used_ > 0) Close();
    return std::move(windows_);
  }

 private:
  void Append(int sentence, absl::Span<const int32_t> tokens) {
    if (used_ == 0) window_.ids = before_;
    window_.parts.push_back(
        {sentence, static_cast<int>(window_.ids.size()), static_cast<int>(tokens.size())});
    window_.ids.insert(window_.ids.end(), tokens.begin(), tokens.end());
    used_ += static_cast<int64_t>(tokens.size());
  }

  void Close() {
    window_.ids.insert(window_.ids.end(), after_.begin(), after_.end());
    windows_.push_back(std::exchange(window_, {}));
    used_ = 0;
  }

  std::vector<int32_t> before_, after_;
  int64_t room_ = 0, used_ = 0;  // ordinary tokens
  SentenceWindow window_;
  std::vector<SentenceWindow> windows_;
};

}  // namespace

std::vector<SentenceWindow> PackSentences(std::string_view text,
                                          absl::Span<const ByteSpan> sentences,
                                          const SourceEncoder& encoder, int64_t max_tokens) {
  WindowPacker packer(encoder, max_tokens);
  std::vector<int32_t> tokens;
  for (size_t s = 0; s < sentences.size(); ++s) {
    tokens.clear();
    for (const EncodedToken& token :
         encoder.Encode(text.substr(sentences[s].begin, sentences[s].size())).tokens) {
      if (!token.special) tokens.push_back(token.id);
    }
    packer.Add(static_cast<int>(s), tokens);
  }
  return packer.Finish();
}

}  // namespace attend
