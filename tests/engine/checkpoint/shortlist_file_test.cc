#include "engine/checkpoint/shortlist_file.h"

#include <functional>

#include "engine/base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/shortlist_bytes.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

absl::StatusOr<ShortlistFile> Read(const std::string& bytes) {
  return ReadShortlist(
      MemorySource({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "x.shortlist"));
}

TEST(ShortlistFileTest, ListsOfEveryKind) {
  const auto file = Read(ShortlistBytes(ShortlistParts()));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->model, "m");
  EXPECT_EQ(file->revision, "r");
  EXPECT_EQ(file->source_vocab_size, 4);
  EXPECT_EQ(file->target_vocab_size, 200);
  EXPECT_THAT(file->always, ElementsAre(0, 5));
  EXPECT_THAT(file->is_known, ElementsAre(false, true, true, true));
  EXPECT_THAT(file->TokensOf(0), IsEmpty());
  EXPECT_THAT(file->TokensOf(1), IsEmpty());
  EXPECT_THAT(file->TokensOf(2), ElementsAre(0, 199));
  EXPECT_THAT(file->TokensOf(3), ElementsAre(150));
}

// The message of what a changed file is refused with.
std::string Error(const std::function<void(ShortlistParts*)>& change) {
  ShortlistParts parts;
  change(&parts);
  const auto file = Read(ShortlistBytes(parts));
  if (file.ok()) return "no error";
  EXPECT_TRUE(GetErrorDetail(file.status()).has_value());
  EXPECT_THAT(std::string(file.status().message()), HasSubstr("x.shortlist"));
  return std::string(file.status().message());
}

TEST(ShortlistFileTest, EveryMistakeIsNamed) {
  EXPECT_EQ(Error([](ShortlistParts*) {}), "no error");
  EXPECT_THAT(Error([](auto* p) { p->magic = "ATTENDSX"; }), HasSubstr("does not begin"));
  EXPECT_THAT(Error([](auto* p) { p->version = 2; }), HasSubstr("version 2"));
  EXPECT_THAT(Error([](auto* p) { p->checksum_flip = 1; }), HasSubstr("checksum"));
  EXPECT_THAT(Error([](auto* p) { p->header = "[]"; }), HasSubstr("no JSON object"));
  EXPECT_THAT(Error([](auto* p) { p->header = "{"; }), HasSubstr("x.shortlist"));
  EXPECT_THAT(Error([](auto* p) {
                p->header = R"({"model":"m","source_vocab_size":4,"target_vocab_size":200})";
              }),
              HasSubstr("revision"));
  for (const char* size : {"0", "-4", "99999999999"}) {
    EXPECT_THAT(Error([&](auto* p) {
                  p->header = std::string(R"({"model":"m","revision":"r","source_vocab_size":)") +
                              size + R"(,"target_vocab_size":200})";
                }),
                HasSubstr("source_vocab_size"))
        << size;
  }
  EXPECT_THAT(Error([](auto* p) { p->numbers.back() = 201; }), HasSubstr("outside"));
  EXPECT_THAT(Error([](auto* p) { p->numbers.back() = 0; }), HasSubstr("out of order"));
  EXPECT_THAT(Error([](auto* p) { p->numbers.back() = uint64_t{1} << 40; }),
              HasSubstr("too large"));
  EXPECT_THAT(Error([](auto* p) { p->numbers.pop_back(); }), HasSubstr("longer than the file"));
  EXPECT_THAT(Error([](auto* p) { p->numbers.resize(5); }), HasSubstr("cut off"));
  EXPECT_THAT(Error([](auto* p) { p->numbers.push_back(1); }), HasSubstr("left after"));
  EXPECT_THAT(Error([](auto* p) { p->numbers[0] = 100; }), HasSubstr("longer than the file"));
}

TEST(ShortlistFileTest, EveryShorterFileIsRefused) {
  const std::string whole = ShortlistBytes(ShortlistParts());
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(Read(whole.substr(0, size)).status().code(), absl::StatusCode::kDataLoss) << size;
}

}  // namespace
}  // namespace attend
