// attend translate: text of the command line, of standard input, or of a file.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "attend/v1/translation.grpc.pb.h"
#include "client/decoding_flags.h"
#include "client/exit_code.h"
#include "client/json_output.h"
#include "client/line_reader.h"
#include "client/progress_bar.h"
#include "client/session.h"
#include "client/text_width.h"
#include "client/translation_pipeline.h"
#include "client/translation_printer.h"

namespace attend::client {
namespace {

struct TranslateFlags {
  std::vector<std::string> words;
  std::string input_path, output_path;
  bool json = false;
  bool stream = false;
  bool align = false;
  std::size_t batch_lines = 16;
  std::size_t calls_in_flight = 4;
  DecodingFlags decoding;
};

constexpr const char* kExamples =
    "Examples:\n"
    "  attend translate \"Where is the train station?\"\n"
    "  attend translate --stream \"A long story, shown while it is written.\"\n"
    "  attend translate --align \"The cat sat on the mat.\"\n"
    "  attend translate --n-best 3 --beam-size 4 \"Good morning.\"\n"
    "  attend translate < book.en > book.fr\n"
    "  attend translate --input book.en --output book.fr --json\n"
    "\n"
    "Without TEXT every line of standard input is one text and gives one line of\n"
    "output, blank lines included; a line that fails is named on standard error and\n"
    "leaves an empty line. --n-best prints SCORE and TEXT with a tab between them,\n"
    "with the line number before them when lines are read. Put -- before a TEXT that\n"
    "begins with a dash.";

TranslationFormat FormatOf(const TranslateFlags& flags) {
  if (flags.json) return TranslationFormat::kJson;
  if (flags.align) return TranslationFormat::kAligned;
  if (flags.decoding.num_hypotheses.value_or(1) > 1) return TranslationFormat::kNBest;
  return TranslationFormat::kPlain;
}

attend::v1::TranslationConfig ConfigOf(const Session& session, const TranslateFlags& flags) {
  attend::v1::TranslationConfig config =
      ToTranslationConfig(flags.decoding, session.options().model);
  config.set_include_word_links(flags.json || flags.align);
  config.set_include_tokens(flags.json);
  return config;
}

void TellUsage(const Session& session, const attend::v1::Usage& usage) {
  if (!session.options().is_verbose) return;
  const auto milliseconds = [](const google::protobuf::Duration& duration) {
    return static_cast<double>(duration.seconds()) * 1e3 +
           static_cast<double>(duration.nanos()) / 1e6;
  };
  char text[160];
  std::snprintf(
      text, sizeof text,
      "%u tokens read, %u written; queue %.1f ms, encode %.1f ms, decode %.1f ms, total %.1f ms",
      usage.input_tokens(), usage.output_tokens(), milliseconds(usage.queue_duration()),
      milliseconds(usage.encode_duration()), milliseconds(usage.decode_duration()),
      milliseconds(usage.total_duration()));
  session.Tell(text);
}

int TranslateText(Session& session, const TranslateFlags& flags, const std::string& text) {
  const auto stub = attend::v1::TranslationService::NewStub(session.connection().channel());
  attend::v1::TranslateRequest request;
  *request.mutable_config() = ConfigOf(session, flags);
  request.add_texts(text);
  attend::v1::TranslateResponse response;
  const CallResult result = session.connection().CallUnary([&](grpc::ClientContext* context) {
    response.Clear();
    return stub->Translate(context, request, &response);
  });
  if (result.has_value()) return session.Fail(*result);
  if (response.outcomes_size() != 1) {
    session.Tell("the server answered " + std::to_string(response.outcomes_size()) +
                 " items instead of 1");
    return kExitFailed;
  }
  const PrintedItem item{0, text};
  const auto& outcome = response.outcomes(0);
  if (!outcome.has_translation()) {
    const CallError error = DecodeError(outcome.error());
    if (flags.json) session.out().Write(FormatFailedItem(item, error, TranslationFormat::kJson));
    return session.Fail({CallFailure::Kind::kRefused, error});
  }
  session.out().Write(FormatTranslation(item, outcome.translation(), {response.usage(), 1},
                                        FormatOf(flags), session.terminal()));
  TellUsage(session, response.usage());
  return kExitOk;
}

// Deltas of one text as they come; the result at the end fills in what the deltas left out.
class StreamedTranslation {
 public:
  StreamedTranslation(Session* session, const TranslateFlags& flags, Output* output)
      : session_(session),
        flags_(flags),
        config_(ConfigOf(*session, flags)),
        stub_(attend::v1::TranslationService::NewStub(session->connection().channel())),
        output_(output) {}

