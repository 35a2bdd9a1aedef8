//! Settings: flags over environment (`GLOTSIFT_*`) over a TOML file, checked as a whole before a port opens.

use crate::rpc::server::ServeConfig;
use crate::rpc::{Limits, TlsFiles};
use crate::telemetry::{self, LogFormat};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Loopback: a server does not face the network unless told to.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:50051";

/// The settings of `serve` as one source gives them, nothing checked. Keys of the file are the flags' names.
#[derive(Clone, Debug, Default, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RawServeArgs {
    /// Where to listen; port 0 takes any free port [default: 127.0.0.1:50051]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// A model bundle's folder; the built-in model when left out
    #[arg(long, value_name = "DIR")]
    pub models: Option<PathBuf>,
    /// The server's certificate and those up to its root, PEM; read again when it changes. Plain text without
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Certificates, PEM, of which one must have signed a client's; any client without
    #[arg(long, value_name = "FILE")]
    pub tls_client_ca: Option<PathBuf>,
    /// A TOML file of hashed tokens and their roles, made by `glotsift token`; read again when it changes.
    /// Without, everyone who can connect may classify
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// Largest article text in bytes [default: 1048576]
    #[arg(long, value_name = "BYTES")]
    pub max_text_bytes: Option<u32>,
    /// Largest request message in bytes [default: 8388608]
    #[arg(long, value_name = "BYTES")]
    pub max_frame_bytes: Option<u32>,
    /// Most calls in flight; more are refused [default: 1024]
    #[arg(long, value_name = "N")]
    pub max_in_flight: Option<u32>,
    /// Most request bytes held by all calls together; more are refused [default: 268435456]
    #[arg(long, value_name = "BYTES")]
    pub max_in_flight_bytes: Option<u32>,
    /// Most calls that wait for a CPU; more are refused [default: 128]
    #[arg(long, value_name = "N")]
    pub max_waiting: Option<u32>,
    /// Calls that would wait longer for a CPU, by what waits before them, are refused [default: 300]
    #[arg(long, value_name = "MILLISECONDS")]
    pub max_wait_ms: Option<u32>,
    /// Articles a second that one client (its token, or its address) may have classified [default: any]
    #[arg(long, value_name = "N")]
    pub rate: Option<u32>,
    /// Articles that it may have classified at once before that counts [default: a second's worth]
    #[arg(long, value_name = "N")]
    pub rate_burst: Option<u32>,
    /// Most connections; more are closed at once [default: 10000]
    #[arg(long, value_name = "N")]
    pub max_connections: Option<u32>,
    /// Most connections of one address, or of the first 64 bits of one of IPv6 [default: 1000]
    #[arg(long, value_name = "N")]
    pub max_connections_per_ip: Option<u32>,
    /// How old a connection may become, a tenth more or less, before it takes no new calls [default: 900]
    #[arg(long, value_name = "SECONDS")]
    pub connection_age_seconds: Option<u32>,
    /// How long calls in progress may take on a connection that is too old [default: 300]
    #[arg(long, value_name = "SECONDS")]
    pub connection_grace_seconds: Option<u32>,
    /// Most calls in flight of one connection [default: 200]
    #[arg(long, value_name = "N")]
    pub max_concurrent_streams: Option<u32>,
    /// How long calls in progress may take after SIGTERM [default: 10]
    #[arg(long, value_name = "SECONDS")]
    pub drain_seconds: Option<u32>,
    /// How long a connection may take to say that it speaks HTTP/2 [default: 10]
    #[arg(long, value_name = "SECONDS")]
    pub handshake_seconds: Option<u32>,
    /// How long one request message, or one HTTP/2 frame, may take to arrive [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub receive_seconds: Option<u32>,
    /// Ping quiet clients this often [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub keepalive_seconds: Option<u32>,
    /// Whether to offer server reflection [default: true]
    #[arg(long, value_name = "BOOL")]
    pub reflection: Option<bool>,
    /// text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// error, warn, info, debug, trace, or target=level directives [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

