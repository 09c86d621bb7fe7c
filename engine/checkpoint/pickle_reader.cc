// A pickle is a program for a stack machine. Values live in an arena and are named by index, so
// that memo, stack and containers share them freely: a list may hold itself, and deep nesting costs
// neither stack nor time. Opcodes are those of protocol 2 that Python's C pickler emits for what a
// state dict may hold (pickletools.py documents each).
#include "engine/checkpoint/pickle_reader.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/little_endian.h"

namespace attend {
namespace {

constexpr size_t kMaxValues = size_t{256} << 10;  // a tensor takes about fifteen
constexpr size_t kMaxDimensions = 16;
constexpr size_t kMaxNameBytes = 4096;
constexpr size_t kMaxStorageKeyBytes =
    64;  // torch counts storages from "0"; many tensors may copy one key

enum class Kind {
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kTuple,
  kList,
  kDict,
  kGlobal,
  kStorage,
  kTensor
};
enum class Global { kOrderedDict, kRebuildTensor, kRebuildParameter, kStorageType };

const char* KindName(Kind kind) {
  switch (kind) {
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return "a bool";
    case Kind::kInt:
      return "an int";
    case Kind::kFloat:
      return "a float";
    case Kind::kString:
      return "a string";
    case Kind::kTuple:
      return "a tuple";
    case Kind::kList:
      return "a list";
    case Kind::kDict:
      return "a dict";
    case Kind::kGlobal:
      return "a function or class";
    case Kind::kStorage:
      return "a storage";
    case Kind::kTensor:
      return "a tensor";
  }
  return "?";
}

struct GlobalName {
  std::string_view module, name;
  Global global;
  DataType type;  // of a storage type
};

constexpr GlobalName kGlobals[] = {
    {"collections", "OrderedDict", Global::kOrderedDict, DataType::kF32},
    {"torch._utils", "_rebuild_tensor_v2", Global::kRebuildTensor, DataType::kF32},
    {"torch._utils", "_rebuild_parameter", Global::kRebuildParameter, DataType::kF32},
    {"torch", "FloatStorage", Global::kStorageType, DataType::kF32},
    {"torch", "HalfStorage", Global::kStorageType, DataType::kF16},
    {"torch", "BFloat16Storage", Global::kStorageType, DataType::kBF16},
    {"torch", "DoubleStorage", Global::kStorageType, DataType::kF64},
    {"torch", "LongStorage", Global::kStorageType, DataType::kI64},
    {"torch", "IntStorage", Global::kStorageType, DataType::kI32},
    {"torch", "ShortStorage", Global::kStorageType, DataType::kI16},
    {"torch", "CharStorage", Global::kStorageType, DataType::kI8},
    {"torch", "ByteStorage", Global::kStorageType, DataType::kU8},
    {"torch", "BoolStorage", Global::kStorageType, DataType::kBool},
};

using Index = uint32_t;  // of a value in the arena

struct Value {
  Kind kind = Kind::kNone;
  int64_t number = 0;     // kBool, kInt; element count of kStorage; position in kGlobals of kGlobal
  std::string_view text;  // kString; key of kStorage; points into the pickle
  DataType type = DataType::kF32;  // kStorage
  std::vector<Index> items;        // kTuple, kList; key and value alternating in kDict
  Index tensor = 0;                // kTensor: which of tensors_
};

// A storage is named by the tuple ('storage', type, key, location, number of elements), and before
// torch 1.6 by the same with a sixth element: which part of another storage it is, or None.
enum class StorageIds { kOfFive, kOfSix };

class PickleMachine {
 public:
  PickleMachine(absl::Span<const uint8_t> bytes, size_t position, std::string_view file,
                StorageIds storage_ids)
      : bytes_(bytes), file_(file), storage_ids_(storage_ids), position_(position) {}

