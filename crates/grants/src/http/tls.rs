//! TLS to servers: Mozilla's certificate authorities, and those of the host's administrator.

use super::{HttpError, error::with_causes};
use crate::host::Host;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{
    env, fs, io,
    sync::{Arc, LazyLock},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Whom to trust. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tls(Result<Arc<ClientConfig>, Arc<str>>);

impl Tls {
    /// Trusts Mozilla's authorities and those in the file that the environment variable `SSL_CERT_FILE` names. Both are read
    /// once in a process, at the first connection that needs them; a file that can't be read fails those connections, since
    /// leaving it out would hide the mistake.
    pub fn system() -> &'static Tls {
        static SYSTEM: LazyLock<Tls> = LazyLock::new(|| match env::var_os("SSL_CERT_FILE") {
            None => Tls::trusting(&[]),
            Some(path) => match fs::read(&path) {
                Ok(pem) => Tls::trusting(&pem),
                Err(error) => Tls(Err(format!("can't read the `SSL_CERT_FILE` {}: {error}", path.display()).into())),
            },
        });
        &SYSTEM
    }

    /// Trusts Mozilla's authorities and those in `pem`. One that is malformed fails the connections that need this.
    pub fn trusting(pem: &[u8]) -> Tls {
        Tls(config(pem).map(Arc::new).map_err(|why| format!("a certificate to trust is malformed: {why}").into()))
    }

    /// Speaks TLS over a connection, offering HTTP/2 and HTTP/1.1.
    pub(super) async fn connect(&self, host: &Host, stream: TcpStream) -> Result<TlsStream<TcpStream>, HttpError> {
        let config = self.0.clone().map_err(|why| HttpError::TlsProtocol(why.to_string()))?;
        let name = match host {
            Host::Address(address) => ServerName::from(*address),
            Host::Name(name) => ServerName::try_from(name.as_str().to_owned())
                .map_err(|error| HttpError::TlsProtocol(error.to_string()))?,
        };
        TlsConnector::from(config).connect(name, stream).await.map_err(of_handshake)
    }
}

fn config(pem: &[u8]) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn of_handshake(error: io::Error) -> HttpError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => HttpError::TlsCertificate(why.to_string()),
        Some(error) => HttpError::TlsProtocol(error.to_string()),
        None if error.kind() == io::ErrorKind::UnexpectedEof => HttpError::ConnectionTerminated,
        None => HttpError::ConnectionFailed(with_causes(&error)),
    }
}
