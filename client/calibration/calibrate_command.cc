// attend calibrate: which heads of a served model do what a preset's name says, measured on
// examples that played no part in the choice.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "client/calibration/calibration_reader.h"
#include "client/calibration/calibration_report.h"
#include "client/calibration/presets_file.h"
#include "client/exit_code.h"
#include "client/progress_bar.h"
#include "client/session.h"
#include "client/text_width.h"

namespace attend::client {
namespace {

namespace v1 = attend::v1;

struct CalibrateFlags {
  std::string task, examples_path, output_path, preset, kind;
  double held_out = 0.5;
  int max_heads = 0;
};

constexpr const char* kExamples =
    "Examples:\n"
    "  attend calibrate --task coreference --examples pronouns.tsv -m minilm\n"
    "  attend calibrate --task coreference --examples pronouns.tsv -m minilm \\\n"
    "      -o models/minilm/attention_presets.json\n"
    "  attend calibrate --task alignment --examples links.tsv -m en-fr --max-heads 4\n"
    "\n"
    "Every example is read once through the model. Heads are chosen by the examples\n"
    "that are not held out, then measured once by the others. Without --output\n"
    "nothing is written: the preset stands in the output. A server reads the file when\n"
    "it loads the model.\n"
    "\n"
    "FILE is tab-separated with named columns (docs/cli.md): sentence, pronoun and\n"
    "antecedent for coreference; source, target and links for alignment; a column\n"
    "split (calibrate or heldout) overrules --held-out.";

double Rounded(double value, double unit) { return std::round(value / unit) * unit; }

// As a reader wrote it: 0.838, not 0.83799999.
Json ShortNumber(double value, int decimals) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return std::stod(text);
}

std::string Short(double value) {
  char text[48];
  std::snprintf(text, sizeof text, "%.3f", value);
  return text;
}

Json HeadJson(const v1::HeadRef& head) { return Json::array({head.layer(), head.head()}); }

std::string HeadName(const v1::HeadRef& head) {
  return std::to_string(head.layer()) + ":" + std::to_string(head.head());
}

class CalibrateRun {
 public:
  CalibrateRun(Session* session, const CalibrateFlags& flags)
      : session_(session), flags_(flags), bar_(STDERR_FILENO, session->error_terminal(), true) {}

  int Run() {
    std::ifstream in(flags_.examples_path, std::ios::binary);
    if (!in) return session_->FailUsage("cannot open " + Printable(flags_.examples_path));
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    if (flags_.task == "alignment")
      return With<AlignmentExample, AlignmentCase>(text, ParseAlignmentExamples);
    return With<CoreferenceExample, CoreferenceCase>(text, ParseCoreferenceExamples);
  }

 private:
  template <typename Example, typename Case, typename Parse>
  int With(const std::string& text, Parse parse) {
    std::vector<Example> examples;
    if (const std::string problem = parse(text, flags_.held_out, &examples); !problem.empty()) {
      return session_->FailUsage(Printable(flags_.examples_path) + ": " + problem);
    }
    const auto model = session_->ResolveModel();
    if (const int* exit_code = std::get_if<int>(&model)) return *exit_code;
    model_ = std::get<std::string>(model);
    reader_.emplace(&session_->connection(), model_, KindOf());
    std::vector<Case> cases;
    if (const int exit_code = ReadAll(examples, &cases)) return exit_code;
    for (const Case& c : cases) ++(c.is_held_out ? num_held_out_ : num_calibrate_);
    if (num_calibrate_ == 0) {
      session_->Tell("all examples are held out: there is nothing to choose heads by");
      return kExitFailed;
    }
    Calibrate(cases);
    if (session_->interrupt().raised()) return kExitInterrupted;
    return Write();
  }

  v1::AttentionKind KindOf() const {
    if (flags_.task == "alignment") return v1::ATTENTION_KIND_CROSS;
    return flags_.kind == "decoder" ? v1::ATTENTION_KIND_DECODER_SELF
                                    : v1::ATTENTION_KIND_ENCODER_SELF;
  }

  // An example that fails is told and left out; what would fail all of them ends the run.
  template <typename Example, typename Case>
  int ReadAll(const std::vector<Example>& examples, std::vector<Case>* cases) {
    const auto total = static_cast<int64_t>(examples.size());
    for (int64_t i = 0; i < total; ++i) {
      const Example& example = examples[static_cast<std::size_t>(i)];
      Case next;
      ReadOutcome outcome = reader_->Read(example, &next);
      if (outcome.failure) {
        if (HoldsForEveryText(*outcome.failure)) {
          bar_.Clear();
          return session_->Fail(*outcome.failure);
        }
        outcome.problem = FormatErrorLine(outcome.failure->error);
      }
      if (outcome.problem.empty()) {
        cases->push_back(std::move(next));
      } else {
        ++num_failed_;
        bar_.Clear();
        session_->Tell("line " + std::to_string(example.line) + ": " + outcome.problem);
      }
      bar_.Update({i + 1, total, i + 1, num_failed_});
    }
    bar_.Clear();
    return kExitOk;
  }

