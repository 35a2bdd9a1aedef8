# Needs nothing but the source tree: the model is in models/default and is compiled into the binary.
FROM rust:1-slim-trixie AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked && strip target/release/glotsift

FROM debian:trixie-slim
RUN useradd --system --no-create-home --shell /usr/sbin/nologin --uid 10001 --user-group glotsift
COPY --from=build /src/target/release/glotsift /usr/local/bin/glotsift
USER 10001:10001
# Neither TLS nor tokens unless GLOTSIFT_TLS_CERT, GLOTSIFT_TLS_KEY and GLOTSIFT_TOKENS name mounted files.
ENV GLOTSIFT_LISTEN=0.0.0.0:50051 GLOTSIFT_LOG_FORMAT=json
EXPOSE 50051
STOPSIGNAL SIGTERM
# Nothing is written: run it with --read-only --cap-drop ALL --security-opt no-new-privileges.
ENTRYPOINT ["/usr/local/bin/glotsift"]
CMD ["serve"]
