// nlohmann's SAX parser feeds a tree of our own. The tree is what makes three promises possible:
// members stay in file order, a repeated key is an error instead of a silent choice, and nesting,
// size and number of values are bounded while parsing, before memory or stack are spent.
#include "engine/checkpoint/json.h"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <new>
#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/stored_file.h"

namespace attend {
namespace {

// The largest vocabularies have a million entries. A value takes up to a hundred bytes in memory.
constexpr size_t kMaxTextBytes = size_t{64} << 20;
constexpr size_t kMaxValues = size_t{2} << 20;
constexpr size_t kMaxDepth = 100;

struct Value;

struct Array {
  std::vector<Value> elements;
};

struct Object {
  std::vector<std::pair<std::string, Value>> members;  // in file order
  std::vector<uint32_t> by_key;                        // indices into members, sorted by key

  const Value* Find(std::string_view key) const;
};

// monostate is null.
struct Value {
  std::variant<std::monostate, bool, int64_t, double, std::string, std::unique_ptr<Array>,
               std::unique_ptr<Object>>
      content;

  const Object* object() const {
    const auto* held = std::get_if<std::unique_ptr<Object>>(&content);
    return held != nullptr ? held->get() : nullptr;
  }
  const Array* array() const {
    const auto* held = std::get_if<std::unique_ptr<Array>>(&content);
    return held != nullptr ? held->get() : nullptr;
  }
};

const Value* Object::Find(std::string_view key) const {
  const auto found = std::lower_bound(
      by_key.begin(), by_key.end(), key,
      [this](uint32_t index, std::string_view wanted) { return members[index].first < wanted; });
  if (found == by_key.end() || members[*found].first != key) return nullptr;
  return &members[*found].second;
}

const char* TypeNameOf(const Value& value) {
  switch (value.content.index()) {
    case 0:
      return "null";
    case 1:
      return "a boolean";
    case 2:
      return "an integer";
    case 3:
      return "a number";
    case 4:
      return "a string";
    case 5:
      return "an array";
    default:
      return "an object";
  }
}

// `origin` is "FILE" or "FILE: key 'KEY'".
absl::Status JsonError(std::string_view origin, std::string_view what) {
  constexpr std::string_view kKey = ": key '";
  ErrorDetail detail;
  detail.reason = "JSON_INVALID";
  const size_t key = origin.find(kKey);
  detail.metadata.emplace_back("file", origin.substr(0, key));
  if (key != std::string_view::npos) {
    const std::string_view name = origin.substr(key + kKey.size());
    detail.metadata.emplace_back("key", name.substr(0, name.size() - 1));
  }
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat(std::string(origin), ": ", std::string(what)), std::move(detail));
}

absl::Status WrongType(const Value& value, std::string_view origin, std::string_view expected) {
  return JsonError(origin,
                   absl::StrCat("expected ", std::string(expected), ", found ", TypeNameOf(value)));
}

// Receives nlohmann's parse events. A method that returns false ends the parse; error() then says
// why.
class TreeBuilder {
 public:
  explicit TreeBuilder(Value* root) : root_(root) {}

  const std::string& error() const { return error_; }

  bool null() { return Add({std::monostate()}) != nullptr; }
  bool boolean(bool value) { return Add({value}) != nullptr; }
  bool number_integer(int64_t value) { return Add({value}) != nullptr; }
  bool number_unsigned(uint64_t value) {
    if (value > static_cast<uint64_t>(INT64_MAX))
      return Add({static_cast<double>(value)}) != nullptr;
    return Add({static_cast<int64_t>(value)}) != nullptr;
  }
  bool number_float(double value, const std::string&) { return Add({value}) != nullptr; }
  bool string(std::string& value) { return Add({std::move(value)}) != nullptr; }
  bool binary(std::vector<uint8_t>&) { return Fail("binary values are not JSON"); }

