// Written by hand rather than with protobuf's own mapping: spans and weights stay short, and
// numbers stay numbers.
#include "client/json_output.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace attend::client {
namespace {

Json SpanJson(const attend::v1::Span& span) { return Json::array({span.start(), span.end()}); }

double SecondsOf(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) + static_cast<double>(duration.nanos()) / 1e9;
}

// "FINISH_REASON_MAX_TOKENS" → "MAX_TOKENS".
std::string WithoutPrefix(const std::string& name, const std::string& prefix) {
  return name.compare(0, prefix.size(), prefix) == 0 ? name.substr(prefix.size()) : name;
}

std::string LowerCase(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

Json HeadJson(const attend::v1::HeadRef& head) { return Json::array({head.layer(), head.head()}); }

// "from_query", "to_query", "both".
std::string DirectionName(attend::v1::AttentionDirection direction) {
  return LowerCase(
      WithoutPrefix(attend::v1::AttentionDirection_Name(direction), "ATTENTION_DIRECTION_"));
}

Json HypothesisJson(const attend::v1::Hypothesis& hypothesis) {
  Json json;
  json["text"] = hypothesis.text();
  json["score"] = JsonNumber(hypothesis.score());
  json["finish_reason"] =
      WithoutPrefix(attend::v1::FinishReason_Name(hypothesis.finish_reason()), "FINISH_REASON_");
  if (hypothesis.tokens_size() > 0) json["tokens"] = ToJsonList(hypothesis.tokens());
  return json;
}

Json SentenceJson(const attend::v1::ScoredSentence& sentence) {
  Json json;
  json["span"] = SpanJson(sentence.span());
  if (sentence.rank() == 0) return json;  // not scored
  json["score"] = JsonNumber(sentence.score());
  json["rank"] = sentence.rank();
  json["selected"] = sentence.selected();
  json["parts"] = Json::object();
  for (const auto& part : sentence.parts()) json["parts"][part.name()] = JsonNumber(part.value());
  return json;
}

Json SupportJson(const attend::v1::SentenceSupport& support) {
  Json json;
  json["span"] = SpanJson(support.summary());
  json["sentences"] = Json::array();
  for (const uint32_t index : support.sentence_indices()) json["sentences"].push_back(index);
  json["weights"] = Json::array();
  for (const float weight : support.weights()) json["weights"].push_back(JsonNumber(weight));
  return json;
}

// Entries of a sparse matrix as {"row": [[column, weight], …]} rows; stops at the first entry that
// is out of bounds.
Json SparseRows(const attend::v1::SparseWeights& sparse) {
  Json rows = Json::array();
  for (int row = 0; row + 1 < sparse.row_offsets_size(); ++row) {
    Json entries = Json::array();
    for (uint32_t i = sparse.row_offsets(row); i < sparse.row_offsets(row + 1); ++i) {
      if (i >= static_cast<uint32_t>(sparse.weights_size()) ||
          i >= static_cast<uint32_t>(sparse.columns_size()))
        break;
      entries.push_back(Json::array(
          {sparse.columns(static_cast<int>(i)), JsonNumber(sparse.weights(static_cast<int>(i)))}));
    }
    rows.push_back(std::move(entries));
  }
  return rows;
}

}  // namespace

