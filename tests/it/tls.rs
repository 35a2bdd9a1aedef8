use crate::support::{PATIENCE, TestServer, request, tls_channel};
use glotsift::rpc::TlsFiles;
use glotsift::rpc::pb::classifier_service_client::ClassifierServiceClient;
use glotsift::rpc::server::ServeConfig;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tonic::transport::Channel;

const DAY: Duration = Duration::from_secs(86_400);

/// A certificate and its key, PEM.
pub(crate) struct Pair {
    pub(crate) cert: String,
    pub(crate) key: String,
}

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) cert: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let cert = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), cert }
    }

    pub(crate) fn sign(&self) -> Pair {
        self.sign_between(SystemTime::UNIX_EPOCH, SystemTime::now() + DAY)
    }

    fn sign_between(&self, begin: SystemTime, end: SystemTime) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let at = |time: SystemTime| {
            rcgen::date_time_ymd(1970, 1, 1) + time.duration_since(SystemTime::UNIX_EPOCH).unwrap()
        };
        (params.not_before, params.not_after) = (at(begin), at(end));
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let cert = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { cert, key: key.serialize_pem() }
    }

    fn client(&self, own: Option<&Pair>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.cert.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let chain = vec![CertificateDer::from_pem_slice(own.cert.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        // A connection that resumes would not see the new certificate.
        config.resumption = rustls::client::Resumption::disabled();
        Arc::new(config)
    }
}

fn write(dir: &Path, pair: &Pair) {
    // As a careful operator does: the new files are renamed into place.
    for (name, content) in [("cert.pem", &pair.cert), ("key.pem", &pair.key)] {
        fs::write(dir.join("new"), content).unwrap();
        fs::rename(dir.join("new"), dir.join(name)).unwrap();
    }
}

struct Files {
    dir: TempDir,
    tls: TlsFiles,
}

impl Files {
    fn new(pair: &Pair, client_ca: Option<&Authority>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), pair);
        if let Some(authority) = client_ca {
            fs::write(dir.path().join("ca.pem"), &authority.cert).unwrap();
        }
        let tls = TlsFiles {
            cert: dir.path().join("cert.pem"),
            key: dir.path().join("key.pem"),
            client_ca: client_ca.map(|_| dir.path().join("ca.pem")),
        };
        Self { dir, tls }
    }

    fn config(&self) -> ServeConfig {
        ServeConfig {
            tls: Some(self.tls.clone()),
            reload: Duration::from_millis(20),
            handshake: Duration::from_secs(2),
            ..ServeConfig::default()
        }
    }
}

async fn classifies(channel: Channel) -> bool {
    ClassifierServiceClient::new(channel).classify_article(request("", "A few words.")).await.is_ok()
}

async fn served(server: &TestServer, client: Arc<ClientConfig>) -> bool {
    match tls_channel(server.address, client).await {
        Ok(channel) => classifies(channel).await,
        Err(_) => false,
    }
}

#[tokio::test]
async fn only_a_client_that_trusts_our_authority_is_served() {
    let (ours, other) = (Authority::new(), Authority::new());
    let files = Files::new(&ours.sign(), None);
    let server = TestServer::with(files.config()).await;
    assert!(served(&server, ours.client(None)).await);
    assert!(!served(&server, other.client(None)).await);
    // Not in plain text, and not with another protocol.
    let plain = tonic::transport::Endpoint::from_shared(format!("http://{}", server.address)).unwrap();
    if let Ok(channel) = plain.connect().await {
        assert!(!classifies(channel).await);
    }
    let mut old = ClientConfig::clone(&ours.client(None));
    old.alpn_protocols = vec![b"http/1.1".to_vec()];
    assert!(!served(&server, Arc::new(old)).await);
    assert!(served(&server, ours.client(None)).await);
}

