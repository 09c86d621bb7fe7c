// What a load found and did, for the operator: every load ends in one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace attend {

// How well a SentencePiece model and the vocabulary that numbers its pieces belong together.
struct PieceCoverage {
  std::string file;             // "source.spm"
  std::string vocabulary_file;  // "vocab.json"
  int64_t num_pieces = 0;       // normal pieces of the model
  int64_t num_known = 0;        // those that the vocabulary has
};

// A stored tensor that became part of the model.
struct UsedTensor {
  std::string name, file;
  std::string type;          // "F16"
  int64_t stored_bytes = 0;  // in the file
};

// What became of the file that keeps packed weights for the next start (panels_file.h).
struct WeightCacheReport {
  enum class Use { kNone, kRead, kWritten };
  Use use = Use::kNone;
  std::string file;   // path; empty when kNone
  int64_t bytes = 0;  // of the file
  // Why it is kNone, or why a file that was there was not read; empty when there is nothing to say.
  std::string why;
};

// What became of a wish for a shortlist (shortlist_file.h).
struct ShortlistReport {
  std::string file;              // path; empty: none is used
  int64_t num_known_tokens = 0;  // source tokens that have a list
  int64_t num_links = 0;         // target tokens in these lists
  int64_t num_always = 0;        // target tokens of every list
  std::string why;               // why none is used, when one was wished for
};

struct LoadReport {
  int64_t num_tensors = 0;           // read
  int64_t num_parameters = 0;        // elements read
  int64_t stored_bytes = 0;          // bytes read
  int64_t weight_bytes = 0;          // bytes held in memory for them after loading
  std::string stored_type;           // "F16", or "F16+F32" when mixed
  std::vector<std::string> files;    // files that tensors came from
  std::vector<UsedTensor> used;      // in the order in which they were read
  std::vector<std::string> tied;     // "NAME = USED": other names of tensors that are used
  std::vector<std::string> ignored;  // "NAME: why": stored tensors that are not used
  std::vector<std::string> notes;    // "FILE: what": anything else that an operator should know
  std::vector<PieceCoverage> pieces;
  WeightCacheReport weight_cache;
  ShortlistReport shortlist;
  bool is_revision_from_stamp = false;  // the files were not read for it (model_revision.h)
  double seconds = 0;  // wall time of the load of the weights
};

}  // namespace attend
