// attend align: which words of a given translation belong together.
#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "attend/v1/attention.grpc.pb.h"
#include "client/alignment_axes.h"
#include "client/alignment_view.h"
#include "client/exit_code.h"
#include "client/json_output.h"
#include "client/report/attention_report_call.h"
#include "client/session.h"
#include "client/text_width.h"

namespace attend::client {
namespace {

struct AlignFlags {
  std::string source, target;
  std::string source_file, target_file;
  std::string source_language, target_language;
  float min_score = 0;
  bool pharaoh = false;
  bool json = false;
  std::string html_path;
};

constexpr const char* kExamples =
    "Examples:\n"
    "  attend align \"The cat sat.\" \"Le chat s'est assis.\"\n"
    "  attend align \"The cat sat.\" \"Le chat s'est assis.\" --pharaoh   # 0-0 1-1 ...\n"
    "  attend align \"The cat sat.\" \"Le chat s'est assis.\" --html links.html\n"
    "  attend align --source-file book.en --target-file book.fr > book.align\n"
    "\n"
    "The map gives each linked source word a number and a colour; target words show\n"
    "the numbers of the words they come from. Files are aligned line by line and give\n"
    "one line of Pharaoh links (or JSON) each; a pair with an empty side gives an\n"
    "empty line.";

class AlignRun {
 public:
  AlignRun(Session* session, const AlignFlags& flags)
      : session_(session),
        flags_(flags),
        stub_(attend::v1::AttentionService::NewStub(session->connection().channel())) {}

  int Run() {
    const bool has_files = !flags_.source_file.empty() || !flags_.target_file.empty();
    if (has_files == !flags_.source.empty() || has_files == !flags_.target.empty()) {
      return session_->FailUsage("give SOURCE and TARGET, or --source-file and --target-file");
    }
    const auto model = session_->ResolveModel();
    if (const int* exit_code = std::get_if<int>(&model)) return *exit_code;
    model_ = std::get<std::string>(model);
    if (has_files) return AlignFiles();
    return flags_.html_path.empty() ? AlignPair() : WritePage();
  }

 private:
  CallResult Align(const std::string& source, const std::string& target,
                   attend::v1::AlignWordsResponse* response) {
    attend::v1::AlignWordsRequest request;
    request.set_model(model_);
    request.set_source(source);
    request.set_target(target);
    request.set_source_language_code(flags_.source_language);
    request.set_target_language_code(flags_.target_language);
    request.set_min_score(flags_.min_score);
    request.set_offset_unit(attend::v1::OFFSET_UNIT_BYTE);
    return session_->connection().CallUnary([&](grpc::ClientContext* context) {
      response->Clear();
      return stub_->AlignWords(context, request, response);
    });
  }

  static Json PairJson(const std::string& source, const std::string& target,
                       const attend::v1::AlignWordsResponse& response) {
    Json json;
    json["source"] = source;
    json["target"] = target;
    json["source_words"] = ToJsonList(response.source_words());
    json["target_words"] = ToJsonList(response.target_words());
    json["links"] = ToJsonList(response.links());
    json["timing"] = ToJson(response.usage());
    return json;
  }

  bool IsPairValid() const {
    return FirstInvalidUtf8(flags_.source) == std::string::npos &&
           FirstInvalidUtf8(flags_.target) == std::string::npos;
  }

  int FailInvalidPair() const { return session_->FailUsage("SOURCE or TARGET is not valid UTF-8"); }

  int WritePage() {
    if (!IsPairValid()) return FailInvalidPair();
    AttentionReportJob job;
    job.path = flags_.html_path;
    job.request.set_model(model_);
    job.request.set_source(flags_.source);
    job.request.set_target(flags_.target);
    job.request.set_offset_unit(attend::v1::OFFSET_UNIT_BYTE);
    attend::v1::AttentionSelection& selection = *job.request.mutable_selection();
    selection.add_kinds(attend::v1::ATTENTION_KIND_CROSS);
    selection.set_reduction(attend::v1::ATTENTION_REDUCTION_NONE);
    selection.set_granularity(attend::v1::ATTENTION_GRANULARITY_WORD);
    selection.set_drop_special(true);
    job.wants_alignment_heads = true;
    job.alignment.set_source_language_code(flags_.source_language);
    job.alignment.set_target_language_code(flags_.target_language);
    job.alignment.set_min_score(flags_.min_score);
    return WriteAttentionReport(session_, std::move(job));
  }

  int AlignPair() {
    if (!IsPairValid()) return FailInvalidPair();
    attend::v1::AlignWordsResponse response;
    if (const CallResult result = Align(flags_.source, flags_.target, &response))
      return session_->Fail(*result);
    const Alignment alignment = ToAlignment(flags_.source, flags_.target, response);
    if (flags_.json) {
      session_->out().Write(JsonLine(PairJson(flags_.source, flags_.target, response)));
    } else if (flags_.pharaoh) {
      session_->out().Write(FormatPharaoh(alignment.links) + "\n");
    } else {
      session_->out().Write(RenderAlignment(alignment, session_->terminal()));
    }
    return kExitOk;
  }

