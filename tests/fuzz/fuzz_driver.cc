// Runs a fuzz target as an ordinary test: its seeds, then mutations of them drawn from a fixed
// random stream, so that every run on every machine sees the same inputs. An input that ends the
// process is written to crash-input first.
//
// x_fuzz SEEDS [--mutations=20000] [--seconds=10] [--start=1]
//
// SEEDS are folders or files; to reproduce a crash, run x_fuzz crash-input --mutations=0. The time
// limit only guards slow machines: how many mutations ran is printed.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size);
// Set by a sanitizer's run time where there is one.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

namespace {

constexpr char kCrashFile[] = "crash-input";
constexpr size_t kMaxInputBytes = 64 << 10;

const uint8_t* current_bytes = nullptr;
size_t current_size = 0;

// Async-signal-safe: only open, write, close.
void SaveCurrentInput() {
  if (current_bytes == nullptr) return;
  const int file = ::open(kCrashFile, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0) return;
  size_t written = 0;
  while (written < current_size) {
    const ssize_t count = ::write(file, current_bytes + written, current_size - written);
    if (count <= 0) break;
    written += static_cast<size_t>(count);
  }
  ::close(file);
  constexpr char kMessage[] = "the failing input is in crash-input\n";
  if (::write(STDERR_FILENO, kMessage, sizeof(kMessage) - 1) < 0) return;
}

void OnSignal(int signal) {
  SaveCurrentInput();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void RunOne(const std::string& input) {
  // An allocation of exactly this size: a sanitizer sees the first byte read beyond it.
  const std::unique_ptr<uint8_t[]> exact(new uint8_t[input.size()]);
  if (!input.empty()) std::memcpy(exact.get(), input.data(), input.size());
  current_bytes = exact.get();
  current_size = input.size();
  LLVMFuzzerTestOneInput(exact.get(), input.size());
  current_bytes = nullptr;
}

class Mutator {
 public:
  explicit Mutator(const std::vector<std::string>& seeds) : seeds_(seeds) {}

  // The same for the same number.
  std::string Make(uint64_t number) {
    random_.seed(number);
    std::string input = seeds_[number % seeds_.size()];
    for (size_t changes = 1 + Below(4); changes > 0; --changes) Change(&input);
    if (input.size() > kMaxInputBytes) input.resize(kMaxInputBytes);
    return input;
  }

 private:
  // Uniform enough; std::uniform_int_distribution differs between standard libraries.
  size_t Below(size_t limit) { return limit == 0 ? 0 : static_cast<size_t>(random_() % limit); }

  void Change(std::string* input) {
    static constexpr uint64_t kNumbers[] = {0,
                                            1,
                                            2,
                                            7,
                                            8,
                                            16,
                                            100,
                                            127,
                                            128,
                                            255,
                                            256,
                                            0x7fff,
                                            0x8000,
                                            0xffff,
                                            0x10000,
                                            0x7fffffff,
                                            0x80000000,
                                            0xfffffffe,
                                            0xffffffff,
                                            0x100000000,
                                            0x3fffffffffffffff,
                                            0x7fffffffffffffff,
                                            0x8000000000000000,
                                            0xfffffffffffffffe,
                                            0xffffffffffffffff};
    static constexpr const char* kTokens[] = {"9223372036854775807",
                                              "18446744073709551616",
                                              "-1",
                                              "1e999",
                                              "null",
                                              "{}",
                                              "[]",
                                              "\"\"",
                                              "\\u0000",
                                              "\\ud800",
                                              "[[[[",
                                              "}}",
                                              ",",
                                              ":",
                                              "\xff",
                                              "\xc0\x80"};
    const size_t at = Below(input->size() + 1);
    const size_t left = input->size() - at;
    switch (Below(10)) {
      case 0:  // one bit
        if (left > 0) (*input)[at] = static_cast<char>((*input)[at] ^ (1 << Below(8)));
        return;
      case 1:  // one byte
        if (left > 0) (*input)[at] = static_cast<char>(Below(256));
        return;
      case 2: {  // a number of 1, 2, 4 or 8 bytes, little-endian
        const size_t size = size_t{1} << Below(4);
        const uint64_t number = kNumbers[Below(std::size(kNumbers))];
        for (size_t i = 0; i < std::min(size, left); ++i)
          (*input)[at + i] = static_cast<char>(number >> (8 * i));
        return;
      }
      case 3:  // a byte a little larger or smaller
        if (left > 0)
          (*input)[at] = static_cast<char>((*input)[at] + static_cast<int>(Below(9)) - 4);
        return;
      case 4:
        input->erase(at, 1 + Below(8));
        return;
      case 5:
        input->resize(at);
        return;
      case 6:
        input->insert(at, std::string(1 + Below(16), static_cast<char>(Below(256))));
        return;
      case 7: {  // a piece repeated
        const std::string piece = input->substr(at, 1 + Below(64));
        input->insert(Below(input->size() + 1), piece);
        return;
      }
      case 8: {  // a piece of another seed
        const std::string& other = seeds_[Below(seeds_.size())];
        const std::string piece = other.substr(Below(other.size() + 1), 1 + Below(128));
        input->replace(at, std::min(left, Below(piece.size() + 1)), piece);
        return;
      }
      default:
        input->replace(at, std::min(left, Below(8)), kTokens[Below(std::size(kTokens))]);
        return;
    }
  }

  const std::vector<std::string>& seeds_;
  std::mt19937_64 random_;
};

std::vector<std::string> ListFiles(const std::vector<std::string>& arguments) {
  std::vector<std::string> paths;
  for (const std::string& argument : arguments) {
    if (!std::filesystem::is_directory(argument)) {
      paths.push_back(argument);
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argument)) {
      if (entry.is_regular_file()) paths.push_back(entry.path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

uint64_t ParseFlag(std::string_view argument, std::string_view name, uint64_t otherwise) {
  if (argument.substr(0, name.size()) != name) return otherwise;
  return std::strtoull(std::string(argument.substr(name.size())).c_str(), nullptr, 10);
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t num_mutations = 20000, seconds = 10, start = 1;
  std::vector<std::string> arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.substr(0, 2) != "--") arguments.emplace_back(argument);
    num_mutations = ParseFlag(argument, "--mutations=", num_mutations);
    seconds = ParseFlag(argument, "--seconds=", seconds);
    start = ParseFlag(argument, "--start=", start);
  }
  std::vector<std::string> seeds;
  for (const std::string& path : ListFiles(arguments)) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
      std::fprintf(stderr, "%s: cannot be read\n", path.c_str());
      return 2;
    }
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  if (seeds.empty()) {
    std::fprintf(stderr, "no seeds: give a folder or files\n");
    return 2;
  }
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(SaveCurrentInput);
  for (int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(signal, OnSignal);

  RunOne("");
  for (const std::string& seed : seeds) RunOne(seed);
  const auto begin = std::chrono::steady_clock::now();
  const auto limit = begin + std::chrono::seconds(seconds);
  Mutator mutator(seeds);
  uint64_t done = 0;
  for (; done < num_mutations; ++done) {
    if (done % 64 == 0 && std::chrono::steady_clock::now() > limit) break;
    RunOne(mutator.Make(start + done));
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  std::printf("%zu seeds, %llu of %llu mutations in %.2f s\n", seeds.size(),
              static_cast<unsigned long long>(done), static_cast<unsigned long long>(num_mutations),
              elapsed.count());
  return 0;
}