  bool Progress(double share) {
    constexpr int64_t kWhole = 1000;
    const auto done = static_cast<int64_t>(share * kWhole);
    const int64_t examples = num_calibrate_ + num_held_out_;
    bar_.Update({done, kWhole, examples, num_failed_});
    return !session_->interrupt().raised();
  }

  void Calibrate(const std::vector<CoreferenceCase>& cases) {
    const auto& heads = reader_->heads();
    const auto num_heads = static_cast<int>(heads.size());
    const CoreferenceFit fit = FitCoreference(cases, num_heads, flags_.max_heads,
                                              [this](double share) { return Progress(share); });
    bar_.Clear();
    if (fit.weights.empty()) return;
    const auto lost = std::count_if(cases.begin(), cases.end(),
                                    [](const CoreferenceCase& c) { return c.choice.answer < 0; });
    if (lost > 0) {
      session_->Tell(std::to_string(lost) +
                     " examples have an antecedent that is no content word: they count as missed");
    }
    preset_["kind"] = flags_.kind == "decoder" ? "decoder_self" : "encoder_self";
    preset_["floor"] = kLogFloor;
    Json terms = Json::array();
    std::vector<double> rounded(fit.weights.size(), 0.0);
    for (int head = 0; head < num_heads; ++head) {
      for (const bool to_query : {false, true}) {
        const auto feature = static_cast<std::size_t>(FeatureOf(head, to_query, num_heads));
        rounded[feature] = Rounded(fit.weights[feature], 1e-5);
        if (rounded[feature] == 0) continue;
        Json term;
        term["head"] = HeadJson(heads[static_cast<std::size_t>(head)]);
        term["direction"] = to_query ? "to_query" : "from_query";
        term["weight"] = ShortNumber(rounded[feature], 5);
        terms.push_back(std::move(term));
      }
    }
    const std::size_t num_terms = terms.size();
    preset_["terms"] = std::move(terms);
    // What is written is what is measured.
    const HitRate held_out = Evaluate(cases, true, rounded);
    const HitRate nearest = Baseline(cases, true, &CoreferenceCase::nearest_noun);
    std::string note = "log-linear over " + std::to_string(num_terms) + " terms, fitted to " +
                       std::to_string(num_calibrate_) + " examples (cross-validated accuracy " +
                       Short(fit.cross_validated.value()) + ")";
    if (held_out.count > 0) {
      SetFigure("accuracy", held_out.value());
      const Interval interval = WilsonInterval(held_out);
      note += "; held out " + Short(held_out.value()) + ", 95 % interval " + Short(interval.low) +
              " to " + Short(interval.high);
      if (nearest.count > 0) note += "; the nearest noun " + Short(nearest.value());
    }
    preset_["note"] = note;

    const int best = BestFeature(cases, num_heads);
    const std::string best_name = HeadName(heads[static_cast<std::size_t>(best % num_heads)]);
    const auto row = [&](const std::string& label, const auto& rate) {
      rows_.push_back({label, FormatRate(rate(false)), FormatRate(rate(true))});
    };
    row("weighted heads", [&](bool held) { return Evaluate(cases, held, rounded); });
    rows_.push_back({"  cross-validated", FormatRate(fit.cross_validated), "-"});
    row("best single head (" + best_name + (best >= num_heads ? ", to it)" : ")"),
        [&](bool held) { return EvaluateFeature(cases, held, num_heads, best); });
    row("mean of all heads", [&](bool held) { return EvaluateMean(cases, held, num_heads); });
    row("nearest noun",
        [&](bool held) { return Baseline(cases, held, &CoreferenceCase::nearest_noun); });
    row("subject", [&](bool held) { return Baseline(cases, held, &CoreferenceCase::subject); });
    row("nearest content word", [&](bool held) {
      HitRate rate;
      for (const CoreferenceCase& c : cases) {
        if (c.is_held_out == held) rate.Add(c.nearest_word);
      }
      return rate;
    });
    heading_ = "accuracy, 95 % interval; ridge " + Short(fit.ridge);
  }

  static HitRate Baseline(const std::vector<CoreferenceCase>& cases, bool held_out,
                          std::optional<bool> CoreferenceCase::*member) {
    HitRate rate;
    for (const CoreferenceCase& c : cases) {
      if (c.is_held_out == held_out && (c.*member).has_value()) rate.Add(*(c.*member));
    }
    return rate;
  }

