// Built breadth first from the sorted keys: the keys under a node are a range of the list, and the
// children of a node are then created together, so that they lie beside one another.
#include "engine/tokenizers/byte_trie.h"

#include <algorithm>

namespace attend {

void ByteTrie::Build(std::vector<std::pair<std::string_view, int32_t>> entries) {
  std::sort(entries.begin(), entries.end());
  nodes_.assign(1, Node());
  root_children_.fill(kNone);
  struct Range {
    size_t begin, end;  // of entries
    size_t depth;
  };
  std::vector<Range> ranges = {{0, entries.size(), 0}};  // of nodes_[i]
  for (size_t node = 0; node < nodes_.size(); ++node) {
    auto [at, end, depth] = ranges[node];
    if (at < end && entries[at].first.size() == depth) nodes_[node].value = entries[at++].second;
    nodes_[node].first_child = static_cast<uint32_t>(nodes_.size());
    while (at < end) {
      const char byte = entries[at].first[depth];
      size_t stop = at + 1;
      while (stop < end && entries[stop].first[depth] == byte) ++stop;
      Node child;
      child.byte = static_cast<uint8_t>(byte);
      nodes_.push_back(child);
      ranges.push_back({at, stop, depth + 1});
      ++nodes_[node].num_children;
      at = stop;
    }
  }
  for (uint32_t i = 0; i < nodes_[kRoot].num_children; ++i) {
    const uint32_t child = nodes_[kRoot].first_child + i;
    root_children_[nodes_[child].byte] = child;
  }
}

uint32_t ByteTrie::Child(uint32_t node, uint8_t byte) const {
  if (node == kRoot) return root_children_[byte];
  const Node& parent = nodes_[node];
  const auto begin = nodes_.begin() + parent.first_child;
  const auto end = begin + parent.num_children;
  const auto child =
      std::lower_bound(begin, end, byte, [](const Node& n, uint8_t b) { return n.byte < b; });
  return child != end && child->byte == byte ? static_cast<uint32_t>(child - nodes_.begin())
                                             : kNone;
}

int32_t ByteTrie::Find(std::string_view key) const {
  uint32_t node = kRoot;
  for (const char byte : key) {
    node = Child(node, static_cast<uint8_t>(byte));
    if (node == kNone) return -1;
  }
  return Value(node);
}

uint32_t ByteTrie::LongestPrefix(std::string_view text) const {
  uint32_t longest = 0;
  uint32_t node = kRoot;
  for (uint32_t i = 0; i < text.size(); ++i) {
    node = Child(node, static_cast<uint8_t>(text[i]));
    if (node == kNone) break;
    if (Value(node) >= 0) longest = i + 1;
  }
  return longest;
}

}  // namespace attend
