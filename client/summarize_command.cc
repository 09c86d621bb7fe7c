// attend summarize: a text of a file, of standard input or of the command line; or each line of it.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "attend/v1/summarization.grpc.pb.h"
#include "client/decoding_flags.h"
#include "client/exit_code.h"
#include "client/json_output.h"
#include "client/line_reader.h"
#include "client/report/report_output.h"
#include "client/report/summary_report.h"
#include "client/session.h"
#include "client/summary_printer.h"
#include "client/text_input.h"
#include "client/text_width.h"

namespace attend::client {
namespace {

namespace v1 = attend::v1;

struct SummarizeFlags {
  std::string path, text, html_path;
  bool has_text = false;
  std::string mode, kind, language;
  std::optional<uint32_t> sentences, characters;
  std::optional<float> ratio, redundancy;
  bool lines = false, json = false, scores = false, highlight = false, explain = false,
       stream = false;
  DecodingFlags decoding;
};

constexpr const char* kExamples =
    "Examples:\n"
    "  attend summarize article.txt\n"
    "  attend summarize --sentences 3 --highlight article.txt\n"
    "  attend summarize --ratio 0.2 --kind paper --scores < paper.txt\n"
    "  attend summarize --explain article.txt\n"
    "  attend summarize --mode abstractive --model bart article.txt\n"
    "  attend summarize --lines --json < texts.txt\n"
    "\n"
    "Without FILE, or with -, the text is read from standard input. Extractive\n"
    "summaries, the default, are sentences of the text; abstractive ones are written\n"
    "and need a model that writes summaries. With --lines every line is one text and\n"
    "gives one line of output, blank lines included; a line that fails is named on\n"
    "standard error and leaves an empty line.";

SummaryFormat FormatOf(const SummarizeFlags& flags) {
  if (flags.json) return SummaryFormat::kJson;
  if (flags.scores) return SummaryFormat::kScores;
  if (flags.highlight) return SummaryFormat::kHighlights;
  return flags.explain ? SummaryFormat::kExplanation : SummaryFormat::kPlain;
}

bool IsAbstractive(const SummarizeFlags& flags) { return flags.mode == "abstractive"; }

v1::TextKind KindOf(const std::string& name) {
  if (name == "general") return v1::TEXT_KIND_GENERAL;
  if (name == "news") return v1::TEXT_KIND_NEWS;
  if (name == "paper") return v1::TEXT_KIND_PAPER;
  if (name == "reviews") return v1::TEXT_KIND_REVIEWS;
  return v1::TEXT_KIND_UNSPECIFIED;
}

v1::SummarizationConfig ConfigOf(const Session& session, const SummarizeFlags& flags) {
  v1::SummarizationConfig config;
  config.set_model(ModelResourceName(session.options().model));
  config.set_mode(IsAbstractive(flags) ? v1::SUMMARY_MODE_ABSTRACTIVE
                                       : v1::SUMMARY_MODE_EXTRACTIVE);
  if (flags.sentences) config.set_sentence_count(*flags.sentences);
  if (flags.ratio) config.set_sentence_ratio(*flags.ratio);
  if (flags.characters) config.set_max_characters(*flags.characters);
  if (flags.redundancy) config.set_redundancy_penalty(*flags.redundancy);
  const bool wants_reasons = flags.explain || !flags.html_path.empty();
  config.set_include_sentence_attention(wants_reasons && !IsAbstractive(flags));
  config.set_offset_unit(v1::OFFSET_UNIT_BYTE);
  config.set_omit_supports(IsAbstractive(flags) && FormatOf(flags) == SummaryFormat::kPlain &&
                           !wants_reasons);
  config.set_text_kind(KindOf(flags.kind));
  config.set_language_code(flags.language);
  config.set_overflow_policy(ToOverflowPolicy(flags.decoding));
  *config.mutable_decoding() = ToDecodingOptions(flags.decoding);
  return config;
}

// Summarises one text after the other.
class Summarizer {
 public:
  Summarizer(Session* session, const SummarizeFlags& flags)
      : session_(session),
        format_(FormatOf(flags)),
        html_path_(flags.html_path),
        config_(ConfigOf(*session, flags)),
        stub_(v1::SummarizationService::NewStub(session->connection().channel())) {}