  void Calibrate(const std::vector<AlignmentCase>& cases) {
    const auto& heads = reader_->heads();
    const auto num_heads = static_cast<int>(heads.size());
    const std::vector<int> chosen =
        ChooseHeads(cases, num_heads, flags_.max_heads > 0 ? flags_.max_heads : 8);
    const std::vector<int> single = ChooseHeads(cases, num_heads, 1);
    std::vector<int> all;
    for (int head = 0; head < num_heads; ++head) all.push_back(head);
    preset_["kind"] = "cross";
    preset_["heads"] = Json::array();
    std::string names;
    for (const int head : chosen) {
      preset_["heads"].push_back(HeadJson(heads[static_cast<std::size_t>(head)]));
      names += (names.empty() ? "" : " ") + HeadName(heads[static_cast<std::size_t>(head)]);
    }
    std::string note =
        "chosen greedily by alignment error rate on " + std::to_string(num_calibrate_) + " pairs";
    if (num_held_out_ > 0) {
      const double error = AlignmentErrorRate(cases, true, chosen);
      SetFigure("alignment_error_rate", error);
      note += "; held out " + Short(error);
    }
    preset_["note"] = note;
    const auto row = [&](const std::string& label, const std::vector<int>& set) {
      rows_.push_back({label, Short(AlignmentErrorRate(cases, false, set)),
                       num_held_out_ > 0 ? Short(AlignmentErrorRate(cases, true, set)) : "-"});
    };
    row("chosen heads (" + names + ")", chosen);
    row("best single head", single);
    row("mean of all heads", all);
    heading_ = "alignment error rate, each target word linked to where it looks most; 0 is best";
  }

  void SetFigure(const char* metric, double value) {
    preset_["figure"]["metric"] = metric;
    preset_["figure"]["value"] = ShortNumber(value, 4);
    preset_["figure"]["examples"] = num_held_out_;
  }

  int Write() {
    const ColorDepth color = session_->terminal().color;
    const std::string preset = flags_.preset.empty() ? flags_.task : flags_.preset;
    session_->out().Write(Bold(color) + preset + ResetStyle(color) + " of " + Printable(model_) +
                          ": " + std::to_string(num_calibrate_) + " examples to choose by, " +
                          std::to_string(num_held_out_) + " held out\n" + heading_ + "\n\n" +
                          FormatReport(rows_, session_->terminal()));
    if (flags_.output_path.empty()) {
      Json presets;
      presets[preset] = preset_;
      session_->out().Write("\n" + FormatPresets(presets));
    } else if (const std::string why = WritePreset(flags_.output_path, preset, preset_);
               !why.empty()) {
      session_->Tell("cannot write " + Printable(flags_.output_path) + ": " + why);
      return kExitFailed;
    }
    return num_failed_ == 0 ? kExitOk : kExitFailed;
  }

  Session* session_;
  const CalibrateFlags& flags_;
  ProgressBar bar_;
  std::string model_, heading_;
  std::optional<CalibrationReader> reader_;
  int64_t num_calibrate_ = 0, num_held_out_ = 0, num_failed_ = 0;
  Json preset_ = Json::object();
  std::vector<ReportRow> rows_;
};

}  // namespace

Command AddCalibrateCommand(CLI::App* root, ClientOptions* options) {
  auto flags = std::make_shared<CalibrateFlags>();
  CLI::App* app = root->add_subcommand(
      "calibrate", "Find the heads that resolve pronouns or align words, from examples");
  app->footer(kExamples);
  app->add_option("--task", flags->task, "coreference or alignment")
      ->type_name("TASK")
      ->required()
      ->check(OneOf({"coreference", "alignment"}));
  app->add_option("--examples", flags->examples_path, "The examples")
      ->type_name("FILE")
      ->required();
  app->add_option("-o,--output", flags->output_path,
                  "Put the preset into this attention_presets.json; other presets in it stay")
      ->type_name("FILE");
  app->add_option("--preset", flags->preset, "Name of the preset (default: the task's)")
      ->type_name("NAME");
  app->add_option("-k,--kind", flags->kind,
                  "For coreference: the encoder's own attention (default) or the decoder's")
      ->type_name("KIND")
      ->check(OneOf({"encoder", "decoder"}));
  app->add_option("--held-out", flags->held_out,
                  "Share of the examples that is held out, where the file does not say (default "
                  "0.5)")
      ->type_name("SHARE")
      ->check(InRange(0, 1));
  app->add_option("--max-heads", flags->max_heads,
                  "Most heads of an alignment (default 8), most terms, that is heads and "
                  "directions, for coreference (default all)")
      ->type_name("N")
      ->check(InRange(1, 100000));
  AddClientOptions(app, options, ModelFlag::kShown);
  return {app, [flags](Session& session) { return CalibrateRun(&session, *flags).Run(); }};
}

}  // namespace attend::client