std::string JsonLine(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

Json JsonNumber(float value) {
  if (!std::isfinite(value)) return nullptr;
  char text[48];
  const auto [end, error] = std::to_chars(text, text + sizeof text - 1, value);
  if (error != std::errc()) return value;
  *end = '\0';
  return std::strtod(text, nullptr);
}

Json ToJson(const attend::v1::Token& token) {
  Json json;
  json["id"] = token.id();
  json["piece"] = token.piece();
  if (token.has_span()) json["span"] = SpanJson(token.span());
  if (token.has_word()) json["word"] = token.word();
  if (token.special()) json["special"] = true;
  if (token.has_log_prob()) json["log_prob"] = JsonNumber(token.log_prob());
  return json;
}

Json ToJson(const attend::v1::Word& word) {
  Json json;
  json["text"] = word.text();
  json["span"] = SpanJson(word.span());
  return json;
}

Json ToJson(const attend::v1::WordLink& link) {
  Json json;
  json["source_word"] = link.source_word();
  json["target_word"] = link.target_word();
  json["score"] = JsonNumber(link.score());
  return json;
}

Json ToJson(const attend::v1::Usage& usage) {
  Json json;
  json["input_tokens"] = usage.input_tokens();
  json["output_tokens"] = usage.output_tokens();
  json["queue_seconds"] = SecondsOf(usage.queue_duration());
  json["encode_seconds"] = SecondsOf(usage.encode_duration());
  json["decode_seconds"] = SecondsOf(usage.decode_duration());
  json["total_seconds"] = SecondsOf(usage.total_duration());
  json["peak_batch_items"] = usage.peak_batch_items();
  if (usage.cached_segments() > 0) json["cached_segments"] = usage.cached_segments();
  if (usage.merged_segments() > 0) json["merged_segments"] = usage.merged_segments();
  return json;
}

Json ToJson(const attend::v1::Translation& translation) {
  Json json;
  json["text"] = translation.text();
  json["score"] =
      translation.hypotheses_size() > 0 ? JsonNumber(translation.hypotheses(0).score()) : Json();
  Json hypotheses = Json::array();
  for (const auto& hypothesis : translation.hypotheses())
    hypotheses.push_back(HypothesisJson(hypothesis));
  json["hypotheses"] = std::move(hypotheses);
  Json sentences = Json::array();
  for (const auto& pair : translation.sentences()) {
    Json sentence;
    sentence["source"] = SpanJson(pair.source());
    sentence["target"] = SpanJson(pair.target());
    sentence["score"] = JsonNumber(pair.score());
    sentences.push_back(std::move(sentence));
  }
  json["sentences"] = std::move(sentences);
  json["source_words"] = ToJsonList(translation.source_words());
  json["target_words"] = ToJsonList(translation.target_words());
  json["links"] = ToJsonList(translation.links());
  if (translation.attentions_size() > 0) json["attentions"] = ToJsonList(translation.attentions());
  json["truncated_input_tokens"] = translation.truncated_input_tokens();
  json["model_revision"] = translation.model_revision();
  return json;
}

Json ToJson(const attend::v1::Summary& summary) {
  Json json;
  json["text"] = summary.text();
  if (summary.text_kind() != attend::v1::TEXT_KIND_UNSPECIFIED) {
    json["text_kind"] =
        LowerCase(WithoutPrefix(attend::v1::TextKind_Name(summary.text_kind()), "TEXT_KIND_"));
  }
  json["sentences"] = Json::array();
  for (const auto& sentence : summary.sentences())
    json["sentences"].push_back(SentenceJson(sentence));
  if (summary.has_sentence_attention())
    json["sentence_attention"] = ToJson(summary.sentence_attention());
  if (summary.finish_reason() != attend::v1::FINISH_REASON_UNSPECIFIED) {
    json["supports"] = Json::array();
    for (const auto& support : summary.supports()) json["supports"].push_back(SupportJson(support));
    json["finish_reason"] =
        WithoutPrefix(attend::v1::FinishReason_Name(summary.finish_reason()), "FINISH_REASON_");
    json["truncated_input_tokens"] = summary.truncated_input_tokens();
  }
  json["model_revision"] = summary.model_revision();
  return json;
}

Json ToJson(const attend::v1::AttentionMatrix& matrix) {
  Json json;
  json["kind"] = AttentionKindName(matrix.kind());
  if (matrix.has_head()) {
    json["layer"] = matrix.head().layer();
    json["head"] = matrix.head().head();
  }
  json["rows"] = matrix.row_count();
  json["columns"] = matrix.column_count();
  if (matrix.has_sparse()) {
    json["entries"] = SparseRows(matrix.sparse());
    return json;
  }
  Json rows = Json::array();
  Json row = Json::array();
  for (const float weight : matrix.dense().weights()) {
    row.push_back(JsonNumber(weight));
    if (row.size() == matrix.column_count()) {
      rows.push_back(std::move(row));
      row = Json::array();
    }
  }
  json["weights"] = std::move(rows);
  return json;
}

Json ToJson(const attend::v1::Attention& attention) {
  Json json;
  json["target_text"] = attention.target_text();
  json["source_tokens"] = ToJsonList(attention.source_tokens());
  json["target_tokens"] = ToJsonList(attention.target_tokens());
  json["source_words"] = ToJsonList(attention.source_words());
  json["target_words"] = ToJsonList(attention.target_words());
  json["matrices"] = ToJsonList(attention.matrices());
  return json;
}

Json ToJson(const attend::v1::AttentionPreset& preset) {
  Json json;
  json["name"] = preset.preset_id();
  json["kind"] = AttentionKindName(preset.kind());
  json["heads"] = Json::array();
  for (const auto& head : preset.heads()) json["heads"].push_back(HeadJson(head));
  if (preset.direction() != attend::v1::ATTENTION_DIRECTION_UNSPECIFIED)
    json["direction"] = DirectionName(preset.direction());
  if (preset.terms_size() > 0) {
    json["floor"] = JsonNumber(preset.floor());
    json["terms"] = Json::array();
    for (const auto& term : preset.terms()) {
      json["terms"].push_back({{"head", HeadJson(term.head())},
                               {"direction", DirectionName(term.direction())},
                               {"weight", JsonNumber(term.weight())}});
    }
  }
  if (preset.has_figure()) {
    json["figure"] = {{"metric", preset.figure().metric()},
                      {"value", JsonNumber(preset.figure().value())},
                      {"examples", preset.figure().example_count()}};
  }
  json["note"] = preset.note();
  return json;
}

Json ToJson(const attend::v1::Model& model) {
  Json json;
  json["name"] = model.name();
  json["state"] = ModelStateName(model.state());
  if (model.has_error()) json["error"] = ToJson(DecodeError(model.error()));
  json["revision"] = model.revision();
  json["architecture"] = model.architecture();
  Json tasks = Json::array();
  for (const int task : model.tasks()) {
    tasks.push_back(LowerCase(WithoutPrefix(
        attend::v1::ModelTask_Name(static_cast<attend::v1::ModelTask>(task)), "MODEL_TASK_")));
  }
  json["tasks"] = std::move(tasks);
  Json pairs = Json::array();
  for (const auto& pair : model.language_pairs()) {
    pairs.push_back(Json::array({pair.source_language_code(), pair.target_language_code()}));
  }
  json["language_pairs"] = std::move(pairs);
  json["language_codes"] = Json::array();
  for (const auto& code : model.language_codes()) json["language_codes"].push_back(code);
  json["encoder_layers"] = model.encoder_layer_count();
  json["decoder_layers"] = model.decoder_layer_count();
  json["heads"] = model.head_count();
  json["max_input_tokens"] = model.max_input_tokens();
  json["max_output_tokens"] = model.max_output_tokens();
  json["compute_type"] = model.compute_type();
  json["weight_bytes"] = model.weight_bytes();
  json["uses_shortlist"] = model.uses_shortlist();
  Json presets = Json::array();
  for (const auto& preset : model.attention_presets()) presets.push_back(ToJson(preset));
  json["attention_presets"] = std::move(presets);
  if (model.has_load_time()) json["load_time_unix"] = model.load_time().seconds();
  return json;
}

Json ToJson(const CallError& error) {
  Json json;
  json["code"] = CodeName(error.code);
  if (!error.reason.empty()) json["reason"] = error.reason;
  json["message"] = error.message;
  if (!error.fields.empty()) json["field"] = error.fields.front().first;
  if (!error.metadata.empty()) {
    for (const auto& [name, value] : error.metadata) json["metadata"][name] = value;
  }
  if (error.retry_delay.has_value())
    json["retry_seconds"] = static_cast<double>(error.retry_delay->count()) / 1000;
  if (!error.request_id.empty()) json["request_id"] = error.request_id;
  return json;
}

std::string AttentionKindName(attend::v1::AttentionKind kind) {
  switch (static_cast<int>(kind)) {
    case attend::v1::ATTENTION_KIND_ENCODER_SELF:
      return "encoder";
    case attend::v1::ATTENTION_KIND_DECODER_SELF:
      return "decoder";
    case attend::v1::ATTENTION_KIND_CROSS:
      return "cross";
    default:
      return "unknown";
  }
}

std::string ModelStateName(attend::v1::ModelState state) {
  return LowerCase(WithoutPrefix(attend::v1::ModelState_Name(state), "MODEL_STATE_"));
}

}  // namespace attend::client
