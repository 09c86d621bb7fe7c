// Every RPC of attend.v1 as a row of one table: what it is called on the wire, in logs and in
// metrics.
#pragma once

#include <array>

namespace attend::server {

enum class RpcMethod {
  kTranslate,
  kStreamTranslate,
  kSummarize,
  kStreamSummarize,
  kGetAttention,
  kStreamAttention,
  kQueryAttention,
  kAlignWords,
  kTokenize,
  kDetokenize,
  kSplitSentences,
  kListModels,
  kGetModel,
};

struct RpcMethodRow {
  RpcMethod method;
  const char* service;  // "attend.v1.TranslationService"
  const char* name;     // "Translate"
  const char* type;     // "unary" or "server_stream", as go-grpc-prometheus spells it
  bool has_items;       // whether it runs items through a model's loop
};

inline constexpr std::array<RpcMethodRow, 13> kRpcMethods = {{
    {RpcMethod::kTranslate, "attend.v1.TranslationService", "Translate", "unary", true},
    {RpcMethod::kStreamTranslate, "attend.v1.TranslationService", "StreamTranslate",
     "server_stream", true},
    {RpcMethod::kSummarize, "attend.v1.SummarizationService", "Summarize", "unary", true},
    {RpcMethod::kStreamSummarize, "attend.v1.SummarizationService", "StreamSummarize",
     "server_stream", true},
    {RpcMethod::kGetAttention, "attend.v1.AttentionService", "GetAttention", "unary", true},
    {RpcMethod::kStreamAttention, "attend.v1.AttentionService", "StreamAttention", "server_stream",
     true},
    {RpcMethod::kQueryAttention, "attend.v1.AttentionService", "QueryAttention", "unary", true},
    {RpcMethod::kAlignWords, "attend.v1.AttentionService", "AlignWords", "unary", true},
    {RpcMethod::kTokenize, "attend.v1.TokenizationService", "Tokenize", "unary", false},
    {RpcMethod::kDetokenize, "attend.v1.TokenizationService", "Detokenize", "unary", false},
    {RpcMethod::kSplitSentences, "attend.v1.TokenizationService", "SplitSentences", "unary", false},
    {RpcMethod::kListModels, "attend.v1.ModelService", "ListModels", "unary", false},
    {RpcMethod::kGetModel, "attend.v1.ModelService", "GetModel", "unary", false},
}};

// Names of the services, for health and reflection.
inline constexpr std::array<const char*, 5> kRpcServices = {
    "attend.v1.TranslationService", "attend.v1.SummarizationService", "attend.v1.AttentionService",
    "attend.v1.TokenizationService", "attend.v1.ModelService"};

constexpr const RpcMethodRow& Describe(RpcMethod method) {
  return kRpcMethods[static_cast<size_t>(method)];
}

}  // namespace attend::server
