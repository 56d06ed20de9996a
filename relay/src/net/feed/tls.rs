//! Whom we trust: the system's roots, and those of a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("ca_file {path:?}: {source}")]
    CaFile { path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("ca_file {path:?}: a certificate is not usable: {source}")]
    Certificate { path: PathBuf, source: rustls::Error },
    #[error("ca_file {path:?}: there is no certificate in it")]
    NoCertificate { path: PathBuf },
    #[error("no trusted certificate: neither the system nor ca_file has one")]
    NoRoots,
    #[error("tls: {0}")]
    Rustls(#[from] rustls::Error),
}

/// Reads files: call it at the start, not on a shard.
pub fn config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::warn!(%error, "a system certificate is not readable");
    }
    roots.add_parsable_certificates(system.certs);
    if let Some(path) = ca_file {
        let bad_file = |source| TlsError::CaFile { path: path.to_owned(), source };
        let mut count = 0;
        for certificate in CertificateDer::pem_file_iter(path).map_err(bad_file)? {
            count += 1;
            let added = roots.add(certificate.map_err(bad_file)?);
            added.map_err(|source| TlsError::Certificate { path: path.to_owned(), source })?;
        }
        if count == 0 {
            return Err(TlsError::NoCertificate { path: path.to_owned() });
        }
    }
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    // The provider is named, because a second one compiled in by some dependency would make the default panic.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}
