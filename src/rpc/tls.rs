//! TLS: our certificate, and whose certificates a client may come with.
//!
//! tonic's own TLS is fixed when the server starts; here every handshake uses the files as of a moment ago.

use crate::rpc::reload::{self, FileError, Former, Source, Watched};
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;

const CERT: &str = "tls-cert";
const KEY: &str = "tls-key";
const CLIENT_CA: &str = "tls-client-ca";

/// PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate first, then those between it and the root.
    pub cert: PathBuf,
    pub key: PathBuf,
    /// When given, a client must show a certificate that one of these has signed.
    pub client_ca: Option<PathBuf>,
}

impl TlsFiles {
    fn sources(&self) -> Vec<Source> {
        let mut sources = vec![(CERT, self.cert.clone()), (KEY, self.key.clone())];
        sources.extend(self.client_ca.clone().map(|path| (CLIENT_CA, path)));
        sources
    }

    /// Whether a server could start with these files.
    pub fn check(&self) -> Result<(), FileError> {
        reload::check(&self.sources(), build)
    }

    pub(crate) fn watch(
        &self,
        every: Duration,
        stop: CancellationToken,
    ) -> Result<Arc<Watched<Arc<ServerConfig>>>, FileError> {
        Watched::start(self.sources(), build, every, stop)
    }
}

fn build(contents: &[Vec<u8>], former: Former) -> Result<Arc<ServerConfig>, FileError> {
    // The parser's own errors quote the lines they are about.
    let content = |setting, problem: &str| FileError::Content { setting, problem: problem.to_owned() };
    let (cert, key) = match contents {
        [cert, key, ..] => (certificates(CERT, cert)?, key),
        _ => return Err(content(CERT, "is missing")),
    };
    match (in_time(&cert, ASN1Time::now()), former) {
        (Err(error), Former::StaysInForce) => return Err(error),
        // Better than nothing: the clock may be wrong, as it is on many a machine that has just started.
        (Err(error), Former::Nothing) => tracing::warn!("clients will refuse it: {error}"),
        (Ok(()), _) => {}
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| content(KEY, "holds no private key in PEM form (PKCS #8, PKCS #1 or SEC 1)"))?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| content(CERT, &format!("cannot be used: {error}")))?;
    let builder = match contents.get(2) {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(CLIENT_CA, authorities)? {
                roots
                    .add(authority)
                    .map_err(|error| content(CLIENT_CA, &format!("holds a bad certificate: {error}")))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| content(CLIENT_CA, &format!("cannot be used: {error}")))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(cert, key)
        .map_err(|error| content(CERT, &format!("does not go with the key of {KEY}: {error}")))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

/// Whether a chain is to be believed at this time, each certificate of it.
fn in_time(chain: &[CertificateDer<'_>], now: ASN1Time) -> Result<(), FileError> {
    for (number, der) in (1..).zip(chain) {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| FileError::Content {
            setting: CERT,
            problem: format!("holds a certificate, number {number}, that cannot be read"),
        })?;
        let (begin, end) = (certificate.validity().not_before, certificate.validity().not_after);
        if now > end {
            let problem = format!("holds a certificate, number {number}, that expired at {end}");
            return Err(FileError::Content { setting: CERT, problem });
        }
        if now < begin {
            let problem = format!("holds a certificate, number {number}, that is not valid before {begin}");
            return Err(FileError::NotYet { setting: CERT, problem });
        }
    }
    Ok(())
}

fn certificates(setting: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let none = || FileError::Content { setting, problem: "holds no certificate in PEM form".to_owned() };
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| none())?;
    if found.is_empty() { Err(none()) } else { Ok(found) }
}
