//! Who may call what: bearer tokens with roles.
//!
//! The file of tokens holds hashes. A token is 256 random bits, so one fast hash is enough: there is nothing to
//! guess. What is presented is hashed and compared with every hash, in a time that tells nothing of them.

use crate::rpc::reload::{self, FileError, Former, Source, Watched};
use crate::rpc::status;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use subtle::{ConditionallySelectable, ConstantTimeEq};
use tokio_util::sync::CancellationToken;
use tonic::Status;

const SETTING: &str = "tokens";
const MAX_NAME_BYTES: usize = 64;
/// Longer ones are none of ours, and hashing them would be work for nothing.
const MAX_TOKEN_BYTES: usize = 512;
const RANDOM_BYTES: usize = 32;
/// Tells a token from other secrets, to people and to scanners of repositories.
const PREFIX: &str = "glotsift_";

/// What a token may be used for. None includes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Every method of `ClassifierService`.
    Classify,
    /// Telling the server where it was wrong.
    Feedback,
    /// Everything that changes the server.
    Admin,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Classify => "classify",
            Self::Feedback => "feedback",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        [Self::Classify, Self::Feedback, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == value)
            .ok_or_else(|| format!("{value:?} is no role, expected classify, feedback or admin"))
    }
}

/// What a method asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Nothing,
    AnyRole,
    Role(Role),
}

fn needs(method: &str) -> Needs {
    // Whether the server is well is no secret, and probes have no token.
    if method.starts_with("/grpc.health.v1.Health/") {
        Needs::Nothing
    } else if method.starts_with("/glotsift.v1.ClassifierService/") {
        Needs::Role(Role::Classify)
    } else if method.starts_with("/glotsift.v1.FeedbackService/") {
        Needs::Role(Role::Feedback)
    } else if method.starts_with("/glotsift.") {
        // A service that nobody thought of here is closed, not open.
        Needs::Role(Role::Admin)
    } else {
        Needs::AnyRole
    }
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokensFile {
    token: Vec<TokenEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenEntry {
    name: String,
    roles: Vec<Role>,
    blake3: String,
}

#[derive(Debug)]
struct Token {
    name: Arc<str>,
    roles: Vec<Role>,
    hash: [u8; 32],
}

/// The tokens that are in force; at least one.
#[derive(Debug)]
pub struct Tokens(Vec<Token>);

impl Tokens {
    /// Reads a file of `[[token]]` tables with `name`, `roles` and `blake3`. Errors name places, never values:
    /// a token may stand where its hash should.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: TokensFile = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
            format!("is wrong at line {line}, expected [[token]] tables of name, roles (classify, feedback, admin) and blake3")
        })?;
        if file.token.is_empty() {
            return Err("holds no token: nobody could call anything".to_owned());
        }
        let mut tokens: Vec<Token> = Vec::new();
        for (i, entry) in file.token.into_iter().enumerate() {
            let wrong = |problem: &str| format!("is wrong in its [[token]] number {}: {problem}", i + 1);
            check_name(&entry.name).map_err(|problem| wrong(&problem))?;
            if entry.roles.is_empty() {
                return Err(wrong("roles is empty"));
            }
            let hash = blake3::Hash::from_hex(&entry.blake3)
                .map_err(|_| wrong("blake3 is not 64 hexadecimal digits"))?;
            let token = Token { name: entry.name.into(), roles: entry.roles, hash: *hash.as_bytes() };
            if tokens.iter().any(|other| other.name == token.name || other.hash == token.hash) {
                return Err(wrong("its name or its blake3 is there already"));
            }
            tokens.push(token);
        }
        Ok(Self(tokens))
    }

    /// Whether the token is in force.
    pub fn knows(&self, presented: &str) -> bool {
        self.find(presented).is_some()
    }

    /// The token's name and roles. Takes the same time whichever it is, or none.
    fn find(&self, presented: &str) -> Option<&Token> {
        if presented.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let hash = blake3::hash(presented.as_bytes());
        let mut found = 0_u64;
        for (number, token) in (1..).zip(&self.0) {
            found.conditional_assign(&number, token.hash.ct_eq(hash.as_bytes()));
        }
        self.0.get(usize::try_from(found.checked_sub(1)?).ok()?)
    }
}

/// Names stand in logs and in settings.
fn check_name(name: &str) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(format!("its name is not 1 to {MAX_NAME_BYTES} of A-Z a-z 0-9 - _ ."))
}

/// A new token, and the entry that a file of tokens needs for it.
pub fn new_token(name: &str, roles: &[Role]) -> Result<(String, String), String> {
    check_name(name)?;
    if roles.is_empty() {
        return Err("no role is given".to_owned());
    }
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|error| format!("the system gave no random bytes: {error}"))?;
    let digits = random.iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"));
    let token = format!("{PREFIX}{digits}");
    let roles: Vec<_> = roles.iter().map(|role| format!("\"{}\"", role.as_str())).collect();
    let entry = format!(
        "[[token]]\nname = \"{name}\"\nroles = [{}]\nblake3 = \"{}\"\n",
        roles.join(", "),
        blake3::hash(token.as_bytes())
    );
    Ok((token, entry))
}

