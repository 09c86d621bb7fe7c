// Columns instead of ids: the options are translated once into a small vocabulary whose token i is
// candidate i, an ordinary search runs in it, and what it writes is translated back. So no search
// knows of shortlists and all of their loops run over short rows. Candidates ascend, so ties fall
// as they would over the whole vocabulary.
#include "engine/generation/shortlisted_search.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"

namespace attend {
namespace {

constexpr int32_t kAbsent = -1;

class ColumnMap {
 public:
  explicit ColumnMap(absl::Span<const int32_t> candidates)
      : ids_(candidates.begin(), candidates.end()) {}

  int64_t size() const { return static_cast<int64_t>(ids_.size()); }
  int32_t IdOf(int32_t column) const { return ids_[static_cast<size_t>(column)]; }
  int32_t ColumnOf(int32_t id) const {
    const auto found = std::lower_bound(ids_.begin(), ids_.end(), id);
    if (found == ids_.end() || *found != id) return kAbsent;
    return static_cast<int32_t>(found - ids_.begin());
  }
  int32_t Required(int32_t id) const {
    const int32_t column = ColumnOf(id);
    ATTEND_CHECK(column != kAbsent, "a required token is no candidate");
    return column;
  }

 private:
  std::vector<int32_t> ids_;
};

// Bans of tokens that cannot come are left out: of a word with such a token no end can come.
std::vector<std::vector<int32_t>> WordsInColumns(const std::vector<std::vector<int32_t>>& words,
                                                 const ColumnMap& map) {
  std::vector<std::vector<int32_t>> out;
  for (const std::vector<int32_t>& word : words) {
    std::vector<int32_t> columns;
    for (const int32_t id : word) columns.push_back(map.ColumnOf(id));
    if (std::count(columns.begin(), columns.end(), kAbsent) == 0) out.push_back(std::move(columns));
  }
  return out;
}

GenerationOptions OptionsInColumns(const GenerationOptions& options, const ColumnMap& map) {
  GenerationOptions out = options;
  out.decoder_start_token_id = map.Required(options.decoder_start_token_id);
  for (int32_t& id : out.eos_token_ids) id = map.Required(id);
  for (int32_t& id : out.prefix_tokens) id = map.Required(id);
  if (out.forced_bos_token_id) out.forced_bos_token_id = map.Required(*out.forced_bos_token_id);
  if (out.forced_eos_token_id) out.forced_eos_token_id = map.Required(*out.forced_eos_token_id);
  out.bad_words_ids = WordsInColumns(options.bad_words_ids, map);
  out.suppress_tokens.clear();
  for (const int32_t id : options.suppress_tokens) {
    const int32_t column = map.ColumnOf(id);
    if (column != kAbsent) out.suppress_tokens.push_back(column);
  }
  return out;
}

class ShortlistedSearch final : public SearchState {
 public:
  ShortlistedSearch(const GenerationOptions& options, absl::Span<const int32_t> source_ids,
                    absl::Span<const int32_t> candidates)
      : map_(candidates) {
    std::vector<int32_t> source;
    for (const int32_t id : source_ids) source.push_back(map_.ColumnOf(id));  // kAbsent is no token
    search_ = MakeSearch(OptionsInColumns(options, map_), source, map_.size());
    TranslateRows();
  }

  absl::Span<const SearchRow> rows() const override { return rows_; }
  void Advance(MatrixView logits) override {
    search_->Advance(logits);
    TranslateRows();
  }
  void Stop() override {
    search_->Stop();
    TranslateRows();
  }
  absl::Span<const int32_t> settled() const override {
    const absl::Span<const int32_t> columns = search_->settled();
    for (size_t i = settled_.size(); i < columns.size(); ++i)
      settled_.push_back(map_.IdOf(columns[i]));
    return settled_;
  }
  std::vector<Hypothesis> Hypotheses() const override {
    std::vector<Hypothesis> hypotheses = search_->Hypotheses();
    for (Hypothesis& hypothesis : hypotheses) {
      for (int32_t& token : hypothesis.tokens) token = map_.IdOf(token);
    }
    return hypotheses;
  }
  int num_generated() const override { return search_->num_generated(); }

 private:
  void TranslateRows() {
    rows_.clear();
    for (const SearchRow& row : search_->rows())
      rows_.push_back({map_.IdOf(row.token), row.parent});
  }

  const ColumnMap map_;
  std::unique_ptr<SearchState> search_;  // its tokens are columns
  std::vector<SearchRow> rows_;
  mutable std::vector<int32_t> settled_;  // never shrinks, so only what is new is translated
};

}  // namespace

std::vector<int32_t> RequiredTokens(const GenerationOptions& options) {
  std::vector<int32_t> tokens = options.prefix_tokens;
  tokens.insert(tokens.end(), options.eos_token_ids.begin(), options.eos_token_ids.end());
  tokens.push_back(options.decoder_start_token_id);
  for (const auto& forced : {options.forced_bos_token_id, options.forced_eos_token_id}) {
    if (forced) tokens.push_back(*forced);
  }
  return tokens;
}

std::unique_ptr<SearchState> MakeShortlistedSearch(const GenerationOptions& options,
                                                   absl::Span<const int32_t> source_ids,
                                                   absl::Span<const int32_t> candidates) {
  return std::make_unique<ShortlistedSearch>(options, source_ids, candidates);
}

}  // namespace attend
