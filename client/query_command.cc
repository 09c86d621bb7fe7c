// attend query: what a word of a text attends to.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "attend/v1/attention.grpc.pb.h"
#include "client/exit_code.h"
#include "client/json_output.h"
#include "client/query_view.h"
#include "client/session.h"
#include "client/text_width.h"

namespace attend::client {
namespace {

namespace v1 = attend::v1;

struct QueryFlags {
  std::string text, word, span, preset, direction, kind, language;
  int occurrence = 1;
  std::vector<std::string> heads, candidates;
  uint32_t top = 0;
  bool function_words = false;
  bool json = false;
};

constexpr const char* kExamples =
    "Examples:\n"
    "  attend query \"The trophy did not fit because it was too big.\" --word it\n"
    "  attend query \"It said it was late.\" --word it --occurrence 1 --top 3\n"
    "  attend query \"The cat sat. It slept.\" --span 13:15 --include-function-words\n"
    "  attend query \"The cat sat. It slept.\" --word It -m en-fr --heads 3:1,4:0\n"
    "\n"
    "Without --model the server asks the model whose preset has the best figure.\n"
    "Weights describe where the model read, not why it decided.";

// Letters, digits, and every byte of other scripts: what a word goes on with.
bool GoesOn(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
         (byte >= 'A' && byte <= 'Z') || byte == '_';
}

struct ByteRange {
  std::size_t begin = 0, end = 0;
};

std::optional<ByteRange> FindWord(const std::string& text, const std::string& word,
                                  int occurrence) {
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || !GoesOn(text[at - 1]) || !GoesOn(word.front());
    const bool ends = end == text.size() || !GoesOn(text[end]) || !GoesOn(word.back());
    if (begins && ends && --occurrence == 0) return ByteRange{at, end};
  }
  return std::nullopt;
}

// "13:15" as two numbers; also the form of a head.
std::optional<std::pair<uint32_t, uint32_t>> ParsePair(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return std::nullopt;
  uint32_t first = 0, second = 0;
  const char* const end = text.data() + text.size();
  const auto a = std::from_chars(text.data(), text.data() + colon, first);
  const auto b = std::from_chars(text.data() + colon + 1, end, second);
  if (a.ec != std::errc() || b.ec != std::errc() || a.ptr != text.data() + colon || b.ptr != end)
    return std::nullopt;
  return std::make_pair(first, second);
}

std::string CheckPair(const std::string& text) {
  return ParsePair(text) ? "" : "two numbers with a colon are needed, for example 3:1, not " + text;
}

class QueryRun {
 public:
  QueryRun(Session* session, const QueryFlags& flags)
      : session_(session),
        flags_(flags),
        stub_(v1::AttentionService::NewStub(session->connection().channel())) {}

  int Run() {
    if (FirstInvalidUtf8(flags_.text) != std::string::npos)
      return session_->FailUsage("TEXT is not valid UTF-8");
    if (flags_.word.empty() == flags_.span.empty())
      return session_->FailUsage("say which part is asked about: --word or --span");
    v1::QueryAttentionRequest request;
    if (const int exit_code = Fill(&request)) return exit_code;
    v1::QueryAttentionResponse response;
    const CallResult result = session_->connection().CallUnary([&](grpc::ClientContext* context) {
      response.Clear();
      return stub_->QueryAttention(context, request, &response);
    });
    if (result) return session_->Fail(*result);
    if (flags_.json) {
      session_->out().Write(JsonLine(ToJson(request, response)));
    } else {
      Show(request, response);
    }
    return kExitOk;
  }

 private:
  int Fill(v1::QueryAttentionRequest* request) {
    request->set_source(flags_.text);
    request->set_offset_unit(v1::OFFSET_UNIT_BYTE);
    if (const int exit_code = FillQuery(request)) return exit_code;
    for (const std::string& word : flags_.candidates) {
      const auto found = FindWord(flags_.text, word, 1);
      if (!found)
        return session_->FailUsage("the candidate " + Printable(word) + " is not in the text");
      request->add_candidates()->set_start(static_cast<uint32_t>(found->begin));
      request->mutable_candidates(request->candidates_size() - 1)
          ->set_end(static_cast<uint32_t>(found->end));
    }
    if (!flags_.preset.empty()) request->set_preset(flags_.preset);
    request->set_max_results(flags_.top);
    request->set_include_function_words(flags_.function_words);
    request->set_source_language_code(flags_.language);
    if (flags_.heads.empty()) {
      request->set_model(ModelResourceName(session_->options().model));
      return kExitOk;
    }
    const auto model = session_->ResolveModel();  // heads are those of one model
    if (const int* exit_code = std::get_if<int>(&model)) return *exit_code;
    request->set_model(std::get<std::string>(model));
    for (const std::string& text : flags_.heads) {
      const auto pair = ParsePair(text);
      v1::HeadRef* head = request->mutable_head_list()->add_heads();
      head->set_layer(pair->first);
      head->set_head(pair->second);
    }
    request->set_kind(flags_.kind == "decoder" ? v1::ATTENTION_KIND_DECODER_SELF
                                               : v1::ATTENTION_KIND_ENCODER_SELF);
    request->set_direction(flags_.direction == "to"     ? v1::ATTENTION_DIRECTION_TO_QUERY
                           : flags_.direction == "both" ? v1::ATTENTION_DIRECTION_BOTH
                                                        : v1::ATTENTION_DIRECTION_FROM_QUERY);
    return kExitOk;
  }

