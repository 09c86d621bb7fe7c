// Getters return a harmless value on error and go on, as a compiler does after a syntax error.
#include "engine/models/config_reader.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/base/error.h"

namespace attend {
namespace {

constexpr char kFile[] = "config.json";
constexpr char kMissing[] = "no such key";

struct NamedActivation {
  const char* name;
  Activation activation;
};
constexpr NamedActivation kActivations[] = {
    {"relu", Activation::kRelu}, {"gelu", Activation::kGelu},  {"gelu_new", Activation::kGeluTanh},
    {"silu", Activation::kSilu}, {"swish", Activation::kSilu},
};

}  // namespace

std::string Excerpt(std::string_view text) {
  constexpr size_t kLongest = 60;
  std::string out;
  for (char c : text.substr(0, kLongest)) out += c >= 0x20 && c < 0x7f ? c : '?';
  if (text.size() > kLongest) out += "...";
  return out;
}

std::optional<int64_t> ConfigReader::Checked(std::string_view key, int64_t lowest,
                                             int64_t highest) {
  const std::string expected = absl::StrCat("an integer from ", lowest, " to ", highest);
  const auto value = config_.Get(key);
  if (!value.ok()) {
    Fault(key, expected, kMissing);
    return std::nullopt;
  }
  const auto number = value->AsInt();
  if (!number.ok()) {
    Fault(key, expected, value->TypeName());
    return std::nullopt;
  }
  if (*number < lowest || *number > highest) {
    Fault(key, expected, std::to_string(*number));
    return std::nullopt;
  }
  return *number;
}

int64_t ConfigReader::Int(std::string_view key, int64_t lowest, int64_t highest) {
  return Checked(key, lowest, highest).value_or(lowest);
}

int64_t ConfigReader::IntOr(std::string_view key, int64_t otherwise, int64_t lowest,
                            int64_t highest) {
  return config_.Has(key) ? Int(key, lowest, highest) : otherwise;
}

bool ConfigReader::BoolOr(std::string_view key, bool otherwise) {
  if (!config_.Has(key)) return otherwise;
  const auto value = config_.GetBool(key);
  if (value.ok()) return *value;
  const auto found = config_.Get(key);
  Fault(key, "true or false", found.ok() ? found->TypeName() : kMissing);
  return otherwise;
}

double ConfigReader::NumberOr(std::string_view key, double otherwise, double lowest,
                              double highest) {
  if (!config_.Has(key)) return otherwise;
  const auto value = config_.GetNumber(key);
  if (value.ok() && *value >= lowest && *value <= highest) return *value;
  const auto found = config_.Get(key);
  Fault(key, absl::StrCat("a number from ", lowest, " to ", highest),
        value.ok()   ? absl::StrCat(*value)
        : found.ok() ? found->TypeName()
                     : kMissing);
  return otherwise;
}

std::string ConfigReader::Word(std::string_view key) {
  const auto value = config_.Get(key);
  if (!value.ok()) {
    Fault(key, "a string", kMissing);
    return "";
  }
  const auto text = value->AsString();
  if (!text.ok()) {
    Fault(key, "a string", value->TypeName());
    return "";
  }
  return *text;
}

Activation ConfigReader::ActivationFunction(std::string_view key) {
  const size_t faults = faults_.size();
  const std::string name = Word(key);
  return faults_.size() > faults ? Activation::kRelu : ActivationNamed(key, name);
}

Activation ConfigReader::ActivationNamed(std::string_view key, std::string_view name) {
  std::string known;
  for (const NamedActivation& candidate : kActivations) {
    if (name == candidate.name) return candidate.activation;
    absl::StrAppend(&known, known.empty() ? "" : ", ", candidate.name);
  }
  Fault(key, "one of " + known, absl::StrCat("'", Excerpt(name), "'"));
  return Activation::kRelu;
}

bool ConfigReader::IsFaulty(std::initializer_list<std::string_view> keys) const {
  for (const FaultyKey& fault : faults_) {
    if (std::find(keys.begin(), keys.end(), fault.key) != keys.end()) return true;
  }
  return false;
}

void ConfigReader::Fault(std::string_view key, std::string_view expected, std::string_view found) {
  faults_.push_back({std::string(key), std::string(expected), std::string(found)});
}

void ConfigReader::AddFaults(std::string_view key, const ConfigReader& inner) {
  for (const FaultyKey& fault : inner.faults_)
    Fault(absl::StrCat(std::string(key), ".", fault.key), fault.expected, fault.found);
}

absl::Status ConfigReader::status() const {
  if (faults_.empty()) return absl::OkStatus();
  std::string message = absl::StrCat(kFile, ": ");
  for (size_t i = 0; i < faults_.size(); ++i) {
    absl::StrAppend(&message, i > 0 ? "; " : "", "key '", faults_[i].key, "': expected ",
                    faults_[i].expected, ", found ", faults_[i].found);
  }
  ErrorDetail detail;
  detail.reason = "MODEL_FAILED";
  detail.metadata = {{"file", kFile},
                     {"key", faults_[0].key},
                     {"expected", faults_[0].expected},
                     {"found", faults_[0].found}};
  return MakeError(absl::StatusCode::kFailedPrecondition, message, std::move(detail));
}

}  // namespace attend