  int AlignFiles() {
    std::ifstream sources(flags_.source_file), targets(flags_.target_file);
    if (!sources) return session_->FailUsage("cannot open " + Printable(flags_.source_file));
    if (!targets) return session_->FailUsage("cannot open " + Printable(flags_.target_file));
    std::string source, target;
    int64_t line = 0, num_failed = 0;
    for (;;) {
      const bool has_source = static_cast<bool>(std::getline(sources, source));
      const bool has_target = static_cast<bool>(std::getline(targets, target));
      if (!has_source && !has_target) break;
      if (has_source != has_target) {
        session_->Tell(
            "the files differ in length: " + std::string(has_source ? "the target" : "the source") +
            " ends after line " + std::to_string(line));
        return kExitFailed;
      }
      ++line;
      const int exit_code = AlignLine(line, source, target, &num_failed);
      if (exit_code != kExitOk || !session_->out().is_open()) return exit_code;
    }
    return num_failed == 0 ? kExitOk : kExitFailed;
  }

  // A failed line is told and leaves an empty line; what would fail every line ends the run.
  int AlignLine(int64_t line, std::string source, std::string target, int64_t* num_failed) {
    for (std::string* text : {&source, &target}) {
      if (!text->empty() && text->back() == '\r') text->pop_back();
    }
    const auto is_blank = [](const std::string& text) {
      return text.find_first_not_of(" \t") == std::string::npos;
    };
    CallError error;
    std::string problem;
    attend::v1::AlignWordsResponse response;
    if (FirstInvalidUtf8(source) != std::string::npos ||
        FirstInvalidUtf8(target) != std::string::npos) {
      error.code = grpc::StatusCode::INVALID_ARGUMENT;
      error.message = problem = "not valid UTF-8, not sent";
    } else if (!is_blank(source) && !is_blank(target)) {
      if (const CallResult result = Align(source, target, &response)) {
        if (HoldsForEveryText(*result)) {
          if (line > 1 && result->kind != CallFailure::Kind::kInterrupted)
            session_->Tell("stopped at line " + std::to_string(line));
          return session_->Fail(*result);
        }
        error = result->error;
        problem = FormatErrorLine(error);
      }
    }
    if (!problem.empty()) {
      ++*num_failed;
      session_->Tell("line " + std::to_string(line) + ": " + problem);
    }
    if (flags_.json) {
      Json json;
      json["line"] = line;
      if (problem.empty()) {
        json.update(PairJson(source, target, response));
      } else {
        json["source"] = source;
        json["target"] = target;
        json["error"] = ToJson(error);
      }
      session_->out().Write(JsonLine(json));
    } else {
      session_->out().Write(FormatPharaoh(ToAlignment(source, target, response).links) + "\n");
    }
    session_->out().Flush();
    return kExitOk;
  }

  Session* session_;
  const AlignFlags& flags_;
  std::unique_ptr<attend::v1::AttentionService::Stub> stub_;
  std::string model_;
};

}  // namespace

Command AddAlignCommand(CLI::App* root, ClientOptions* options) {
  auto flags = std::make_shared<AlignFlags>();
  CLI::App* app =
      root->add_subcommand("align", "Show which words of a translation belong together");
  app->footer(kExamples);
  app->add_option("SOURCE", flags->source, "Source text")->type_name("");
  app->add_option("TARGET", flags->target, "Its translation")->type_name("");
  CLI::Option* source_file =
      app->add_option("--source-file", flags->source_file, "Source texts, one a line")
          ->type_name("FILE")
          ->check(CLI::ExistingFile);
  CLI::Option* target_file =
      app->add_option("--target-file", flags->target_file, "Their translations, one a line")
          ->type_name("FILE")
          ->check(CLI::ExistingFile);
  source_file->needs(target_file);
  target_file->needs(source_file);
  app->add_option("-s,--source-language", flags->source_language, "Language of SOURCE")
      ->type_name("CODE");
  app->add_option("-t,--target-language", flags->target_language, "Language of TARGET")
      ->type_name("CODE");
  app->add_option("--min-score", flags->min_score, "Leave out links below this, 0 to 1")
      ->type_name("SCORE")
      ->check(Finite());
  CLI::Option* pharaoh =
      app->add_flag("--pharaoh", flags->pharaoh, "Print links as 0-0 1-2, source word first");
  CLI::Option* json = app->add_flag("--json", flags->json, "Print words, links and scores as JSON")
                          ->excludes(pharaoh);
  app->add_option("--html", flags->html_path, kHtmlFlagHelp)
      ->type_name("FILE")
      ->excludes(pharaoh)
      ->excludes(json)
      ->excludes(source_file);
  AddClientOptions(app, options, ModelFlag::kShown);
  return {app, [flags](Session& session) { return AlignRun(&session, *flags).Run(); }};
}

}  // namespace attend::client
