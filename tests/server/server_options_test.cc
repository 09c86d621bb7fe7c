#include "server/server_options.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace attend::server {
namespace {

using ::testing::HasSubstr;

using Parsed = std::variant<ServerOptions, PrintAndExit>;

absl::StatusOr<Parsed> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "attend-server");
  return ParseServerOptions(static_cast<int>(arguments.size()), arguments.data());
}

ServerOptions Good(const std::vector<const char*>& arguments) {
  absl::StatusOr<Parsed> parsed = Parse(arguments);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? std::get<ServerOptions>(*parsed) : ServerOptions();
}

std::string Error(const std::vector<const char*>& arguments) {
  return std::string(Parse(arguments).status().message());
}

TEST(ServerOptionsTest, Defaults) {
  const ServerOptions options = Good({"--model", ATTEND_SOURCE_DIR "/models/en-fr"});
  EXPECT_EQ(options.listen, "0.0.0.0:50051");
  EXPECT_EQ(options.metrics_address, "0.0.0.0:9464");
  ASSERT_EQ(options.models.size(), 1u);
  EXPECT_EQ(options.models[0].name, "en-fr");
  EXPECT_EQ(options.limits.max_texts, 64);
  EXPECT_EQ(options.rpc.max_message_bytes, 4 * 1024 * 1024);
  EXPECT_EQ(options.rpc.default_deadline, absl::Seconds(60));
  EXPECT_EQ(options.rpc.connection_age, absl::Minutes(30));
  EXPECT_EQ(options.drain_timeout, absl::Seconds(30));
  EXPECT_EQ(options.scheduler.kv_cache_bytes, int64_t{512} << 20);
  EXPECT_TRUE(options.rpc.reflection);
  EXPECT_EQ(options.sharing.cache_bytes, 0);
  EXPECT_FALSE(options.sharing.merge_duplicates);
}

TEST(ServerOptionsTest, SharingOfAnswers) {
  const auto cache_bytes = [](const char* text) {
    return Good({"--model=x=/m", "--response-cache-bytes", text}).sharing.cache_bytes;
  };
  EXPECT_EQ(cache_bytes("0"), 0);
  EXPECT_EQ(cache_bytes("1048577"), 1048577);
  EXPECT_EQ(cache_bytes("64MiB"), int64_t{64} << 20);
  EXPECT_EQ(cache_bytes("2GB"), int64_t{2} << 30);
  for (const char* wrong : {"-1", "much", "64parsecs", "2000TiB"}) {
    EXPECT_THAT(Error({"--model", "m", "--response-cache-bytes", wrong}),
                HasSubstr("--response-cache-bytes"));
  }
  EXPECT_TRUE(Good({"--model=x=/m", "--merge-duplicates=on"}).sharing.merge_duplicates);
  EXPECT_THAT(Error({"--model", "m", "--merge-duplicates", "maybe"}),
              HasSubstr("--merge-duplicates"));
  ::setenv("ATTEND_RESPONSE_CACHE_BYTES", "1MiB", 1);
  EXPECT_EQ(Good({"--model=x=/m"}).sharing.cache_bytes, 1 << 20);
  ::unsetenv("ATTEND_RESPONSE_CACHE_BYTES");
}

TEST(ServerOptionsTest, EnginesAndThreadsAreNumbersOrAuto) {
  ServerOptions options = Good({"--model=x=/m"});
  EXPECT_EQ(options.scheduler.num_engines, 0) << "chosen when the model is loaded";
  EXPECT_EQ(options.scheduler.num_threads, 0);
  options = Good({"--model=x=/m", "--engines=3", "--threads", "2"});
  EXPECT_EQ(options.scheduler.num_engines, 3);
  EXPECT_EQ(options.scheduler.num_threads, 2);
  options = Good({"--model=x=/m", "--engines=auto", "--threads=0"});
  EXPECT_EQ(options.scheduler.num_engines, 0);
  EXPECT_EQ(options.scheduler.num_threads, 0);
  ::setenv("ATTEND_ENGINES", "4", 1);
  EXPECT_EQ(Good({"--model=x=/m"}).scheduler.num_engines, 4);
  ::unsetenv("ATTEND_ENGINES");
  for (const char* bad : {"--engines=-1", "--engines=65", "--engines=two", "--engines=1.5"})
    EXPECT_THAT(Error({"--model=x=/m", bad}), HasSubstr("--engines: '")) << bad;
  EXPECT_THAT(Error({"--model=x=/m", "--threads=257"}),
              HasSubstr("'257' is neither auto nor a number from 1 to 256"));
}

