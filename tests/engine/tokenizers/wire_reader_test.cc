#include "engine/tokenizers/sentencepiece/wire_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/engine/tokenizers/model_bytes.h"

namespace attend {
namespace {

TEST(WireReader, ReadsEveryKindOfField) {
  const std::string message = IntField(1, 300) + FloatField(2, -1.5f) + BytesField(3, "abc") +
                              Varint(4 << 3 | 1) + std::string("\x01\0\0\0\0\0\0\x80", 8) +
                              IntField(5, UINT64_MAX);
  WireReader reader(message);
  WireField field;
  ASSERT_TRUE(reader.Next(&field));
  EXPECT_EQ(field.number, 1u);
  EXPECT_EQ(field.integer, 300u);
  EXPECT_TRUE(field.AsBool());
  ASSERT_TRUE(reader.Next(&field));
  EXPECT_EQ(field.AsFloat(), -1.5f);
  ASSERT_TRUE(reader.Next(&field));
  EXPECT_EQ(field.bytes, "abc");
  ASSERT_TRUE(reader.Next(&field));
  EXPECT_EQ(field.integer, 0x8000000000000001u);
  ASSERT_TRUE(reader.Next(&field));
  EXPECT_EQ(field.integer, UINT64_MAX);
  EXPECT_FALSE(reader.Next(&field));
  EXPECT_TRUE(reader.ok());
}

TEST(WireReader, StopsAtMalformedFields) {
  for (const std::string& message : {
           std::string("\x80"),                                              // tag cut short
           std::string("\x08"),                                              // no value
           std::string("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"),  // varint without end
           std::string("\x12\x05"
                       "abc"),           // longer than the rest
           std::string("\x15\x01\x02"),  // half a fixed32
           std::string("\x0B\x0C"),      // a group
           std::string("\x0F"),          // wire type 7
           std::string(1, '\0'),         // field 0
       }) {
    WireReader reader(message);
    WireField field;
    EXPECT_FALSE(reader.Next(&field));
    EXPECT_FALSE(reader.ok());
    EXPECT_FALSE(reader.Next(&field));
  }
}

}  // namespace
}  // namespace attend
