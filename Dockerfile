# Attend: builds and tests in the first stage, runs from a small second one. Needs nothing but Debian packages.
#   docker build -t attend .
#   docker run --rm -p 127.0.0.1:50051:50051 -p 127.0.0.1:9464:9464 attend
FROM debian:trixie-slim AS build
# Debian's point releases move: exact package versions cannot be pinned (hadolint DL3008).
RUN apt-get update && apt-get install -y --no-install-recommends \
      g++ cmake ninja-build ca-certificates python3 \
      libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc libabsl-dev libssl-dev \
      prometheus-cpp-dev libgtest-dev libgmock-dev libbenchmark-dev libsentencepiece-dev \
      nlohmann-json3-dev libcli11-dev libspdlog-dev libhwy-dev libicu-dev libdnnl-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cmake --preset release -Wno-dev && cmake --build build/release --parallel "$(nproc)"
# --build-arg SKIP_TESTS=1 leaves the tests out.
ARG SKIP_TESTS=
RUN [ -n "$SKIP_TESTS" ] || ctest --preset release --parallel "$(nproc)"
RUN cmake --install build/release --prefix /opt/attend --strip

FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
      libgrpc++1.51t64 libgrpc29t64 libprometheus-cpp-pull1.0 libprometheus-cpp-core1.0 libprotobuf32t64 \
      libspdlog1.15 libicu76 libdnnl3.6 libgomp1 libhwy1t64 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/attend /opt/attend
COPY models/en-fr /opt/attend/models/en-fr
# The bundled model lies outside /models, so that a folder of one's own mounted there does not hide it.
RUN mkdir /models
ENV PATH=/opt/attend/bin:$PATH ATTEND_MODEL=/opt/attend/models/en-fr ATTEND_MODELS_DIR=/models
USER 65534:65534
EXPOSE 50051 9464
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["attend", "probe"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["attend-server"]