  CallResult Translate(const PrintedItem& item) {
    attend::v1::StreamTranslateRequest request;
    *request.mutable_config() = config_;
    request.set_text(item.source);
    std::string shown;
    bool has_result = false;
    CallResult result = session_->connection().CallStream(
        [&](grpc::ClientContext* context) {
          const auto reader = stub_->StreamTranslate(context, request);
          attend::v1::StreamTranslateResponse response;
          while (reader->Read(&response)) {
            if (response.has_delta()) {
              ShowDelta(item, response.delta().text());
              shown += response.delta().text();
            } else if (response.has_result()) {
              has_result = true;
              ShowResult(item, response.result(), shown);
            }
            if (!output_->is_open()) context->TryCancel();
          }
          return reader->Finish();
        },
        [&] { return has_result || !shown.empty(); });
    if (!result.has_value() && !has_result) {
      result.emplace();
      result->error.code = grpc::StatusCode::INTERNAL;
      result->error.message = "the server ended the stream without a result";
    }
    // A broken stream leaves what came of the text; its line is ended so that the next one stands
    // alone.
    const bool keeps_line = item.line > 0 && result.has_value() && !HoldsForEveryText(*result);
    if (!has_result && !flags_.json && (keeps_line || !shown.empty())) output_->Write("\n");
    output_->Flush();
    return result;
  }

 private:
  std::string OneLine(const PrintedItem& item, std::string text) const {
    if (item.line > 0) std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
  }

  void ShowDelta(const PrintedItem& item, const std::string& text) {
    if (flags_.json) {
      Json json;
      if (item.line > 0) json["line"] = item.line;
      json["delta"] = text;
      output_->Write(JsonLine(json));
    } else {
      output_->Write(OneLine(item, text));
    }
    output_->Flush();
  }

  void ShowResult(const PrintedItem& item, const attend::v1::StreamTranslateResult& result,
                  const std::string& shown) {
    const attend::v1::Translation& translation = result.translation();
    TellUsage(*session_, result.usage());
    if (flags_.json) {
      output_->Write(FormatTranslation(item, translation, {result.usage(), 1},
                                       TranslationFormat::kJson, session_->terminal()));
      return;
    }
    if (translation.text().compare(0, shown.size(), shown) == 0) {
      output_->Write(OneLine(item, translation.text().substr(shown.size())) + "\n");
    } else {
      // Settled text may not change; should it, the whole result is what counts.
      output_->Write("\n" + OneLine(item, translation.text()) + "\n");
    }
    if (flags_.align)
      output_->Write(RenderAlignment(AlignmentOf(item.source, translation), session_->terminal()));
  }

