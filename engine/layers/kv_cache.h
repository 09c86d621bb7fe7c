// What decoding remembers. Two kinds:
//  * CrossCache: keys and values of one encoded source, for every decoder layer; computed once,
//  read by all beams.
//  * SelfCache: keys and values of the tokens written so far by ONE hypothesis, in pages of
//  kPageTokens. Pages are
//    reference-counted: Fork shares them, and appending to a shared last page copies that page
//    first. So beams cost only what differs between them.
// A KvCachePool owns the pages' memory and counts bytes. It never refuses: its capacity is what the
// scheduler admits sequences by, ahead of what they will need. Not thread-safe: everything here
// belongs to one engine-loop thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/tensor/matrix.h"

namespace attend {

class KvCachePool;

// One page: [layer][key or value][token in page][hidden_size], allocated by the pool. hidden_size
// here is the width of a row of keys, HeadShape::width().
struct KvPage {
  float* data = nullptr;
  int references = 0;
};

class SelfCache {
 public:
  static constexpr int kPageTokens = 16;

  explicit SelfCache(KvCachePool* pool) : pool_(pool) {}
  ~SelfCache();
  SelfCache(SelfCache&& other) noexcept;
  SelfCache& operator=(SelfCache&& other) noexcept;
  SelfCache(const SelfCache&) = delete;
  SelfCache& operator=(const SelfCache&) = delete;

  // A cache with the same contents, sharing all pages.
  SelfCache Fork() const;
  // Makes room for one more token (copying a shared last page), and counts it. The token's keys and
  // values must then be written by the layers. Bytes beyond the pool's capacity are still given
  // (admission reserves ahead; see scheduler). Throws std::bad_alloc, and has done nothing then,
  // when the system has no memory.
  void Append();

  int length() const { return length_; }
  // Key / value row of a token in a layer: [hidden_size]. REQUIRES: token < length().
  float* key(int layer, int token);
  float* value(int layer, int token);
  const float* key(int layer, int token) const;
  const float* value(int layer, int token) const;
  void Clear();

 private:
  float* Locate(int layer, int which, int token) const;
  KvCachePool* pool_;
  std::vector<KvPage*> pages_;
  int length_ = 0;
};

class KvCachePool {
 public:
  KvCachePool(int num_layers, int64_t hidden_size, int64_t capacity_bytes);
  // REQUIRES: every cache that used it is gone or empty.
  ~KvCachePool();
  KvCachePool(const KvCachePool&) = delete;
  KvCachePool& operator=(const KvCachePool&) = delete;

  int64_t page_bytes() const { return page_bytes_; }
  int64_t used_bytes() const { return used_bytes_; }  // pages and cross caches in use
  int64_t capacity_bytes() const { return capacity_bytes_; }
  int num_layers() const { return num_layers_; }
  int64_t hidden_size() const { return hidden_size_; }
  // Gives memory of free pages above `keep_bytes` back to the system.
  void Trim(int64_t keep_bytes);

  KvPage* Allocate();          // one reference; throws std::bad_alloc
  void Release(KvPage* page);  // drops one reference
  void AddCrossBytes(int64_t bytes) { used_bytes_ += bytes; }

 private:
  int num_layers_;
  int64_t hidden_size_, page_bytes_, capacity_bytes_;
  int64_t used_bytes_ = 0, num_pages_ = 0;  // num_pages_: in use and free
  std::vector<KvPage*> free_;
};

// [layer] → keys and values of one source, each [source_tokens, width of heads].
struct CrossCache {
  std::vector<Matrix> keys, values;
  int length() const { return keys.empty() ? 0 : static_cast<int>(keys[0].rows()); }
};

}  // namespace attend
