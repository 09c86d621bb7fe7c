// How one translated item looks on standard output: plain, n-best, JSON, or with its alignment.
#pragma once

#include <cstdint>
#include <string>

#include "attend/v1/translation.pb.h"
#include "client/alignment_view.h"
#include "client/error_message.h"
#include "client/terminal.h"

namespace attend::client {

enum class TranslationFormat { kPlain, kNBest, kJson, kAligned };

struct PrintedItem {
  int64_t line = 0;  // of the input, 1 first; 0 for text from the command line
  const std::string& source;
};

// What the server reported for the call that an item came with; it reports no item alone.
struct CallCost {
  const attend::v1::Usage& usage;
  std::size_t num_texts = 1;  // in that call
};

// Text for the output, line end included. Plain items are one line each, whatever the translation
// holds.
std::string FormatTranslation(const PrintedItem& item, const attend::v1::Translation& translation,
                              const CallCost& cost, TranslationFormat format,
                              const Terminal& terminal);

// What stands in the place of an item that failed: an empty line, or an object with the error.
std::string FormatFailedItem(const PrintedItem& item, const CallError& error,
                             TranslationFormat format);

// The links of a translation in the form that the view takes.
Alignment AlignmentOf(const std::string& source, const attend::v1::Translation& translation);

}  // namespace attend::client
