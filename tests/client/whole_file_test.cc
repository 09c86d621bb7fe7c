#include "client/whole_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/testing/temporary_folder.h"

namespace attend::client {
namespace {

std::string Read(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::size_t CountFiles(const std::string& folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

TEST(WholeFile, WritesAndReplaces) {
  const TemporaryFolder folder;
  const std::string path = folder.Path("page.html");
  EXPECT_EQ(WriteWholeFile(path, "one"), "");
  EXPECT_EQ(Read(path), "one");
  ASSERT_EQ(chmod(path.c_str(), 0640), 0);
  EXPECT_EQ(WriteWholeFile(path, "two"), "");
  EXPECT_EQ(Read(path), "two");
  struct stat found = {};
  ASSERT_EQ(stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0640u) << "the mode of the file replaced";
  EXPECT_EQ(CountFiles(folder.Path("")), 1u) << "nothing unfinished stays";
}

TEST(WholeFile, ReadersOfTheOldFileKeepIt) {
  const TemporaryFolder folder;
  const std::string path = folder.Write("page.html", "old");
  std::ifstream reader(path);
  EXPECT_EQ(WriteWholeFile(path, "new"), "");
  std::stringstream seen;
  seen << reader.rdbuf();
  EXPECT_EQ(seen.str(), "old");
}

TEST(WholeFile, ALinkStaysALink) {
  const TemporaryFolder folder;
  const std::string target = folder.Write("target.html", "old"), link = folder.Path("link.html");
  ASSERT_EQ(symlink(target.c_str(), link.c_str()), 0);
  EXPECT_EQ(WriteWholeFile(link, "new"), "");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(Read(target), "new");
}

TEST(WholeFile, SaysWhyNot) {
  const TemporaryFolder folder;
  EXPECT_EQ(WriteWholeFile(folder.Path("missing/page.html"), "x"), "No such file or directory");
  EXPECT_EQ(WriteWholeFile(folder.Path(""), "x"), "Is a directory");
  EXPECT_EQ(WriteWholeFile("/dev/full", "x"), "No space left on device");
  EXPECT_EQ(WriteWholeFile("/dev/null", "x"), "");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

}  // namespace
}  // namespace attend::client
