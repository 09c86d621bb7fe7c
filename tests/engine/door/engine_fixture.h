// An engine with the tiny Marian checkpoint, and calls that wait for their answers.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "engine/base/error.h"
#include "engine/checkpoint/json.h"
#include "engine/engine.h"
#include "tests/testing/temporary_folder.h"

namespace attend {

inline std::string GoldenPath(const std::string& name) {
  return std::string(ATTEND_SOURCE_DIR) + "/tests/golden/marian_tiny/" + name;
}

inline Json GoldenJson(const std::string& name) {
  auto json = Json::ReadFile(GoldenPath(name));
  EXPECT_TRUE(json.ok()) << json.status();
  return json.ok() ? *json : Json();
}

// An answer that some thread brings and the test waits for.
template <typename T>
class Answer {
 public:
  Done<T> done() {
    return [state = state_](absl::StatusOr<T> result) {
      ASSERT_FALSE(state->arrived.exchange(true)) << "done was called twice";
      state->result.set_value(std::move(result));
    };
  }
  absl::StatusOr<T> Wait() {
    std::future<absl::StatusOr<T>> result = state_->result.get_future();
    if (result.wait_until(std::chrono::system_clock::now() + std::chrono::minutes(2)) !=
        std::future_status::ready) {
      ADD_FAILURE() << "no answer";
      return absl::InternalError("no answer");
    }
    return result.get();
  }
  bool arrived() const { return state_->arrived.load(); }

 private:
  struct State {
    std::atomic<bool> arrived{false};
    std::promise<absl::StatusOr<T>> result;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

inline absl::StatusOr<TranslateOutput> Translate(Engine* engine, TranslateInput input,
                                                 CallContext context = {}) {
  Answer<TranslateOutput> answer;
  engine->Translate(std::move(input), std::move(context), answer.done());
  return answer.Wait();
}

inline absl::StatusOr<AttentionOutput> GetAttention(Engine* engine, AttentionInput input,
                                                    CallContext context = {}) {
  Answer<AttentionOutput> answer;
  engine->GetAttention(std::move(input), std::move(context), answer.done());
  return answer.Wait();
}

inline absl::StatusOr<AlignOutput> AlignWords(Engine* engine, AlignInput input,
                                              CallContext context = {}) {
  Answer<AlignOutput> answer;
  engine->AlignWords(std::move(input), std::move(context), answer.done());
  return answer.Wait();
}

inline TranslateInput TextsInput(std::vector<std::string> texts, int num_beams = 1) {
  TranslateInput input;
  input.model = "tiny";
  input.texts = std::move(texts);
  input.decoding.num_beams = num_beams;
  return input;
}

inline AttentionInput SourceInput(std::string source, std::vector<AttentionKind> kinds) {
  AttentionInput input;
  input.model = "tiny";
  input.source = std::move(source);
  input.selection.kinds = std::move(kinds);
  return input;
}

inline std::string ReasonOf(const absl::Status& status) {
  const auto detail = GetErrorDetail(status);
  return detail ? detail->reason : "";
}
inline std::string FieldOf(const absl::Status& status) {
  const auto detail = GetErrorDetail(status);
  return detail ? detail->field : "";
}
inline std::string MetadataOf(const absl::Status& status, const std::string& key) {
  const auto detail = GetErrorDetail(status);
  if (!detail) return "";
  for (const auto& [name, value] : detail->metadata) {
    if (name == key) return value;
  }
  return "";
}

class EngineTest : public ::testing::Test {
 protected:
  void SetUp() override { Start(EngineOptions()); }

  void Start(EngineOptions options) {
    engine_ = std::make_unique<Engine>(std::move(options));
    AddModel("tiny", GoldenPath("model"));
  }
  void AddModel(const std::string& name, const std::string& directory) {
    ASSERT_TRUE(engine_->Register(name, directory).ok());
    const absl::Status loaded = engine_->Load(name);
    ASSERT_TRUE(loaded.ok()) << loaded;
  }

  // A copy of the tiny model that a test may change.
  std::string CopyModel(const std::string& name) {
    namespace fs = std::filesystem;
    const fs::path to = temporary_.Path(name);
    fs::create_directories(to);
    fs::copy(GoldenPath("model"), to);
    for (const auto& file : fs::directory_iterator(to)) fs::permissions(file, fs::perms::owner_all);
    return to.string();
  }
  static void Write(const std::string& directory, const std::string& file,
                    const std::string& content) {
    std::ofstream(directory + "/" + file) << content;
  }
  static std::string ReadText(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

  const TemporaryFolder temporary_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace attend