  // Runs the pickle from the position given to its end.
  absl::Status Run() {
    if (bytes_.size() > kMaxPickleBytes) {
      return Corrupt(
          absl::StrCat("expected at most ", kMaxPickleBytes, " bytes, found ", bytes_.size()));
    }
    ATTEND_RETURN_IF_ERROR(ReadProtocol());
    while (!is_stopped_) ATTEND_RETURN_IF_ERROR(Step());
    if (stack_.size() != 1 || !marks_.empty()) return Corrupt("its end leaves values on the stack");
    return absl::OkStatus();
  }
  absl::Status ExpectEnd() const {
    return position_ == bytes_.size() ? absl::OkStatus() : Corrupt("bytes follow its end");
  }
  size_t position() const { return position_; }

  // What the pickle holds. REQUIRES: Run() went well.
  absl::StatusOr<int64_t> ResultAsInt() const {
    const Value& result = arena_[stack_.back()];
    if (result.kind == Kind::kInt) return result.number;
    return Corrupt(absl::StrCat("expected an int, found ", KindName(result.kind)));
  }
  absl::StatusOr<bool> ResultAsFlag(std::string_view key) const {
    const std::string expected =
        absl::StrCat("expected a dict with a bool '", std::string(key), "'");
    const Value& result = arena_[stack_.back()];
    if (result.kind != Kind::kDict) {
      return Corrupt(absl::StrCat(expected, ", found ", KindName(result.kind)));
    }
    for (size_t i = 0; i < result.items.size(); i += 2) {
      const Value& value = arena_[result.items[i + 1]];
      if (IsString(result.items[i], key) && value.kind == Kind::kBool) return value.number != 0;
    }
    return Corrupt(absl::StrCat(expected, ", found none"));
  }
  absl::StatusOr<std::vector<std::string>> ResultAsStrings() const {
    const Value& result = arena_[stack_.back()];
    if (result.kind != Kind::kList) {
      return Corrupt(absl::StrCat("expected a list of strings, found ", KindName(result.kind)));
    }
    std::vector<std::string> strings;
    for (const Index item : result.items) {
      const Value& value = arena_[item];
      if (value.kind != Kind::kString || value.text.size() > kMaxStorageKeyBytes) {
        return Corrupt(absl::StrCat("expected a list of strings of at most ", kMaxStorageKeyBytes,
                                    " bytes, found ", KindName(value.kind), " in it"));
      }
      strings.emplace_back(value.text);
    }
    return strings;
  }
  absl::StatusOr<std::vector<PickledTensor>> ResultAsTensors() const {
    return TakeTensors(stack_.back());
  }

 private:
  absl::Status Corrupt(std::string_view what) const {
    return CorruptCheckpoint({file_, ""},
                             absl::StrCat("pickle, byte ", op_position_, ": ", std::string(what)));
  }
  absl::Status Unsupported(std::string_view what) const {
    return UnsupportedCheckpoint(
        {file_, ""}, absl::StrCat("pickle, byte ", op_position_, ": ", std::string(what)));
  }

  // --- Bytes ---

  absl::StatusOr<const uint8_t*> Take(uint64_t count) {
    if (count > bytes_.size() - position_) return Corrupt("truncated");
    const uint8_t* taken = bytes_.data() + position_;
    position_ += count;
    return taken;
  }

  absl::StatusOr<std::string_view> TakeLine() {
    const size_t left = std::min(bytes_.size() - position_, kMaxNameBytes);
    const void* end = left > 0 ? std::memchr(bytes_.data() + position_, '\n', left) : nullptr;
    if (end == nullptr) return Corrupt("a name does not end");
    const char* begin = reinterpret_cast<const char*>(bytes_.data() + position_);
    const std::string_view line(begin, static_cast<size_t>(static_cast<const char*>(end) - begin));
    position_ += line.size() + 1;
    return line;
  }

  absl::Status ReadProtocol() {
    ATTEND_ASSIGN_OR_RETURN(const uint8_t* head, Take(2));
    if (head[0] != 0x80) return Corrupt("expected a protocol mark");
    if (head[1] != 2)
      return Unsupported(absl::StrCat("expected protocol 2, found ", static_cast<int>(head[1])));
    return absl::OkStatus();
  }

  // --- Stack and arena ---

