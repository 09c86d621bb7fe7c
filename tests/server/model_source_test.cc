// Commas separate models, options and, in folders that are there, parts of a name.
#include "server/model_source.h"

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace attend::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// "name folder" and, where it has a compute type of its own, that.
std::vector<std::string> Parse(const std::string& text) {
  const auto sources = ParseModelFlag(text);
  if (!sources.ok()) return {std::string(sources.status().message())};
  std::vector<std::string> out;
  for (const ModelSource& source : *sources) {
    std::string line = source.name + " " + source.directory;
    const auto type = source.choices.compute_type;
    if (source.has_own_shortlist) {
      constexpr const char* kUses[] = {"off", "auto", "file:"};
      line += std::string(" ") + kUses[static_cast<int>(source.choices.shortlist.use)] +
              source.choices.shortlist.path;
    }
    if (source.has_own_compute_type) line += type ? std::string(" ") + Name(*type) : " auto";
    out.push_back(line);
  }
  return out;
}

std::string Error(const std::string& text) {
  return std::string(ParseModelFlag(text).status().message());
}

TEST(ParseModelFlagTest, ModelsSeparatedByCommas) {
  EXPECT_THAT(Parse("a=/one"), ElementsAre("a /one"));
  EXPECT_THAT(Parse("a=/one,b=/two"), ElementsAre("a /one", "b /two"));
  EXPECT_THAT(Parse("a=/one,,b=/two,"), ElementsAre("a /one", "b /two"));
  EXPECT_THAT(Parse(""), ElementsAre());
}

TEST(ParseModelFlagTest, OptionsOfAModel) {
  EXPECT_THAT(Parse("a=/one,compute-type=int8"), ElementsAre("a /one int8"));
  EXPECT_THAT(Parse("a=/one,compute-type=auto,b=/two,c=/three,compute-type=float32"),
              ElementsAre("a /one auto", "b /two", "c /three float32"));
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.Path("en-fr"));
  EXPECT_THAT(Parse(folder.Path("en-fr") + ",compute-type=int8"),
              ElementsAre("en-fr " + folder.Path("en-fr") + " int8"));
}

TEST(ParseModelFlagTest, Shortlists) {
  EXPECT_THAT(Parse("a=/one,shortlist=auto,b=/two,shortlist=off,compute-type=int8"),
              ElementsAre("a /one auto", "b /two off int8"));
  EXPECT_THAT(Parse("a=/one,shortlist=/lists/x.shortlist,b=/two"),
              ElementsAre("a /one file:/lists/x.shortlist", "b /two"));
  EXPECT_THAT(Error("a=/one,shortlist="), HasSubstr("names no file"));
  EXPECT_THAT(Error("a=/one,shortlist=auto,shortlist=off"), HasSubstr("given twice"));
  EXPECT_THAT(Error("a=/one,shortlst=auto"), HasSubstr("did you mean shortlist?"));
}

TEST(ParseModelFlagTest, CommasInFolders) {
  const TemporaryFolder folder;
  const std::string odd = folder.Path("a,b=c,d"), one = folder.Path("one"),
                    two = folder.Path("two");
  for (const std::string& path : {odd, one, two}) std::filesystem::create_directory(path);
  EXPECT_THAT(Parse("x=" + odd), ElementsAre("x " + odd)) << "it is there";
  EXPECT_THAT(Parse("x=" + odd + ",compute-type=int8,y=" + two),
              ElementsAre("x " + odd + " int8", "y " + two));
  EXPECT_THAT(Parse(one + "," + two), ElementsAre("one " + one, "two " + two));
  EXPECT_THAT(Parse("x=/none/a,b"), ElementsAre("x /none/a,b")) << "nothing looks like KEY=VALUE";
}

TEST(ParseModelFlagTest, UnknownOptionsAreErrorsWithASuggestion) {
  EXPECT_THAT(Error("a=/one,compute-typ=int8"),
              HasSubstr("--model: 'compute-typ=int8' is no option of a model: did you mean "
                        "compute-type?"));
  EXPECT_THAT(Error("a=/one,compute_type=int8"), HasSubstr("did you mean compute-type?"));
  EXPECT_THAT(Error("a=/one,colour=blue"), HasSubstr("there is compute-type"));
  EXPECT_THAT(Error("a=/one,b=two"), HasSubstr("a further model needs a folder that is there"));
  EXPECT_THAT(Error("a=/one,compute-type=int8,stray"),
              HasSubstr("'stray' is neither KEY=VALUE nor a folder here"));
}

TEST(ParseModelFlagTest, ValuesAreChecked) {
  EXPECT_THAT(Error("a=/one,compute-type=int4"),
              HasSubstr("compute-type 'int4' is none of auto, float32 and int8"));
  EXPECT_THAT(Error("a=/one,compute-type="), HasSubstr("is none of"));
  EXPECT_THAT(Error("a=/one,compute-type=int8,compute-type=int8"),
              HasSubstr("'compute-type' is given twice for 'a'"));
  EXPECT_THAT(Error("a="), HasSubstr("'a=' names no folder"));
  EXPECT_THAT(Error("nosuchfolder"), HasSubstr("neither NAME=FOLDER nor a folder here"));
}

}  // namespace
}  // namespace attend::server
