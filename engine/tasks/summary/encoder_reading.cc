// Embeddings are means over the tokens of a sentence (special tokens not among them) of the
// encoder's last states, as sentence-transformers pools them, but within a window of several
// sentences; on the development sets as good as a pass for every sentence.
#include "engine/tasks/summary/encoder_reading.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace attend {
namespace {

constexpr double kNothing = 1e-12;

void Normalise(std::vector<double>* vector) {
  double squares = 0;
  for (const double value : *vector) squares += value * value;
  const double norm = std::sqrt(squares);
  for (double& value : *vector) value = norm > kNothing ? value / norm : 0;
}

}  // namespace

EncoderReading::EncoderReading(std::vector<SentenceWindow> windows, int num_sentences,
                               const ModelSpec& spec, const EncoderReadingOptions& options)
    : windows_(std::move(windows)),
      num_sentences_(num_sentences),
      options_(options),
      hidden_size_(spec.encoder.hidden_size),
      pooled_(windows_.size()) {
  if (!options_.attention) return;
  for (const SentenceWindow& window : windows_) {
    watchers_.push_back(std::make_unique<WindowAttention>(
        &window, SentenceAttentionOptions{spec.encoder.num_layers - 1, 1}));
  }
}

int64_t EncoderReading::bytes() const {
  int64_t bytes = 0;
  for (const SentenceWindow& window : windows_) {
    const auto parts = static_cast<int64_t>(window.parts.size());
    if (options_.embeddings) bytes += parts * hidden_size_ * static_cast<int64_t>(sizeof(float));
    if (options_.attention) bytes += parts * parts * static_cast<int64_t>(sizeof(double));
  }
  return bytes;
}

int64_t EncoderReading::num_tokens() const {
  int64_t tokens = 0;
  for (const SentenceWindow& window : windows_) tokens += static_cast<int64_t>(window.ids.size());
  return tokens;
}

std::vector<std::shared_ptr<GenerationRequest>> EncoderReading::MakeRequests(
    const TaskModel& model) {
  std::vector<std::shared_ptr<GenerationRequest>> requests;
  for (size_t w = 0; w < windows_.size(); ++w) {
    auto request = std::make_shared<GenerationRequest>();
    request->source_ids = windows_[w].ids;
    request->options = *model.generation;
    request->forced = true;
    if (options_.attention) request->observer = watchers_[w].get();
    if (options_.embeddings)
      request->on_encoded = [this, w](ConstMatrixView encoded) { Pool(w, encoded); };
    requests.push_back(std::move(request));
  }
  return requests;
}

void EncoderReading::Pool(size_t window, ConstMatrixView encoded) {
  const std::vector<WindowPart>& parts = windows_[window].parts;
  Matrix& sums = pooled_[window];
  sums.Resize(static_cast<int64_t>(parts.size()), encoded.cols);
  sums.SetZero();
  for (size_t p = 0; p < parts.size(); ++p) {
    float* sum = sums.row(static_cast<int64_t>(p));
    for (int t = parts[p].first; t < parts[p].first + parts[p].count; ++t) {
      const float* row = encoded.row(t);
      for (int64_t c = 0; c < encoded.cols; ++c) sum[c] += row[c];
    }
  }
}

// Sums over parts: a sentence of several windows has one embedding. Means and sums have the same
// direction, which is all that counts.
std::vector<double> EncoderReading::EmbeddingCentrality() const {
  const auto n = static_cast<size_t>(num_sentences_);
  Matrix embeddings(num_sentences_, hidden_size_);
  embeddings.SetZero();
  for (size_t w = 0; w < windows_.size(); ++w) {
    const std::vector<WindowPart>& parts = windows_[w].parts;
    for (size_t p = 0; p < parts.size(); ++p) {
      const float* from = pooled_[w].row(static_cast<int64_t>(p));
      float* to = embeddings.row(parts[p].sentence);
      for (int64_t c = 0; c < hidden_size_; ++c) to[c] += from[c];
    }
  }
  std::vector<double> norms(n), centre(static_cast<size_t>(hidden_size_)), out(n);
  for (size_t s = 0; s < n; ++s) {
    const float* row = embeddings.row(static_cast<int64_t>(s));
    double squares = 0;
    for (int64_t c = 0; c < hidden_size_; ++c) squares += static_cast<double>(row[c]) * row[c];
    norms[s] = std::sqrt(squares);
    if (norms[s] <= kNothing) continue;
    for (size_t c = 0; c < centre.size(); ++c) centre[c] += row[c] / norms[s];
  }
  Normalise(&centre);
  for (size_t s = 0; s < n; ++s) {
    if (norms[s] <= kNothing) continue;
    const float* row = embeddings.row(static_cast<int64_t>(s));
    for (size_t c = 0; c < centre.size(); ++c) out[s] += row[c] * centre[c];
    out[s] /= norms[s];
  }
  return out;
}

// // What a sentence gets from the others of its window, by the root of its length: a long sentence
// has more tokens to attend to. 1 is the average of the window, and what is said of a sentence
// without tokens or without others; a sentence of several windows is alone in each.
std::vector<double> EncoderReading::AttentionReceived() const {
  std::vector<double> out(static_cast<size_t>(num_sentences_), 1.0);
  for (size_t w = 0; w < windows_.size(); ++w) {
    const std::vector<WindowPart>& parts = windows_[w].parts;
    const std::vector<double> mass = watchers_[w]->Mass();
    std::vector<double> received(parts.size());
    double mean = 0;
    for (size_t k = 0; k < parts.size(); ++k) {
      for (size_t q = 0; q < parts.size(); ++q) {
        if (q != k) received[k] += mass[q * parts.size() + k];
      }
      received[k] /= std::sqrt(std::max(1, parts[k].count));
      mean += received[k] / static_cast<double>(parts.size());
    }
    for (size_t k = 0; k < parts.size(); ++k) {
      out[static_cast<size_t>(parts[k].sentence)] = mean > kNothing ? received[k] / mean : 1;
    }
  }
  return out;
}

EncoderSignals EncoderReading::Signals() const {
  EncoderSignals signals;
  if (options_.embeddings) signals.embedding = EmbeddingCentrality();
  if (options_.attention) signals.attention = AttentionReceived();
  return signals;
}

AttentionMatrix EncoderReading::Attention() const {
  std::vector<std::vector<double>> mass;
  for (const auto& watcher : watchers_) mass.push_back(watcher->Mass());
  return JoinSentenceAttention(windows_, mass, num_sentences_);
}

}  // namespace attend
