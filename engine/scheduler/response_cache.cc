// A list in the order of use and a table into it. The count of bytes is what the structures ask of
// the allocator and an allowance for its own head and rounding, block by block.
#include "engine/scheduler/response_cache.h"

#include <iterator>
#include <new>
#include <utility>

namespace attend {
namespace {

constexpr int64_t kLargestShare = 8;  // an entry takes at most 1/8 of the capacity
constexpr int64_t kBlockBytes = 16;   // of the allocator, for each block

int64_t Block(size_t bytes) { return bytes == 0 ? 0 : static_cast<int64_t>(bytes) + kBlockBytes; }

}  // namespace

int64_t ResponseCache::BytesOf(const std::string& key, const std::vector<Hypothesis>& response) {
  constexpr size_t kListLinks = 2 * sizeof(void*);
  // Link, hash, key view and iterator.
  constexpr size_t kTableNode = 2 * sizeof(void*) + sizeof(std::string_view) + sizeof(void*);
  // The vector in the block of its shared count.
  constexpr size_t kShared = sizeof(std::vector<Hypothesis>) + 2 * sizeof(void*);
  int64_t bytes = Block(sizeof(Entry) + kListLinks) + Block(kTableNode) + Block(kShared) +
                  Block(key.capacity() + 1) + Block(response.capacity() * sizeof(Hypothesis));
  for (const Hypothesis& hypothesis : response) {
    bytes += Block(hypothesis.tokens.capacity() * sizeof(int32_t)) +
             Block(hypothesis.log_probs.capacity() * sizeof(float));
  }
  return bytes;
}

int64_t ResponseCache::bytes() const {
  if (entries_.empty()) return 0;
  return entry_bytes_ + static_cast<int64_t>(by_key_.bucket_count() * sizeof(void*));
}

KeptResponse ResponseCache::Find(std::string_view key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->response;
}

void ResponseCache::Insert(std::string key, KeptResponse response) {
  const int64_t bytes = BytesOf(key, *response);
  if (bytes > capacity_bytes_ / kLargestShare) return;
  if (const auto found = by_key_.find(key); found != by_key_.end()) Erase(found->second);
  entries_.push_front({std::move(key), std::move(response), bytes});
  try {
    by_key_.emplace(entries_.front().key, entries_.begin());
  } catch (const std::bad_alloc&) {
    entries_.pop_front();
    throw;
  }
  entry_bytes_ += bytes;
  while (!entries_.empty() && this->bytes() > capacity_bytes_) {
    Erase(std::prev(entries_.end()));
    ++evictions_;
  }
}

void ResponseCache::Erase(Entries::iterator entry) {
  entry_bytes_ -= entry->bytes;
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace attend
