// Headers that nearly every file of the server needs and that take seconds each: compiled once
// (CMakeLists.txt).
#pragma once

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "attend/v1/attention.pb.h"
#include "attend/v1/common.pb.h"
#include "attend/v1/translation.pb.h"
#include "engine/engine.h"
