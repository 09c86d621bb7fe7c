// Only what cannot be a number is refused here; limits are the server's to know, and its errors
// name the field.
#include "client/decoding_flags.h"

#include <charconv>
#include <limits>

#include "client/client_options.h"

namespace attend::client {
namespace {

constexpr const char* kDecoding = "Decoding";
constexpr const char* kSampling = "Sampling (any of these switches it on)";
constexpr const char* kLanguages = "Languages";

void AddCount(CLI::App* app, const std::string& name, std::optional<uint32_t>* value,
              const std::string& description) {
  app->add_option_function<uint32_t>(
         name, [value](uint32_t v) { *value = v; }, description)
      ->type_name("N")
      ->check(InRange(0, std::numeric_limits<uint32_t>::max()))
      ->group(kDecoding);
}

void AddNumber(CLI::App* app, const std::string& name, std::optional<float>* value,
               const std::string& description) {
  app->add_option_function<float>(
         name, [value](float v) { *value = v; }, description)
      ->type_name("X")
      ->check(Finite())
      ->group(kDecoding);
}

// Every unsigned 64-bit number. The conversion by itself would turn -1 into a large one.
std::string CheckSeed(const std::string& text) {
  uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error == std::errc() && end == text.data() + text.size()) return "";
  return text + " is not a whole number from 0 to 18446744073709551615";
}

}  // namespace

void AddDecodingFlags(CLI::App* app, DecodingFlags* flags) {
  app->add_option("-s,--source-language", flags->source_language,
                  "Language of the text, for example en")
      ->type_name("CODE")
      ->group(kLanguages);
  app->add_option("-t,--target-language", flags->target_language,
                  "Language to translate into, for example fr")
      ->type_name("CODE")
      ->group(kLanguages);

  AddCount(app, "-n,--n-best", &flags->num_hypotheses,
           "Print the N best translations, each with its score");
  AddSearchFlags(app, flags, "sentence", "translation");
}

void AddSearchFlags(CLI::App* app, DecodingFlags* flags, const std::string& unit,
                    const std::string& result) {
  AddCount(app, "-b,--beam-size", &flags->beam_size, "Beams; 1 is greedy search");
  AddCount(app, "--max-output-tokens", &flags->max_output_tokens,
           "Most tokens written per " + unit);
  AddCount(app, "--min-output-tokens", &flags->min_output_tokens,
           "Fewest tokens written per " + unit);
  AddNumber(app, "--length-penalty", &flags->length_penalty,
            "Exponent of the length normalisation; above 0 favours long");
  app->add_option("--early-stopping", flags->early_stopping,
                  "When beam search stops: heuristic, first or never")
      ->type_name("WHEN")
      ->check(OneOf({"heuristic", "first", "never"}))
      ->group(kDecoding);
  AddCount(app, "--no-repeat-ngram-size", &flags->no_repeat_ngram_size,
           "Never repeat N tokens in a row; 0 is off");
  AddNumber(app, "--repetition-penalty", &flags->repetition_penalty,
            "Above 1 makes repeated tokens less likely");
  app->add_option("--prefix", flags->prefix, "Text that the " + result + " must begin with")
      ->type_name("TEXT")
      ->group(kDecoding);
  app->add_option("--overflow", flags->overflow,
                  "Texts longer than the model takes: split, truncate or reject")
      ->type_name("POLICY")
      ->check(OneOf({"split", "truncate", "reject"}))
      ->group(kDecoding);

  app->add_flag("--sample", flags->sample, "Draw tokens at random instead of searching")
      ->group(kSampling);
  AddNumber(app, "--temperature", &flags->temperature, "Above 1 is more surprising, below 1 less");
  AddCount(app, "--top-k", &flags->top_k, "Draw from the K most probable tokens");
  AddNumber(app, "--top-p", &flags->top_p, "Draw from the smallest set with this probability");
  app->add_option_function<uint64_t>(
         "--seed", [flags](uint64_t v) { flags->seed = v; },
         "Same seed, model and text: same result")
      ->type_name("N")
      ->check(CheckSeed)
      ->group(kSampling);
  for (const char* name : {"--temperature", "--top-k", "--top-p"})
    app->get_option(name)->group(kSampling);
}

attend::v1::OverflowPolicy ToOverflowPolicy(const DecodingFlags& flags) {
  if (flags.overflow == "split") return attend::v1::OVERFLOW_POLICY_SPLIT;
  if (flags.overflow == "truncate") return attend::v1::OVERFLOW_POLICY_TRUNCATE;
  if (flags.overflow == "reject") return attend::v1::OVERFLOW_POLICY_REJECT;
  return attend::v1::OVERFLOW_POLICY_UNSPECIFIED;
}

attend::v1::DecodingOptions ToDecodingOptions(const DecodingFlags& flags) {
  attend::v1::DecodingOptions decoding;
  if (flags.beam_size) decoding.set_beam_size(*flags.beam_size);
  if (flags.num_hypotheses) decoding.set_hypothesis_count(*flags.num_hypotheses);
  if (flags.length_penalty) decoding.set_length_penalty(*flags.length_penalty);
  if (flags.max_output_tokens) decoding.set_max_output_tokens(*flags.max_output_tokens);
  if (flags.min_output_tokens) decoding.set_min_output_tokens(*flags.min_output_tokens);
  if (flags.no_repeat_ngram_size) decoding.set_no_repeat_ngram_size(*flags.no_repeat_ngram_size);
  if (flags.repetition_penalty) decoding.set_repetition_penalty(*flags.repetition_penalty);
  if (!flags.prefix.empty()) decoding.set_target_prefix(flags.prefix);
  if (flags.early_stopping == "heuristic")
    decoding.set_early_stopping(attend::v1::EARLY_STOPPING_HEURISTIC);
  if (flags.early_stopping == "first")
    decoding.set_early_stopping(attend::v1::EARLY_STOPPING_FIRST);
  if (flags.early_stopping == "never")
    decoding.set_early_stopping(attend::v1::EARLY_STOPPING_NEVER);
  if (flags.sample || flags.temperature || flags.top_k || flags.top_p || flags.seed) {
    attend::v1::SamplingOptions& sampling = *decoding.mutable_sampling();
    if (flags.temperature) sampling.set_temperature(*flags.temperature);
    if (flags.top_k) sampling.set_top_k(*flags.top_k);
    if (flags.top_p) sampling.set_top_p(*flags.top_p);
    if (flags.seed) sampling.set_seed(*flags.seed);
  }
  return decoding;
}

attend::v1::TranslationConfig ToTranslationConfig(const DecodingFlags& flags,
                                                  const std::string& model) {
  attend::v1::TranslationConfig config;
  config.set_model(ModelResourceName(model));
  config.set_source_language_code(flags.source_language);
  config.set_target_language_code(flags.target_language);
  config.set_offset_unit(attend::v1::OFFSET_UNIT_BYTE);
  config.set_overflow_policy(ToOverflowPolicy(flags));
  *config.mutable_decoding() = ToDecodingOptions(flags);
  return config;
}

}  // namespace attend::client
