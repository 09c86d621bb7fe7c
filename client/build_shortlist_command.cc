// attend build-shortlist: which target tokens each source token becomes, for a server to choose its
// words from. The links are the weights of the model's own "alignment" heads, token by token.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "attend/v1/attention.grpc.pb.h"
#include "attend/v1/model.grpc.pb.h"
#include "attend/v1/tokenization.grpc.pb.h"
#include "client/exit_code.h"
#include "client/line_reader.h"
#include "client/progress_bar.h"
#include "client/session.h"
#include "client/shortlist_counts.h"
#include "client/text_width.h"

namespace attend::client {
namespace {

namespace v1 = attend::v1;

// Weights below this are no link; a token's strongest always is one.
constexpr float kLeastWeight = 0.1f;
constexpr uint32_t kLinksPerToken = 3;

struct ShortlistFlags {
  std::string pairs_path, source_path, target_path, output_path;
  ShortlistLimits limits;
};

constexpr const char* kExamples =
    "Examples:\n"
    "  attend build-shortlist --source-file book.en --target-file book.fr \\\n"
    "      -o models/en-fr/lexical.shortlist\n"
    "  attend build-shortlist --pairs corpus.tsv -o en-fr.shortlist\n"
    "  attend build-shortlist --source-file book.en -o en-fr.shortlist\n"
    "\n"
    "Each pair is read once through the model; without translations the server makes\n"
    "them, which takes longer. Texts should be like those to come, the more the\n"
    "better: tens of thousands of lines. The server uses the file when it is started\n"
    "with --model NAME=FOLDER,shortlist=FILE, or shortlist=auto for one named\n"
    "lexical.shortlist in the model's folder.";

struct TextPair {
  std::string source, target;  // target empty: the server translates
};

// One file of lines; knows its size for the progress bar.
class LineFile {
 public:
  ~LineFile() {
    if (fd_ >= 0) close(fd_);
  }
  // Empty when it could be opened, else why not.
  std::string Open(const std::string& path) {
    fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) return "cannot open " + Printable(path) + ": " + std::strerror(errno);
    struct stat status = {};
    if (fstat(fd_, &status) == 0 && S_ISREG(status.st_mode)) bytes_ = status.st_size;
    reader_ = std::make_unique<LineReader>(fd_);
    return "";
  }
  bool is_open() const { return fd_ >= 0; }
  int64_t bytes() const { return bytes_; }
  const std::string& error() const { return reader_->error(); }
  // False at the end.
  bool Next(InputLine* line) {
    while (!reader_->has_line() && !reader_->at_end()) reader_->ReadChunk();
    if (!reader_->has_line()) return false;
    *line = reader_->TakeLine();
    return true;
  }

 private:
  int fd_ = -1;
  int64_t bytes_ = 0;
  std::unique_ptr<LineReader> reader_;
};

bool IsBlank(const std::string& text) { return text.find_first_not_of(" \t") == std::string::npos; }

// A character, by its lead byte: enough for the text of one piece.
bool IsOneCharacter(const std::string& text) {
  const auto is_start = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  return std::count_if(text.begin(), text.end(), is_start) == 1;
}

class ShortlistRun {
 public:
  ShortlistRun(Session* session, const ShortlistFlags& flags)
      : session_(session),
        flags_(flags),
        models_(v1::ModelService::NewStub(session->connection().channel())),
        tokens_(v1::TokenizationService::NewStub(session->connection().channel())),
        attention_(v1::AttentionService::NewStub(session->connection().channel())),
        bar_(STDERR_FILENO, session->error_terminal(), true) {}
  ShortlistRun(const ShortlistRun&) = delete;
  ShortlistRun& operator=(const ShortlistRun&) = delete;
  ~ShortlistRun() {
    if (output_) unlink(Unfinished().c_str());  // does nothing once it got its name
  }

  int Run() {
    if (flags_.pairs_path.empty() == flags_.source_path.empty())
      return session_->FailUsage("give --pairs, or --source-file with or without --target-file");
    const bool has_pairs = !flags_.pairs_path.empty();
    if (const int exit_code = Open(has_pairs ? flags_.pairs_path : flags_.source_path, &first_))
      return exit_code;
    if (!flags_.target_path.empty()) {
      if (const int exit_code = Open(flags_.target_path, &second_)) return exit_code;
    }
    if (const CallResult unreachable = session_->connection().EnsureReachable())
      return session_->Fail(*unreachable);
    // Before the long work. A server may read the old file at any time: it stays whole, and the new
    // one takes its place at the end.
    output_.emplace(Output::OpenFile(Unfinished()));
    if (!output_->is_open()) return FailWrite(output_->error());
    const auto model = session_->ResolveModel();
    if (const int* exit_code = std::get_if<int>(&model)) return *exit_code;
    if (const int exit_code = Describe(std::get<std::string>(model))) return exit_code;
    if (const int exit_code = CountAll()) return exit_code;
    std::vector<uint32_t> fixed;
    if (const int exit_code = FindCharacters(&fixed)) return exit_code;
    return Write(fixed);
  }

