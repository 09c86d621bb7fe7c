# Everything Attend links, from the distribution; oneDNN 3 from .deps/onednn where the distribution's is older.

# attend_import(<target> <library>)   an imported target for a library that has no CMake configuration on both
function(attend_import target library)
  if(NOT TARGET ${target})
    find_library(ATTEND_LIBRARY_${library} ${library} REQUIRED)
    add_library(${target} UNKNOWN IMPORTED GLOBAL)
    set_target_properties(${target} PROPERTIES IMPORTED_LOCATION ${ATTEND_LIBRARY_${library}})
  endif()
endfunction()

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(absl REQUIRED)
find_package(Protobuf REQUIRED)
# gRPC's configuration asks pkg-config for re2, which takes minutes on Debian 13 (it walks every path through Abseil's
# files). It does not ask when re2 is found already.
attend_import(re2::re2 re2)
set(re2_FOUND TRUE)
find_package(gRPC CONFIG REQUIRED)
find_package(dnnl 3 CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(CLI11 REQUIRED)
find_package(spdlog REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc i18n)
find_package(OpenMP REQUIRED COMPONENTS CXX)
attend_import(hwy::hwy hwy)
if(ATTEND_BUILD_TESTS)
  find_package(GTest REQUIRED)
  # For comparison only. Debian 12's library exports the symbols of a protobuf older than gRPC's: a program that links
  # both dies at start (docs/adr/0005).
  attend_import(sentencepiece::sentencepiece sentencepiece)
endif()
if(ATTEND_BUILD_BENCH)
  find_package(benchmark REQUIRED)
endif()
