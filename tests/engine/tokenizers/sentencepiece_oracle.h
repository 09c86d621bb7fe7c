// libsentencepiece, to compare with. Its header redefines absl::string_view, so it stays in a file
// of its own; the library exports a protobuf that clashes with gRPC's, so it stays out of every
// program but this test.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace attend {

struct OraclePiece {
  std::string piece;
  uint32_t begin = 0, end = 0;
};

class SentencePieceOracle {
 public:
  // Null when the library refuses the model.
  static std::unique_ptr<SentencePieceOracle> Parse(const std::string& bytes);
  virtual ~SentencePieceOracle() = default;
  virtual std::vector<OraclePiece> Encode(const std::string& text) const = 0;
  virtual std::string Decode(const std::vector<std::string>& pieces) const = 0;
};

}  // namespace attend