 private:
  int Open(const std::string& path, LineFile* file) {
    const std::string problem = file->Open(path);
    return problem.empty() ? kExitOk : session_->FailUsage(problem);
  }

  std::string Unfinished() const { return flags_.output_path + ".unfinished"; }

  int FailWrite(const std::string& why) {
    return session_->FailUsage("cannot write " + Printable(flags_.output_path) + ": " + why);
  }

  int Describe(const std::string& name) {
    v1::GetModelRequest request;
    request.set_name(name);
    v1::GetModelResponse response;
    const CallResult result = session_->connection().CallUnary([&](grpc::ClientContext* context) {
      return models_->GetModel(context, request, &response);
    });
    if (result) return session_->Fail(*result);
    model_ = response.model();
    if (model_.source_vocabulary_size() == 0 || model_.target_vocabulary_size() == 0) {
      session_->Tell(Printable(name) +
                     " does not say how large its vocabularies are: it is not serving, or the "
                     "server is older than this program");
      return kExitFailed;
    }
    counts_ = std::make_unique<ShortlistCounts>(model_.source_vocabulary_size(),
                                                model_.target_vocabulary_size());
    return kExitOk;
  }

  // Counts every pair. A pair that fails is told and left out; what would fail every pair ends the
  // run.
  int CountAll() {
    InputLine line, other;
    while (first_.Next(&line)) {
      if (second_.is_open() && !second_.Next(&other))
        return FailLengths("the target", line.number - 1);
      TextPair pair{line.text, other.text};
      std::string problem = line.problem.empty() ? other.problem : line.problem;
      if (problem.empty() && !flags_.pairs_path.empty()) problem = CutAtTab(line.text, &pair);
      const bool wants_target = second_.is_open() || !flags_.pairs_path.empty();
      const bool is_empty = IsBlank(pair.source) || (wants_target && IsBlank(pair.target));
      if (problem.empty() && !is_empty) {
        if (const CallResult result = Count(pair, wants_target)) {
          if (HoldsForEveryText(*result)) {
            bar_.Clear();
            return session_->Fail(*result);
          }
          problem = FormatErrorLine(result->error);
        } else {
          ++num_pairs_;
        }
      }
      if (!problem.empty()) {
        ++num_failed_;
        bar_.Clear();
        session_->Tell("line " + std::to_string(line.number) + ": " + problem);
      }
      bar_.Update({line.end_offset, first_.bytes(), line.number, num_failed_});
    }
    bar_.Clear();
    if (second_.is_open() && second_.Next(&other))
      return FailLengths("the source", other.number - 1);
    for (LineFile* file : {&first_, &second_}) {
      if (file->is_open() && !file->error().empty())
        return session_->FailUsage("cannot read the input: " + file->error());
    }
    if (num_pairs_ > 0) return kExitOk;
    session_->Tell("no line could be read through the model: no shortlist");
    return kExitFailed;
  }

  int FailLengths(const char* which, int64_t line) {
    bar_.Clear();
    session_->Tell("the files differ in length: " + std::string(which) + " ends after line " +
                   std::to_string(line));
    return kExitFailed;
  }

