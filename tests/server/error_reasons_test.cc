// docs/api.md names every reason that an error may carry, and no other: both ways, from the
// sources.
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "gtest/gtest.h"

namespace attend::server {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::set<std::string> Matches(const std::string& text, const std::regex& pattern) {
  std::set<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it)
    found.insert((*it)[1]);
  return found;
}

TEST(ErrorReasonsTest, TheDocumentNamesThoseOfTheSources) {
  std::set<std::string> in_sources;
  for (const char* folder : {"engine", "server"}) {
    for (const auto& entry :
         fs::recursive_directory_iterator(fs::path(ATTEND_SOURCE_DIR) / folder)) {
      if (entry.path().extension() != ".cc") continue;
      in_sources.merge(Matches(ReadAll(entry.path()), std::regex("\"([A-Z]+(?:_[A-Z]+)+|BUG)\"")));
    }
  }
  // Words in capitals that are no reasons: finish reasons in metrics, and environment variables.
  for (const char* other : {"END_OF_SEQUENCE", "MAX_TOKENS", "XDG_CACHE_HOME"})
    in_sources.erase(other);

  const std::string document = ReadAll(ATTEND_SOURCE_DIR "/docs/api.md");
  const size_t begin = document.find("## Errors"), end = document.find("An empty list is refused");
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  std::set<std::string> documented;
  std::istringstream lines(document.substr(begin, end - begin));
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("| `", 0) != 0) continue;
    const std::string reasons = line.substr(line.find('|', 1));  // the first column has the code
    documented.merge(Matches(reasons, std::regex("`([A-Z]+(?:_[A-Z]+)+|BUG)`")));
  }
  EXPECT_EQ(documented, in_sources);
}

}  // namespace
}  // namespace attend::server
