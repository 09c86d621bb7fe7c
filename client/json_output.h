// Answers as JSON objects. Field names follow the protos; spans are [start, end] pairs, durations
// are seconds.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "attend/v1/attention.pb.h"
#include "attend/v1/model.pb.h"
#include "attend/v1/summarization.pb.h"
#include "attend/v1/tokenization.pb.h"
#include "attend/v1/translation.pb.h"
#include "client/error_message.h"

namespace attend::client {

using Json = nlohmann::ordered_json;  // keys stay in the order they were written

// One line with its line end. Bytes that are not UTF-8 become U+FFFD, so the line always parses.
std::string JsonLine(const Json& json);

// The shortest decimal that reads back as the same float; null when not finite.
Json JsonNumber(float value);

Json ToJson(const attend::v1::Token& token);
Json ToJson(const attend::v1::Word& word);
Json ToJson(const attend::v1::WordLink& link);
Json ToJson(const attend::v1::Usage& usage);
Json ToJson(const attend::v1::Translation& translation);
Json ToJson(const attend::v1::Summary& summary);
Json ToJson(const attend::v1::AttentionMatrix& matrix);
Json ToJson(const attend::v1::Attention& attention);  // axes, then matrices
Json ToJson(const attend::v1::AttentionPreset& preset);
Json ToJson(const attend::v1::Model& model);
Json ToJson(const CallError& error);

template <typename Repeated>
Json ToJsonList(const Repeated& values) {
  Json list = Json::array();
  for (const auto& value : values) list.push_back(ToJson(value));
  return list;
}

// "cross", "encoder", "decoder".
std::string AttentionKindName(attend::v1::AttentionKind kind);
// "serving", "loading", …
std::string ModelStateName(attend::v1::ModelState state);

}  // namespace attend::client
