// A SentencePiece model (.spm, .model), unigram or BPE: text → pieces with the bytes behind each,
// and pieces → text. Gives what libsentencepiece gives, float for float (a test holds the two
// against each other), in time linear in the text (BPE: but for a heap). Immutable after load and
// safe from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/base/span.h"
#include "engine/tokenizers/byte_trie.h"
#include "engine/tokenizers/sentencepiece/sentencepiece_normalizer.h"

namespace attend {

struct SentencePiece {
  std::string piece;  // normalised; of unknown characters the characters themselves, a run of them
                      // in one piece
  ByteSpan span;      // in the text given; pieces that one character became share its bytes
};

class SentencePieceModel {
 public:
  // NOT_FOUND when there is no such file; otherwise as Parse.
  static absl::StatusOr<std::unique_ptr<SentencePieceModel>> Load(const std::string& path);
  // DATA_LOSS when `bytes` are no sound model, UNIMPLEMENTED for other algorithms than unigram and
  // BPE and for models that rewrite their output (denormalizer_spec). `origin` names the file in
  // errors.
  static absl::StatusOr<std::unique_ptr<SentencePieceModel>> Parse(std::string_view bytes,
                                                                   std::string_view origin);

  // Puts no "▁" in front of texts, whatever the model says. Only before others use it.
  void DropDummyPrefix() { normalizer_.DropDummyPrefix(); }

  // Ill-formed UTF-8 becomes U+FFFD.
  std::vector<SentencePiece> Encode(std::string_view text) const;

  // What each piece writes; put together they are the text. Pieces that the model lacks stand for
  // themselves.
  std::vector<std::string> Decode(absl::Span<const std::string_view> pieces) const;

  int32_t num_pieces() const { return static_cast<int32_t>(pieces_.size()); }
  // The piece of that number. REQUIRES: 0 <= id < num_pieces().
  std::string_view PieceText(int32_t id) const { return pieces_[static_cast<size_t>(id)].text; }
  // Its number, unknown_id() for what the model lacks.
  int32_t FindPiece(std::string_view piece) const;
  int32_t unknown_id() const { return unknown_id_; }
  // The pieces that texts are cut into: no unknown, control or byte pieces. They live as long as
  // the model.
  std::vector<std::string_view> NormalPieces() const;

 private:
  static constexpr int64_t kUnigram = 1, kBpe = 2;  // trainer_spec.model_type
  enum class PieceType {
    kNormal = 1,
    kUnknown = 2,
    kControl = 3,
    kUserDefined = 4,
    kUnused = 5,
    kByte = 6
  };
  struct Piece {
    std::string text;
    float score = 0;
    PieceType type = PieceType::kNormal;
  };
  struct Step {  // one piece of a normalised text
    float score = 0;
    int32_t id = -1;
    uint32_t begin = UINT32_MAX;  // not reached
    uint32_t end = 0;
  };
  class Merger;  // sentencepiece_bpe.cc

  SentencePieceModel() = default;
  absl::Status ReadModel(std::string_view bytes, std::string_view origin);
  absl::Status ReadPiece(std::string_view message, std::string_view origin);
  absl::Status ReadTrainerSpec(std::string_view message, std::string_view origin);
  static absl::Status ReadNormalizerSpec(std::string_view message, std::string_view origin,
                                         NormalizerSpec* spec);
  absl::Status BuildTries(NormalizerSpec spec, std::string_view origin);
  std::vector<Step> FindBestSteps(std::string_view normalized) const;  // unigram
  std::vector<Step> MergeSteps(std::string_view normalized) const;     // BPE
  void AppendBytePieces(std::string_view character, ByteSpan span,
                        std::vector<SentencePiece>* pieces) const;
  bool AppendControlOrUnknown(int32_t id, std::string_view piece,
                              std::vector<std::string>* written) const;

  std::vector<Piece> pieces_;
  ByteTrie matched_;   // pieces found in texts: normal, user-defined and unused ones
  ByteTrie reserved_;  // unknown, control and byte pieces: only looked up by name
  SentencePieceNormalizer normalizer_;
  std::string unknown_surface_ = " \xE2\x81\x87 ";  // " ⁇ "
  bool byte_fallback_ = false;
  bool whitespace_as_suffix_ = false;
  int64_t model_type_ = kUnigram;
  int32_t unknown_id_ = -1;
  float unknown_score_ = 0;
  float user_defined_score_ = 0;  // for each byte
};

}  // namespace attend
