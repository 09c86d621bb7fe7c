// Where int8 weights come from and go to while a model is loaded: the panels of an earlier load, or
// a file of panels for the next one (checkpoint/panels_file.h). For the thread that loads.
#pragma once

#include <memory>
#include <string>

#include "engine/checkpoint/weight_cache.h"
#include "engine/ops/int8_weight.h"

namespace attend {

class Int8Store {
 public:
  // Either may be null. `writer` is borrowed.
  Int8Store(std::shared_ptr<const WeightCacheFile> kept, WeightCacheWriter* writer)
      : kept_(std::move(kept)), writer_(writer) {}

  // Uses the file's own memory, and keeps it mapped. nullptr when it holds no such weight, or one
  // of another shape.
  std::shared_ptr<const Int8Weight> Find(const std::string& name, int64_t inputs,
                                         int64_t outputs) const;
  // Writes a weight that Find did not find. What goes wrong is known to the writer.
  void Add(const std::string& name, const Int8Weight& weight);

 private:
  std::shared_ptr<const WeightCacheFile> kept_;
  WeightCacheWriter* writer_;
};

}  // namespace attend