TEST(ServerOptionsTest, ShortlistsOfAllModelsAndOfOne) {
  using Use = ShortlistChoice::Use;
  EXPECT_EQ(Good({"--model", "a=/x"}).models[0].choices.shortlist.use, Use::kOff);
  const ServerOptions options =
      Good({"--shortlist", "auto", "--model", "a=/x,b=/y,shortlist=off,c=/z,shortlist=/f"});
  ASSERT_EQ(options.models.size(), 3u);
  EXPECT_EQ(options.models[0].choices.shortlist.use, Use::kAuto);
  EXPECT_EQ(options.models[1].choices.shortlist.use, Use::kOff);
  EXPECT_EQ(options.models[2].choices.shortlist.use, Use::kFile);
  EXPECT_EQ(options.models[2].choices.shortlist.path, "/f");
  EXPECT_THAT(Error({"--model", "a=/x", "--shortlist", "/f"}), HasSubstr("--shortlist"));
}

TEST(ServerOptionsTest, FlagsAndTheirEnvironment) {
  ::setenv("ATTEND_QUEUE_TOKENS", "123", 1);
  ::setenv("ATTEND_DRAIN_DELAY", "1500ms", 1);
  ::setenv("ATTEND_MODEL", "a=/one,b=/two", 1);
  ServerOptions options = Good({});
  EXPECT_EQ(options.scheduler.queue_capacity_tokens, 123);
  EXPECT_EQ(options.drain_delay, absl::Milliseconds(1500));
  ASSERT_EQ(options.models.size(), 2u);
  EXPECT_EQ(options.models[1].name, "b");
  EXPECT_EQ(options.models[1].directory, "/two");
  EXPECT_EQ(Good({"--queue-tokens", "7"}).scheduler.queue_capacity_tokens, 7) << "the flag wins";
  ::setenv("ATTEND_QUEUE_TOKENS", "many", 1);
  EXPECT_FALSE(Parse({}).ok());
  ::unsetenv("ATTEND_QUEUE_TOKENS");
  ::unsetenv("ATTEND_DRAIN_DELAY");
  ::unsetenv("ATTEND_MODEL");
  options = Good({"--model=x=/m", "--metrics-address=off", "--reflection=off", "--log-format=json",
                  "--log-level=error", "--kv-cache-mb=2"});
  EXPECT_EQ(options.metrics_address, "");
  EXPECT_FALSE(options.rpc.reflection);
  EXPECT_EQ(options.log_format, LogFormat::kJson);
  EXPECT_EQ(options.log_level, LogLevel::kError);
  EXPECT_EQ(options.scheduler.kv_cache_bytes, 2 << 20);
}

TEST(ServerOptionsTest, ErrorsNameTheFlag) {
  EXPECT_THAT(Error({}), HasSubstr("--models-dir"));
  EXPECT_THAT(Error({"--model", "m", "--listen", "nonsense"}), HasSubstr("--listen"));
  EXPECT_THAT(Error({"--model", "m", "--listen", "h:99999"}), HasSubstr("--listen"));
  EXPECT_THAT(Error({"--model", "m", "--metrics-address", "h:x"}), HasSubstr("--metrics-address"));
  EXPECT_THAT(Error({"--model", "m", "--drain-timeout", "soon"}), HasSubstr("--drain-timeout"));
  EXPECT_THAT(Error({"--model", "m", "--drain-timeout", "-1s"}), HasSubstr("--drain-timeout"));
  EXPECT_THAT(Error({"--model", "m", "--default-deadline", "0s"}), HasSubstr("--default-deadline"));
  EXPECT_THAT(Error({"--model", "m", "--threads", "many"}), HasSubstr("--threads"));
  EXPECT_THAT(Error({"--model", "m", "--max-texts", "1e9"}), HasSubstr("--max-texts"));
  EXPECT_THAT(Error({"--model", "m", "--log-level", "loud"}), HasSubstr("--log-level"));
  EXPECT_THAT(Error({"--model", "m", "--keepalive-time", "0s"}), HasSubstr("--keepalive-time"));
  EXPECT_THAT(Error({"--model", "m", "--no-such-flag"}), HasSubstr("--no-such-flag"));
  EXPECT_THAT(Error({"--model", "a=/x", "--model", "a=/y"}), HasSubstr("given twice"));
  EXPECT_THAT(Error({"--model", "/"}), HasSubstr("NAME="));
  EXPECT_THAT(Error({"--models-dir", "/nonexistent"}), HasSubstr("--models-dir"));
}