/// Everything `serve` runs on.
#[derive(Clone, Debug)]
pub struct Serve {
    pub listen: SocketAddr,
    pub models: Option<PathBuf>,
    pub server: ServeConfig,
    pub log_format: LogFormat,
    pub log_level: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{name} is {value:?}, expected {expected}")]
    Value { name: &'static str, value: String, expected: String },
    #[error("environment variable {name} is {value:?}, expected {expected}")]
    Environment { name: String, value: String, expected: &'static str },
    #[error("{}:{line}:{column}: {message}", path.display())]
    File { path: PathBuf, line: usize, column: usize, message: String },
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
}

/// Applies `$op` to every setting, so that none can be forgotten in one of the layers.
macro_rules! each_setting {
    ($op:ident) => {
        RawServeArgs {
            listen: $op!(listen, "text"),
            models: $op!(models, "a folder"),
            tls_cert: $op!(tls_cert, "a file"),
            tls_key: $op!(tls_key, "a file"),
            tls_client_ca: $op!(tls_client_ca, "a file"),
            tokens: $op!(tokens, "a file"),
            max_text_bytes: $op!(max_text_bytes, "a whole number"),
            max_frame_bytes: $op!(max_frame_bytes, "a whole number"),
            max_in_flight: $op!(max_in_flight, "a whole number"),
            max_in_flight_bytes: $op!(max_in_flight_bytes, "a whole number"),
            max_waiting: $op!(max_waiting, "a whole number"),
            max_wait_ms: $op!(max_wait_ms, "a whole number"),
            rate: $op!(rate, "a whole number"),
            rate_burst: $op!(rate_burst, "a whole number"),
            max_connections: $op!(max_connections, "a whole number"),
            max_connections_per_ip: $op!(max_connections_per_ip, "a whole number"),
            connection_age_seconds: $op!(connection_age_seconds, "a whole number"),
            connection_grace_seconds: $op!(connection_grace_seconds, "a whole number"),
            max_concurrent_streams: $op!(max_concurrent_streams, "a whole number"),
            drain_seconds: $op!(drain_seconds, "a whole number"),
            handshake_seconds: $op!(handshake_seconds, "a whole number"),
            receive_seconds: $op!(receive_seconds, "a whole number"),
            keepalive_seconds: $op!(keepalive_seconds, "a whole number"),
            reflection: $op!(reflection, "true or false"),
            log_format: $op!(log_format, "text or json"),
            log_level: $op!(log_level, "a level"),
        }
    };
}

impl RawServeArgs {
    pub fn from_environment(env: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        macro_rules! read {
            ($field:ident, $expected:literal) => {{
                let name = concat!("GLOTSIFT_", stringify!($field)).to_ascii_uppercase();
                match env(&name) {
                    None => None,
                    Some(value) => match value.parse() {
                        Ok(parsed) => Some(parsed),
                        Err(_) => {
                            return Err(ConfigError::Environment { name, value, expected: $expected });
                        }
                    },
                }
            }};
        }
        Ok(each_setting!(read))
    }

    pub fn from_toml(path: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            let before = text.get(..at).unwrap_or_default();
            ConfigError::File {
                path: path.to_owned(),
                line: before.matches('\n').count() + 1,
                column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
                message: error.message().replace('\n', " "),
            }
        })
    }

    pub fn or(self, weaker: Self) -> Self {
        macro_rules! prefer {
            ($field:ident, $expected:literal) => {
                self.$field.or(weaker.$field)
            };
        }
        each_setting!(prefer)
    }

