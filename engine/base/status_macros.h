// ATTEND_RETURN_IF_ERROR(expr)          returns expr's absl::Status from the function when it is
// not OK. ATTEND_ASSIGN_OR_RETURN(lhs, expr)    assigns the value of an absl::StatusOr, or returns
// its status.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define ATTEND_RETURN_IF_ERROR(expr)                                  \
  do {                                                                \
    if (::absl::Status attend_status = (expr); !attend_status.ok()) { \
      return attend_status;                                           \
    }                                                                 \
  } while (false)

#define ATTEND_MACRO_CONCAT_INNER(a, b) a##b
#define ATTEND_MACRO_CONCAT(a, b) ATTEND_MACRO_CONCAT_INNER(a, b)
#define ATTEND_ASSIGN_OR_RETURN(lhs, expr) \
  ATTEND_ASSIGN_OR_RETURN_IMPL(ATTEND_MACRO_CONCAT(attend_statusor_, __LINE__), lhs, expr)
#define ATTEND_ASSIGN_OR_RETURN_IMPL(var, lhs, expr) \
  auto var = (expr);                                 \
  if (!var.ok()) {                                   \
    return std::move(var).status();                  \
  }                                                  \
  lhs = *std::move(var)