  bool start_object(size_t) { return Open({std::make_unique<Object>()}); }
  bool start_array(size_t) { return Open({std::make_unique<Array>()}); }
  bool key(std::string& value) {
    key_ = std::move(value);
    return true;
  }
  bool end_array() {
    open_.pop_back();
    return true;
  }
  bool end_object() {
    Object& object = *std::get<std::unique_ptr<Object>>(open_.back()->content);
    open_.pop_back();
    object.members.shrink_to_fit();
    object.by_key.resize(object.members.size());
    for (size_t i = 0; i < object.by_key.size(); ++i) object.by_key[i] = static_cast<uint32_t>(i);
    const auto& members = object.members;
    std::sort(object.by_key.begin(), object.by_key.end(),
              [&members](uint32_t a, uint32_t b) { return members[a].first < members[b].first; });
    for (size_t i = 1; i < object.by_key.size(); ++i) {
      const std::string& name = members[object.by_key[i]].first;
      if (members[object.by_key[i - 1]].first == name) {
        return Fail(absl::StrCat("key '", Printable(name), "' occurs twice in one object"));
      }
    }
    return true;
  }

  bool parse_error(size_t position, const std::string&, const std::exception& error) {
    // Strips nlohmann's "[json.exception.parse_error.101] " from the front.
    std::string_view text = error.what();
    if (const size_t end = text.find("] "); end != std::string_view::npos)
      text.remove_prefix(end + 2);
    return Fail(absl::StrCat("not JSON at byte ", position, ": ", Printable(text)));
  }

 private:
  bool Fail(std::string what) {
    error_ = std::move(what);
    return false;
  }

  Value* Add(Value value) {
    if (++num_values_ > kMaxValues) {
      Fail(absl::StrCat("more than ", kMaxValues, " values"));
      return nullptr;
    }
    if (open_.empty()) {
      *root_ = std::move(value);
      return root_;
    }
    Value& parent = *open_.back();
    if (auto* array = std::get_if<std::unique_ptr<Array>>(&parent.content)) {
      (*array)->elements.push_back(std::move(value));
      return &(*array)->elements.back();
    }
    auto& members = std::get<std::unique_ptr<Object>>(parent.content)->members;
    members.emplace_back(std::move(key_), std::move(value));
    return &members.back().second;
  }

  // A pointer to an open value stays good: its parent grows only after it was closed.
  bool Open(Value value) {
    if (open_.size() >= kMaxDepth)
      return Fail(absl::StrCat("nested deeper than ", kMaxDepth, " levels"));
    Value* added = Add(std::move(value));
    if (added == nullptr) return false;
    open_.push_back(added);
    return true;
  }

  Value* root_;
  std::vector<Value*> open_;
  std::string key_;
  size_t num_values_ = 0;
  std::string error_;
};

struct Document {
  Value root;
};

}  // namespace

struct Json::Node {
  std::shared_ptr<const Document> document;
  const Value* value;
  std::string origin;

  bool is_root() const { return value == &document->root; }
  // How errors name a member: "config.json: key 'a.b'".
  std::string MemberOrigin(std::string_view key) const {
    if (is_root()) return absl::StrCat(origin, ": key '", Printable(key), "'");
    return absl::StrCat(origin.substr(0, origin.size() - 1), ".", Printable(key), "'");
  }
  std::string ElementOrigin(size_t index) const {
    if (is_root()) return absl::StrCat(origin, ": key '[", index, "]'");
    return absl::StrCat(origin.substr(0, origin.size() - 1), "[", index, "]'");
  }
  // nullptr for an absent key, a null, and for a value that is no object.
  const Value* Find(std::string_view key) const {
    const Object* object = value->object();
    const Value* found = object != nullptr ? object->Find(key) : nullptr;
    if (found != nullptr && std::holds_alternative<std::monostate>(found->content)) return nullptr;
    return found;
  }
  absl::Status Missing(std::string_view key) const {
    if (value->object() == nullptr) return WrongType(*value, origin, "an object");
    return JsonError(MemberOrigin(key), "missing");
  }
  absl::StatusOr<const Value*> Require(std::string_view key) const {
    if (const Value* found = Find(key); found != nullptr) return found;
    return Missing(key);
  }
};