  absl::Status Push(Value value) {
    if (arena_.size() >= kMaxValues)
      return Corrupt(absl::StrCat("more than ", kMaxValues, " values"));
    stack_.push_back(static_cast<Index>(arena_.size()));
    arena_.push_back(std::move(value));
    return absl::OkStatus();
  }
  absl::Status PushInt(int64_t number) {
    Value value;
    value.kind = Kind::kInt;
    value.number = number;
    return Push(std::move(value));
  }
  absl::Status PushKind(Kind kind, int64_t number = 0) {
    Value value;
    value.kind = kind;
    value.number = number;
    return Push(std::move(value));
  }

  // Values above the topmost mark belong to whoever closes it; nothing may reach below.
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  absl::StatusOr<Index> Pop() {
    if (stack_.size() <= floor()) return Corrupt("the stack is empty");
    const Index top = stack_.back();
    stack_.pop_back();
    return top;
  }
  absl::StatusOr<std::vector<Index>> PopToMark() {
    if (marks_.empty()) return Corrupt("there is no mark on the stack");
    const auto begin = stack_.begin() + static_cast<ptrdiff_t>(marks_.back());
    std::vector<Index> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }
  absl::StatusOr<Value*> Top(Kind expected) {
    if (stack_.size() <= floor()) return Corrupt("the stack is empty");
    Value* top = &arena_[stack_.back()];
    if (top->kind != expected) {
      return Corrupt(
          absl::StrCat("expected ", KindName(expected), ", found ", KindName(top->kind)));
    }
    return top;
  }
  absl::Status PushTuple(size_t count) {
    std::vector<Index> items(count);
    for (size_t i = count; i-- > 0;) {
      ATTEND_ASSIGN_OR_RETURN(items[i], Pop());
    }
    return PushItems(Kind::kTuple, std::move(items));
  }
  absl::Status PushItems(Kind kind, std::vector<Index> items) {
    Value value;
    value.kind = kind;
    value.items = std::move(items);
    return Push(std::move(value));
  }

  // --- Opcodes ---

  absl::Status Step() {
    op_position_ = position_;
    ATTEND_ASSIGN_OR_RETURN(const uint8_t* op, Take(1));
    switch (*op) {
      case '.':
        is_stopped_ = true;
        return absl::OkStatus();
      case '(':
        if (marks_.size() >= kMaxValues) return Corrupt("too many marks");
        marks_.push_back(stack_.size());
        return absl::OkStatus();
      case 'N':
        return PushKind(Kind::kNone);
      case 0x88:
        return PushKind(Kind::kBool, 1);
      case 0x89:
        return PushKind(Kind::kBool, 0);
      case '}':
        return PushKind(Kind::kDict);
      case ']':
        return PushKind(Kind::kList);
      case ')':
        return PushTuple(0);
      case 0x85:
        return PushTuple(1);
      case 0x86:
        return PushTuple(2);
      case 0x87:
        return PushTuple(3);
      case 't': {
        ATTEND_ASSIGN_OR_RETURN(std::vector<Index> items, PopToMark());
        return PushItems(Kind::kTuple, std::move(items));
      }
      case 'K':
      case 'M':
      case 'J':
      case 0x8a:
      case 'G':
        return ReadNumber(*op);
      case 'X':
        return ReadString();
      case 'q':
      case 'r':
      case 'h':
      case 'j':
        return UseMemo(*op);
      case 's':
      case 'u':
      case 'a':
      case 'e':
        return AddItems(*op);
      case 'c':
        return ReadGlobal();
      case 'Q':
        return ReadStorage();
      case 'R':
        return Reduce();
      case 'b':
        return Build();
      default:
        return Unsupported(absl::StrCat("opcode 0x", absl::Hex(*op, absl::kZeroPad2),
                                        " does not occur in the state dicts that torch writes"));
    }
  }

