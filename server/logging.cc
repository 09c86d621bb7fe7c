// The line is built here, because spdlog's patterns cannot escape JSON; spdlog does levels, locking
// and output.
#include "server/logging.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <array>
#include <atomic>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/utf8.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace attend::server {
namespace {

std::array<std::atomic<int64_t>, 4> num_records{};
std::atomic<LogFormat> log_format{LogFormat::kText};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

spdlog::logger& Logger() {
  // Leaked on purpose: threads of gRPC may log while static objects are being destroyed.
  static spdlog::logger* const logger = [] {
    auto* made = new spdlog::logger("attend", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::info);
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *logger;
}

void AppendJsonString(std::string_view any_value, std::string* out) {
  const std::string value = ToUtf8(any_value);
  out->push_back('"');
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppend(out, "\\u00", absl::Hex(byte, absl::kZeroPad2));
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

bool IsPlain(std::string_view value) {
  if (value.empty() || !IsUtf8(value)) return false;
  for (const char c : value) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == 0x7f) return false;
  }
  return true;
}

void LogFromGrpc(gpr_log_func_args* args) {
  LogLevel level = LogLevel::kDebug;
  if (args->severity == GPR_LOG_SEVERITY_INFO)
    level = LogLevel::kDebug;  // chatty: connection details
  if (args->severity == GPR_LOG_SEVERITY_ERROR) level = LogLevel::kWarning;
  Log(level, "grpc",
      {{"detail", args->message}, {"source", absl::StrCat(args->file, ":", args->line)}});
}

// protobuf complains once per request that it cannot parse: the caller is told, and the log line of
// the call says so.
void LogFromProtobuf(google::protobuf::LogLevel level, const char* file, int line,
                     const std::string& message) {
  Log(level == google::protobuf::LOGLEVEL_FATAL ? LogLevel::kError : LogLevel::kDebug, "protobuf",
      {{"detail", message}, {"source", absl::StrCat(file, ":", line)}});
}

}  // namespace

std::string FormatLogRecord(LogFormat format, std::string_view time, LogLevel level,
                            std::string_view message, const LogFields& fields) {
  std::string line;
  if (format == LogFormat::kText) {
    absl::StrAppend(&line, std::string(time), " ", Name(level), " ", ToUtf8(message));
    for (const auto& [key, value] : fields) {
      absl::StrAppend(&line, " ", key, "=");
      if (IsPlain(value)) {
        line.append(value);
      } else {
        AppendJsonString(value, &line);
      }
    }
    return line;
  }
  line = "{\"time\":";
  AppendJsonString(time, &line);
  line.append(",\"level\":");
  AppendJsonString(Name(level), &line);
  line.append(",\"message\":");
  AppendJsonString(message, &line);
  for (const auto& [key, value] : fields) {
    line.push_back(',');
    AppendJsonString(key, &line);
    line.push_back(':');
    AppendJsonString(value, &line);
  }
  line.push_back('}');
  return line;
}

void SetUpLogging(LogLevel least, LogFormat format) {
  Logger().set_level(ToSpdlog(least));
  log_format = format;
  gpr_set_log_function(&LogFromGrpc);
  google::protobuf::SetLogHandler(&LogFromProtobuf);
}

void Log(LogLevel level, std::string_view message, const LogFields& fields) {
  spdlog::logger& logger = Logger();
  if (!logger.should_log(ToSpdlog(level))) return;
  num_records[static_cast<size_t>(level)].fetch_add(1, std::memory_order_relaxed);
  const std::string time =
      absl::FormatTime("%Y-%m-%d%ET%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone());
  try {
    logger.log(ToSpdlog(level), FormatLogRecord(log_format, time, level, message, fields));
  } catch (...) {
    // A record that cannot be written must not end a call.
  }
}

void FlushLogs() { Logger().flush(); }

int64_t NumLogRecords(LogLevel level) {
  return num_records[static_cast<size_t>(level)].load(std::memory_order_relaxed);
}

}  // namespace attend::server
