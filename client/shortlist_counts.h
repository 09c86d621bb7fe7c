// What each source token was seen to become, counted over aligned pairs, and the shortlist that
// follows from it. Knows neither gRPC nor files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace attend::client {

struct ShortlistLimits {
  std::size_t max_per_token = 100;  // target tokens in the list of one source token
  double min_share = 0.001;         // of a source token's links, that a target token must have
  std::size_t num_frequent = 300;   // most frequent target tokens, part of every list
  int64_t min_seen = 3;             // a source token seen less often counts as unknown
};

// Ids ascend in every list.
struct ShortlistTables {
  std::vector<uint32_t> always;
  struct List {
    bool is_known = false;  // else a text with this token gets the whole vocabulary
    std::vector<uint32_t> tokens;
  };
  std::vector<List> lists;  // by source token
  int64_t num_links() const;
  int64_t num_known() const;
};

class ShortlistCounts {
 public:
  ShortlistCounts(std::size_t source_vocab_size, std::size_t target_vocab_size);

  // Ids beyond the vocabularies are left out.
  void AddSource(uint32_t token);
  void AddTarget(uint32_t token);
  // `weight` of the target token rests on the source token.
  void AddLink(uint32_t source, uint32_t target, double weight);

  // `fixed`: target tokens of every list, however often they were seen.
  ShortlistTables Select(const ShortlistLimits& limits, const std::vector<uint32_t>& fixed) const;

 private:
  std::vector<uint32_t> SelectAlways(const ShortlistLimits& limits,
                                     const std::vector<uint32_t>& fixed) const;

  std::vector<int64_t> sources_, targets_;                   // times seen, by token
  std::vector<std::unordered_map<uint32_t, double>> links_;  // by source token
};

struct ShortlistOrigin {
  std::string model, revision;  // "en-fr"
  int64_t num_pairs = 0;
};

// The bytes of the file (docs/model_folders.md); engine/checkpoint/shortlist_file.h reads them.
std::string FormatShortlist(const ShortlistTables& tables, std::size_t target_vocab_size,
                            const ShortlistOrigin& origin);

}  // namespace attend::client
