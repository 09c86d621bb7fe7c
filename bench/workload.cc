#include "bench/workload.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace attend::bench {
namespace {

bool ParseItem(const std::string& line, WorkItem* item) {
  const nlohmann::json json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("src") || !json.contains("n")) return false;
  const nlohmann::json &source = json["src"], &count = json["n"];
  const auto is_id = [](const nlohmann::json& id) { return id.is_number_unsigned(); };
  if (!source.is_array() || !std::all_of(source.begin(), source.end(), is_id)) return false;
  if (!count.is_number_unsigned() || count == 0) return false;
  item->source = source.get<std::vector<int32_t>>();
  item->target_tokens = count.get<int>();
  return true;
}

}  // namespace

absl::StatusOr<std::vector<WorkItem>> ReadWorkload(const std::string& path, size_t limit) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  std::vector<WorkItem> items;
  size_t number = 0;
  for (std::string line; (limit == 0 || items.size() < limit) && std::getline(file, line);) {
    ++number;
    if (line.empty()) continue;
    if (!ParseItem(line, &items.emplace_back())) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", number, ": expected {\"src\": [ids], \"n\": tokens}"));
    }
  }
  if (items.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": holds no sentences"));
  return items;
}

absl::StatusOr<WorkOrder> ParseWorkOrder(const std::string& name) {
  for (const WorkOrder order : {WorkOrder::kArrival, WorkOrder::kSorted, WorkOrder::kSame}) {
    if (name == NameOf(order)) return order;
  }
  return absl::InvalidArgumentError(absl::StrCat("no order is called '", name, "'"));
}

const char* NameOf(WorkOrder order) {
  switch (order) {
    case WorkOrder::kArrival:
      return "arrival";
    case WorkOrder::kSorted:
      return "sorted";
    case WorkOrder::kSame:
      return "same";
  }
  return "";
}

std::vector<std::vector<size_t>> CutIntoBatches(const std::vector<WorkItem>& items, size_t size,
                                                WorkOrder order) {
  std::vector<size_t> indices(items.size());
  std::iota(indices.begin(), indices.end(), size_t{0});
  if (order != WorkOrder::kArrival) {
    std::stable_sort(indices.begin(), indices.end(), [&](size_t a, size_t b) {
      return items[a].target_tokens < items[b].target_tokens;
    });
  }
  std::vector<std::vector<size_t>> batches;
  for (const size_t index : indices) {
    const bool fits = !batches.empty() && batches.back().size() < size &&
                      (order != WorkOrder::kSame ||
                       items[batches.back()[0]].target_tokens == items[index].target_tokens);
    if (!fits) batches.emplace_back();
    batches.back().push_back(index);
  }
  return batches;
}

}  // namespace attend::bench