namespace {

absl::StatusOr<int64_t> ToInt(const Value& value, std::string_view origin) {
  if (const auto* number = std::get_if<int64_t>(&value.content)) return *number;
  return WrongType(value, origin, "an integer");
}

absl::StatusOr<double> ToNumber(const Value& value, std::string_view origin) {
  if (const auto* number = std::get_if<int64_t>(&value.content))
    return static_cast<double>(*number);
  if (const auto* number = std::get_if<double>(&value.content)) return *number;
  return WrongType(value, origin, "a number");
}

absl::StatusOr<bool> ToBool(const Value& value, std::string_view origin) {
  if (const auto* held = std::get_if<bool>(&value.content)) return *held;
  return WrongType(value, origin, "a boolean");
}

absl::StatusOr<std::string> ToText(const Value& value, std::string_view origin) {
  if (const auto* text = std::get_if<std::string>(&value.content)) return *text;
  return WrongType(value, origin, "a string");
}

}  // namespace

absl::StatusOr<Json> Json::Parse(std::string_view text, std::string_view origin) {
  if (text.size() > kMaxTextBytes) {
    return JsonError(origin, absl::StrCat("larger than ", kMaxTextBytes, " bytes"));
  }
  try {
    auto document = std::make_shared<Document>();
    TreeBuilder builder(&document->root);
    if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) {
      return JsonError(origin, builder.error().empty() ? "not JSON" : builder.error());
    }
    auto node = std::make_shared<Node>();
    node->value = &document->root;
    node->document = std::move(document);
    node->origin = std::string(origin);
    Json json;
    json.node_ = std::move(node);
    return json;
  } catch (const std::bad_alloc&) {
    return NoMemoryFor({origin, ""}, text.size());
  } catch (const std::exception& error) {
    return JsonError(origin, absl::StrCat("cannot be parsed: ", error.what()));
  }
}

absl::StatusOr<Json> Json::ReadFile(const std::string& path, uint64_t max_bytes) {
  ATTEND_ASSIGN_OR_RETURN(const std::unique_ptr<StoredFile> file, StoredFile::Open(path));
  if (file->size() > max_bytes) {
    return JsonError(file->name(),
                     absl::StrCat("expected at most ", max_bytes, " bytes, found ", file->size()));
  }
  ATTEND_RETURN_IF_ERROR(file->RefuseLfsPointer());
  ATTEND_ASSIGN_OR_RETURN(const std::string text, file->ReadString(0, file->size()));
  return Parse(text, file->name());
}

Json::Json() {
  static const std::shared_ptr<const Node>& empty = *[] {
    auto document = std::make_shared<Document>();
    document->root.content = std::make_unique<Object>();
    auto node = std::make_shared<Node>();
    node->value = &document->root;
    node->document = std::move(document);
    return new std::shared_ptr<const Node>(std::move(node));
  }();
  node_ = empty;
}
Json::~Json() = default;
Json::Json(const Json&) = default;
Json& Json::operator=(const Json&) = default;

bool Json::IsObject() const { return node_->value->object() != nullptr; }
bool Json::IsArray() const { return node_->value->array() != nullptr; }
bool Json::IsString() const { return std::holds_alternative<std::string>(node_->value->content); }
bool Json::IsInt() const { return std::holds_alternative<int64_t>(node_->value->content); }
bool Json::IsNull() const { return std::holds_alternative<std::monostate>(node_->value->content); }

const char* Json::TypeName() const { return TypeNameOf(*node_->value); }
absl::Status Json::RequireObject() const {
  return IsObject() ? absl::OkStatus() : WrongType(*node_->value, node_->origin, "an object");
}
absl::Status Json::RequireArray() const {
  return IsArray() ? absl::OkStatus() : WrongType(*node_->value, node_->origin, "an array");
}

bool Json::Has(std::string_view key) const { return node_->Find(key) != nullptr; }

std::vector<std::string> Json::Keys() const {
  std::vector<std::string> keys;
  if (const Object* object = node_->value->object(); object != nullptr) {
    keys.reserve(object->members.size());
    for (const auto& member : object->members) keys.push_back(member.first);
  }
  return keys;
}