  absl::Status ReadNumber(uint8_t op) {
    if (op == 'K') {
      ATTEND_ASSIGN_OR_RETURN(const uint8_t* number, Take(1));
      return PushInt(*number);
    }
    if (op == 'M') {
      ATTEND_ASSIGN_OR_RETURN(const uint8_t* number, Take(2));
      return PushInt(LoadU16(number));
    }
    if (op == 'J') {
      ATTEND_ASSIGN_OR_RETURN(const uint8_t* number, Take(4));
      return PushInt(static_cast<int32_t>(LoadU32(number)));
    }
    if (op == 'G') {  // a float stands nowhere that matters: its value is dropped
      ATTEND_RETURN_IF_ERROR(Take(8).status());
      return PushKind(Kind::kFloat);
    }
    // LONG1: a size and as many little-endian bytes, two's complement.
    ATTEND_ASSIGN_OR_RETURN(const uint8_t* size, Take(1));
    if (*size > 8)
      return Corrupt(
          absl::StrCat("expected an integer of at most 8 bytes, found ", static_cast<int>(*size)));
    ATTEND_ASSIGN_OR_RETURN(const uint8_t* digits, Take(*size));
    uint64_t number = *size > 0 && (digits[*size - 1] & 0x80) != 0 ? ~uint64_t{0} : 0;
    for (size_t i = *size; i-- > 0;) number = number << 8 | digits[i];
    return PushInt(static_cast<int64_t>(number));
  }

  absl::Status ReadString() {
    ATTEND_ASSIGN_OR_RETURN(const uint8_t* size_bytes, Take(4));
    const uint32_t size = LoadU32(size_bytes);
    ATTEND_ASSIGN_OR_RETURN(const uint8_t* text, Take(size));
    Value value;
    value.kind = Kind::kString;
    value.text = std::string_view(reinterpret_cast<const char*>(text), size);
    return Push(std::move(value));
  }

  absl::Status UseMemo(uint8_t op) {
    const bool is_wide = op == 'r' || op == 'j';
    ATTEND_ASSIGN_OR_RETURN(const uint8_t* bytes, Take(is_wide ? 4 : 1));
    const uint32_t slot = is_wide ? LoadU32(bytes) : *bytes;
    if (op == 'q' || op == 'r') {
      if (stack_.size() <= floor()) return Corrupt("the stack is empty");
      // Slots may be any 32-bit number, so a map: a huge slot costs no more than a small one.
      if (memo_.size() >= kMaxValues)
        return Corrupt(absl::StrCat("more than ", kMaxValues, " memo slots"));
      memo_[slot] = stack_.back();
      return absl::OkStatus();
    }
    const auto found = memo_.find(slot);
    if (found == memo_.end()) return Corrupt(absl::StrCat("memo slot ", slot, " is empty"));
    if (stack_.size() >= kMaxValues) return Corrupt("the stack is too deep");
    stack_.push_back(found->second);
    return absl::OkStatus();
  }

  absl::Status AddItems(uint8_t op) {
    const bool is_dict = op == 's' || op == 'u';
    std::vector<Index> items;
    if (op == 'u' || op == 'e') {
      ATTEND_ASSIGN_OR_RETURN(items, PopToMark());
    } else {
      items.resize(is_dict ? 2 : 1);
      for (size_t i = items.size(); i-- > 0;) {
        ATTEND_ASSIGN_OR_RETURN(items[i], Pop());
      }
    }
    if (is_dict && items.size() % 2 != 0) return Corrupt("a key has no value");
    ATTEND_ASSIGN_OR_RETURN(Value * container, Top(is_dict ? Kind::kDict : Kind::kList));
    container->items.insert(container->items.end(), items.begin(), items.end());
    return absl::OkStatus();
  }

  absl::Status ReadGlobal() {
    ATTEND_ASSIGN_OR_RETURN(const std::string_view module, TakeLine());
    ATTEND_ASSIGN_OR_RETURN(const std::string_view name, TakeLine());
    for (size_t i = 0; i < std::size(kGlobals); ++i) {
      if (kGlobals[i].module == module && kGlobals[i].name == name) {
        return PushKind(Kind::kGlobal, static_cast<int64_t>(i));
      }
    }
    return Unsupported(absl::StrCat(
        "it asks for '", Printable(module), ".", Printable(name),
        "', which is refused: only tensors of plain types and (ordered) dicts are read"));
  }

