#include "client/line_reader.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace attend::client {
namespace {

// Sends the text through a pipe in pieces of `piece` bytes and reads all lines of it.
std::vector<InputLine> ReadAll(const std::string& text, std::size_t piece = 1 << 15) {
  int fds[2];
  EXPECT_EQ(pipe(fds), 0);
  LineReader reader(fds[0]);
  for (std::size_t start = 0; start < text.size(); start += piece) {
    const std::string part = text.substr(start, piece);
    EXPECT_EQ(write(fds[1], part.data(), part.size()), static_cast<ssize_t>(part.size()));
    reader.ReadChunk();
  }
  close(fds[1]);
  while (!reader.at_end()) reader.ReadChunk();
  close(fds[0]);
  std::vector<InputLine> lines;
  while (reader.has_line()) lines.push_back(reader.TakeLine());
  return lines;
}

TEST(LineReader, KeepsBlankLinesAndTheLastLineWithoutEnd) {
  for (const std::size_t piece : {1, 2, 1000}) {
    const auto lines = ReadAll("one\n\n  \nlast", piece);
    ASSERT_EQ(lines.size(), 4u);
    EXPECT_EQ(lines[0].text, "one");
    EXPECT_EQ(lines[1].text, "");
    EXPECT_EQ(lines[2].text, "  ");
    EXPECT_EQ(lines[3].text, "last");
    EXPECT_EQ(lines[3].number, 4);
    EXPECT_EQ(lines[0].end_offset, 4);
    EXPECT_EQ(lines[3].end_offset, 12);
  }
  EXPECT_TRUE(ReadAll("").empty());
  EXPECT_EQ(ReadAll("\n").size(), 1u);
}

TEST(LineReader, DropsCarriageReturnsAndByteOrderMark) {
  const auto lines = ReadAll("\xEF\xBB\xBFone\r\ntwo\r\n");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].text, "one");
  EXPECT_EQ(lines[1].text, "two");
}

TEST(LineReader, ReportsInvalidUtf8WithoutLosingTheLineAfter) {
  const auto lines = ReadAll("good\nbad \xFF here\nagain é\n", 3);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].problem, "");
  EXPECT_EQ(lines[1].problem, "not valid UTF-8 at byte 5, not sent");
  EXPECT_EQ(lines[2].problem, "");
}

TEST(LineReader, ReportsLinesOverTheLimitAndGoesOn) {
  const std::string longest(LineReader::kMaxLineBytes, 'x');
  const auto lines = ReadAll(longest + "\n" + longest + "y\nshort\n" + longest + longest);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0].problem, "");
  EXPECT_EQ(lines[0].text.size(), longest.size());
  EXPECT_NE(lines[1].problem, "");
  EXPECT_EQ(lines[1].text, "");
  EXPECT_EQ(lines[2].text, "short");
  EXPECT_NE(lines[3].problem, "");
}

TEST(LineReader, ReportsADescriptorThatCannotBeRead) {
  LineReader reader(-1);
  reader.ReadChunk();
  EXPECT_TRUE(reader.at_end());
  EXPECT_NE(reader.error(), "");
}

}  // namespace
}  // namespace attend::client
