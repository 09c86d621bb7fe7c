// Three things are asked for: the matrices (a stream, so of any size), the mean of the alignment
// heads, and the links between words. The text that the model wrote for the first is what the
// others are about.
#include "client/report/attention_report_call.h"

#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "attend/v1/model.grpc.pb.h"
#include "client/alignment_axes.h"
#include "client/attention_stream.h"
#include "client/exit_code.h"
#include "client/report/attention_report.h"
#include "client/report/html_report.h"
#include "client/report/report_output.h"

namespace attend::client {
namespace {

using attend::v1::Attention;
using attend::v1::AttentionMatrix;

class ReportRun {
 public:
  ReportRun(Session* session, AttentionReportJob* job)
      : session_(session),
        job_(job),
        stub_(attend::v1::AttentionService::NewStub(session->connection().channel())),
        builder_(job->request.selection().granularity(), kReportMapBytes) {}

  int Run() {
    std::optional<int> failed = LearnModel();
    if (!failed) failed = ReadMatrices(job_->request, job_->fold, false, &axes_);
    if (failed) return *failed;
    target_ = axes_.target_text().empty() ? job_->request.target() : axes_.target_text();
    const bool has_pair = has_cross_ && !target_.empty();
    if (has_pair && job_->wants_alignment_heads) failed = AddAlignmentHeads();
    if (!failed && has_pair) failed = AddAlignment();
    return failed ? *failed : Write();
  }

 private:
  // Fills in the kinds that the model has when the user named none.
  std::optional<int> LearnModel() {
    const auto models = attend::v1::ModelService::NewStub(session_->connection().channel());
    attend::v1::GetModelRequest request;
    request.set_name(job_->request.model());
    attend::v1::GetModelResponse response;
    const CallResult result = session_->connection().CallUnary([&](grpc::ClientContext* context) {
      response.Clear();
      return models->GetModel(context, request, &response);
    });
    if (result.has_value()) return session_->Fail(*result);
    model_ = response.model();
    const bool reads = model_.encoder_layer_count() > 0, writes = model_.decoder_layer_count() > 0;
    has_cross_ = reads && writes;
    auto* selection = job_->request.mutable_selection();
    if (selection->kinds_size() > 0) return std::nullopt;
    if (has_cross_) selection->add_kinds(attend::v1::ATTENTION_KIND_CROSS);
    if (reads) selection->add_kinds(attend::v1::ATTENTION_KIND_ENCODER_SELF);
    if (writes) selection->add_kinds(attend::v1::ATTENTION_KIND_DECODER_SELF);
    return std::nullopt;
  }

  std::optional<int> ReadMatrices(const attend::v1::StreamAttentionRequest& request,
                                  const std::string& fold, bool is_preset_optional,
                                  Attention* axes) {
    MatrixAssembler assembler;
    std::string problem;
    bool has_begun = false;
    const auto take = [&](const std::optional<AttentionMatrix>& matrix) {
      if (matrix.has_value() && problem.empty()) problem = builder_.Add(*axes, *matrix, fold);
    };
    const CallResult result = session_->connection().CallStream(
        [&](grpc::ClientContext* context) {
          const auto reader = stub_->StreamAttention(context, request);
          attend::v1::StreamAttentionResponse response;
          while (reader->Read(&response)) {
            has_begun = true;
            if (response.has_axes()) *axes = response.axes();
            if (response.has_slice()) take(assembler.Add(response.slice(), &problem));
            if (!problem.empty()) context->TryCancel();
          }
          return reader->Finish();
        },
        [&] { return has_begun; });
    if (problem.empty() && result.has_value()) {
      if (is_preset_optional && result->error.reason == "PRESET_NOT_FOUND") return std::nullopt;
      return session_->Fail(*result);
    }
    take(assembler.Finish());
    if (problem.empty()) return std::nullopt;
    session_->Tell(problem);
    return kExitFailed;
  }

  // Which words were read for which is said best by the heads that the model's owner chose for
  // that. They come first.
  std::optional<int> AddAlignmentHeads() {
    attend::v1::StreamAttentionRequest request = job_->request;
    request.set_target(target_);
    auto* selection = request.mutable_selection();
    selection->clear_kinds();
    selection->add_kinds(attend::v1::ATTENTION_KIND_CROSS);
    selection->set_preset("alignment");
    selection->set_reduction(attend::v1::ATTENTION_REDUCTION_MEAN);
    Attention axes;
    return ReadMatrices(request, "alignment heads, mean", true, &axes);
  }

  std::optional<int> AddAlignment() {
    attend::v1::AlignWordsRequest& request = job_->alignment;
    request.set_model(job_->request.model());
    request.set_source(job_->request.source());
    request.set_target(target_);
    request.set_offset_unit(attend::v1::OFFSET_UNIT_BYTE);
    attend::v1::AlignWordsResponse response;
    const CallResult result = session_->connection().CallUnary([&](grpc::ClientContext* context) {
      response.Clear();
      return stub_->AlignWords(context, request, &response);
    });
    if (result.has_value()) return session_->Fail(*result);
    alignment_ = ToAlignment(request.source(), target_, response);
    return std::nullopt;
  }

  ReportPage MakePage() {
    ReportPage page;
    page.title = "Attention of " + model_.name();
    page.subtitle = std::to_string(axes_.source_tokens_size()) + " tokens read";
    if (axes_.target_tokens_size() > 0) {
      page.subtitle += ", " + std::to_string(axes_.target_tokens_size()) + " tokens " +
                       (job_->request.has_target() ? "of the given translation" : "written");
    }
    page.subtitle += ". Model revision " + model_.revision() + ".";
    page.kinds = builder_.Finish();
    page.alignment = std::move(alignment_);
    return page;
  }

  int Write() { return WriteReportPage(session_, job_->path, MakePage()); }

  Session* session_;
  AttentionReportJob* job_;
  std::unique_ptr<attend::v1::AttentionService::Stub> stub_;
  AttentionReportBuilder builder_;
  attend::v1::Model model_;
  Attention axes_;
  std::string target_;
  std::optional<Alignment> alignment_;
  bool has_cross_ = false;
};

}  // namespace

int WriteAttentionReport(Session* session, AttentionReportJob job) {
  return ReportRun(session, &job).Run();
}

}  // namespace attend::client