  // A persistent id.
  absl::Status ReadStorage() {
    ATTEND_ASSIGN_OR_RETURN(const Index top, Pop());
    const std::vector<Index>& id = arena_[top].items;
    const size_t size = storage_ids_ == StorageIds::kOfFive ? 5 : 6;
    if (arena_[top].kind != Kind::kTuple || id.size() != size || !IsString(id[0], "storage") ||
        !IsGlobal(id[1]) || kGlobals[arena_[id[1]].number].global != Global::kStorageType ||
        arena_[id[2]].kind != Kind::kString || arena_[id[3]].kind != Kind::kString ||
        arena_[id[4]].kind != Kind::kInt) {
      return Corrupt(absl::StrCat("expected a persistent id ('storage', type, key, location, count",
                                  size == 6 ? ", view)" : ")"));
    }
    if (size == 6 && arena_[id[5]].kind != Kind::kNone) {
      return Unsupported(
          "expected a storage of its own, found a view of another one (torch before 0.4)");
    }
    Value storage;
    storage.kind = Kind::kStorage;
    storage.type = kGlobals[arena_[id[1]].number].type;
    storage.text = arena_[id[2]].text;
    storage.number = arena_[id[4]].number;
    return Push(std::move(storage));
  }

  absl::Status Reduce() {
    ATTEND_ASSIGN_OR_RETURN(const Index arguments, Pop());
    ATTEND_ASSIGN_OR_RETURN(const Index callee, Pop());
    if (arena_[arguments].kind != Kind::kTuple) return Corrupt("expected a tuple of arguments");
    if (!IsGlobal(callee))
      return Corrupt(absl::StrCat("cannot call ", KindName(arena_[callee].kind)));
    const std::vector<Index>& items = arena_[arguments].items;
    switch (kGlobals[arena_[callee].number].global) {
      case Global::kOrderedDict:
        if (!items.empty()) return Unsupported("expected an OrderedDict without arguments");
        return PushKind(Kind::kDict);
      case Global::kRebuildTensor:
        return RebuildTensor(items);
      case Global::kRebuildParameter:  // (tensor, requires_grad, backward_hooks): the tensor itself
        if (items.size() != 3 || arena_[items[0]].kind != Kind::kTensor) {
          return Corrupt("expected a parameter's tensor and two flags");
        }
        stack_.push_back(items[0]);
        return absl::OkStatus();
      case Global::kStorageType:
        break;
    }
    return Corrupt("a storage type is not called");
  }

  // (storage, offset, sizes, strides, requires_grad, backward_hooks[, metadata])
  absl::Status RebuildTensor(const std::vector<Index>& arguments) {
    if ((arguments.size() != 6 && arguments.size() != 7) ||
        arena_[arguments[0]].kind != Kind::kStorage || arena_[arguments[1]].kind != Kind::kInt) {
      return Corrupt("expected a tensor's storage, offset, sizes and strides");
    }
    const Value& storage = arena_[arguments[0]];
    if (storage.text.size() > kMaxStorageKeyBytes) {
      return Corrupt(absl::StrCat("expected a storage key of at most ", kMaxStorageKeyBytes,
                                  " bytes, found ", storage.text.size()));
    }
    PickledTensor tensor;
    tensor.type = storage.type;
    tensor.storage = std::string(storage.text);
    tensor.storage_elements = storage.number;
    tensor.offset = arena_[arguments[1]].number;
    ATTEND_ASSIGN_OR_RETURN(tensor.shape, ReadInts(arguments[2]));
    ATTEND_ASSIGN_OR_RETURN(tensor.strides, ReadInts(arguments[3]));
    if (tensor.shape.size() != tensor.strides.size()) {
      return Corrupt(absl::StrCat("a tensor has ", tensor.shape.size(), " sizes and ",
                                  tensor.strides.size(), " strides"));
    }
    Value value;
    value.kind = Kind::kTensor;
    value.tensor = static_cast<Index>(tensors_.size());
    tensors_.push_back(std::move(tensor));
    return Push(std::move(value));
  }

