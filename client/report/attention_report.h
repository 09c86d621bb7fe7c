// From attention messages to the kinds of a report.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "attend/v1/attention.pb.h"
#include "client/report/html_report.h"

namespace attend::client {

// Takes the matrices one by one and keeps what a page can show: all heads while they are few, then
// the means and as many heads as there is room for. Means are of the matrices as they came (words
// or tokens, special ones dropped or not); weights that were not kept count as 0.
class AttentionReportBuilder {
 public:
  AttentionReportBuilder(attend::v1::AttentionGranularity granularity, int64_t map_bytes)
      : granularity_(granularity), map_bytes_(map_bytes) {}

  // Adds one matrix; `fold` names a matrix that is no single head ("mean of all heads"). Returns
  // what is wrong with it, empty when nothing is.
  std::string Add(const attend::v1::Attention& axes, const attend::v1::AttentionMatrix& matrix,
                  const std::string& fold);

  // The kinds in the order in which they came first, folds before heads; the builder is empty then.
  std::vector<ReportKind> Finish();

 private:
  struct Mean {
    std::vector<float> sum;
    std::size_t count = 0;
    void Add(const std::vector<float>& weights);
    std::vector<uint16_t> Pack() const;
  };
  struct Kind {
    ReportKind page;  // its maps: folds that came as such
    Mean all;
    std::map<uint32_t, Mean> layers;
    std::vector<ReportMap> heads;
    int64_t head_bytes = 0;
  };
  Kind* KindOf(const std::string& name);

  attend::v1::AttentionGranularity granularity_;
  int64_t map_bytes_;
  std::vector<Kind> kinds_;
};

}  // namespace attend::client
