// Flags for the choice of output tokens, and the languages of a translation.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "attend/v1/translation.pb.h"

namespace attend::client {

// Unset fields leave the choice to the model's own defaults.
struct DecodingFlags {
  std::optional<uint32_t> beam_size, num_hypotheses, max_output_tokens, min_output_tokens,
      no_repeat_ngram_size, top_k;
  std::optional<float> length_penalty, repetition_penalty, temperature, top_p;
  std::optional<uint64_t> seed;
  bool sample = false;
  std::string early_stopping;
  std::string prefix;
  std::string source_language, target_language;
  std::string overflow;
};

// Languages, the number of translations, and what AddSearchFlags adds.
void AddDecodingFlags(CLI::App* app, DecodingFlags* flags);
// How text is searched for or drawn; `unit` is what is written at a time ("sentence"), `result`
// what comes of it ("translation").
void AddSearchFlags(CLI::App* app, DecodingFlags* flags, const std::string& unit,
                    const std::string& result);

// The parts of a request that the flags decide. Any sampling flag switches sampling on.
attend::v1::DecodingOptions ToDecodingOptions(const DecodingFlags& flags);
attend::v1::OverflowPolicy ToOverflowPolicy(const DecodingFlags& flags);
attend::v1::TranslationConfig ToTranslationConfig(const DecodingFlags& flags,
                                                  const std::string& model);

}  // namespace attend::client
