// attend attention: heat maps, or the weights as JSON.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "attend/v1/attention.grpc.pb.h"
#include "client/attention_axes.h"
#include "client/attention_stream.h"
#include "client/attention_view.h"
#include "client/exit_code.h"
#include "client/json_output.h"
#include "client/report/attention_report_call.h"
#include "client/session.h"
#include "client/text_width.h"

namespace attend::client {
namespace {

using attend::v1::Attention;
using attend::v1::AttentionMatrix;

struct AttentionFlags {
  std::string source;
  std::optional<std::string> target;
  std::vector<std::string> kinds;
  std::string preset;
  bool all_heads = false;
  std::vector<std::string> heads;
  std::string reduction;
  bool tokens = false;
  bool keep_special = false;
  uint32_t top_k = 0;
  float min_weight = 0;
  bool json = false;
  bool stream = false;
  std::string html_path;
};

constexpr const char* kExamples =
    "Examples:\n"
    "  attend attention \"The cat sat on the mat.\"\n"
    "  attend attention \"The cat sat.\" \"Le chat s'est assis.\" --preset alignment\n"
    "  attend attention \"The cat sat.\" --kind encoder --reduction rollout\n"
    "  attend attention \"The cat sat.\" --heads 1:0,1:3 --reduction none --tokens\n"
    "  attend attention \"The cat sat.\" --html cat.html    # for a browser\n"
    "\n"
    "Rows attend to columns: target words to source words for cross, source words to\n"
    "each other for encoder, target words to earlier ones for decoder. Weights\n"
    "describe where the model read, not why it decided.";

std::string CheckHead(const std::string& text) {
  const std::size_t colon = text.find(':');
  const auto is_number = [](const std::string& part) {
    return !part.empty() && part.size() <= 9 &&
           part.find_first_not_of("0123456789") == std::string::npos;
  };
  if (colon != std::string::npos && is_number(text.substr(0, colon)) &&
      is_number(text.substr(colon + 1)))
    return "";
  return "a head is LAYER:HEAD, for example 1:0, not " + text;
}

template <typename Request>
void FillRequest(const AttentionFlags& flags, const std::string& model, Request* request) {
  request->set_model(model);
  request->set_source(flags.source);
  if (flags.target.has_value()) request->set_target(*flags.target);
  attend::v1::AttentionSelection& selection = *request->mutable_selection();
  for (const std::string& kind : flags.kinds) {
    selection.add_kinds(kind == "encoder"   ? attend::v1::ATTENTION_KIND_ENCODER_SELF
                        : kind == "decoder" ? attend::v1::ATTENTION_KIND_DECODER_SELF
                                            : attend::v1::ATTENTION_KIND_CROSS);
  }
  if (!flags.preset.empty()) selection.set_preset(flags.preset);
  for (const std::string& text : flags.heads) {
    const std::size_t colon = text.find(':');
    auto* head = selection.mutable_head_list()->add_heads();
    head->set_layer(static_cast<uint32_t>(
        std::stoul(text.substr(0, colon))));  // CheckHead passed: digits, short
    head->set_head(static_cast<uint32_t>(std::stoul(text.substr(colon + 1))));
  }
  selection.set_reduction(flags.reduction == "none"      ? attend::v1::ATTENTION_REDUCTION_NONE
                          : flags.reduction == "max"     ? attend::v1::ATTENTION_REDUCTION_MAX
                          : flags.reduction == "rollout" ? attend::v1::ATTENTION_REDUCTION_ROLLOUT
                                                         : attend::v1::ATTENTION_REDUCTION_MEAN);
  selection.set_granularity(flags.tokens ? attend::v1::ATTENTION_GRANULARITY_TOKEN
                                         : attend::v1::ATTENTION_GRANULARITY_WORD);
  selection.set_top_k(flags.top_k);
  selection.set_min_weight(flags.min_weight);
  selection.set_drop_special(!flags.keep_special);
  request->set_offset_unit(attend::v1::OFFSET_UNIT_BYTE);
}

std::string FoldName(const AttentionFlags& flags) {
  const std::string heads = !flags.preset.empty() ? "preset " + flags.preset
                            : !flags.heads.empty()
                                ? std::to_string(flags.heads.size()) + " chosen heads"
                                : "all heads";
  return flags.reduction + " over " + heads;
}

class AttentionRun {
 public:
  AttentionRun(Session* session, const AttentionFlags& flags)
      : session_(session),
        flags_(flags),
        stub_(attend::v1::AttentionService::NewStub(session->connection().channel())) {}

  int Run() {
    const auto model = session_->ResolveModel();
    if (const int* exit_code = std::get_if<int>(&model)) return *exit_code;
    model_ = std::get<std::string>(model);
    return flags_.stream ? Stream() : Get();
  }

