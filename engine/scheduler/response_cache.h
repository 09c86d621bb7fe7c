// Finished answers by their key, bounded by bytes; what was not asked for the longest goes first.
// Not thread-safe: ResponseSharing, which owns it, locks.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/generation/search_state.h"  // Hypothesis
#include "engine/scheduler/response_key.h"

namespace attend {

// What is kept of an answer: all that the model said. Times belong to the request that was
// computed.
using KeptResponse = std::shared_ptr<const std::vector<Hypothesis>>;

class ResponseCache {
 public:
  // 0 bytes: keeps nothing.
  explicit ResponseCache(int64_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}

  // Null when there is none. Found ones count as just asked for.
  KeptResponse Find(std::string_view key);
  // Keeps an answer in place of what the key had. One that takes more than an eighth of the
  // capacity is not kept: it would push out many for one. Throws std::bad_alloc; then the key has
  // nothing.
  void Insert(std::string key, KeptResponse response);

  int64_t capacity_bytes() const { return capacity_bytes_; }
  // Of keys, answers and what holding them takes; never above the capacity.
  int64_t bytes() const;
  int64_t entries() const { return static_cast<int64_t>(entries_.size()); }
  int64_t evictions() const { return evictions_; }  // since the start

 private:
  struct Entry {
    std::string key;
    KeptResponse response;
    int64_t bytes = 0;
  };
  using Entries = std::list<Entry>;
  static int64_t BytesOf(const std::string& key, const std::vector<Hypothesis>& response);
  void Erase(Entries::iterator entry);

  const int64_t capacity_bytes_;
  Entries entries_;  // last asked for first
  std::unordered_map<std::string_view, Entries::iterator, ResponseKeyHash>
      by_key_;  // views into entries_
  int64_t entry_bytes_ = 0, evictions_ = 0;
};

}  // namespace attend
