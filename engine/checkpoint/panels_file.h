// The file of a model's packed weights ("panels") in its cache folder: what it is called, how it is
// found, written and at last removed. Every step may fail and none matters but for time, so these
// functions give what there is and say the rest in a report.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "engine/checkpoint/cache_folder.h"
#include "engine/checkpoint/load_report.h"  // WeightCacheReport
#include "engine/checkpoint/weight_cache.h"
#include "engine/tensor/compute_type.h"

namespace attend {

struct PanelsId {
  std::string revision;  // 16 hexadecimal digits, as of the model folder
  ComputeType compute_type = ComputeType::kInt8;
  int format = 1;       // of the panels: counts up whenever their bytes change their meaning
  std::string variant;  // small letters and digits: for panels that differ between processors

  std::string FileName() const;  // "8af599b090bcb30f-int8-1.panels", "…-int8-1-vnni.panels"
  std::string Key() const;       // the key of the WeightCacheFile
};

// The panels; nullptr when there are none of this id. A file that is there and cannot be used is
// explained in report->why.
std::shared_ptr<const WeightCacheFile> OpenPanels(const CacheFolder& cache, const PanelsId& id,
                                                  WeightCacheReport* report);

// Writes panels that were not found: StartPanels gives nullptr where they cannot be written; to the
// writer everything is added, whatever its errors; FinishPanels commits and removes files of other
// revisions and formats. report->why says what went wrong.
std::unique_ptr<WeightCacheWriter> StartPanels(const CacheFolder& cache, const PanelsId& id,
                                               WeightCacheReport* report);
void FinishPanels(std::unique_ptr<WeightCacheWriter> writer, const PanelsId& id,
                  WeightCacheReport* report);

// Whether a file in a cache folder is left over from before `current` was written: panels of
// another revision, or of the same compute type in another format. Other variants are not.
bool IsOutdated(std::string_view file_name, const PanelsId& current);

}  // namespace attend