 private:
  int Get() {
    attend::v1::GetAttentionRequest request;
    FillRequest(flags_, model_, &request);
    attend::v1::GetAttentionResponse response;
    const CallResult result = session_->connection().CallUnary([&](grpc::ClientContext* context) {
      response.Clear();
      return stub_->GetAttention(context, request, &response);
    });
    if (result.has_value()) {
      if (result->error.reason != "ATTENTION_TOO_LARGE") return session_->Fail(*result);
      if (session_->options().is_verbose) session_->Tell("too large for one message; streaming it");
      return Stream();
    }
    if (flags_.json) {
      Json json = ToJson(response.attention());
      json["timing"] = ToJson(response.usage());
      session_->out().Write(JsonLine(json));
      return kExitOk;
    }
    ShowTarget(response.attention());
    for (const auto& matrix : response.attention().matrices())
      ShowMatrix(response.attention(), matrix);
    ShowLegend();
    return problem_.empty() ? kExitOk : FailProblem();
  }

  // With --stream each matrix goes out as soon as its last row came; without it JSON stays one
  // object.
  int Stream() {
    attend::v1::StreamAttentionRequest request;
    FillRequest(flags_, model_, &request);
    Attention whole;
    attend::v1::Usage usage;
    MatrixAssembler assembler;
    bool has_begun = false;
    const CallResult result = session_->connection().CallStream(
        [&](grpc::ClientContext* context) {
          const auto reader = stub_->StreamAttention(context, request);
          attend::v1::StreamAttentionResponse response;
          while (reader->Read(&response)) {
            has_begun = true;
            if (response.has_axes()) {
              whole = response.axes();
              BeginStream(whole);
            } else if (response.has_slice()) {
              auto complete = assembler.Add(response.slice(), &problem_);
              if (complete.has_value()) TakeMatrix(std::move(*complete), &whole);
            } else if (response.has_usage()) {
              usage = response.usage();
            }
            if (!problem_.empty() || !session_->out().is_open()) context->TryCancel();
          }
          return reader->Finish();
        },
        [&] { return has_begun; });
    if (!problem_.empty()) return FailProblem();
    if (!session_->out().is_open()) return kExitOk;
    if (result.has_value()) return session_->Fail(*result);
    auto last = assembler.Finish();
    if (last.has_value()) TakeMatrix(std::move(*last), &whole);
    EndStream(whole, usage);
    return problem_.empty() ? kExitOk : FailProblem();
  }

  void BeginStream(const Attention& axes) {
    if (!flags_.json) return ShowTarget(axes);
    if (!flags_.stream) return;
    Json json;
    json["axes"] = ToJson(axes);
    json["axes"].erase("matrices");
    session_->out().Write(JsonLine(json));
    session_->out().Flush();
  }

  void TakeMatrix(AttentionMatrix matrix, Attention* whole) {
    if (!flags_.json) {
      ShowMatrix(*whole, matrix);
      session_->out().Flush();
    } else if (flags_.stream) {
      Json json;
      json["matrix"] = ToJson(matrix);
      session_->out().Write(JsonLine(json));
      session_->out().Flush();
    } else {
      *whole->add_matrices() = std::move(matrix);
    }
  }

  void EndStream(const Attention& whole, const attend::v1::Usage& usage) {
    if (!flags_.json) return ShowLegend();
    Json json;
    if (!flags_.stream) json = ToJson(whole);
    json["timing"] = ToJson(usage);
    session_->out().Write(JsonLine(json));
  }

  void ShowTarget(const Attention& attention) {
    if (flags_.target.has_value() || attention.target_text().empty()) return;
    const ColorDepth color = session_->terminal().color;
    session_->out().Write(Dim(color) + "translation: " + ResetStyle(color) +
                          Printable(attention.target_text()) + "\n\n");
  }

  void ShowMatrix(const Attention& axes, const AttentionMatrix& matrix) {
    std::optional<HeatMap> map = ToHeatMap(axes, matrix,
                                           flags_.tokens ? attend::v1::ATTENTION_GRANULARITY_TOKEN
                                                         : attend::v1::ATTENTION_GRANULARITY_WORD);
    if (!map.has_value()) {
      problem_ = "the server sent a matrix whose sizes contradict each other";
      return;
    }
    if (!matrix.has_head()) {
      map->title += ", " + FoldName(flags_);
    }
    session_->out().Write(RenderHeatMap(*map, session_->terminal()) + "\n");
  }

  void ShowLegend() {
    const ColorDepth color = session_->terminal().color;
    session_->out().Write(Dim(color) + HeatMapLegend(session_->terminal()));
  }

  int FailProblem() const {
    session_->Tell(problem_);
    return kExitFailed;
  }

