// attend models: what the server serves, as a table, or one model with everything known about it.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "attend/v1/model.grpc.pb.h"
#include "client/exit_code.h"
#include "client/json_output.h"
#include "client/session.h"
#include "client/text_width.h"

namespace attend::client {
namespace {

struct ModelsFlags {
  std::string name;
  bool json = false;
};

constexpr const char* kExamples =
    "Examples:\n"
    "  attend models\n"
    "  attend models en-fr\n"
    "  attend models --json | jq -r .name";

std::string PairsOf(const attend::v1::Model& model) {
  std::string pairs;
  for (const auto& pair : model.language_pairs()) {
    pairs += (pairs.empty() ? "" : ", ") + pair.source_language_code() + " to " +
             pair.target_language_code();
  }
  if (pairs.empty() && model.language_codes_size() > 0)
    pairs = std::to_string(model.language_codes_size()) + " languages";
  return pairs;
}

std::string Mebibytes(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

std::string ShortName(const std::string& name) {
  return name.rfind("models/", 0) == 0 ? name.substr(7) : name;
}

using Row = std::vector<std::string>;

std::string Table(const std::vector<Row>& rows, ColorDepth color) {
  std::vector<int> widths(rows.front().size(), 0);
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += PadRight(row[i], i + 1 < row.size() ? widths[i] + 2 : 0);
    text += &row == &rows.front() ? Bold(color) + line + ResetStyle(color) + "\n" : line + "\n";
  }
  return text;
}

Row RowOf(const attend::v1::Model& model) {
  return {Printable(ShortName(model.name())), ModelStateName(model.state()),
          Printable(PairsOf(model)),          Printable(model.architecture()),
          Printable(model.compute_type()),    Mebibytes(model.weight_bytes())};
}

std::string Details(const attend::v1::Model& model, const Terminal& terminal) {
  std::string text;
  const auto add = [&](const std::string& name, const std::string& value) {
    if (value.empty()) return;
    text += Bold(terminal.color) + PadRight(name, 14) + ResetStyle(terminal.color) +
            Printable(value) + "\n";
  };
  add("name", model.name());
  add("state", ModelStateName(model.state()));
  if (model.has_error()) add("error", FormatErrorLine(DecodeError(model.error())));
  add("languages", PairsOf(model));
  add("architecture", model.architecture());
  add("layers", std::to_string(model.encoder_layer_count()) + " encoder, " +
                    std::to_string(model.decoder_layer_count()) + " decoder, " +
                    std::to_string(model.head_count()) + " heads each");
  add("longest", std::to_string(model.max_input_tokens()) + " tokens read, " +
                     std::to_string(model.max_output_tokens()) + " written, per sentence");
  add("weights", Mebibytes(model.weight_bytes()) + ", " + model.compute_type());
  if (model.uses_shortlist()) add("vocabulary", "shortlist of each text's likely tokens");
  add("revision", model.revision());
  if (model.has_load_time()) {
    const std::time_t seconds = static_cast<std::time_t>(model.load_time().seconds());
    std::tm utc = {};
    char time[40] = "";
    if (gmtime_r(&seconds, &utc) != nullptr)
      std::strftime(time, sizeof time, "%Y-%m-%d %H:%M:%S UTC", &utc);
    add("serving since", time);
  }
  for (const auto& preset : model.attention_presets()) {
    std::string heads;
    for (const auto& head : preset.heads()) {
      heads += (heads.empty() ? "" : ",") + std::to_string(head.layer()) + ":" +
               std::to_string(head.head());
    }
    // A weighted preset may use every head there is.
    if (preset.heads_size() > 12) heads = std::to_string(preset.heads_size());
    add("preset", preset.preset_id() + ": " + AttentionKindName(preset.kind()) + " heads " + heads +
                      (preset.note().empty() ? "" : " (" + preset.note() + ")"));
  }
  return text;
}

int ShowOne(Session& session, const ModelsFlags& flags) {
  const auto stub = attend::v1::ModelService::NewStub(session.connection().channel());
  attend::v1::GetModelRequest request;
  request.set_name(ModelResourceName(flags.name));
  attend::v1::GetModelResponse response;
  const CallResult result = session.connection().CallUnary(
      [&](grpc::ClientContext* context) { return stub->GetModel(context, request, &response); });
  if (result.has_value()) return session.Fail(*result);
  session.out().Write(flags.json ? JsonLine(ToJson(response.model()))
                                 : Details(response.model(), session.terminal()));
  return kExitOk;
}

int ShowAll(Session& session, const ModelsFlags& flags) {
  const auto stub = attend::v1::ModelService::NewStub(session.connection().channel());
  std::vector<Row> rows = {{"NAME", "STATE", "LANGUAGES", "ARCHITECTURE", "TYPE", "WEIGHTS"}};
  attend::v1::ListModelsRequest request;
  for (;;) {
    attend::v1::ListModelsResponse response;
    const CallResult result = session.connection().CallUnary([&](grpc::ClientContext* context) {
      response.Clear();
      return stub->ListModels(context, request, &response);
    });
    if (result.has_value()) return session.Fail(*result);
    for (const auto& model : response.models()) {
      if (flags.json) {
        session.out().Write(JsonLine(ToJson(model)));
      } else {
        rows.push_back(RowOf(model));
      }
    }
    // A token that does not move on would loop for ever.
    if (response.next_page_token().empty() || response.next_page_token() == request.page_token())
      break;
    request.set_page_token(response.next_page_token());
  }
  if (!flags.json) session.out().Write(Table(rows, session.terminal().color));
  return kExitOk;
}

}  // namespace

Command AddModelsCommand(CLI::App* root, ClientOptions* options) {
  auto flags = std::make_shared<ModelsFlags>();
  CLI::App* app = root->add_subcommand("models", "List the models, or describe one");
  app->footer(kExamples);
  app->add_option("NAME", flags->name, "Model to describe, for example en-fr")->type_name("");
  app->add_flag("--json", flags->json, "Print one JSON object a model");
  AddClientOptions(app, options, ModelFlag::kHidden);
  return {app, [flags](Session& session) {
            return flags->name.empty() ? ShowAll(session, *flags) : ShowOne(session, *flags);
          }};
}

}  // namespace attend::client
