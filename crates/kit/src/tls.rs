//! The TLS implementation of the process: aws-lc-rs, chosen once, before the first connection.

/// Makes aws-lc-rs the default provider. Call it first in every `main`; a second call does nothing.
pub fn install_provider() {
    // Fails only when a provider is installed already, which is what is wanted.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
