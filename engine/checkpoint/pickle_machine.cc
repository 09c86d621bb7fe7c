// Opcodes are those of protocol 2 that Python's C pickler emits for what a state dict may hold
// (pickletools.py documents each).
#include "engine/checkpoint/pickle_machine.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/little_endian.h"

namespace attend {
namespace {

constexpr size_t kMaxValues = size_t{256} << 10;  // a tensor takes about fifteen
constexpr size_t kMaxDimensions = 16;

enum class Global { kOrderedDict, kRebuildTensor, kRebuildParameter, kStorageType };

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

}  // namespace

absl::Status PickleMachine::Run() {
  if (bytes_.size() > kMaxPickleBytes) {
    return Corrupt(
        absl::StrCat("expected at most ", kMaxPickleBytes, " bytes, found ", bytes_.size()));
  }
  ATTEND_RETURN_IF_ERROR(ReadProtocol());
  while (!is_stopped_) ATTEND_RETURN_IF_ERROR(Step());
  if (stack_.size() != 1 || !marks_.empty()) return Corrupt("its end leaves values on the stack");
  return absl::OkStatus();
}

absl::Status PickleMachine::ExpectEnd() const {
  return position_ == bytes_.size() ? absl::OkStatus() : Corrupt("bytes follow its end");
}

absl::Status PickleMachine::Corrupt(std::string_view what) const {
  return CorruptCheckpoint({file_, ""},
                           absl::StrCat("pickle, byte ", op_position_, ": ", std::string(what)));
}

absl::Status PickleMachine::Unsupported(std::string_view what) const {
  return UnsupportedCheckpoint(
      {file_, ""}, absl::StrCat("pickle, byte ", op_position_, ": ", std::string(what)));
}

absl::StatusOr<const uint8_t*> PickleMachine::Take(uint64_t count) {
  if (count > bytes_.size() - position_) return Corrupt("truncated");
  const uint8_t* taken = bytes_.data() + position_;
  position_ += count;
  return taken;
}

absl::StatusOr<std::string_view> PickleMachine::TakeLine() {
  const size_t left = std::min(bytes_.size() - position_, kMaxPickledNameBytes);
  const void* end = left > 0 ? std::memchr(bytes_.data() + position_, '\n', left) : nullptr;
  if (end == nullptr) return Corrupt("a name does not end");
  const char* begin = reinterpret_cast<const char*>(bytes_.data() + position_);
  const std::string_view line(begin, static_cast<size_t>(static_cast<const char*>(end) - begin));
  position_ += line.size() + 1;
  return line;
}

absl::Status PickleMachine::ReadProtocol() {
  ATTEND_ASSIGN_OR_RETURN(const uint8_t* head, Take(2));
  if (head[0] != 0x80) return Corrupt("expected a protocol mark");
  if (head[1] != 2)
    return Unsupported(absl::StrCat("expected protocol 2, found ", static_cast<int>(head[1])));
  return absl::OkStatus();
}

absl::Status PickleMachine::Push(PickleValue value) {
  if (arena_.size() >= kMaxValues)
    return Corrupt(absl::StrCat("more than ", kMaxValues, " values"));
  stack_.push_back(static_cast<PickleIndex>(arena_.size()));
  arena_.push_back(std::move(value));
  return absl::OkStatus();
}

absl::Status PickleMachine::PushInt(int64_t number) {
  PickleValue value;
  value.kind = PickleKind::kInt;
  value.number = number;
  return Push(std::move(value));
}

absl::Status PickleMachine::PushKind(PickleKind kind, int64_t number) {
  PickleValue value;
  value.kind = kind;
  value.number = number;
  return Push(std::move(value));
}

absl::StatusOr<PickleIndex> PickleMachine::Pop() {
  if (stack_.size() <= floor()) return Corrupt("the stack is empty");
  const PickleIndex top = stack_.back();
  stack_.pop_back();
  return top;
}

absl::StatusOr<std::vector<PickleIndex>> PickleMachine::PopToMark() {
  if (marks_.empty()) return Corrupt("there is no mark on the stack");
  const auto begin = stack_.begin() + static_cast<ptrdiff_t>(marks_.back());
  std::vector<PickleIndex> items(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return items;
}

absl::StatusOr<PickleValue*> PickleMachine::Top(PickleKind expected) {
  if (stack_.size() <= floor()) return Corrupt("the stack is empty");
  PickleValue* top = &arena_[stack_.back()];
  if (top->kind != expected) {
    return Corrupt(absl::StrCat("expected ", KindName(expected), ", found ", KindName(top->kind)));
  }
  return top;
}

absl::Status PickleMachine::PushTuple(size_t count) {
  std::vector<PickleIndex> items(count);
  for (size_t i = count; i-- > 0;) {
    ATTEND_ASSIGN_OR_RETURN(items[i], Pop());
  }
  return PushItems(PickleKind::kTuple, std::move(items));
}

absl::Status PickleMachine::PushItems(PickleKind kind, std::vector<PickleIndex> items) {
  PickleValue value;
  value.kind = kind;
  value.items = std::move(items);
  return Push(std::move(value));
}

absl::Status PickleMachine::Step() {
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
      return PushKind(PickleKind::kNone);
    case 0x88:
      return PushKind(PickleKind::kBool, 1);
    case 0x89:
      return PushKind(PickleKind::kBool, 0);
    case '}':
      return PushKind(PickleKind::kDict);
    case ']':
      return PushKind(PickleKind::kList);
    case ')':
      return PushTuple(0);
    case 0x85:
      return PushTuple(1);
    case 0x86:
      return PushTuple(2);
    case 0x87:
      return PushTuple(3);
    case 't': {
      ATTEND_ASSIGN_OR_RETURN(std::vector<PickleIndex> items, PopToMark());
      return PushItems(PickleKind::kTuple, std::move(items));
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

absl::Status PickleMachine::ReadNumber(uint8_t op) {
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
    return PushKind(PickleKind::kFloat);
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

absl::Status PickleMachine::ReadString() {
  ATTEND_ASSIGN_OR_RETURN(const uint8_t* size_bytes, Take(4));
  const uint32_t size = LoadU32(size_bytes);
  ATTEND_ASSIGN_OR_RETURN(const uint8_t* text, Take(size));
  PickleValue value;
  value.kind = PickleKind::kString;
  value.text = std::string_view(reinterpret_cast<const char*>(text), size);
  return Push(std::move(value));
}

absl::Status PickleMachine::UseMemo(uint8_t op) {
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

absl::Status PickleMachine::AddItems(uint8_t op) {
  const bool is_dict = op == 's' || op == 'u';
  std::vector<PickleIndex> items;
  if (op == 'u' || op == 'e') {
    ATTEND_ASSIGN_OR_RETURN(items, PopToMark());
  } else {
    items.resize(is_dict ? 2 : 1);
    for (size_t i = items.size(); i-- > 0;) {
      ATTEND_ASSIGN_OR_RETURN(items[i], Pop());
    }
  }
  if (is_dict && items.size() % 2 != 0) return Corrupt("a key has no value");
  ATTEND_ASSIGN_OR_RETURN(PickleValue * container,
                          Top(is_dict ? PickleKind::kDict : PickleKind::kList));
  container->items.insert(container->items.end(), items.begin(), items.end());
  return absl::OkStatus();
}

absl::Status PickleMachine::ReadGlobal() {
  ATTEND_ASSIGN_OR_RETURN(const std::string_view module, TakeLine());
  ATTEND_ASSIGN_OR_RETURN(const std::string_view name, TakeLine());
  for (size_t i = 0; i < std::size(kGlobals); ++i) {
    if (kGlobals[i].module == module && kGlobals[i].name == name) {
      return PushKind(PickleKind::kGlobal, static_cast<int64_t>(i));
    }
  }
  return Unsupported(absl::StrCat(
      "it asks for '", Printable(module), ".", Printable(name),
      "', which is refused: only tensors of plain types and (ordered) dicts are read"));
}

absl::Status PickleMachine::ReadStorage() {
  ATTEND_ASSIGN_OR_RETURN(const PickleIndex top, Pop());
  const std::vector<PickleIndex>& id = arena_[top].items;
  const size_t size = storage_ids_ == PickleStorageIds::kOfFive ? 5 : 6;
  if (arena_[top].kind != PickleKind::kTuple || id.size() != size || !IsString(id[0], "storage") ||
      !IsGlobal(id[1]) || kGlobals[arena_[id[1]].number].global != Global::kStorageType ||
      arena_[id[2]].kind != PickleKind::kString || arena_[id[3]].kind != PickleKind::kString ||
      arena_[id[4]].kind != PickleKind::kInt) {
    return Corrupt(absl::StrCat("expected a persistent id ('storage', type, key, location, count",
                                size == 6 ? ", view)" : ")"));
  }
  if (size == 6 && arena_[id[5]].kind != PickleKind::kNone) {
    return Unsupported(
        "expected a storage of its own, found a view of another one (torch before 0.4)");
  }
  PickleValue storage;
  storage.kind = PickleKind::kStorage;
  storage.type = kGlobals[arena_[id[1]].number].type;
  storage.text = arena_[id[2]].text;
  storage.number = arena_[id[4]].number;
  return Push(std::move(storage));
}

absl::Status PickleMachine::Reduce() {
  ATTEND_ASSIGN_OR_RETURN(const PickleIndex arguments, Pop());
  ATTEND_ASSIGN_OR_RETURN(const PickleIndex callee, Pop());
  if (arena_[arguments].kind != PickleKind::kTuple) return Corrupt("expected a tuple of arguments");
  if (!IsGlobal(callee))
    return Corrupt(absl::StrCat("cannot call ", KindName(arena_[callee].kind)));
  const std::vector<PickleIndex>& items = arena_[arguments].items;
  switch (kGlobals[arena_[callee].number].global) {
    case Global::kOrderedDict:
      if (!items.empty()) return Unsupported("expected an OrderedDict without arguments");
      return PushKind(PickleKind::kDict);
    case Global::kRebuildTensor:
      return RebuildTensor(items);
    case Global::kRebuildParameter:  // (tensor, requires_grad, backward_hooks): the tensor itself
      if (items.size() != 3 || arena_[items[0]].kind != PickleKind::kTensor) {
        return Corrupt("expected a parameter's tensor and two flags");
      }
      stack_.push_back(items[0]);
      return absl::OkStatus();
    case Global::kStorageType:
      break;
  }
  return Corrupt("a storage type is not called");
}

absl::Status PickleMachine::RebuildTensor(const std::vector<PickleIndex>& arguments) {
  if ((arguments.size() != 6 && arguments.size() != 7) ||
      arena_[arguments[0]].kind != PickleKind::kStorage ||
      arena_[arguments[1]].kind != PickleKind::kInt) {
    return Corrupt("expected a tensor's storage, offset, sizes and strides");
  }
  const PickleValue& storage = arena_[arguments[0]];
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
  PickleValue value;
  value.kind = PickleKind::kTensor;
  value.tensor = static_cast<PickleIndex>(tensors_.size());
  tensors_.push_back(std::move(tensor));
  return Push(std::move(value));
}

absl::StatusOr<Shape> PickleMachine::ReadInts(PickleIndex index) const {
  const PickleValue& tuple = arena_[index];
  if (tuple.kind != PickleKind::kTuple || tuple.items.size() > kMaxDimensions) {
    return Corrupt(absl::StrCat("expected a tuple of at most ", kMaxDimensions, " ints"));
  }
  Shape ints;
  for (PickleIndex item : tuple.items) {
    if (arena_[item].kind != PickleKind::kInt) return Corrupt("expected a tuple of ints");
    ints.push_back(arena_[item].number);
  }
  return ints;
}

absl::Status PickleMachine::Build() {
  ATTEND_RETURN_IF_ERROR(Pop().status());
  return Top(PickleKind::kDict).status();
}

}  // namespace attend
