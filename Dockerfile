# Build:  docker build -t latchkey .
# Run:    docker run -p 127.0.0.1:8080:8080 -p 127.0.0.1:8081:8081 -v latchkey:/data latchkey
#
# The console answers to the name in LATCHKEY_PUBLIC_URL alone, http://localhost:8080 if that is not set.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
# Certificate authorities are for a PostgreSQL that is reached over TLS.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin latchkey \
 && install -d -o latchkey -g latchkey -m 0700 /data
COPY --from=build /src/target/release/latchkey /usr/local/bin/latchkey

# Within the container every interface is the container's own; what is reachable from outside is said with -p.
ENV LATCHKEY_DATA_DIR=/data \
    LATCHKEY_CONSOLE=0.0.0.0:8080 \
    LATCHKEY_API=0.0.0.0:8081
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
# A latchkey.toml in the volume is read.
WORKDIR /data
VOLUME /data
EXPOSE 8080 8081
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["latchkey", "healthcheck"]
ENTRYPOINT ["latchkey"]
