// What a pickle that has run holds, as torch.save means it.
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/pickle_machine.h"

namespace attend {

const char* KindName(PickleKind kind) {
  switch (kind) {
    case PickleKind::kNone:
      return "None";
    case PickleKind::kBool:
      return "a bool";
    case PickleKind::kInt:
      return "an int";
    case PickleKind::kFloat:
      return "a float";
    case PickleKind::kString:
      return "a string";
    case PickleKind::kTuple:
      return "a tuple";
    case PickleKind::kList:
      return "a list";
    case PickleKind::kDict:
      return "a dict";
    case PickleKind::kGlobal:
      return "a function or class";
    case PickleKind::kStorage:
      return "a storage";
    case PickleKind::kTensor:
      return "a tensor";
  }
  return "?";
}

absl::StatusOr<int64_t> PickleMachine::ResultAsInt() const {
  const PickleValue& result = arena_[stack_.back()];
  if (result.kind == PickleKind::kInt) return result.number;
  return Corrupt(absl::StrCat("expected an int, found ", KindName(result.kind)));
}

absl::StatusOr<bool> PickleMachine::ResultAsFlag(std::string_view key) const {
  const std::string expected = absl::StrCat("expected a dict with a bool '", std::string(key), "'");
  const PickleValue& result = arena_[stack_.back()];
  if (result.kind != PickleKind::kDict) {
    return Corrupt(absl::StrCat(expected, ", found ", KindName(result.kind)));
  }
  for (size_t i = 0; i < result.items.size(); i += 2) {
    const PickleValue& value = arena_[result.items[i + 1]];
    if (IsString(result.items[i], key) && value.kind == PickleKind::kBool) return value.number != 0;
  }
  return Corrupt(absl::StrCat(expected, ", found none"));
}

absl::StatusOr<std::vector<std::string>> PickleMachine::ResultAsStrings() const {
  const PickleValue& result = arena_[stack_.back()];
  if (result.kind != PickleKind::kList) {
    return Corrupt(absl::StrCat("expected a list of strings, found ", KindName(result.kind)));
  }
  std::vector<std::string> strings;
  for (const PickleIndex item : result.items) {
    const PickleValue& value = arena_[item];
    if (value.kind != PickleKind::kString || value.text.size() > kMaxStorageKeyBytes) {
      return Corrupt(absl::StrCat("expected a list of strings of at most ", kMaxStorageKeyBytes,
                                  " bytes, found ", KindName(value.kind), " in it"));
    }
    strings.emplace_back(value.text);
  }
  return strings;
}

absl::StatusOr<std::vector<PickledTensor>> PickleMachine::ResultAsTensors() const {
  return TakeTensors(stack_.back());
}

absl::StatusOr<std::vector<PickledTensor>> PickleMachine::TakeTensors(PickleIndex result) const {
  const PickleValue& dict = arena_[result];
  if (dict.kind != PickleKind::kDict) {
    return Unsupported(
        absl::StrCat("expected a dict from names to tensors, found ", KindName(dict.kind)));
  }
  std::vector<PickledTensor> named;
  absl::flat_hash_set<std::string> names;
  for (size_t i = 0; i < dict.items.size(); i += 2) {
    const PickleValue& key = arena_[dict.items[i]];
    const PickleValue& value = arena_[dict.items[i + 1]];
    if (key.kind != PickleKind::kString || key.text.empty() ||
        key.text.size() > kMaxPickledNameBytes) {
      return Unsupported(absl::StrCat("expected the name of a tensor, found ", KindName(key.kind),
                                      " of ", key.text.size(), " bytes"));
    }
    if (value.kind != PickleKind::kTensor) {
      return UnsupportedCheckpoint(
          {file_, key.text},
          absl::StrCat("expected a tensor, found ", KindName(value.kind),
                       value.kind == PickleKind::kDict
                           ? " (a training checkpoint? save its state dict alone)"
                           : ""));
    }
    if (!names.insert(std::string(key.text)).second) {
      return CorruptCheckpoint({file_, key.text}, "is stored twice");
    }
    named.push_back(tensors_[value.tensor]);
    named.back().name = std::string(key.text);
  }
  return named;
}

bool PickleMachine::IsString(PickleIndex index, std::string_view expected) const {
  return arena_[index].kind == PickleKind::kString && arena_[index].text == expected;
}

}  // namespace attend