/// Decides over calls. Without tokens everyone may classify, and only this machine may do more.
#[derive(Clone)]
pub(crate) struct Auth {
    tokens: Option<Arc<Watched<Tokens>>>,
}

impl Auth {
    pub(crate) fn open() -> Self {
        Self { tokens: None }
    }

    pub(crate) fn watch(path: &Path, every: Duration, stop: CancellationToken) -> Result<Self, FileError> {
        Ok(Self { tokens: Some(Watched::start(sources(path), build, every, stop)?) })
    }

    /// The name of the token that allows the call, if one was needed.
    pub(crate) fn allow(
        &self,
        method: &str,
        headers: &HeaderMap,
        peer: IpAddr,
    ) -> Result<Option<Arc<str>>, Status> {
        let needs = needs(method);
        let Some(tokens) = &self.tokens else {
            return match needs {
                Needs::Role(role @ (Role::Feedback | Role::Admin)) if !peer.to_canonical().is_loopback() => {
                    Err(status::role_missing(role.as_str()))
                }
                _ => Ok(None),
            };
        };
        if needs == Needs::Nothing {
            return Ok(None);
        }
        let presented = bearer(headers).ok_or_else(status::token_missing)?;
        let tokens = tokens.current();
        let token = tokens.find(presented).ok_or_else(status::token_unknown)?;
        match needs {
            Needs::Role(role) if !token.roles.contains(&role) => Err(status::role_missing(role.as_str())),
            _ => Ok(Some(token.name.clone())),
        }
    }
}

pub(crate) fn check(path: &Path) -> Result<(), FileError> {
    reload::check(&sources(path), build)
}

fn sources(path: &Path) -> Vec<Source> {
    vec![(SETTING, PathBuf::from(path))]
}

fn build(contents: &[Vec<u8>], _: Former) -> Result<Tokens, FileError> {
    let content = contents.first().map(Vec::as_slice).unwrap_or_default();
    let wrong = |problem| FileError::Content { setting: SETTING, problem };
    let text = std::str::from_utf8(content).map_err(|_| wrong("is not UTF-8".to_owned()))?;
    Tokens::parse(text).map_err(wrong)
}

/// The token of `authorization: Bearer …`. Of two headers neither counts: who wrote which?
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str, expected: &str) {
        let error = Tokens::parse(text).unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn a_new_token_is_found_by_its_entry_and_nothing_else_is() {
        let (a, entry_a) = new_token("a", &[Role::Classify]).unwrap();
        let (b, entry_b) = new_token("b", &[Role::Classify, Role::Admin]).unwrap();
        let tokens = Tokens::parse(&format!("{entry_a}\n{entry_b}")).unwrap();
        assert_eq!(&*tokens.find(&a).unwrap().name, "a");
        assert_eq!(tokens.find(&b).unwrap().roles, [Role::Classify, Role::Admin]);
        let (c, _) = new_token("c", &[Role::Admin]).unwrap();
        for wrong in ["", "x", &c, &a[1..], &format!("{a} "), &a.to_uppercase(), &"x".repeat(1 << 20)] {
            assert!(tokens.find(wrong).is_none());
        }
        assert!(new_token("two words", &[Role::Admin]).is_err() && new_token("a", &[]).is_err());
    }

    #[test]
    fn wrong_files_are_refused_without_quoting_them() {
        let hash = "0".repeat(64);
        refused("", "at line 1");
        refused("token = []", "no token");
        refused("[[token]]\nname = \"a\"\nroles = [\"secret\"]", "at line 3");
        refused("[[token]]\nname = \"a\"\nroles = [\"admin\"]\nblake3 = \"secret\"", "number 1: blake3");
        refused("[[token]]\nname = \"a\"\nroles = []\nblake3 = \"secret\"", "roles is empty");
        refused(
            &format!("[[token]]\nname = \"secret one\"\nroles = [\"admin\"]\nblake3 = \"{hash}\""),
            "name",
        );
        let one = format!("[[token]]\nname = \"a\"\nroles = [\"admin\"]\nblake3 = \"{hash}\"\n");
        refused(&format!("{one}{one}"), "number 2: its name or its blake3 is there already");
        refused(&format!("{one}secret = 1"), "at line 5");
    }

    #[test]
    fn without_tokens_only_this_machine_may_change_anything() {
        let allowed = |method: &str, peer: &str| {
            Auth::open().allow(method, &HeaderMap::new(), peer.parse().unwrap()).is_ok()
        };
        for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "2001:db8::1"] {
            assert!(allowed("/glotsift.v1.ClassifierService/ClassifyArticle", peer));
            assert!(allowed("/grpc.health.v1.Health/Check", peer));
            let here = !peer.starts_with("10.") && !peer.starts_with("2001");
            for method in
                ["/glotsift.v1.FeedbackService/Give", "/glotsift.v1.AdminService/X", "/glotsift.v2.A/B"]
            {
                assert_eq!(allowed(method, peer), here, "{method} from {peer}");
            }
        }
    }

    #[test]
    fn one_header_of_the_bearer_scheme_counts() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(of(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(of(&["bearer  abc"]).as_deref(), Some("abc"));
        for odd in [&[][..], &["abc"], &["Basic abc"], &["Bearer"], &["Bearer a", "Bearer b"]] {
            assert_eq!(of(odd), None, "{odd:?}");
        }
    }
}