#[tokio::test]
async fn a_client_certificate_of_the_right_authority_is_asked_for() {
    let (ours, clients, other) = (Authority::new(), Authority::new(), Authority::new());
    let files = Files::new(&ours.sign(), Some(&clients));
    let server = TestServer::with(files.config()).await;
    assert!(served(&server, ours.client(Some(&clients.sign()))).await);
    assert!(!served(&server, ours.client(None)).await);
    assert!(!served(&server, ours.client(Some(&other.sign()))).await);

    // The authority is replaced: whom it signed for is no longer known, nor by a resumed session.
    let former = ours.client(Some(&clients.sign()));
    assert!(served(&server, former.clone()).await);
    fs::write(files.dir.path().join("ca.pem"), &other.cert).unwrap();
    let newcomer = ours.client(Some(&other.sign()));
    let deadline = Instant::now() + PATIENCE;
    while !served(&server, newcomer.clone()).await {
        assert!(Instant::now() < deadline, "the new authority was not taken up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!served(&server, former).await);
}

#[tokio::test]
async fn a_handshake_has_the_connections_deadline_and_does_not_hold_a_drain() {
    let ours = Authority::new();
    let files = Files::new(&ours.sign(), None);
    let config = ServeConfig { handshake: Duration::from_millis(300), ..files.config() };
    let server = TestServer::with(config).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let begun = Instant::now();
    let mut sink = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut sink)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));

    // One that has done with TLS and then says nothing has no more time than that either.
    let tls = tokio_rustls::TlsConnector::from(ours.client(None));
    let tcp = TcpStream::connect(server.address).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut quiet = tls.connect(name, tcp).await.unwrap();
    let _ = tokio::time::timeout(PATIENCE, quiet.read_to_end(&mut sink)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));

    let config = ServeConfig { handshake: Duration::from_secs(60), ..files.config() };
    let server = TestServer::with(config).await;
    let _silent = TcpStream::connect(server.address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    assert_eq!(server.stopped().await.cut, 0);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_renewed_under_load_and_bad_ones_ignored() {
    let (first, second) = (Authority::new(), Authority::new());
    let files = Files::new(&first.sign(), None);
    let server = TestServer::with(files.config()).await;
    let address = server.address;

    // Trusts both authorities, connects anew for every call.
    let mut roots = RootCertStore::empty();
    for authority in [&first, &second] {
        roots.add(CertificateDer::from_pem_slice(authority.cert.as_bytes()).unwrap()).unwrap();
    }
    let mut both = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    both.alpn_protocols = vec![b"h2".to_vec()];
    let both = Arc::new(both);
    let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (both, stop, calls) = (both.clone(), stop.clone(), calls.clone());
            tokio::spawn(async move {
                let lasting = tls_channel(address, both.clone()).await.unwrap();
                let mut failed = 0;
                while !stop.load(Ordering::Relaxed) {
                    let fresh = tls_channel(address, both.clone()).await;
                    failed += usize::from(match fresh {
                        Ok(channel) => !classifies(channel).await,
                        Err(_) => true,
                    });
                    failed += usize::from(!classifies(lasting.clone()).await);
                    calls.fetch_add(2, Ordering::Relaxed);
                }
                failed
            })
        })
        .collect();

    let taken_up = async |authority: &Authority| {
        let deadline = Instant::now() + PATIENCE;
        while !served(&server, authority.client(None)).await {
            assert!(Instant::now() < deadline, "the certificate was not taken up");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // A server that starts while a certificate is replaced without its key yet does not start.
    taken_up(&first).await;
    for authority in [&second, &first, &second] {
        write(files.dir.path(), &authority.sign());
        taken_up(authority).await;
    }
    // Not PEM; a key of another certificate; nothing there at all.
    fs::write(files.dir.path().join("cert.pem"), "no certificate").unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    fs::write(files.dir.path().join("cert.pem"), first.sign().cert).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    fs::remove_file(files.dir.path().join("key.pem")).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(served(&server, second.client(None)).await);
    assert!(!served(&server, first.client(None)).await);
    write(files.dir.path(), &first.sign());
    taken_up(&first).await;

    stop.store(true, Ordering::Relaxed);
    for task in load {
        assert_eq!(task.await.unwrap(), 0);
    }
    assert!(calls.load(Ordering::Relaxed) > 0);
}

#[tokio::test]
async fn a_renewal_out_of_time_is_refused_until_its_time_comes() {
    let (first, second) = (Authority::new(), Authority::new());
    let files = Files::new(&first.sign(), None);
    let (mut command, [cert, key]) = (
        Command::new(env!("CARGO_BIN_EXE_glotsift")),
        ["cert.pem", "key.pem"].map(|f| files.dir.path().join(f)),
    );
    command.args(["serve", "--listen", "127.0.0.1:0", "--tls-cert"]).arg(&cert);
    let mut server = Child(command.arg("--tls-key").arg(&key).stderr(Stdio::piped()).spawn().unwrap());
    let mut log = BufReader::new(server.0.stderr.take().unwrap()).lines();
    let mut line_with = |what: &str| log.find(|line| line.as_ref().unwrap().contains(what)).unwrap().unwrap();
    let line = line_with("listening on ");
    let (_, address) = line.split_once("listening on ").unwrap();
    let address = address.split_whitespace().next().unwrap().parse().unwrap();
    let served = async |authority: &Authority| match tls_channel(address, authority.client(None)).await {
        Ok(channel) => classifies(channel).await,
        Err(_) => false,
    };
    assert!(served(&first).await);

    write(files.dir.path(), &second.sign_between(SystemTime::UNIX_EPOCH, SystemTime::now() - DAY));
    let line = line_with("not taken up");
    assert!(line.contains("tls-cert holds a certificate, number 1, that expired at "), "{line}");
    assert!(served(&first).await && !served(&second).await);

    let begin = SystemTime::now() + Duration::from_secs(4);
    write(files.dir.path(), &second.sign_between(begin, begin + DAY));
    let line = line_with("not taken up");
    assert!(line.contains("tls-cert holds a certificate, number 1, that is not valid before "), "{line}");
    assert!(served(&first).await);
    // Not told again, and taken up without another change once it is valid.
    let line = log.next().unwrap().unwrap();
    // Certificates tell whole seconds.
    let early = begin.duration_since(SystemTime::now()).unwrap_or_default();
    assert!(line.contains("taken up: tls-cert") && early < Duration::from_secs(1), "{line}");
    assert!(served(&second).await);
}

/// Ended with the test.
struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
