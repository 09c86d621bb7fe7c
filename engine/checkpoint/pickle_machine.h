// The stack machine that runs a pickle. Values live in an arena and are named by index, so that
// memo, stack and containers share them freely: a list may hold itself, and deep nesting costs
// neither stack nor time. For pickle_reader.cc only; pickle_results.cc has the part that reads what
// a pickle holds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/checkpoint/pickle_reader.h"  // PickledTensor
#include "engine/tensor/data_type.h"
#include "engine/tensor/shape.h"

namespace attend {

enum class PickleKind {
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
// For messages: "a list".
const char* KindName(PickleKind kind);

// Longest name that anything in a pickle may have; and longest key of a storage: torch counts them
// from "0", and many tensors may copy one key.
constexpr size_t kMaxPickledNameBytes = 4096;
constexpr size_t kMaxStorageKeyBytes = 64;

using PickleIndex = uint32_t;  // of a value in the arena

struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  int64_t number = 0;     // kBool, kInt; element count of kStorage; position in kGlobals of kGlobal
  std::string_view text;  // kString; key of kStorage; points into the pickle
  DataType type = DataType::kF32;  // kStorage
  std::vector<PickleIndex> items;  // kTuple, kList; key and value alternating in kDict
  PickleIndex tensor = 0;          // kTensor: which of tensors_
};

// A storage is named by the tuple ('storage', type, key, location, number of elements), and before
// torch 1.6 by the same with a sixth element: which part of another storage it is, or None.
enum class PickleStorageIds { kOfFive, kOfSix };

class PickleMachine {
 public:
  PickleMachine(absl::Span<const uint8_t> bytes, size_t position, std::string_view file,
                PickleStorageIds storage_ids)
      : bytes_(bytes), file_(file), storage_ids_(storage_ids), position_(position) {}

  // Runs the pickle from the position given to its end.
  absl::Status Run();
  absl::Status ExpectEnd() const;
  size_t position() const { return position_; }

  // What the pickle holds. REQUIRES: Run() went well.
  absl::StatusOr<int64_t> ResultAsInt() const;
  absl::StatusOr<bool> ResultAsFlag(std::string_view key) const;
  absl::StatusOr<std::vector<std::string>> ResultAsStrings() const;
  absl::StatusOr<std::vector<PickledTensor>> ResultAsTensors() const;

 private:
  absl::Status Corrupt(std::string_view what) const;
  absl::Status Unsupported(std::string_view what) const;

  // --- Bytes ---

  absl::StatusOr<const uint8_t*> Take(uint64_t count);
  absl::StatusOr<std::string_view> TakeLine();
  absl::Status ReadProtocol();

  // --- Stack and arena ---

  absl::Status Push(PickleValue value);
  absl::Status PushInt(int64_t number);
  absl::Status PushKind(PickleKind kind, int64_t number = 0);

  // Values above the topmost mark belong to whoever closes it; nothing may reach below.
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  absl::StatusOr<PickleIndex> Pop();
  absl::StatusOr<std::vector<PickleIndex>> PopToMark();
  absl::StatusOr<PickleValue*> Top(PickleKind expected);
  absl::Status PushTuple(size_t count);
  absl::Status PushItems(PickleKind kind, std::vector<PickleIndex> items);

  // --- Opcodes ---

  absl::Status Step();
  absl::Status ReadNumber(uint8_t op);
  absl::Status ReadString();
  absl::Status UseMemo(uint8_t op);
  absl::Status AddItems(uint8_t op);
  absl::Status ReadGlobal();

  // A persistent id.
  absl::Status ReadStorage();
  absl::Status Reduce();

  // (storage, offset, sizes, strides, requires_grad, backward_hooks[, metadata])
  absl::Status RebuildTensor(const std::vector<PickleIndex>& arguments);
  absl::StatusOr<Shape> ReadInts(PickleIndex index) const;

  // Attributes of an OrderedDict: modules put _metadata there, which no tensor needs.
  absl::Status Build();

  bool IsString(PickleIndex index, std::string_view expected) const;
  bool IsGlobal(PickleIndex index) const { return arena_[index].kind == PickleKind::kGlobal; }

  absl::StatusOr<std::vector<PickledTensor>> TakeTensors(PickleIndex result) const;

  absl::Span<const uint8_t> bytes_;
  std::string_view file_;
  PickleStorageIds storage_ids_;
  size_t position_;
  size_t op_position_ = 0;  // of the opcode being run, for messages
  bool is_stopped_ = false;
  std::vector<PickleValue> arena_;
  std::vector<PickleIndex> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  absl::flat_hash_map<uint32_t, PickleIndex> memo_;
  std::vector<PickledTensor> tensors_;
};

}  // namespace attend