absl::StatusOr<Json> Json::Get(std::string_view key) const {
  ATTEND_ASSIGN_OR_RETURN(const Value* value, node_->Require(key));
  Json json;
  json.node_ = std::make_shared<Node>(Node{node_->document, value, node_->MemberOrigin(key)});
  return json;
}

absl::StatusOr<int64_t> Json::GetInt(std::string_view key) const {
  ATTEND_ASSIGN_OR_RETURN(const Value* value, node_->Require(key));
  return ToInt(*value, node_->MemberOrigin(key));
}

absl::StatusOr<double> Json::GetNumber(std::string_view key) const {
  ATTEND_ASSIGN_OR_RETURN(const Value* value, node_->Require(key));
  return ToNumber(*value, node_->MemberOrigin(key));
}

absl::StatusOr<bool> Json::GetBool(std::string_view key) const {
  ATTEND_ASSIGN_OR_RETURN(const Value* value, node_->Require(key));
  return ToBool(*value, node_->MemberOrigin(key));
}

absl::StatusOr<std::string> Json::GetString(std::string_view key) const {
  ATTEND_ASSIGN_OR_RETURN(const Value* value, node_->Require(key));
  return ToText(*value, node_->MemberOrigin(key));
}

absl::StatusOr<int64_t> Json::GetIntOr(std::string_view key, int64_t otherwise) const {
  if (!Has(key)) return otherwise;
  return GetInt(key);
}

absl::StatusOr<double> Json::GetNumberOr(std::string_view key, double otherwise) const {
  if (!Has(key)) return otherwise;
  return GetNumber(key);
}

absl::StatusOr<bool> Json::GetBoolOr(std::string_view key, bool otherwise) const {
  if (!Has(key)) return otherwise;
  return GetBool(key);
}

absl::StatusOr<std::string> Json::GetStringOr(std::string_view key,
                                              std::string_view otherwise) const {
  if (!Has(key)) return std::string(otherwise);
  return GetString(key);
}

std::vector<Json> Json::Elements() const {
  std::vector<Json> elements;
  const Array* array = node_->value->array();
  if (array == nullptr) return elements;
  elements.resize(array->elements.size());
  for (size_t i = 0; i < elements.size(); ++i) {
    elements[i].node_ =
        std::make_shared<Node>(Node{node_->document, &array->elements[i], node_->ElementOrigin(i)});
  }
  return elements;
}

absl::StatusOr<int64_t> Json::AsInt() const { return ToInt(*node_->value, node_->origin); }
absl::StatusOr<double> Json::AsNumber() const { return ToNumber(*node_->value, node_->origin); }
absl::StatusOr<std::string> Json::AsString() const { return ToText(*node_->value, node_->origin); }

absl::StatusOr<std::vector<int64_t>> Json::AsInts() const {
  ATTEND_RETURN_IF_ERROR(RequireArray());
  const Array* array = node_->value->array();
  std::vector<int64_t> numbers;
  numbers.reserve(array->elements.size());
  for (size_t i = 0; i < array->elements.size(); ++i) {
    const auto* number = std::get_if<int64_t>(&array->elements[i].content);
    if (number == nullptr) return ToInt(array->elements[i], node_->ElementOrigin(i)).status();
    numbers.push_back(*number);
  }
  return numbers;
}

absl::StatusOr<std::vector<std::pair<std::string, int64_t>>> Json::AsIntMap() const {
  ATTEND_RETURN_IF_ERROR(RequireObject());
  const Object* object = node_->value->object();
  std::vector<std::pair<std::string, int64_t>> map;
  map.reserve(object->members.size());
  for (const auto& [key, value] : object->members) {
    const auto* number = std::get_if<int64_t>(&value.content);
    if (number == nullptr) return ToInt(value, node_->MemberOrigin(key)).status();
    map.emplace_back(key, *number);
  }
  return map;
}

const std::string& Json::origin() const { return node_->origin; }

}  // namespace attend
