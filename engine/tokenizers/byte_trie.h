// Byte strings with a number each, and the walk down from the root that finds every one that a text
// begins with. Immutable after Build.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace attend {

class ByteTrie {
 public:
  static constexpr uint32_t kRoot = 0;
  static constexpr uint32_t kNone = UINT32_MAX;

  ByteTrie() { Build({}); }

  // Sorts `entries`. REQUIRES: keys not empty, not repeated; values >= 0. Borrows nothing
  // afterwards.
  void Build(std::vector<std::pair<std::string_view, int32_t>> entries);

  bool empty() const { return nodes_.size() <= 1; }
  // The node one byte further down, or kNone.
  uint32_t Child(uint32_t node, uint8_t byte) const;
  // The value of the key that ends here, or -1.
  int32_t Value(uint32_t node) const { return nodes_[node].value; }
  // The value of exactly `key`, or -1.
  int32_t Find(std::string_view key) const;
  // Length of the longest key that `text` begins with, 0 for none.
  uint32_t LongestPrefix(std::string_view text) const;

 private:
  struct Node {
    uint32_t first_child = 0;  // children are neighbours, in the order of their bytes
    uint16_t num_children = 0;
    uint8_t byte = 0;  // by which the parent leads here
    int32_t value = -1;
  };
  std::vector<Node> nodes_;
  std::array<uint32_t, 256> root_children_{};  // the root has too many to search
};

}  // namespace attend
