//! Settings of the server by file, variables and flags, mappings of columns, and files of tokens.

use super::outcome;
use clap::{Args, FromArgMatches};
use glotsift::config::RawServeArgs;
use glotsift::corpus::Columns;
use glotsift::rpc::auth::Tokens;
use std::path::Path;

/// The text is a file, and each of its lines a flag and a variable.
pub(super) fn run(input: &[u8]) -> u64 {
    let text = &*String::from_utf8_lossy(input);
    let short = |said: String| -> String { said.chars().filter(|c| c.is_alphabetic()).take(50).collect() };
    let file = RawServeArgs::from_toml(Path::new("g.toml"), text);
    let of_file = file.as_ref().err().map(|error| short(error.to_string()));
    let variables: Vec<(String, &str)> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| {
            let name = format!("GLOTSIFT_{}", key.trim().replace('-', "_").to_ascii_uppercase());
            (name, value.trim().trim_matches('"'))
        })
        .collect();
    let variable = |name: &str| variables.iter().find(|(n, _)| n == name).map(|(_, v)| (*v).to_owned());
    let environment = RawServeArgs::from_environment(variable);
    let flags = text.lines().map(|line| format!("--{}", line.replace(" = ", "=").replace('"', "")));
    let command = RawServeArgs::augment_args(clap::Command::new("serve"));
    let flags = command
        .try_get_matches_from(std::iter::once("serve".to_owned()).chain(flags))
        .and_then(|matches| RawServeArgs::from_arg_matches(&matches));
    let flags_kind = flags.as_ref().err().map(|error| error.kind() as u32);
    let checked =
        flags.unwrap_or_default().or(environment.unwrap_or_default()).or(file.unwrap_or_default()).check();
    let checked = match checked {
        Ok(settings) => {
            let server = settings.server;
            assert!(
                server.max_in_flight > 0 && server.max_connections > 0 && server.max_concurrent_streams > 0
            );
            assert!(server.limits.max_frame_bytes > server.limits.max_text_bytes);
            assert!(server.max_in_flight_bytes >= server.limits.max_frame_bytes);
            None
        }
        Err(error) => Some(short(error.to_string())),
    };
    let columns = text.lines().next().unwrap_or_default().parse::<Columns>().is_ok();
    outcome((of_file, flags_kind, checked, columns))
}

pub(super) fn tokens(input: &[u8]) -> u64 {
    let text = &*String::from_utf8_lossy(input);
    match Tokens::parse(text) {
        Ok(tokens) => {
            assert!(!tokens.knows("") && !tokens.knows(text), "a token nobody made is known");
            1
        }
        Err(said) => {
            // A token may stand where its hash should.
            let secrets = text.split('"').filter(|piece| piece.len() > 20);
            secrets.for_each(|secret| assert!(!said.contains(secret), "told: {said}"));
            outcome(said.chars().filter(|c| c.is_alphabetic()).collect::<String>())
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    [
        "listen = \"0.0.0.0:50051\"\nmodels = \"/srv/mine\"\nmax-text-bytes = 262144\nlog-format = \"json\"\n",
        "tls-cert = \"c.pem\"\ntls-key = \"k.pem\"\nrate = 5\nrate-burst = 9\nreflection = false\nlog-level = \"info\"\n",
        "drain-seconds = 3\nmax-frame-bytes = 1048577\nmax-in-flight-bytes = 8388608\nkeepalive-seconds = 1\n",
        "text=body,label=section\n",
        "",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

pub(super) fn token_seeds() -> Vec<Vec<u8>> {
    let entry = |name: &str, role: &str| {
        let hash = blake3::hash(name.as_bytes()).to_hex();
        format!("[[token]]\nname = \"{name}\"\nroles = [\"{role}\", \"classify\"]\nblake3 = \"{hash}\"\n")
    };
    let both = format!("{}\n# another\n{}", entry("frontend", "classify"), entry("office", "admin"));
    vec![entry("frontend", "feedback").into_bytes(), both.into_bytes()]
}

pub(super) const WORDS: &[&str] = &[
    "[[token]]\n",
    "name = ",
    "roles = [",
    "\"admin\"",
    "blake3 = \"",
    "\"",
    "'''",
    "\"\"\"",
    "\n",
    "[",
    "]",
    "{",
    "=",
    "#",
    "\\u0000",
    "[::1]:0",
    "max-waiting = 0\n",
    "max-wait-ms = 4294967295\n",
    "connection-age-seconds = ",
    "handshake-seconds",
    "log-level = \"glotsift=debug,[\"\n",
    "1979-05-27T07:32:00Z",
    "inf",
    "nan",
    "0x",
    "1_000",
    "--",
    "text=",
    ",,",
];
