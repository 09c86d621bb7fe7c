// A weight is three blobs: NAME.panels, NAME.scales and NAME.sums.
#include "engine/layers/int8_store.h"

#include <cstddef>

namespace attend {
namespace {

template <class T>
absl::Span<const T> Numbers(absl::Span<const std::byte> bytes) {
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
}

template <class T>
absl::Span<const std::byte> Bytes(absl::Span<const T> numbers) {
  return {reinterpret_cast<const std::byte*>(numbers.data()), numbers.size() * sizeof(T)};
}

}  // namespace

std::shared_ptr<const Int8Weight> Int8Store::Find(const std::string& name, int64_t inputs,
                                                  int64_t outputs) const {
  if (kept_ == nullptr) return nullptr;
  const Int8WeightParts parts = {Numbers<int8_t>(kept_->Find(name + ".panels")),
                                 Numbers<float>(kept_->Find(name + ".scales")),
                                 Numbers<int32_t>(kept_->Find(name + ".sums"))};
  return Int8Weight::Borrow(inputs, outputs, parts, kept_).value_or(nullptr);
}

void Int8Store::Add(const std::string& name, const Int8Weight& weight) {
  if (writer_ == nullptr) return;
  const Int8WeightParts& parts = weight.parts();
  writer_->Add(name + ".panels", Bytes(parts.panels)).IgnoreError();
  writer_->Add(name + ".scales", Bytes(parts.scales)).IgnoreError();
  writer_->Add(name + ".sums", Bytes(parts.sums)).IgnoreError();
}

}  // namespace attend
