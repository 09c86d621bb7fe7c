// A thin door to nlohmann-json: parsing without exceptions, and typed getters whose errors name
// file and key. Nobody above this folder sees nlohmann's types.
//
// A Json is a cheap, immutable, shared handle on one value of a parsed document; copies share the
// document.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace attend {

class Json {
 public:
  // Parses UTF-8 text; `origin` (a file name) stands in every error that the value causes. Depth
  // and size are limited, so that hostile input cannot exhaust the stack. INVALID_ARGUMENT on bad
  // text.
  static absl::StatusOr<Json> Parse(std::string_view text, std::string_view origin);
  // Reads and parses a file. NOT_FOUND when there is none, INVALID_ARGUMENT when it is larger than
  // `max_bytes`, DATA_LOSS when it is a Git LFS pointer or gets shorter while it is read,
  // RESOURCE_EXHAUSTED when memory is short.
  static absl::StatusOr<Json> ReadFile(const std::string& path, uint64_t max_bytes);
  // The same for a configuration: what people write, or programs for people.
  static constexpr uint64_t kMaxConfigBytes = uint64_t{4} << 20;
  static absl::StatusOr<Json> ReadFile(const std::string& path) {
    return ReadFile(path, kMaxConfigBytes);
  }

  Json();  // an empty object with no origin
  ~Json();
  Json(const Json&);
  Json& operator=(const Json&);

  bool IsObject() const;
  bool IsArray() const;
  bool IsString() const;
  bool IsInt() const;
  bool IsNull() const;
  // "an object", "an array", "a string", "an integer", "a number", "a boolean" or "null".
  const char* TypeName() const;
  // INVALID_ARGUMENT, "FILE: key 'KEY': expected an object, found an array", for another type.
  absl::Status RequireObject() const;
  absl::Status RequireArray() const;

  // Members of an object. A key whose value is null counts as absent, as transformers treats it.
  bool Has(std::string_view key) const;
  std::vector<std::string> Keys() const;
  absl::StatusOr<Json> Get(std::string_view key) const;
  absl::StatusOr<int64_t> GetInt(std::string_view key) const;
  absl::StatusOr<double> GetNumber(std::string_view key) const;
  absl::StatusOr<bool> GetBool(std::string_view key) const;
  absl::StatusOr<std::string> GetString(std::string_view key) const;
  // Absent → `otherwise`; present with another type → an error.
  absl::StatusOr<int64_t> GetIntOr(std::string_view key, int64_t otherwise) const;
  absl::StatusOr<double> GetNumberOr(std::string_view key, double otherwise) const;
  absl::StatusOr<bool> GetBoolOr(std::string_view key, bool otherwise) const;
  absl::StatusOr<std::string> GetStringOr(std::string_view key, std::string_view otherwise) const;

  // Elements of an array; empty for anything else.
  std::vector<Json> Elements() const;
  // This value itself.
  absl::StatusOr<int64_t> AsInt() const;
  absl::StatusOr<double> AsNumber() const;
  absl::StatusOr<std::string> AsString() const;
  // An array of integers.
  absl::StatusOr<std::vector<int64_t>> AsInts() const;
  // Every member of an object whose values are integers, in file order: a vocabulary.
  absl::StatusOr<std::vector<std::pair<std::string, int64_t>>> AsIntMap() const;

  // "config.json: key 'd_model'": how errors name this value.
  const std::string& origin() const;

 private:
  struct Node;
  std::shared_ptr<const Node> node_;
};

}  // namespace attend
