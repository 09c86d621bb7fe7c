// Rows of one part are summed first, then columns are summed by part: one addition a weight.
#include "engine/tasks/summary/sentence_attention.h"

#include <algorithm>
#include <map>
#include <utility>

namespace attend {
namespace {

// A dense matrix of so many sentences is 256 KiB.
constexpr int kMostDense = 256;

}  // namespace

WindowAttention::WindowAttention(const SentenceWindow* window,
                                 const SentenceAttentionOptions& options)
    : window_(window), options_(options) {}

bool WindowAttention::Wants(AttentionKind kind, int layer) const {
  return kind == AttentionKind::kEncoderSelf && layer >= options_.first_layer &&
         layer < options_.first_layer + options_.num_layers;
}

void WindowAttention::OnAttention(const AttentionSite& site, ConstMatrixView weights) {
  if (!Wants(site.kind, site.layer)) return;  // somebody else's
  const std::vector<WindowPart>& parts = window_->parts;
  mass_.resize(parts.size() * parts.size());
  columns_.resize(static_cast<size_t>(weights.cols));
  ++num_heads_;
  for (size_t q = 0; q < parts.size(); ++q) {
    std::fill(columns_.begin(), columns_.end(), 0.0f);
    for (int r = parts[q].first; r < parts[q].first + parts[q].count; ++r) {
      const float* row = weights.row(r);
      for (int64_t c = 0; c < weights.cols; ++c) columns_[static_cast<size_t>(c)] += row[c];
    }
    for (size_t k = 0; k < parts.size(); ++k) {
      double sum = 0;
      for (int c = parts[k].first; c < parts[k].first + parts[k].count; ++c)
        sum += columns_[static_cast<size_t>(c)];
      mass_[q * parts.size() + k] += sum;
    }
  }
}

std::vector<double> WindowAttention::Mass() const {
  std::vector<double> mass = mass_;
  mass.resize(window_->parts.size() * window_->parts.size());
  for (double& value : mass) value /= std::max(1, num_heads_);
  return mass;
}

AttentionMatrix JoinSentenceAttention(const std::vector<SentenceWindow>& windows,
                                      const std::vector<std::vector<double>>& mass,
                                      int num_sentences) {
  // A sentence of several windows has several parts.
  std::vector<std::map<int, double>> rows(static_cast<size_t>(num_sentences));
  for (size_t w = 0; w < windows.size(); ++w) {
    const std::vector<WindowPart>& parts = windows[w].parts;
    for (size_t q = 0; q < parts.size(); ++q) {
      for (size_t k = 0; k < parts.size(); ++k) {
        rows[static_cast<size_t>(parts[q].sentence)][parts[k].sentence] +=
            mass[w][q * parts.size() + k];
      }
    }
  }
  AttentionMatrix out;
  out.kind = AttentionKind::kEncoderSelf;
  out.rows = out.columns = num_sentences;
  out.sparse = num_sentences > kMostDense;
  if (out.sparse) {
    out.row_offsets.push_back(0);
  } else {
    out.weights.assign(static_cast<size_t>(num_sentences) * static_cast<size_t>(num_sentences), 0);
  }
  for (size_t r = 0; r < rows.size(); ++r) {
    double total = 0;
    for (const auto& [column, value] : rows[r]) total += value;
    std::vector<std::pair<int, double>> entries(rows[r].begin(), rows[r].end());
    std::stable_sort(entries.begin(), entries.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    for (const auto& [column, value] : entries) {
      const auto share = static_cast<float>(total > 0 ? value / total : 0);
      if (out.sparse) {
        out.column_indices.push_back(static_cast<uint32_t>(column));
        out.weights.push_back(share);
      } else {
        out.weights[r * rows.size() + static_cast<size_t>(column)] = share;
      }
    }
    if (out.sparse) out.row_offsets.push_back(static_cast<uint32_t>(out.weights.size()));
  }
  return out;
}

}  // namespace attend