  int FillQuery(v1::QueryAttentionRequest* request) {
    v1::Span& query = *request->mutable_query();
    if (!flags_.span.empty()) {
      const auto pair = ParsePair(flags_.span);
      query.set_start(pair->first);
      query.set_end(pair->second);
      return kExitOk;
    }
    const auto found = FindWord(flags_.text, flags_.word, flags_.occurrence);
    if (!found) {
      const std::string times =
          flags_.occurrence > 1 ? std::to_string(flags_.occurrence) + " times" : "";
      return session_->FailUsage("the word " + Printable(flags_.word) + " is not in the text" +
                                 (times.empty() ? "" : " " + times));
    }
    query.set_start(static_cast<uint32_t>(found->begin));
    query.set_end(static_cast<uint32_t>(found->end));
    return kExitOk;
  }

  static Json ToJson(const v1::QueryAttentionRequest& request,
                     const v1::QueryAttentionResponse& response) {
    Json json;
    json["source"] = request.source();
    json["query"] = Json::array({request.query().start(), request.query().end()});
    json["answers"] = Json::array();
    for (const v1::QueryAnswer& answer : response.answers()) {
      Json entry = client::ToJson(answer.word());
      entry["weight"] = JsonNumber(answer.weight());
      json["answers"].push_back(std::move(entry));
    }
    json["model_revision"] = response.model_revision();
    json["preset"] = client::ToJson(response.preset());
    json["window"] = Json::array({response.window().start(), response.window().end()});
    json["timing"] = client::ToJson(response.usage());
    return json;
  }

  void Show(const v1::QueryAttentionRequest& request, const v1::QueryAttentionResponse& response) {
    const Terminal& terminal = session_->terminal();
    const std::size_t size = flags_.text.size();
    const std::size_t begin = std::min<std::size_t>(request.query().start(), size);
    const std::size_t end = std::clamp<std::size_t>(request.query().end(), begin, size);
    std::vector<RankedAnswer> answers;
    for (const v1::QueryAnswer& answer : response.answers())
      answers.push_back({answer.word().text(), answer.weight()});
    std::string out = RenderQuery(flags_.text, begin, end, terminal);
    out += answers.empty() ? "no word of the text may answer\n" : RenderAnswers(answers, terminal);
    out += Dim(terminal.color) + Source(response) + ResetStyle(terminal.color) + "\n";
    session_->out().Write(out);
  }

  // Who says so, and how far it is to be believed.
  static std::string Source(const v1::QueryAttentionResponse& response) {
    const v1::AttentionPreset& preset = response.preset();
    std::string line = response.model_revision().substr(0, response.model_revision().find('@'));
    line += preset.preset_id().empty()
                ? ", " + std::to_string(preset.heads_size()) + " chosen heads"
                : ", preset " + Printable(preset.preset_id());
    if (preset.has_figure()) {
      char figure[96];
      std::snprintf(figure, sizeof figure, ": %s %.3f on %u held-out examples",
                    Printable(preset.figure().metric()).c_str(),
                    static_cast<double>(preset.figure().value()), preset.figure().example_count());
      line += figure;
    } else {
      line += ": not measured";
    }
    return line;
  }

  Session* session_;
  const QueryFlags& flags_;
  std::unique_ptr<v1::AttentionService::Stub> stub_;
};

}  // namespace

Command AddQueryCommand(CLI::App* root, ClientOptions* options) {
  auto flags = std::make_shared<QueryFlags>();
  CLI::App* app = root->add_subcommand(
      "query", "Show what a word attends to, for example what \"it\" refers to");
  app->footer(kExamples);
  app->add_option("TEXT", flags->text, "Text that the model reads")->type_name("")->required();
  CLI::Option* word =
      app->add_option("-w,--word", flags->word, "The word asked about")->type_name("WORD");
  app->add_option("--occurrence", flags->occurrence, "Which of several equal words (default 1)")
      ->type_name("N")
      ->check(InRange(1, 1000000))
      ->needs(word);
  app->add_option("--span", flags->span, "The bytes asked about instead, counted from 0")
      ->type_name("START:END")
      ->check(CheckPair)
      ->excludes(word);
  app->add_option("--candidates", flags->candidates,
                  "Only these may answer, with commas between; each where it stands first")
      ->type_name("WORDS")
      ->delimiter(',')
      ->allow_extra_args(false);
  CLI::Option* preset = app->add_option("-p,--preset", flags->preset,
                                        "Heads stored with the model under this name (default "
                                        "coreference)")
                            ->type_name("NAME");
  CLI::Option* heads =
      app->add_option("--heads,--head", flags->heads,
                      "These heads, for example 3:1,4:0; layers and heads count from 0")
          ->type_name("LAYER:HEAD")
          ->delimiter(',')
          ->allow_extra_args(false)
          ->check(CheckPair)
          ->excludes(preset);
  app->add_option("--direction", flags->direction,
                  "from: what the word attends to (default); to: what attends to it; both")
      ->type_name("WAY")
      ->check(OneOf({"from", "to", "both"}))
      ->needs(heads);
  app->add_option("-k,--kind", flags->kind, "Heads of the encoder (default) or the decoder")
      ->type_name("KIND")
      ->check(OneOf({"encoder", "decoder"}))
      ->needs(heads);
  app->add_option("--top", flags->top, "Most answers shown (default 5)")
      ->type_name("N")
      ->check(InRange(1, 1000000));
  app->add_flag("--include-function-words", flags->function_words,
                "Let words such as the, of and she answer, too, and punctuation");
  app->add_option("-s,--source-language", flags->language, "Language of TEXT")->type_name("CODE");
  app->add_flag("--json", flags->json, "Print the answers as one JSON object");
  AddClientOptions(app, options, ModelFlag::kShown);
  return {app, [flags](Session& session) { return QueryRun(&session, *flags).Run(); }};
}

}  // namespace attend::client
