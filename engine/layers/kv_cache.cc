// Pages with reference counts, as operating systems share memory after fork(): a page is written
// only by the one hypothesis that holds it alone. Released pages go to a free list, so that steady
// decoding allocates nothing.
#include "engine/layers/kv_cache.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "engine/base/check.h"

namespace attend {

SelfCache::~SelfCache() { Clear(); }

SelfCache::SelfCache(SelfCache&& other) noexcept
    : pool_(other.pool_),
      pages_(std::move(other.pages_)),
      length_(std::exchange(other.length_, 0)) {
  other.pages_.clear();
}

SelfCache& SelfCache::operator=(SelfCache&& other) noexcept {
  if (this == &other) return *this;
  Clear();
  pool_ = other.pool_;
  pages_ = std::move(other.pages_);
  length_ = std::exchange(other.length_, 0);
  other.pages_.clear();
  return *this;
}

SelfCache SelfCache::Fork() const {
  SelfCache copy(pool_);
  copy.pages_ = pages_;
  copy.length_ = length_;
  for (KvPage* page : copy.pages_) ++page->references;
  return copy;
}

void SelfCache::Append() {
  if (length_ % kPageTokens == 0) {
    pages_.reserve(pages_.size() + 1);  // a page that found no room would be lost
    pages_.push_back(pool_->Allocate());
  } else if (KvPage* last = pages_.back(); last->references > 1) {
    KvPage* own = pool_->Allocate();
    // Whole pages: rows past length_ are not ours yet, but a page is small and one copy beats 2 *
    // layers short ones.
    std::memcpy(own->data, last->data, static_cast<size_t>(pool_->page_bytes()));
    pool_->Release(last);
    pages_.back() = own;
  }
  ++length_;
}

float* SelfCache::Locate(int layer, int which, int token) const {
  ATTEND_DCHECK(token >= 0 && token < length_, "token outside the cache");
  ATTEND_DCHECK(layer >= 0 && layer < pool_->num_layers(), "layer outside the cache");
  const int64_t row = (int64_t{layer} * 2 + which) * kPageTokens + token % kPageTokens;
  return pages_[static_cast<size_t>(token / kPageTokens)]->data + row * pool_->hidden_size();
}

float* SelfCache::key(int layer, int token) { return Locate(layer, 0, token); }
float* SelfCache::value(int layer, int token) { return Locate(layer, 1, token); }
const float* SelfCache::key(int layer, int token) const { return Locate(layer, 0, token); }
const float* SelfCache::value(int layer, int token) const { return Locate(layer, 1, token); }

void SelfCache::Clear() {
  for (KvPage* page : pages_) pool_->Release(page);
  pages_.clear();
  length_ = 0;
}

KvCachePool::KvCachePool(int num_layers, int64_t hidden_size, int64_t capacity_bytes)
    : num_layers_(num_layers),
      hidden_size_(hidden_size),
      page_bytes_(int64_t{num_layers} * 2 * SelfCache::kPageTokens * hidden_size *
                  static_cast<int64_t>(sizeof(float))),
      capacity_bytes_(capacity_bytes) {
  ATTEND_CHECK(num_layers >= 0 && hidden_size >= 0, "a cache of negative size");
}

KvCachePool::~KvCachePool() { Trim(0); }

void KvCachePool::Trim(int64_t keep_bytes) {
  while (!free_.empty() && static_cast<int64_t>(free_.size()) * page_bytes_ > keep_bytes) {
    std::free(free_.back()->data);
    delete free_.back();
    free_.pop_back();
    --num_pages_;
  }
}

KvPage* KvCachePool::Allocate() {
  KvPage* page;
  if (free_.empty()) {
    // Room in the list first, so that Release never needs memory.
    const auto pages = static_cast<size_t>(num_pages_);
    if (free_.capacity() <= pages) free_.reserve(2 * pages + 16);
    auto fresh = std::make_unique<KvPage>();
    fresh->data = static_cast<float*>(
        std::aligned_alloc(64, static_cast<size_t>((page_bytes_ + 63) / 64 * 64)));
    if (fresh->data == nullptr) throw std::bad_alloc();
    page = fresh.release();
    ++num_pages_;
  } else {
    page = free_.back();
    free_.pop_back();
  }
  page->references = 1;
  used_bytes_ += page_bytes_;
  return page;
}

void KvCachePool::Release(KvPage* page) {
  ATTEND_DCHECK(page->references > 0, "page released too often");
  if (--page->references > 0) return;
  used_bytes_ -= page_bytes_;
  free_.push_back(page);
}

}  // namespace attend
