// Ties are broken by id, so that one input always gives one file.
#include "client/shortlist_counts.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace attend::client {
namespace {

// The `most` best of (score, id), by id.
std::vector<uint32_t> BestIds(std::vector<std::pair<double, uint32_t>> scored, std::size_t most) {
  std::sort(scored.begin(), scored.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  if (scored.size() > most) scored.resize(most);
  std::vector<uint32_t> ids;
  for (const auto& [score, id] : scored) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

void AppendFixed(uint64_t number, int bytes, std::string* out) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>(number >> (8 * i)));
}

void AppendNumber(uint64_t number, std::string* out) {
  for (; number >= 0x80; number >>= 7) out->push_back(static_cast<char>(number | 0x80));
  out->push_back(static_cast<char>(number));
}

// Each id as the distance from the one before; the first from -1.
void AppendIds(const std::vector<uint32_t>& ids, std::string* out) {
  int64_t last = -1;
  for (const uint32_t id : ids) {
    AppendNumber(static_cast<uint64_t>(id - last), out);
    last = id;
  }
}

uint64_t Checksum(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace

int64_t ShortlistTables::num_links() const {
  int64_t sum = 0;
  for (const List& list : lists) sum += static_cast<int64_t>(list.tokens.size());
  return sum;
}

int64_t ShortlistTables::num_known() const {
  return std::count_if(lists.begin(), lists.end(), [](const List& list) { return list.is_known; });
}

ShortlistCounts::ShortlistCounts(std::size_t source_vocab_size, std::size_t target_vocab_size)
    : sources_(source_vocab_size), targets_(target_vocab_size), links_(source_vocab_size) {}

void ShortlistCounts::AddSource(uint32_t token) {
  if (token < sources_.size()) ++sources_[token];
}

void ShortlistCounts::AddTarget(uint32_t token) {
  if (token < targets_.size()) ++targets_[token];
}

void ShortlistCounts::AddLink(uint32_t source, uint32_t target, double weight) {
  if (source < links_.size() && target < targets_.size()) links_[source][target] += weight;
}

std::vector<uint32_t> ShortlistCounts::SelectAlways(const ShortlistLimits& limits,
                                                    const std::vector<uint32_t>& fixed) const {
  std::vector<std::pair<double, uint32_t>> seen;
  for (std::size_t token = 0; token < targets_.size(); ++token) {
    if (targets_[token] > 0)
      seen.emplace_back(static_cast<double>(targets_[token]), static_cast<uint32_t>(token));
  }
  std::vector<uint32_t> always = BestIds(std::move(seen), limits.num_frequent);
  for (const uint32_t token : fixed) {
    if (token < targets_.size()) always.push_back(token);
  }
  std::sort(always.begin(), always.end());
  always.erase(std::unique(always.begin(), always.end()), always.end());
  return always;
}

ShortlistTables ShortlistCounts::Select(const ShortlistLimits& limits,
                                        const std::vector<uint32_t>& fixed) const {
  ShortlistTables tables;
  tables.always = SelectAlways(limits, fixed);
  tables.lists.resize(sources_.size());
  for (std::size_t source = 0; source < sources_.size(); ++source) {
    if (sources_[source] == 0 || sources_[source] < limits.min_seen) continue;
    ShortlistTables::List& list = tables.lists[source];
    list.is_known = true;
    double total = 0;
    for (const auto& link : links_[source]) total += link.second;
    std::vector<std::pair<double, uint32_t>> strong;
    for (const auto& [target, weight] : links_[source]) {
      // What every list has would only make the file larger.
      if (weight >= limits.min_share * total &&
          !std::binary_search(tables.always.begin(), tables.always.end(), target))
        strong.emplace_back(weight, target);
    }
    list.tokens = BestIds(std::move(strong), limits.max_per_token);
  }
  return tables;
}

std::string FormatShortlist(const ShortlistTables& tables, std::size_t target_vocab_size,
                            const ShortlistOrigin& origin) {
  const std::string header =
      nlohmann::ordered_json{{"model", origin.model},
                             {"revision", origin.revision},
                             {"source_vocab_size", tables.lists.size()},
                             {"target_vocab_size", target_vocab_size},
                             {"pairs", origin.num_pairs}}
          .dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::ordered_json::error_handler_t::replace);
  std::string content = header;
  AppendNumber(tables.always.size(), &content);
  AppendIds(tables.always, &content);
  for (const ShortlistTables::List& list : tables.lists) {
    AppendNumber(list.is_known ? 1 + list.tokens.size() : 0, &content);
    if (list.is_known) AppendIds(list.tokens, &content);
  }
  std::string file = "ATTENDSL";
  AppendFixed(1, 4, &file);
  AppendFixed(header.size(), 4, &file);
  AppendFixed(Checksum(content), 8, &file);
  return file + content;
}

}  // namespace attend::client