  absl::StatusOr<Shape> ReadInts(Index index) const {
    const Value& tuple = arena_[index];
    if (tuple.kind != Kind::kTuple || tuple.items.size() > kMaxDimensions) {
      return Corrupt(absl::StrCat("expected a tuple of at most ", kMaxDimensions, " ints"));
    }
    Shape ints;
    for (Index item : tuple.items) {
      if (arena_[item].kind != Kind::kInt) return Corrupt("expected a tuple of ints");
      ints.push_back(arena_[item].number);
    }
    return ints;
  }

  // Attributes of an OrderedDict: modules put _metadata there, which no tensor needs.
  absl::Status Build() {
    ATTEND_RETURN_IF_ERROR(Pop().status());
    return Top(Kind::kDict).status();
  }

  bool IsString(Index index, std::string_view expected) const {
    return arena_[index].kind == Kind::kString && arena_[index].text == expected;
  }
  bool IsGlobal(Index index) const { return arena_[index].kind == Kind::kGlobal; }

  absl::StatusOr<std::vector<PickledTensor>> TakeTensors(Index result) const {
    const Value& dict = arena_[result];
    if (dict.kind != Kind::kDict) {
      return Unsupported(
          absl::StrCat("expected a dict from names to tensors, found ", KindName(dict.kind)));
    }
    std::vector<PickledTensor> named;
    absl::flat_hash_set<std::string> names;
    for (size_t i = 0; i < dict.items.size(); i += 2) {
      const Value& key = arena_[dict.items[i]];
      const Value& value = arena_[dict.items[i + 1]];
      if (key.kind != Kind::kString || key.text.empty() || key.text.size() > kMaxNameBytes) {
        return Unsupported(absl::StrCat("expected the name of a tensor, found ", KindName(key.kind),
                                        " of ", key.text.size(), " bytes"));
      }
      if (value.kind != Kind::kTensor) {
        return UnsupportedCheckpoint(
            {file_, key.text},
            absl::StrCat("expected a tensor, found ", KindName(value.kind),
                         value.kind == Kind::kDict
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

  absl::Span<const uint8_t> bytes_;
  std::string_view file_;
  StorageIds storage_ids_;
  size_t position_;
  size_t op_position_ = 0;  // of the opcode being run, for messages
  bool is_stopped_ = false;
  std::vector<Value> arena_;
  std::vector<Index> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  absl::flat_hash_map<uint32_t, Index> memo_;
  std::vector<PickledTensor> tensors_;
};

// Runs the pickle at *position, moves the position behind it, and asks `result` what it holds.
template <typename Result>
auto RunNext(absl::Span<const uint8_t> bytes, std::string_view file, size_t* position,
             Result result) -> decltype(result(std::declval<const PickleMachine&>())) {
  PickleMachine machine(bytes, *position, file, StorageIds::kOfSix);
  ATTEND_RETURN_IF_ERROR(machine.Run());
  *position = machine.position();
  return result(machine);
}

}  // namespace

absl::StatusOr<std::vector<PickledTensor>> ParseStateDict(absl::Span<const uint8_t> bytes,
                                                          std::string_view file) {
  PickleMachine machine(bytes, 0, file, StorageIds::kOfFive);
  ATTEND_RETURN_IF_ERROR(machine.Run());
  ATTEND_RETURN_IF_ERROR(machine.ExpectEnd());
  return machine.ResultAsTensors();
}

absl::StatusOr<int64_t> PickleStream::TakeInt() {
  return RunNext(bytes_, file_, &position_, [](const auto& run) { return run.ResultAsInt(); });
}

absl::StatusOr<bool> PickleStream::TakeFlag(std::string_view key) {
  return RunNext(bytes_, file_, &position_,
                 [key](const auto& run) { return run.ResultAsFlag(key); });
}

absl::StatusOr<std::vector<std::string>> PickleStream::TakeStrings() {
  return RunNext(bytes_, file_, &position_, [](const auto& run) { return run.ResultAsStrings(); });
}

absl::StatusOr<std::vector<PickledTensor>> PickleStream::TakeStateDict() {
  return RunNext(bytes_, file_, &position_, [](const auto& run) { return run.ResultAsTensors(); });
}

}  // namespace attend