  Session* session_;
  const TranslateFlags& flags_;
  attend::v1::TranslationConfig config_;
  std::unique_ptr<attend::v1::TranslationService::Stub> stub_;
  Output* output_;
};

int StreamText(Session& session, const TranslateFlags& flags, const std::string& text) {
  const CallResult result =
      StreamedTranslation(&session, flags, &session.out()).Translate({0, text});
  if (!session.out().is_open()) return kExitOk;
  return result.has_value() ? session.Fail(*result) : kExitOk;
}

int StreamLines(Session& session, const TranslateFlags& flags, int input_fd, Output* output) {
  StreamedTranslation streamed(&session, flags, output);
  LineReader reader(input_fd);
  int64_t num_failed = 0;
  while (!session.interrupt().raised() && output->is_open()) {
    if (!reader.has_line()) {
      if (reader.at_end()) break;
      pollfd wait[2] = {{session.interrupt().fd(), POLLIN, 0}, {input_fd, POLLIN, 0}};
      poll(wait, 2, -1);
      if (wait[1].revents != 0) reader.ReadChunk();
      continue;
    }
    const InputLine line = reader.TakeLine();
    const PrintedItem item{line.number, line.text};
    CallError error;
    std::string problem = line.problem;
    if (!problem.empty()) {
      error.code = grpc::StatusCode::INVALID_ARGUMENT;
      error.message = problem;
      if (!flags.json) output->Write("\n");
    } else if (const CallResult result = streamed.Translate(item)) {
      if (!output->is_open()) break;
      if (HoldsForEveryText(*result)) {
        if (line.number > 1 && result->kind != CallFailure::Kind::kInterrupted)
          session.Tell("stopped at line " + std::to_string(line.number));
        return session.Fail(*result);
      }
      error = result->error;
      problem = FormatErrorLine(error);
    }
    if (problem.empty()) continue;
    ++num_failed;
    session.Tell("line " + std::to_string(line.number) + ": " + problem);
    if (flags.json) output->Write(FormatFailedItem(item, error, TranslationFormat::kJson));
  }
  if (session.interrupt().raised()) return kExitInterrupted;
  if (!reader.error().empty()) return session.FailUsage("cannot read the input: " + reader.error());
  return num_failed == 0 ? kExitOk : kExitFailed;
}

bool IsSameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int TranslateLines(Session& session, const TranslateFlags& flags, int input_fd) {
  // Such a descriptor never polls as readable everywhere, so it is found before the wait.
  if ((fcntl(input_fd, F_GETFL) & O_ACCMODE) == O_WRONLY)
    return session.FailUsage("cannot read the input: it is closed, or open for writing only");
  struct stat input_stat = {}, output_stat = {};
  const bool has_size = fstat(input_fd, &input_stat) == 0 && S_ISREG(input_stat.st_mode);
  const bool to_file = !flags.output_path.empty() && flags.output_path != "-";
  if (to_file && has_size && stat(flags.output_path.c_str(), &output_stat) == 0 &&
      IsSameFile(input_stat, output_stat)) {
    return session.FailUsage("--output is the input file; it would be emptied before it is read");
  }
  // The file is made only once the server is there, so that a wrong address empties nothing.
  if (const CallResult unreachable = session.connection().EnsureReachable())
    return session.Fail(*unreachable);
  Output file = to_file ? Output::OpenFile(flags.output_path) : Output(STDOUT_FILENO);
  if (!file.is_open()) {
    return session.FailUsage("cannot write " + Printable(flags.output_path) + ": " + file.error());
  }
  int exit_code;
  if (flags.stream) {
    exit_code = StreamLines(session, flags, input_fd, &file);
  } else {
    PipelineOptions options;
    options.config = ConfigOf(session, flags);
    options.format = FormatOf(flags);
    options.batch_lines = flags.batch_lines;
    options.calls_in_flight = flags.calls_in_flight;
    options.input_bytes = has_size ? input_stat.st_size : 0;
    const bool results_are_on_screen = !to_file && session.terminal().is_tty;
    ProgressBar bar(STDERR_FILENO, session.error_terminal(), has_size && !results_are_on_screen);
    exit_code = RunTranslationPipeline(&session, options, input_fd, &file, &bar);
  }
  file.Flush();
  if (!file.error().empty()) {
    session.Tell("cannot write the output: " + file.error());
    return kExitFailed;
  }
  return exit_code;
}

int Run(Session& session, const TranslateFlags& flags) {
  if (!flags.words.empty()) {
    if (!flags.input_path.empty() || !flags.output_path.empty()) {
      return session.FailUsage("give TEXT or --input and --output, not both");
    }
    std::string text;
    for (const std::string& word : flags.words) text += (text.empty() ? "" : " ") + word;
    if (FirstInvalidUtf8(text) != std::string::npos)
      return session.FailUsage("TEXT is not valid UTF-8");
    return flags.stream ? StreamText(session, flags, text) : TranslateText(session, flags, text);
  }
  if (flags.input_path.empty() || flags.input_path == "-") {
    if (isatty(STDIN_FILENO) == 1 && session.error_terminal().is_tty) {
      session.Tell("type a line to translate it; Ctrl-D ends");
    }
    return TranslateLines(session, flags, STDIN_FILENO);
  }
  const int input_fd = open(flags.input_path.c_str(), O_RDONLY | O_CLOEXEC);
  if (input_fd < 0) {
    return session.FailUsage("cannot open " + Printable(flags.input_path) + ": " +
                             std::strerror(errno));
  }
  const int exit_code = TranslateLines(session, flags, input_fd);
  close(input_fd);
  return exit_code;
}

}  // namespace

Command AddTranslateCommand(CLI::App* root, ClientOptions* options) {
  auto flags = std::make_shared<TranslateFlags>();
  CLI::App* app =
      root->add_subcommand("translate", "Translate text, lines of standard input, or a file");
  app->footer(kExamples);
  app->add_option("TEXT", flags->words, "Text to translate; several arguments are one text")
      ->type_name("");
  app->add_option("-i,--input", flags->input_path, "Read lines from this file; - is standard input")
      ->type_name("FILE");
  app->add_option("-o,--output", flags->output_path, "Write to this file; - is standard output")
      ->type_name("FILE");
  CLI::Option* json = app->add_flag(
      "--json", flags->json,
      "One JSON object a text: translations, scores, sentences, words, links, tokens, timing");
  CLI::Option* stream =
      app->add_flag("--stream", flags->stream, "Show the translation while it is written");
  CLI::Option* align = app->add_flag("--align", flags->align,
                                     "Show below each translation which words belong together")
                           ->excludes(json);
  app->add_option("--batch-size", flags->batch_lines,
                  "Most lines per call when lines are read (default 16); long lines make it fewer")
      ->type_name("N")
      ->check(InRange(1, 64));
  app->add_option("--in-flight", flags->calls_in_flight,
                  "Calls at the same time when lines are read (default 4)")
      ->type_name("N")
      ->check(InRange(1, 64));
  AddDecodingFlags(app, &flags->decoding);
  // Both show one translation a text; the others would be dropped without a word.
  app->get_option("--n-best")->excludes(stream)->excludes(align);
  AddClientOptions(app, options, ModelFlag::kShown);
  return {app, [flags](Session& session) { return Run(session, *flags); }};
}

}  // namespace attend::client