  static std::string CutAtTab(const std::string& line, TextPair* pair) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) return IsBlank(line) ? "" : "no tab between source and target";
    pair->source = line.substr(0, tab);
    pair->target = line.substr(tab + 1, line.find('\t', tab + 1) - tab - 1);
    return "";
  }

  CallResult Count(const TextPair& pair, bool has_target) {
    v1::GetAttentionRequest request;
    request.set_model(model_.name());
    request.set_source(pair.source);
    if (has_target) request.set_target(pair.target);
    v1::AttentionSelection& selection = *request.mutable_selection();
    selection.add_kinds(v1::ATTENTION_KIND_CROSS);
    selection.set_preset("alignment");
    selection.set_reduction(v1::ATTENTION_REDUCTION_MEAN);
    selection.set_granularity(v1::ATTENTION_GRANULARITY_TOKEN);
    selection.set_top_k(kLinksPerToken);
    v1::GetAttentionResponse response;
    CallResult result = session_->connection().CallUnary([&](grpc::ClientContext* context) {
      response.Clear();
      return attention_->GetAttention(context, request, &response);
    });
    if (!result) AddLinks(response.attention());
    return result;
  }

  void AddLinks(const v1::Attention& attention) {
    for (const v1::Token& token : attention.source_tokens()) counts_->AddSource(token.id());
    for (const v1::Token& token : attention.target_tokens()) counts_->AddTarget(token.id());
    if (attention.matrices_size() != 1) return;
    const v1::SparseWeights& sparse = attention.matrices(0).sparse();
    const int rows = std::min(attention.target_tokens_size(), sparse.row_offsets_size() - 1);
    for (int row = 0; row < rows; ++row) {
      const v1::Token& target = attention.target_tokens(row);
      if (target.special()) continue;
      const auto end = std::min<int64_t>(sparse.row_offsets(row + 1),
                                         std::min(sparse.columns_size(), sparse.weights_size()));
      bool has_link = false;
      for (int64_t i = sparse.row_offsets(row); i < end; ++i) {
        const auto column = sparse.columns(static_cast<int>(i));
        if (column >= static_cast<uint32_t>(attention.source_tokens_size())) continue;
        const v1::Token& source = attention.source_tokens(static_cast<int>(column));
        const float weight = sparse.weights(static_cast<int>(i));
        if (source.special() || (has_link && weight < kLeastWeight)) continue;
        counts_->AddLink(source.id(), target.id(), static_cast<double>(weight));
        has_link = true;
      }
    }
  }

  // Target tokens that spell one character: with them any text can be copied.
  int FindCharacters(std::vector<uint32_t>* characters) {
    const uint32_t size = model_.target_vocabulary_size();
    for (uint32_t id = 0; id < size; ++id) {
      v1::DetokenizeRequest request;
      request.set_model(model_.name());
      request.add_ids(id);
      v1::DetokenizeResponse response;
      const CallResult result = session_->connection().CallUnary([&](grpc::ClientContext* context) {
        return tokens_->Detokenize(context, request, &response);
      });
      if (result) return session_->Fail(*result);
      if (IsOneCharacter(response.text())) characters->push_back(id);
      bar_.Update({id, size, id, 0});
    }
    bar_.Clear();
    return kExitOk;
  }

  int Write(const std::vector<uint32_t>& fixed) {
    const ShortlistTables tables = counts_->Select(flags_.limits, fixed);
    const std::string name = model_.name().substr(model_.name().find('/') + 1);
    const std::string bytes = FormatShortlist(tables, model_.target_vocabulary_size(),
                                              {name, model_.revision(), num_pairs_});
    output_->Write(bytes);
    output_->Flush();
    if (!output_->is_open()) return FailWrite(output_->error());
    if (std::rename(Unfinished().c_str(), flags_.output_path.c_str()) != 0)
      return FailWrite(std::strerror(errno));
    session_->Tell(std::to_string(num_pairs_) + " pairs; " + std::to_string(tables.num_known()) +
                   " of " + std::to_string(tables.lists.size()) + " source tokens known, " +
                   std::to_string(tables.num_links()) + " links, " +
                   std::to_string(tables.always.size()) + " tokens in every list; " +
                   std::to_string(bytes.size()) + " bytes");
    return num_failed_ == 0 ? kExitOk : kExitFailed;
  }

  Session* session_;
  const ShortlistFlags& flags_;
  std::unique_ptr<v1::ModelService::Stub> models_;
  std::unique_ptr<v1::TokenizationService::Stub> tokens_;
  std::unique_ptr<v1::AttentionService::Stub> attention_;
  ProgressBar bar_;
  LineFile first_, second_;
  std::optional<Output> output_;
  v1::Model model_;
  std::unique_ptr<ShortlistCounts> counts_;
  int64_t num_pairs_ = 0, num_failed_ = 0;
};

}  // namespace

Command AddBuildShortlistCommand(CLI::App* root, ClientOptions* options) {
  auto flags = std::make_shared<ShortlistFlags>();
  CLI::App* app = root->add_subcommand(
      "build-shortlist", "Learn from texts which words a model needs, to make it faster");
  app->footer(kExamples);
  CLI::Option* pairs =
      app->add_option("--pairs", flags->pairs_path, "Lines of source, tab, translation")
          ->type_name("FILE");
  CLI::Option* source =
      app->add_option("--source-file", flags->source_path, "Source texts, one a line")
          ->type_name("FILE")
          ->excludes(pairs);
  app->add_option("--target-file", flags->target_path,
                  "Their translations, one a line; made by the server when not given")
      ->type_name("FILE")
      ->needs(source);
  app->add_option("-o,--output", flags->output_path, "Write the shortlist to this file")
      ->type_name("FILE")
      ->required();
  app->add_option("--per-token", flags->limits.max_per_token,
                  "Most target tokens for each source token (default 100)")
      ->type_name("N")
      ->check(InRange(1, 100000));
  app->add_option("--min-share", flags->limits.min_share,
                  "Leave out target tokens with a smaller share of a source token's links (default "
                  "0.001)")
      ->type_name("SHARE")
      ->check(InRange(0, 1));
  app->add_option("--frequent", flags->limits.num_frequent,
                  "The most frequent target tokens, part of every list (default 300)")
      ->type_name("N")
      ->check(InRange(0, 100000));
  app->add_option("--min-seen", flags->limits.min_seen,
                  "A source token seen less often gets no list; texts with it use the whole "
                  "vocabulary (default 3)")
      ->type_name("N")
      ->check(InRange(1, 1000000));
  AddClientOptions(app, options, ModelFlag::kShown);
  return {app, [flags](Session& session) { return ShortlistRun(&session, *flags).Run(); }};
}

}  // namespace attend::client
