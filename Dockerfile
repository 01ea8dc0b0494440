# One static binary and nothing else. Build it with: docker build -t flinkctl .
#
# The image is the operator, the supervisor, the bootstrap and the command line; the first argument says which. It has to be static,
# because a bootstrap pod copies the binary into a volume and runs it in whatever image holds the user's JAR.

FROM rust:1.95-alpine AS build
# aws-lc is C and assembler; everything else is Rust.
RUN apk add --no-cache build-base cmake linux-headers perl
WORKDIR /source
COPY . .
# On Alpine the default target is musl, with static linking. The check fails the build if that ever changes.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --package flinkctl \
    && cp target/release/flinkctl /flinkctl \
    && ! ldd /flinkctl 2>/dev/null | grep -q '=>'

FROM scratch
COPY --from=build /flinkctl /flinkctl
COPY LICENSE /LICENSE
USER 65532:65532
ENTRYPOINT ["/flinkctl"]