    pub fn check(self) -> Result<Serve, ConfigError> {
        let listen = self.listen.unwrap_or_else(|| DEFAULT_LISTEN.to_owned());
        let default = ServeConfig::default();
        let max_text_bytes =
            at_least("max-text-bytes", self.max_text_bytes, 1, default.limits.max_text_bytes)?;
        let max_frame_bytes =
            at_least("max-frame-bytes", self.max_frame_bytes, 1_024, default.limits.max_frame_bytes)?;
        if max_frame_bytes <= max_text_bytes {
            return Err(ConfigError::Value {
                name: "max-frame-bytes",
                value: max_frame_bytes.to_string(),
                expected: format!("more than max-text-bytes, which is {max_text_bytes}"),
            });
        }
        let log_level = self.log_level.unwrap_or_else(|| "info".to_owned());
        if telemetry::filter(&log_level).is_err() {
            let expected = "a level such as info, or target=level directives".to_owned();
            return Err(ConfigError::Value { name: "log-level", value: log_level, expected });
        }
        let log_format = self.log_format.unwrap_or_else(|| "text".to_owned());
        Ok(Serve {
            listen: listen.parse().map_err(|_| ConfigError::Value {
                name: "listen",
                value: listen,
                expected: format!("an IP address and port such as {DEFAULT_LISTEN} or [::1]:50051"),
            })?,
            models: self.models,
            server: ServeConfig {
                limits: Limits { max_text_bytes, max_frame_bytes, ..default.limits },
                reflection: self.reflection.unwrap_or(default.reflection),
                tls: tls_files(self.tls_cert, self.tls_key, self.tls_client_ca)?,
                tokens: self.tokens,
                reload: default.reload,
                drain: seconds(self.drain_seconds, default.drain),
                handshake: seconds(self.handshake_seconds, default.handshake),
                receive: seconds(self.receive_seconds, default.receive),
                keepalive: Duration::from_secs(at_least(
                    "keepalive-seconds",
                    self.keepalive_seconds,
                    1,
                    default.keepalive.as_secs() as usize,
                )? as u64),
                max_connections: at_least(
                    "max-connections",
                    self.max_connections,
                    1,
                    default.max_connections,
                )?,
                max_connections_per_ip: at_least(
                    "max-connections-per-ip",
                    self.max_connections_per_ip,
                    1,
                    default.max_connections_per_ip,
                )?,
                connection_age: Duration::from_secs(at_least(
                    "connection-age-seconds",
                    self.connection_age_seconds,
                    1,
                    default.connection_age.as_secs() as usize,
                )? as u64),
                connection_grace: seconds(self.connection_grace_seconds, default.connection_grace),
                max_concurrent_streams: at_least(
                    "max-concurrent-streams",
                    self.max_concurrent_streams,
                    1,
                    default.max_concurrent_streams as usize,
                )? as u32,
                max_in_flight_bytes: at_least(
                    "max-in-flight-bytes",
                    self.max_in_flight_bytes,
                    max_frame_bytes,
                    default.max_in_flight_bytes,
                )?,
                max_in_flight: at_least("max-in-flight", self.max_in_flight, 1, default.max_in_flight)?,
                max_waiting: at_least("max-waiting", self.max_waiting, 0, default.max_waiting)?,
                max_wait: self.max_wait_ms.map_or(default.max_wait, |ms| Duration::from_millis(ms.into())),
                rate: rate(self.rate, self.rate_burst)?,
                before_call: default.before_call,
            },
            log_format: log_format.parse().map_err(|expected| ConfigError::Value {
                name: "log-format",
                value: log_format,
                expected,
            })?,
            log_level,
        })
    }
}

/// All that TLS needs or nothing of it: half of it would serve plain text to who asked for more.
fn tls_files(
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
) -> Result<Option<TlsFiles>, ConfigError> {
    let lonely = |name, path: &Path, missing: &str| {
        let expected = format!("{missing} beside it");
        Err(ConfigError::Value { name, value: path.display().to_string(), expected })
    };
    match (cert, key, client_ca) {
        (Some(cert), Some(key), client_ca) => Ok(Some(TlsFiles { cert, key, client_ca })),
        (Some(cert), None, _) => lonely("tls-cert", &cert, "tls-key"),
        (None, Some(key), _) => lonely("tls-key", &key, "tls-cert"),
        (None, None, Some(ca)) => lonely("tls-client-ca", &ca, "tls-cert and tls-key"),
        (None, None, None) => Ok(None),
    }
}