TEST(ServerOptionsTest, WhatStandsAloneIsNoModel) {
  EXPECT_THAT(Error({"stray"}), HasSubstr("--model stray"));
  EXPECT_THAT(Error({"--model", "a=/x", "stray"}), HasSubstr("'stray' stands alone"));
  EXPECT_THAT(Error({"--model", "nosuchfolder"}), HasSubstr("neither NAME=FOLDER nor a folder"));
  EXPECT_THAT(Error({"--model", "/dev/null"}), HasSubstr("neither NAME=FOLDER nor a folder"));
  EXPECT_THAT(Error({"--model", "a=/x", "-q"}), HasSubstr("no flag -q"));
}

TEST(ServerOptionsTest, FoldersBecomeAbsolute) {
  const ServerOptions options = Good({"--model", "a=some/./folder"});
  EXPECT_EQ(options.models[0].directory,
            (std::filesystem::current_path() / "some/folder").string());
}

TEST(ServerOptionsTest, FlagsThatContradictEachOther) {
  const auto both = [](std::vector<const char*> flags, const char* first, const char* second) {
    flags.insert(flags.begin(), {"--model", "a=/x"});
    EXPECT_THAT(Error(flags), HasSubstr(first));
    EXPECT_THAT(Error(flags), HasSubstr(second));
  };
  both({"--max-text-bytes", "5000000"}, "--max-text-bytes", "--max-message-bytes");
  both({"--max-attention-bytes", "5000000"}, "--max-attention-bytes", "--max-message-bytes");
  both({"--max-attention-stream-bytes", "1000"}, "--max-attention-bytes",
       "--max-attention-stream-bytes");
  both({"--max-batch-rows", "7"}, "--max-beam-size", "--max-batch-rows");
  both({"--listen", "h:9464", "--metrics-address", "h:9464"}, "--metrics-address", "--listen");
  Good({"--model", "a=/x", "--listen", "h:0", "--metrics-address", "h:0"});
  Good({"--model", "a=/x", "--max-message-bytes", "1000000", "--max-attention-bytes", "500000"});
}

TEST(ServerOptionsTest, FindsModelFolders) {
  const TemporaryFolder temporary;
  const std::filesystem::path folder = temporary.path();
  for (const char* name : {"zz", "aa"}) {
    std::filesystem::create_directories(folder / name);
    std::ofstream(folder / name / "config.json") << "{}";
  }
  std::filesystem::create_directories(folder / "not-a-model");
  const ServerOptions options = Good({"--models-dir", folder.c_str()});
  ASSERT_EQ(options.models.size(), 2u);
  EXPECT_EQ(options.models[0].name, "aa");
  EXPECT_EQ(options.models[1].name, "zz");
  std::filesystem::remove_all(folder / "aa");
  std::filesystem::remove_all(folder / "zz");
  EXPECT_THAT(Error({"--models-dir", folder.c_str()}), HasSubstr("config.json"));
}

TEST(ServerOptionsTest, ComputeTypeForAllAndForEach) {
  ServerOptions options = Good({"--model", "a=/x"});
  EXPECT_EQ(options.models[0].choices.compute_type, std::nullopt) << "auto";
  options = Good({"--compute-type", "int8", "--model", "a=/x", "--model",
                  "b=/y,compute-type=float32", "--model", "c=/z,compute-type=auto"});
  ASSERT_EQ(options.models.size(), 3u);
  EXPECT_EQ(options.models[0].choices.compute_type, ComputeType::kInt8);
  EXPECT_EQ(options.models[1].choices.compute_type, ComputeType::kFloat32);
  EXPECT_EQ(options.models[2].choices.compute_type, std::nullopt);
  ::setenv("ATTEND_COMPUTE_TYPE", "float32", 1);
  ::setenv("ATTEND_MODEL", "a=/x,b=/y,compute-type=int8", 1);
  options = Good({});
  ::unsetenv("ATTEND_COMPUTE_TYPE");
  ::unsetenv("ATTEND_MODEL");
  ASSERT_EQ(options.models.size(), 2u);
  EXPECT_EQ(options.models[0].choices.compute_type, ComputeType::kFloat32);
  EXPECT_EQ(options.models[1].choices.compute_type, ComputeType::kInt8);
  EXPECT_THAT(Error({"--model", "a=/x", "--compute-type", "int4"}), HasSubstr("--compute-type"));
  EXPECT_THAT(Error({"--model", "a=/x,compute-type=int4"}), HasSubstr("auto, float32 and int8"));
}