  Session* session_;
  const AttentionFlags& flags_;
  std::unique_ptr<attend::v1::AttentionService::Stub> stub_;
  std::string model_;
  std::string problem_;
};

// Cross attention is mostly asked for to see which words were read for which: the heads that the
// model's owner chose for that, or the engine's guess, say it best. A page has room for all heads
// of all kinds.
AttentionFlags WithDefaults(AttentionFlags flags) {
  const bool to_page = !flags.html_path.empty();
  if (flags.kinds.empty() && !to_page) flags.kinds = {"cross"};
  const bool only_cross = flags.kinds == std::vector<std::string>{"cross"};
  if (only_cross && flags.preset.empty() && flags.heads.empty() && !flags.all_heads && !to_page) {
    flags.preset = "alignment";
  }
  if (flags.reduction.empty()) flags.reduction = to_page ? "none" : "mean";
  return flags;
}

int WritePage(Session* session, const AttentionFlags& flags) {
  const auto model = session->ResolveModel();
  if (const int* exit_code = std::get_if<int>(&model)) return *exit_code;
  AttentionReportJob job;
  job.path = flags.html_path;
  FillRequest(flags, std::get<std::string>(model), &job.request);
  job.fold = FoldName(flags);
  const bool has_cross = flags.kinds.empty() || std::find(flags.kinds.begin(), flags.kinds.end(),
                                                          "cross") != flags.kinds.end();
  job.wants_alignment_heads =
      has_cross && flags.preset.empty() && flags.heads.empty() && flags.reduction == "none";
  return WriteAttentionReport(session, std::move(job));
}

int Run(Session& session, const AttentionFlags& flags) {
  if (FirstInvalidUtf8(flags.source) != std::string::npos)
    return session.FailUsage("SOURCE is not valid UTF-8");
  if (flags.target.has_value() && FirstInvalidUtf8(*flags.target) != std::string::npos) {
    return session.FailUsage("TARGET is not valid UTF-8");
  }
  const AttentionFlags complete = WithDefaults(flags);
  if (!complete.html_path.empty()) return WritePage(&session, complete);
  return AttentionRun(&session, complete).Run();
}

}  // namespace

Command AddAttentionCommand(CLI::App* root, ClientOptions* options) {
  auto flags = std::make_shared<AttentionFlags>();
  CLI::App* app =
      root->add_subcommand("attention", "Show what each word attended to, as a heat map");
  app->footer(kExamples);
  app->add_option("SOURCE", flags->source, "Text that the model reads")->type_name("")->required();
  app->add_option_function<std::string>(
         "TARGET", [flags](const std::string& text) { flags->target = text; },
         "Its translation; written by the model when left out")
      ->type_name("");
  app->add_option("-k,--kind", flags->kinds,
                  "cross, encoder or decoder; several with commas (default cross; all with --html)")
      ->type_name("KIND")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(OneOf({"cross", "encoder", "decoder"}));
  CLI::Option* preset =
      app->add_option("-p,--preset", flags->preset, "Heads stored with the model under this name")
          ->type_name("NAME");
  app->add_option("--heads", flags->heads,
                  "These heads, for example 1:0,1:3; layers and heads count from 0")
      ->type_name("LAYER:HEAD")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CheckHead)
      ->excludes(preset);
  app->add_flag("--all-heads", flags->all_heads,
                "Every head; for cross attention the preset 'alignment' is the default")
      ->excludes(preset)
      ->excludes("--heads");
  app->add_option("-r,--reduction", flags->reduction,
                  "How heads are folded: mean, max, rollout, or none for one map a head (default "
                  "mean; none with --html)")
      ->type_name("HOW")
      ->check(OneOf({"none", "mean", "max", "rollout"}));
  app->add_flag("!--words,--tokens", flags->tokens,
                "Rows and columns are words (default) or tokens");
  app->add_option("--top-k", flags->top_k, "Keep the K largest weights of each row")
      ->type_name("K");
  app->add_option("--min-weight", flags->min_weight, "Leave out weights below this")
      ->type_name("W")
      ->check(Finite());
  app->add_flag("!--drop-special,--keep-special", flags->keep_special,
                "Leave out (default) or keep tokens such as the end of the sentence");
  CLI::Option* json = app->add_flag("--json", flags->json, "Print the weights as one JSON object");
  CLI::Option* stream = app->add_flag("--stream", flags->stream,
                                      "Print each map as it comes; with --json one object a line");
  app->add_option("--html", flags->html_path, kHtmlFlagHelp)
      ->type_name("FILE")
      ->excludes(json)
      ->excludes(stream);
  AddClientOptions(app, options, ModelFlag::kShown);
  return {app, [flags](Session& session) { return Run(session, *flags); }};
}

}  // namespace attend::client
