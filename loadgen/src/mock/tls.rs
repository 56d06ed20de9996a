//! Certificates for a venue on this machine, from a test CA that lives in a folder.

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

pub struct Acceptors {
    pub good: TlsAcceptor,
    /// Its certificate is of another CA and for another name.
    pub wrong: TlsAcceptor,
}

/// The CA's key stays in the folder, so that venues that share it share the CA.
pub fn acceptors(folder: &Path) -> Result<Acceptors> {
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let key_path = folder.join("ca-key.pem");
    let key = match std::fs::read_to_string(&key_path) {
        Ok(text) => KeyPair::from_pem(&text).with_context(|| format!("reading {}", key_path.display()))?,
        Err(_) => {
            let key = KeyPair::generate()?;
            std::fs::write(&key_path, key.serialize_pem())
                .with_context(|| format!("writing {}", key_path.display()))?;
            key
        }
    };
    let ca_path = folder.join("ca.pem");
    let params = ca_params();
    if !ca_path.exists() {
        let pem = params.self_signed(&key)?.pem();
        std::fs::write(&ca_path, pem).with_context(|| format!("writing {}", ca_path.display()))?;
    }
    let good = acceptor(&["localhost", "127.0.0.1", "::1"], &Issuer::new(params, key))?;
    let wrong = acceptor(&["wrong.example"], &Issuer::new(ca_params(), KeyPair::generate()?))?;
    Ok(Acceptors { good, wrong })
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "loadgen test CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn acceptor(names: &[&str], issuer: &Issuer<'_, KeyPair>) -> Result<TlsAcceptor> {
    let key = KeyPair::generate()?;
    let params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
    let certificate = params.signed_by(&key, issuer)?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