TEST(ServerOptionsTest, ComputeTypeOfScannedModels) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.Path("en-fr"));
  folder.Write("en-fr/config.json", "{}");
  const ServerOptions options =
      Good({"--models-dir", folder.path().c_str(), "--compute-type", "int8"});
  ASSERT_EQ(options.models.size(), 1u);
  EXPECT_EQ(options.models[0].choices.compute_type, ComputeType::kInt8);
}

// "in the model's folder? shared folder" of the chosen cache.
std::string CacheOf(const std::vector<const char*>& flags) {
  std::vector<const char*> all = {"--model", "a=/x"};
  all.insert(all.end(), flags.begin(), flags.end());
  const CacheChoice cache = Good(all).cache;
  return std::string(cache.in_model_folder ? "yes " : "no ") + cache.shared_folder;
}

TEST(ServerOptionsTest, WeightCache) {
  const auto restore = [](const char* name, const char* value) {
    value != nullptr ? ::setenv(name, value, 1) : ::unsetenv(name);
  };
  const char* const home_before = std::getenv("HOME");
  const std::string home = home_before != nullptr ? home_before : "";
  ::unsetenv("XDG_CACHE_HOME");
  ::setenv("HOME", "/home/somebody", 1);
  EXPECT_EQ(CacheOf({}), "yes /home/somebody/.cache/attend") << "auto is the default";
  ::setenv("XDG_CACHE_HOME", "/caches", 1);
  EXPECT_EQ(CacheOf({"--weight-cache", "auto"}), "yes /caches/attend");
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(CacheOf({}), "yes /home/somebody/.cache/attend") << "relative ones count for nothing";
  ::unsetenv("XDG_CACHE_HOME");
  ::unsetenv("HOME");
  EXPECT_EQ(CacheOf({}), "yes ");
  restore("HOME", home_before != nullptr ? home.c_str() : nullptr);
  EXPECT_EQ(CacheOf({"--weight-cache", "off"}), "no ");
  EXPECT_EQ(CacheOf({"--weight-cache=/some/./folder"}), "no /some/folder");
  ::setenv("ATTEND_WEIGHT_CACHE", "/of/the/environment", 1);
  EXPECT_EQ(CacheOf({}), "no /of/the/environment");
  ::unsetenv("ATTEND_WEIGHT_CACHE");
  EXPECT_THAT(Error({"--model", "a=/x", "--weight-cache", "/dev/null"}),
              HasSubstr("--weight-cache: '/dev/null' is not a folder"));
  EXPECT_THAT(Error({"--model", "a=/x", "--weight-cache", ""}), HasSubstr("--weight-cache"));
}

TEST(ServerOptionsTest, HelpAndVersionArePrinted) {
  for (const char* flag : {"--help", "--version"}) {
    absl::StatusOr<Parsed> parsed = Parse({flag});
    ASSERT_TRUE(parsed.ok());
    EXPECT_THAT(std::get<PrintAndExit>(*parsed).text, HasSubstr("attend-server"));
  }
}

TEST(IsModelNameTest, Names) {
  for (const char* good : {"a", "en-fr", "opus-mt.en_fr", "0"})
    EXPECT_TRUE(IsModelName(good)) << good;
  for (const char* bad : {"", "-a", ".", "..", "a/b", "a b", "caf\xC3\xA9"})
    EXPECT_FALSE(IsModelName(bad)) << bad;
  EXPECT_FALSE(IsModelName(std::string(64, 'a')));
}

}  // namespace
}  // namespace attend::server
