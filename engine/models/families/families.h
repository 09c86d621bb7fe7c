// Every family file's one export.
#pragma once

#include "engine/models/model_family.h"

namespace attend {

const ModelFamily& BartFamily();
const ModelFamily& BertFamily();
const ModelFamily& M2M100Family();
const ModelFamily& MarianFamily();
const ModelFamily& MBartFamily();
const ModelFamily& PegasusFamily();
const ModelFamily& T5Family();

}  // namespace attend