  // Writes the summary; a failure of the text itself counts like one of the call.
  CallResult Summarize(const PrintedItem& item) {
    v1::SummarizeRequest request;
    *request.mutable_config() = config_;
    request.add_texts(item.source);
    v1::SummarizeResponse response;
    CallResult result = session_->connection().CallUnary([&](grpc::ClientContext* context) {
      response.Clear();
      return stub_->Summarize(context, request, &response);
    });
    if (result.has_value()) return result;
    if (response.outcomes_size() != 1) {
      result.emplace();
      result->error.code = grpc::StatusCode::INTERNAL;
      result->error.message =
          "the server answered " + std::to_string(response.outcomes_size()) + " items instead of 1";
      return result;
    }
    const v1::SummarizeOutcome& outcome = response.outcomes(0);
    if (!outcome.has_summary())
      return CallFailure{CallFailure::Kind::kRefused, DecodeError(outcome.error())};
    if (!html_path_.empty()) {
      exit_code_ = WritePage(item.source, outcome.summary());
      return std::nullopt;
    }
    session_->out().Write(FormatSummary(item, outcome.summary(), {response.usage(), 1}, format_,
                                        session_->terminal()));
    return std::nullopt;
  }

  // Shows the summary while it is written; what the deltas left out comes with the result.
  CallResult Stream(const std::string& text) {
    v1::StreamSummarizeRequest request;
    *request.mutable_config() = config_;
    request.set_text(text);
    std::string shown;
    bool has_result = false;
    CallResult result = session_->connection().CallStream(
        [&](grpc::ClientContext* context) {
          const auto reader = stub_->StreamSummarize(context, request);
          v1::StreamSummarizeResponse response;
          while (reader->Read(&response)) {
            if (response.has_result()) {
              has_result = true;
              ShowEnd(response.result().summary().text(), shown);
            } else {
              session_->out().Write(response.delta().text());
              shown += response.delta().text();
            }
            session_->out().Flush();
            if (!session_->out().is_open()) context->TryCancel();
          }
          return reader->Finish();
        },
        [&] { return has_result || !shown.empty(); });
    if (!result.has_value() && !has_result) {
      result.emplace();
      result->error.code = grpc::StatusCode::INTERNAL;
      result->error.message = "the server ended the stream without a result";
    }
    if (!has_result && !shown.empty()) session_->out().Write("\n");
    return result;
  }

  // Of what was written beside the output.
  int exit_code() const { return exit_code_; }

 private:
  int WritePage(const std::string& source, const v1::Summary& summary) {
    ReportPage page = SummaryPage(ViewOf(source, summary), summary.text());
    page.subtitle = summary.model_revision();
    return WriteReportPage(session_, html_path_, std::move(page));
  }

  void ShowEnd(const std::string& text, const std::string& shown) {
    // Settled text may not change; should it, the whole result is what counts.
    const bool goes_on = text.compare(0, shown.size(), shown) == 0;
    session_->out().Write(goes_on ? text.substr(shown.size()) + "\n" : "\n" + text + "\n");
  }