fn rate(per_second: Option<u32>, burst: Option<u32>) -> Result<Option<(u32, u32)>, ConfigError> {
    match (per_second, burst) {
        (None, None) => Ok(None),
        (None, Some(burst)) => Err(ConfigError::Value {
            name: "rate-burst",
            value: burst.to_string(),
            expected: "rate beside it".to_owned(),
        }),
        (Some(_), burst) => {
            let per_second = at_least("rate", per_second, 1, 1)?;
            let burst = at_least("rate-burst", burst, 1, per_second)?;
            Ok(Some((per_second as u32, burst as u32)))
        }
    }
}

fn at_least(
    name: &'static str,
    value: Option<u32>,
    min: usize,
    default: usize,
) -> Result<usize, ConfigError> {
    let value = value.map_or(default, |value| value as usize);
    if value < min {
        return Err(ConfigError::Value {
            name,
            value: value.to_string(),
            expected: format!("at least {min}"),
        });
    }
    Ok(value)
}

fn seconds(value: Option<u32>, default: Duration) -> Duration {
    value.map_or(default, |seconds| Duration::from_secs(u64::from(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(toml: &str, expected: &str) {
        let checked = RawServeArgs::from_toml(Path::new("g.toml"), toml).and_then(RawServeArgs::check);
        assert_eq!(checked.unwrap_err().to_string(), expected);
    }

    #[test]
    fn errors_quote_the_value_and_the_accepted_form() {
        refused(
            "listen = \"localhost\"",
            "listen is \"localhost\", expected an IP address and port such as 127.0.0.1:50051 or [::1]:50051",
        );
        refused(
            "max-text-bytes = 9000000",
            "max-frame-bytes is \"8388608\", expected more than max-text-bytes, which is 9000000",
        );
        refused("log-format = \"xml\"", "log-format is \"xml\", expected text or json");
        refused("tls-cert = \"c.pem\"", "tls-cert is \"c.pem\", expected tls-key beside it");
        refused("tls-client-ca = \"a\"", "tls-client-ca is \"a\", expected tls-cert and tls-key beside it");
        refused("rate-burst = 5", "rate-burst is \"5\", expected rate beside it");
        refused("rate = 0", "rate is \"0\", expected at least 1");
        refused("max-in-flight = 0", "max-in-flight is \"0\", expected at least 1");
        let error = RawServeArgs::from_toml(Path::new("g.toml"), "reflection = true\nport = 5").unwrap_err();
        assert!(error.to_string().starts_with("g.toml:2:1: unknown field `port`"), "{error}");
    }

    #[test]
    fn flags_beat_environment_beats_file() {
        let env = |name: &str| match name {
            "GLOTSIFT_DRAIN_SECONDS" => Some("5".to_owned()),
            "GLOTSIFT_LISTEN" => Some("127.0.0.1:2".to_owned()),
            _ => None,
        };
        let file = "listen = \"127.0.0.1:3\"\ndrain-seconds = 6\nreflection = false";
        let flags = RawServeArgs { listen: Some("127.0.0.1:1".into()), ..Default::default() };
        let merged = flags
            .or(RawServeArgs::from_environment(env).unwrap())
            .or(RawServeArgs::from_toml(Path::new("g.toml"), file).unwrap())
            .check()
            .unwrap();
        assert_eq!(merged.listen.port(), 1);
        assert_eq!(merged.server.drain, Duration::from_secs(5));
        assert!(!merged.server.reflection);
    }

    #[test]
    fn a_wrong_variable_is_named() {
        let env = |name: &str| (name == "GLOTSIFT_REFLECTION").then(|| "maybe".to_owned());
        let error = RawServeArgs::from_environment(env).unwrap_err();
        let expected = "environment variable GLOTSIFT_REFLECTION is \"maybe\", expected true or false";
        assert_eq!(error.to_string(), expected);
    }
}
