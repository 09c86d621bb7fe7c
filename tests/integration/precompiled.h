// What every integration test includes, compiled once.
#pragma once

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "attend/v1/attention.grpc.pb.h"
#include "attend/v1/model.grpc.pb.h"
#include "attend/v1/tokenization.grpc.pb.h"
#include "attend/v1/translation.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/integration/server_under_test.h"
