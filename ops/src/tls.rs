//! TLS to PostgreSQL and NATS: whom we trust, what we show, and what is said when one side does not like it.

mod check;
mod url;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CertificateError, ClientConfig, RootCertStore};

pub use check::Check;
pub use url::{Mode, Url};

use crate::exit::{Context, Failure};

/// The files of one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// The authorities that may sign the server's certificate; the system's where there is none.
    pub ca: Option<PathBuf>,
    /// What we show to the server, with what lies between it and its authority.
    pub certificate: Option<PathBuf>,
    /// The key of our certificate.
    pub key: Option<PathBuf>,
}

impl Files {
    /// Whether anything was configured.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Puts together how to speak TLS. `section` names the keys in messages, e.g. `nats`.
pub fn client(section: &str, files: &Files, check: Check) -> Result<Arc<ClientConfig>, Failure> {
    let provider = Arc::new(ring::default_provider());
    let roots = match (&files.ca, check) {
        (_, Check::Nothing) => RootCertStore::empty(),
        (Some(file), _) => authorities(section, file)?,
        (None, _) => systems(section)?,
    };
    let verifier = check::verifier(check, roots, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("cannot prepare TLS")?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let config = match (&files.certificate, &files.key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(certificate), Some(key)) => {
            let chain = certificates(&format!("{section}.certificate"), certificate)?;
            let key = private_key(section, key)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                Failure::usage(format!(
                    "{section}.certificate {} does not go with {section}.key",
                    certificate.display()
                ))
                .because(error)
            })?
        }
        (Some(_), None) => return Err(half(section, "certificate", "key")),
        (None, Some(_)) => return Err(half(section, "key", "certificate")),
    };
    Ok(Arc::new(config))
}

/// What to do about a TLS error, where there is one underneath.
pub fn mend(section: &str, error: &(dyn Error + 'static)) -> Option<String> {
    use rustls::Error as Tls;
    let mend = match ledger::tls::refusal(error)? {
        Tls::InvalidCertificate(CertificateError::UnknownIssuer) => format!(
            "name the authority that signed the server's certificate in {section}.ca"
        ),
        Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "connect by a name that stands in the server's certificate, or give the server one for this name"
            .to_owned(),
        Tls::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => "renew the server's certificate, or set this machine's clock".to_owned(),
        Tls::AlertReceived(_) => format!(
            "the server does not accept what we show it: give it {section}.certificate and {section}.key of an \
             authority that it knows"
        ),
        Tls::InvalidMessage(_) => "the server does not speak TLS on this port".to_owned(),
        Tls::InvalidCertificate(_) => format!(
            "give the server a certificate that {section}.ca signed; the authority's own is none for a server"
        ),
        _ => return None,
    };
    Some(mend)
}

fn half(section: &str, there: &str, missing: &str) -> Failure {
    Failure::usage(format!(
        "{section}.{there} is set and {section}.{missing} is not"
    ))
    .mend("a client certificate needs both files")
}

fn authorities(section: &str, file: &Path) -> Result<RootCertStore, Failure> {
    let key = format!("{section}.ca");
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&key, file)? {
        roots.add(certificate).map_err(|error| {
            Failure::usage(format!("{key} {} cannot be used", file.display())).because(error)
        })?;
    }
    Ok(roots)
}

/// What this machine trusts for everything else.
fn systems(section: &str) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(
            Failure::usage("this machine has no authorities to trust").mend(format!(
                "name the one of the server in {section}.ca, or install ca-certificates"
            )),
        );
    }
    Ok(roots)
}

fn certificates(key: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let unusable = || Failure::usage(format!("{key} {} cannot be read", file.display()));
    let found: Vec<_> = CertificateDer::pem_file_iter(file)
        .map_err(|error| unusable().because(error))?
        .collect::<Result<_, _>>()
        .map_err(|error| unusable().because(error))?;
    if found.is_empty() {
        return Err(unusable()
            .because("it holds no certificate")
            .mend("a PEM file has lines that say BEGIN CERTIFICATE"));
    }
    Ok(found)
}

fn private_key(section: &str, file: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| {
        Failure::usage(format!("{section}.key {} cannot be read", file.display()))
            .because(error)
            .mend("it is a PEM file with a private key that has no password")
    })
}

#[cfg(test)]
mod tests;
