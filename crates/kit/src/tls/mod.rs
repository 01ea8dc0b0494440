//! TLS of a process: the provider, certificates from PEM files or key stores, and what server and client are made of.
//!
//! The implementation is aws-lc-rs, chosen once, before the first connection. Invariant: material that was loaded is whole: the key fits
//! the certificate, the certificate is valid now, and there is at least one authority to trust.

mod material;
mod password;
mod source;

pub use material::{Clients, Material, Protocols};
pub use password::Password;
pub use source::{Error, Source, Store};

/// Makes aws-lc-rs the default provider. Call it first in every `main`; a second call does nothing.
pub fn install_provider() {
    // Fails only when a provider is installed already, which is what is wanted.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
