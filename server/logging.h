// One record a line, as text for people or as JSON for collectors: a message and named fields.
// Texts of callers are never logged, only their lengths; bytes that are no UTF-8 become U+FFFD.
// Safe from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace attend::server {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

constexpr const char* Name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "?";
}

using LogFields = std::vector<std::pair<std::string, std::string>>;

// Says where records go (standard error) and which. Without it: text, info and above. Also takes
// over gRPC's and protobuf's own messages. Call once, before other threads log.
void SetUpLogging(LogLevel least, LogFormat format);

void Log(LogLevel level, std::string_view message, const LogFields& fields = {});

// Every record is out when this returns.
void FlushLogs();

// Records written so far, for metrics.
int64_t NumLogRecords(LogLevel level);

// One record without the line end; exposed for tests. `time` is RFC 3339.
std::string FormatLogRecord(LogFormat format, std::string_view time, LogLevel level,
                            std::string_view message, const LogFields& fields);

}  // namespace attend::server