  Session* session_;
  const SummaryFormat format_;
  const std::string html_path_;
  const v1::SummarizationConfig config_;
  std::unique_ptr<v1::SummarizationService::Stub> stub_;
  int exit_code_ = kExitOk;
};

int SummarizeText(Session& session, const SummarizeFlags& flags, const std::string& text) {
  Summarizer summarizer(&session, flags);
  const bool shows_writing = IsAbstractive(flags) && FormatOf(flags) == SummaryFormat::kPlain &&
                             flags.html_path.empty() && session.terminal().is_tty;
  const PrintedItem item{0, text};
  const CallResult result =
      flags.stream || shows_writing ? summarizer.Stream(text) : summarizer.Summarize(item);
  if (!session.out().is_open() || !result.has_value()) return summarizer.exit_code();
  if (flags.json && result->kind == CallFailure::Kind::kRefused)
    session.out().Write(FormatFailedItem(item, result->error, TranslationFormat::kJson));
  return session.Fail(*result);
}

// Tells of a line that failed and leaves its place in the output.
void TellLine(Session& session, const SummarizeFlags& flags, const InputLine& line,
              const CallError& error) {
  session.Tell("line " + std::to_string(line.number) + ": " + FormatErrorLine(error));
  session.out().Write(
      FormatFailedItem({line.number, line.text}, error,
                       flags.json ? TranslationFormat::kJson : TranslationFormat::kPlain));
}

int SummarizeLines(Session& session, const SummarizeFlags& flags, int input_fd) {
  Summarizer summarizer(&session, flags);
  LineReader reader(input_fd);
  int64_t num_failed = 0;
  while (!session.interrupt().raised() && session.out().is_open()) {
    if (!reader.has_line()) {
      if (reader.at_end()) break;
      session.out().Flush();
      pollfd wait[2] = {{session.interrupt().fd(), POLLIN, 0}, {input_fd, POLLIN, 0}};
      poll(wait, 2, -1);
      if (wait[1].revents != 0) reader.ReadChunk();
      continue;
    }
    const InputLine line = reader.TakeLine();
    CallError error;
    if (!line.problem.empty()) {
      error.code = grpc::StatusCode::INVALID_ARGUMENT;
      error.message = line.problem;
    } else if (const CallResult result = summarizer.Summarize({line.number, line.text})) {
      if (HoldsForEveryText(*result)) return session.Fail(*result);
      error = result->error;
    } else {
      continue;
    }
    ++num_failed;
    TellLine(session, flags, line, error);
  }
  if (session.interrupt().raised()) return kExitInterrupted;
  if (!reader.error().empty()) return session.FailUsage("cannot read the input: " + reader.error());
  return num_failed == 0 ? kExitOk : kExitFailed;
}

int RunLines(Session& session, const SummarizeFlags& flags) {
  if (flags.has_text) return session.FailUsage("--lines reads FILE or standard input, not --text");
  if (flags.path.empty() || flags.path == "-") return SummarizeLines(session, flags, STDIN_FILENO);
  const int fd = open(flags.path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return session.FailUsage("cannot open " + Printable(flags.path) + ": " + std::strerror(errno));
  const int exit_code = SummarizeLines(session, flags, fd);
  close(fd);
  return exit_code;
}

int Run(Session& session, const SummarizeFlags& flags) {
  if (flags.scores && IsAbstractive(flags))
    return session.FailUsage("--scores is for extractive summaries: a written one has none");
  if (flags.lines) return RunLines(session, flags);
  if (flags.has_text) {
    if (!flags.path.empty()) return session.FailUsage("give FILE or --text, not both");
    if (FirstInvalidUtf8(flags.text) != std::string::npos)
      return session.FailUsage("the text is not valid UTF-8");
    return SummarizeText(session, flags, flags.text);
  }
  const std::string path = flags.path.empty() ? "-" : flags.path;
  if (path == "-" && isatty(STDIN_FILENO) == 1 && session.error_terminal().is_tty)
    session.Tell("type a text to summarise it; Ctrl-D ends it");
  const TextInput input = ReadTextFile(path, session.interrupt());
  if (session.interrupt().raised()) return kExitInterrupted;
  if (!input.problem.empty()) {
    // Who is used to `attend translate "Some text"` writes the text here.
    const bool looks_like_text = path.find(' ') != std::string::npos;
    return session.FailUsage(
        input.problem + (looks_like_text ? "; a text of the command line goes after --text" : ""));
  }
  return SummarizeText(session, flags, input.text);
}

void AddLengthFlags(CLI::App* app, SummarizeFlags* flags) {
  constexpr const char* kLength = "Length (a third of the sentences, at most 10, when none is set)";
  CLI::Option* sentences =
      app->add_option_function<uint32_t>(
             "-n,--sentences", [flags](uint32_t v) { flags->sentences = v; }, "Sentences to keep")
          ->type_name("N")
          ->check(InRange(1, 4294967295.0))
          ->group(kLength);
  CLI::Option* ratio = app->add_option_function<float>(
                              "--ratio", [flags](float v) { flags->ratio = v; },
                              "Share of the sentences to keep, above 0 to 1")
                           ->type_name("X")
                           ->check(InRange(0, 1))
                           ->group(kLength)
                           ->excludes(sentences);
  app->add_option_function<uint32_t>(
         "--characters", [flags](uint32_t v) { flags->characters = v; },
         "Characters to keep, whole sentences only")
      ->type_name("N")
      ->check(InRange(1, 4294967295.0))
      ->group(kLength)
      ->excludes(sentences)
      ->excludes(ratio);
}

void AddViewFlags(CLI::App* app, SummarizeFlags* flags) {
  CLI::Option* json = app->add_flag("--json", flags->json, "One JSON object a text");
  CLI::Option* scores =
      app->add_flag("--scores", flags->scores, "All sentences, best first, with what they score")
          ->excludes(json);
  CLI::Option* highlight =
      app->add_flag("--highlight", flags->highlight,
                    "The whole text in its layout, with the sentences of the summary marked")
          ->excludes(json)
          ->excludes(scores);
  CLI::Option* explain =
      app->add_flag("--explain", flags->explain,
                    "Which sentences each sentence of the summary reads and is read by, or was "
                    "written from; with --json the whole matrix")
          ->excludes(scores)
          ->excludes(highlight);
  CLI::Option* stream = app->add_flag("--stream", flags->stream,
                                      "Show an abstractive summary while it is written, as a "
                                      "terminal does by itself");
  stream->excludes(json)->excludes(scores)->excludes(highlight)->excludes(explain);
  CLI::Option* html = app->add_option("--html", flags->html_path,
                                      "Write a page for the browser to FILE (replaced when it is "
                                      "there; - is standard output)")
                          ->type_name("FILE");
  html->excludes(json)->excludes(scores)->excludes(highlight)->excludes(explain)->excludes(stream);
  app->add_flag("--lines", flags->lines, "Every line is a text of its own")
      ->excludes(html)
      ->excludes(scores)
      ->excludes(highlight)
      ->excludes(explain)
      ->excludes(stream);
}

}  // namespace

Command AddSummarizeCommand(CLI::App* root, ClientOptions* options) {
  auto flags = std::make_shared<SummarizeFlags>();
  CLI::App* app = root->add_subcommand("summarize", "Summarise a text, and show why it says so");
  app->footer(kExamples);
  app->add_option("FILE", flags->path, "Text to summarise; - is standard input")->type_name("");
  app->add_option_function<std::string>(
         "--text",
         [flags = flags.get()](const std::string& text) {
           flags->text = text;
           flags->has_text = true;
         },
         "Text to summarise, instead of FILE")
      ->type_name("TEXT");
  app->add_option("--mode", flags->mode,
                  "extractive (default): sentences of the text; abstractive: new ones")
      ->type_name("MODE")
      ->check(OneOf({"extractive", "abstractive"}));
  app->add_option("--kind", flags->kind,
                  "What kind of text: auto (default), general, news, paper or reviews")
      ->type_name("KIND")
      ->check(OneOf({"auto", "general", "news", "paper", "reviews"}));
  app->add_option_function<float>(
         "--redundancy", [flags = flags.get()](float v) { flags->redundancy = v; },
         "0 to 1: how much a sentence loses that is close to one already kept")
      ->type_name("X")
      ->check(InRange(0, 1));
  app->add_option("-l,--language", flags->language, "Language of the text, for example en")
      ->type_name("CODE");
  AddLengthFlags(app, flags.get());
  AddViewFlags(app, flags.get());
  AddSearchFlags(app, &flags->decoding, "part of the text", "summary");
  AddClientOptions(app, options, ModelFlag::kShown);
  return {app, [flags](Session& session) { return Run(session, *flags); }};
}

}  // namespace attend::client
