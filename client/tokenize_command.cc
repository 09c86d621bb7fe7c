// attend tokenize: text as the model sees it, and back.
#include <algorithm>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "attend/v1/tokenization.grpc.pb.h"
#include "client/exit_code.h"
#include "client/json_output.h"
#include "client/session.h"
#include "client/text_width.h"

namespace attend::client {
namespace {

struct TokenizeFlags {
  std::string text;
  std::vector<uint32_t> ids;
  bool omit_special = false;
  bool keep_special = false;
  bool json = false;
};

constexpr const char* kExamples =
    "Examples:\n"
    "  attend tokenize \"The cat sat.\"\n"
    "  attend tokenize --ids 12,841,7\n"
    "\n"
    "Spans count bytes of the text, end excluded.";

std::string TokenTable(const std::string& text, const attend::v1::TokenizeResponse& response,
                       ColorDepth color) {
  int id_width = 2, piece_width = 5, span_width = 4;
  const auto span_of = [](const attend::v1::Token& token) {
    return token.has_span()
               ? std::to_string(token.span().start()) + "-" + std::to_string(token.span().end())
               : std::string("special");
  };
  for (const auto& token : response.tokens()) {
    id_width = std::max(id_width, DisplayWidth(std::to_string(token.id())));
    piece_width = std::max(piece_width, DisplayWidth(Printable(token.piece())));
    span_width = std::max(span_width, DisplayWidth(span_of(token)));
  }
  std::string table = Bold(color) + PadLeft("ID", id_width) + "  " +
                      PadRight("PIECE", piece_width) + "  " + PadRight("SPAN", span_width) +
                      "  TEXT" + ResetStyle(color) + "\n";
  for (const auto& token : response.tokens()) {
    std::string covered;
    if (token.has_span() && token.span().start() <= token.span().end() &&
        token.span().end() <= text.size()) {
      covered = "  " + Printable(text.substr(token.span().start(),
                                             token.span().end() - token.span().start()));
    }
    table += PadLeft(std::to_string(token.id()), id_width) + "  " +
             PadRight(Printable(token.piece()), piece_width) + "  " +
             PadRight(span_of(token), covered.empty() ? 0 : span_width) + covered + "\n";
  }
  return table;
}

int Tokenize(Session& session, const TokenizeFlags& flags, const std::string& model) {
  if (FirstInvalidUtf8(flags.text) != std::string::npos)
    return session.FailUsage("TEXT is not valid UTF-8");
  const auto stub = attend::v1::TokenizationService::NewStub(session.connection().channel());
  attend::v1::TokenizeRequest request;
  request.set_model(model);
  request.set_text(flags.text);
  request.set_omit_special(flags.omit_special);
  request.set_offset_unit(attend::v1::OFFSET_UNIT_BYTE);
  attend::v1::TokenizeResponse response;
  const CallResult result = session.connection().CallUnary(
      [&](grpc::ClientContext* context) { return stub->Tokenize(context, request, &response); });
  if (result.has_value()) return session.Fail(*result);
  if (flags.json) {
    Json json;
    json["text"] = flags.text;
    json["tokens"] = ToJsonList(response.tokens());
    session.out().Write(JsonLine(json));
  } else {
    session.out().Write(TokenTable(flags.text, response, session.terminal().color));
  }
  return kExitOk;
}

int Detokenize(Session& session, const TokenizeFlags& flags, const std::string& model) {
  const auto stub = attend::v1::TokenizationService::NewStub(session.connection().channel());
  attend::v1::DetokenizeRequest request;
  request.set_model(model);
  request.mutable_ids()->Add(flags.ids.begin(), flags.ids.end());
  request.set_keep_special(flags.keep_special);
  attend::v1::DetokenizeResponse response;
  const CallResult result = session.connection().CallUnary(
      [&](grpc::ClientContext* context) { return stub->Detokenize(context, request, &response); });
  if (result.has_value()) return session.Fail(*result);
  if (flags.json) {
    Json json;
    json["ids"] = flags.ids;
    json["text"] = response.text();
    session.out().Write(JsonLine(json));
  } else {
    session.out().Write(response.text() + "\n");
  }
  return kExitOk;
}

int Run(Session& session, const TokenizeFlags& flags) {
  if (flags.text.empty() == flags.ids.empty()) return session.FailUsage("give TEXT, or --ids");
  const auto model = session.ResolveModel();
  if (const int* exit_code = std::get_if<int>(&model)) return *exit_code;
  const std::string& name = std::get<std::string>(model);
  return flags.ids.empty() ? Tokenize(session, flags, name) : Detokenize(session, flags, name);
}

}  // namespace

Command AddTokenizeCommand(CLI::App* root, ClientOptions* options) {
  auto flags = std::make_shared<TokenizeFlags>();
  CLI::App* app =
      root->add_subcommand("tokenize", "Show the tokens of a text, or the text of token ids");
  app->footer(kExamples);
  app->add_option("TEXT", flags->text, "Text to split")->type_name("");
  app->add_option("--ids", flags->ids, "Token ids to join into text, with commas or spaces")
      ->type_name("ID")
      ->delimiter(',')
      ->check(InRange(0, 4294967295.0));
  app->add_flag("--omit-special", flags->omit_special, "Leave special tokens out of the list");
  app->add_flag("--keep-special", flags->keep_special, "Keep special tokens in the text of --ids");
  app->add_flag("--json", flags->json, "Print one JSON object");
  AddClientOptions(app, options, ModelFlag::kShown);
  return {app, [flags](Session& session) { return Run(session, *flags); }};
}

}  // namespace attend::client
