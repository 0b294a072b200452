//! Whose certificates to trust on connections that are not HTTP: to the ledger's server and the shared cache's.

use std::{fmt::Display, path::Path};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// The authorities in a PEM file, or the public ones. `parameter` is what names the file in the server's address.
///
/// # Errors
/// The file cannot be used.
pub(crate) fn roots(file: Option<&Path>, parameter: &str) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let Some(file) = file else {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(store);
    };
    let unusable = |error: &dyn Display| {
        format!(
            "{parameter}: cannot use {}: {error}; name a PEM file with the authority's certificate",
            file.display()
        )
    };
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unusable(&error))? {
        store.add(certificate.map_err(|error| unusable(&error))?).map_err(|error| unusable(&error))?;
    }
    if store.is_empty() { Err(unusable(&"it has no certificate")) } else { Ok(store) }
}
