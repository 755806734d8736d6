# The gateway alone:        docker build -t gatewayctl .
# With git and a shell, for CI: docker build --target ci -t gatewayctl:ci .
#
# Alpine's compiler links statically against musl, so that the image needs nothing but the binary.
# The toolchain of rust-toolchain.toml, which is left out: rustup would download the parts that only developers need.
ARG RUST=1.95.0
FROM rust:${RUST}-alpine3.22 AS build
RUN apk add --no-cache musl-dev=~1.2 gcc=~14 make=~4.4 cmake=~3.31
WORKDIR /src
COPY . .
ARG PROFILE=release
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile "${PROFILE}" --bin gatewayctl \
    && cp "target/${PROFILE}/gatewayctl" /gatewayctl

FROM alpine:3.22 AS ci
RUN apk add --no-cache git=~2.49 tar=~1.35
COPY --from=build /gatewayctl /usr/bin/gatewayctl

FROM scratch
# For upstreams whose certificates are verified with `lua_ssl_trusted_certificate = system`.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /gatewayctl /gatewayctl
# No user of any host: a scratch image has no names, so numbers.
USER 65532:65532
EXPOSE 8000 8443
STOPSIGNAL SIGTERM
ENTRYPOINT ["/gatewayctl"]
CMD ["serve", "/etc/kong/kong.yml"]
