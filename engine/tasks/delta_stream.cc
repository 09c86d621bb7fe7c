// Two locks: `inbox` is held for moments only, because the engine loop fills it; `delivery` is held
// while the caller's function runs, so that pieces keep their order whichever worker delivers them.
#include "engine/tasks/delta_stream.h"

#include <mutex>
#include <utility>

#include "engine/base/check.h"

namespace attend {
namespace {

// A word longer than this is let go but for kTailBytes: scripts without spaces stream too.
constexpr size_t kLongestHeldWord = 48;
constexpr size_t kTailBytes = 24;
constexpr std::string_view kReplacement =
    "\xEF\xBF\xBD";  // what a byte of a character not yet whole decodes to

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// Bytes of `text` without a last character that lacks bytes.
size_t WholeCharacters(std::string_view text) {
  size_t start = text.size();
  while (start > 0 && text.size() - start < 4 && IsContinuation(text[start - 1])) --start;
  if (start == 0) return 0;
  const unsigned char lead = static_cast<unsigned char>(text[--start]);
  const size_t need = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  return text.size() - start < need ? start : text.size();
}

}  // namespace

size_t SettledBytes(std::string_view text) {
  text = text.substr(0, WholeCharacters(text));
  while (EndsWith(text, kReplacement)) text.remove_suffix(kReplacement.size());
  size_t word = text.size();
  while (word > 0 && text[word - 1] != ' ') --word;
  if (text.size() - word > kLongestHeldWord) {
    size_t end = text.size() - kTailBytes;
    while (end > word && IsContinuation(text[end])) --end;
    return end;
  }
  while (word > 0 && text[word - 1] == ' ') --word;
  return word;
}

struct DeltaStream::State {
  explicit State(Options o) : options(std::move(o)), segments(options.layout.size() - 1) {}

  struct Segment {
    std::vector<int32_t> tokens;
    bool done = false;
  };

  const Options options;
  std::mutex inbox;  // guards segments and scheduled
  std::vector<Segment> segments;
  bool scheduled = false;

  std::mutex delivery;  // guards what follows, and is held by whoever delivers
  size_t current = 0;   // the segment that is being sent
  std::string sent;     // of its text
  bool begun = false;   // the layout before the first segment was sent
  bool closed = false;

  // REQUIRES: inbox is held.
  static void Schedule(const std::shared_ptr<State>& state) {
    if (std::exchange(state->scheduled, true)) return;
    state->options.post([state] {
      const std::lock_guard<std::mutex> delivery(state->delivery);
      {
        const std::lock_guard<std::mutex> lock(state->inbox);
        state->scheduled = false;
      }
      if (!state->closed) state->Deliver();
    });
  }

  void Send(const std::string& delta) {
    if (!delta.empty()) options.on_delta(delta);
  }

  Segment Peek(size_t index) {
    const std::lock_guard<std::mutex> lock(inbox);
    return segments[index];
  }

  void Deliver() {
    std::string delta;
    while (current + 1 < options.layout.size()) {
      const Segment segment = Peek(current);
      if (!begun && (segment.done || !segment.tokens.empty())) {
        delta += options.layout[0];
        begun = true;
      }
      const std::string text =
          options.tokenizer->Decode(segment.tokens, TextSide::kTarget, /*keep_special=*/false).text;
      const size_t end = segment.done ? text.size() : SettledBytes(text);
      // What was sent stays sent: text that no longer begins with it can only go on where it is the
      // longer.
      if (end > sent.size()) {
        delta += text.substr(sent.size(), end - sent.size());
        sent = text.substr(0, end);
      }
      if (!segment.done) break;
      sent.clear();
      delta += options.layout[++current];
    }
    Send(delta);
  }
};

DeltaStream::DeltaStream(std::shared_ptr<State> state) : state_(std::move(state)) {}
DeltaStream::~DeltaStream() = default;

std::shared_ptr<DeltaStream> DeltaStream::Create(Options options) {
  ATTEND_CHECK(!options.layout.empty(), "layout has one part more than there are segments");
  return std::shared_ptr<DeltaStream>(new DeltaStream(std::make_shared<State>(std::move(options))));
}

void DeltaStream::OnSettled(size_t segment, absl::Span<const int32_t> tokens) {
  const std::lock_guard<std::mutex> lock(state_->inbox);
  State::Segment& to = state_->segments[segment];
  if (to.done) return;
  to.tokens.insert(to.tokens.end(), tokens.begin(), tokens.end());
  State::Schedule(state_);
}

void DeltaStream::OnSegmentDone(size_t segment, absl::Span<const int32_t> tokens) {
  const std::lock_guard<std::mutex> lock(state_->inbox);
  State::Segment& to = state_->segments[segment];
  to.tokens.assign(tokens.begin(), tokens.end());
  to.done = true;
  State::Schedule(state_);
}

void DeltaStream::Close(bool deliver_rest) {
  const std::lock_guard<std::mutex> delivery(state_->delivery);
  if (deliver_rest && !state_->closed) state_->Deliver();
  state_->closed = true;
}

}  // namespace attend
