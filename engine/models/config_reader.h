// Reads config.json key by key and remembers everything that is wrong with it, so that one error
// tells all: keys missing, types wrong, numbers out of range.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "engine/checkpoint/json.h"
#include "engine/ops/activation.h"

namespace attend {

// Text from a file, made fit for a message: shortened, and everything but printable ASCII replaced.
std::string Excerpt(std::string_view text);

class ConfigReader {
 public:
  // Borrows nothing: a Json is a shared handle.
  explicit ConfigReader(const Json& config) : config_(config) {}

  // A required integer in [lowest, highest]; `lowest` when there is an error.
  int64_t Int(std::string_view key, int64_t lowest, int64_t highest);
  // The same with a default for an absent key.
  int64_t IntOr(std::string_view key, int64_t otherwise, int64_t lowest, int64_t highest);
  bool BoolOr(std::string_view key, bool otherwise);
  std::string Word(std::string_view key);
  // A finite number in [lowest, highest], with a default for an absent key.
  double NumberOr(std::string_view key, double otherwise, double lowest, double highest);
  // A required name of a known activation function: relu, gelu, gelu_new, silu, swish.
  Activation ActivationFunction(std::string_view key);
  // The same for a name that was found under `key`, alone or as a part of the value.
  Activation ActivationNamed(std::string_view key, std::string_view name);
  // The value itself, for what has a shape of its own. REQUIRES: Has(key).
  Json Value(std::string_view key) const { return config_.Get(key).value(); }
  bool Has(std::string_view key) const { return config_.Has(key); }

  // Whether something is wrong with one of these keys. What is expected of other keys may depend on
  // it, and then nobody knows.
  bool IsFaulty(std::initializer_list<std::string_view> keys) const;

  // Adds a fault of the file's own: what was expected of a key, and what is there.
  void Fault(std::string_view key, std::string_view expected, std::string_view found);

  // The faults of a reader of what stands under `key`.
  void AddFaults(std::string_view key, const ConfigReader& inner);

  // OK, or FAILED_PRECONDITION / MODEL_FAILED that names every fault; metadata: file, key, expected
  // and found of the first.
  absl::Status status() const;

 private:
  struct FaultyKey {
    std::string key, expected, found;
  };
  // The integer, or nothing and a fault. Absent keys are the caller's.
  std::optional<int64_t> Checked(std::string_view key, int64_t lowest, int64_t highest);

  Json config_;
  std::vector<FaultyKey> faults_;
};

}  // namespace attend
