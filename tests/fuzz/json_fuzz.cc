// Any text either is refused or gives a document that can be walked to its last value through every
// getter.
#include <cstdint>
#include <string_view>

#include "engine/base/check.h"
#include "engine/checkpoint/json.h"

namespace {

// Recursion is bounded by the depth that Parse allows.
void Walk(const attend::Json& json, int depth) {
  ATTEND_CHECK(depth <= 101, "the parser bounds the depth");
  ATTEND_CHECK(!json.origin().empty(), "every value has an origin");
  ATTEND_CHECK(json.IsInt() == json.AsInt().ok(), "an integer is read as one");
  ATTEND_CHECK(json.IsString() == json.AsString().ok(), "a string is read as one");
  (void)json.AsNumber();
  (void)json.AsInts();
  const auto map = json.AsIntMap();
  ATTEND_CHECK(!map.ok() || map->size() == json.Keys().size(), "a vocabulary is whole");
  for (const attend::Json& element : json.Elements()) Walk(element, depth + 1);
  for (const std::string& key : json.Keys()) {
    const auto member = json.Get(key);
    ATTEND_CHECK(member.ok() == json.Has(key), "a member that is there can be had");
    ATTEND_CHECK(!json.GetBool(key).ok() || json.Has(key), "absent keys have no value");
    ATTEND_CHECK(json.Has(key) || json.GetIntOr(key, 42).value_or(0) == 42,
                 "absent keys take the default");
    if (member.ok()) Walk(*member, depth + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const auto json = attend::Json::Parse(
      std::string_view(reinterpret_cast<const char*>(bytes), size), "fuzz.json");
  if (json.ok()) {
    Walk(*json, 1);
  } else {
    ATTEND_CHECK(json.status().code() == absl::StatusCode::kInvalidArgument,
                 "bad text is an invalid argument");
  }
  return 0;
}
