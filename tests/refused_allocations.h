// Replaces a test program's operator new by one that can refuse. For one .cc file of a program,
// which has no other with an operator new.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

// Allocations of this thread until one is refused; below zero: none is.
thread_local int countdown = -1;
thread_local bool goes_on = false;  // all that follow are refused, too
std::atomic<int> num_refused_in_all{0};

// The same for all threads together that have not said what they are.
std::atomic<int> helpers_countdown{-1};
thread_local bool is_no_helper = false;

bool Refused() {
  if (countdown < 0) {
    return !is_no_helper && helpers_countdown.load() >= 0 && helpers_countdown.fetch_sub(1) == 0;
  }
  if (countdown > 0) {
    --countdown;
    return false;
  }
  if (!goes_on) countdown = -1;
  ++num_refused_in_all;
  return true;
}

void* Allocate(std::size_t bytes) noexcept {
  return Refused() ? nullptr : std::malloc(bytes == 0 ? 1 : bytes);
}

void* AllocateOrThrow(std::size_t bytes) {
  void* memory = Allocate(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t bytes) { return AllocateOrThrow(bytes); }
void* operator new[](std::size_t bytes) { return AllocateOrThrow(bytes); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return Allocate(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return Allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

// Matrices and pages of the cache. The sanitizers have their own, which is not to be replaced.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  void* memory = nullptr;
  return Refused() || posix_memalign(&memory, alignment, bytes) != 0 ? nullptr : memory;
}
#endif
