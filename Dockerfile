# Any plain builder works: nothing here needs BuildKit.
FROM rust:1-bookworm AS build
WORKDIR /src
# Build dependencies first, with empty crates in place of ours, so that a change to our code does not recompile them.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY domain/Cargo.toml domain/
COPY actors/Cargo.toml actors/
COPY sandbox/Cargo.toml sandbox/
RUN mkdir -p src domain/src benches domain/benches actors/src actors/benches sandbox/src \
 && touch benches/hot_paths.rs benches/instructions.rs domain/benches/texts.rs actors/benches/cache.rs src/lib.rs domain/src/lib.rs actors/src/lib.rs sandbox/src/lib.rs \
 && echo 'fn main() {}' > src/main.rs \
 && cargo build --release --locked --bin mynah \
 && rm -rf src domain/src actors/src sandbox/src
COPY domain domain
COPY actors actors
COPY sandbox sandbox
COPY src src
COPY examples examples
COPY config.toml ./
RUN touch src/main.rs src/lib.rs domain/src/lib.rs actors/src/lib.rs sandbox/src/lib.rs \
 && cargo build --release --locked --bin mynah

FROM debian:bookworm-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates apertium apertium-eng-spa apertium-eng-cat apertium-en-gl apertium-es-pt apertium-fr-es \
 && rm -rf /var/lib/apt/lists/* /usr/share/doc /usr/share/man /var/cache/debconf/*-old \
 && useradd --system --uid 10001 --home-dir /var/lib/mynah --create-home mynah \
 && mkdir -p /etc/mynah
COPY --from=build /src/target/release/mynah /usr/local/bin/mynah
COPY config.toml /etc/mynah/config.toml
# The ledger and the cache. Mount a volume here; without one, a new container starts without its publishing history.
ENV MYNAH_CONFIG=/etc/mynah/config.toml MYNAH__DATA_DIR=/var/lib/mynah
VOLUME /var/lib/mynah
WORKDIR /var/lib/mynah
USER mynah
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["mynah", "health"]
ENTRYPOINT ["mynah"]
CMD ["run"]
