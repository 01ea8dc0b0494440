//! Who asks: a client certificate of our authority (CN is the user, O its groups) or a token of a service account.
//!
//! There is no authorisation: whoever is known may do everything. Invariant: nobody is anonymous, except on the
//! paths that tell whether the server lives.

use std::collections::BTreeMap;

use http::{HeaderMap, header};
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::tokens::Token;
use crate::machinery::User;

const AUTHENTICATED: &str = "system:authenticated";

/// The user of a verified client certificate.
pub fn of_certificate(der: &CertificateDer<'_>) -> Option<User> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().next()?.as_str().ok()?.to_owned();
    let mut groups: Vec<String> =
        subject.iter_organization().filter_map(|group| group.as_str().ok().map(str::to_owned)).collect();
    groups.push(AUTHENTICATED.to_owned());
    let digest = Sha256::digest(der).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let extra = BTreeMap::from([credential(format!("X509SHA256={digest}"))]);
    Some(User { name, uid: String::new(), groups, extra })
}

/// By what a user was recognised.
fn credential(id: String) -> (String, Vec<String>) {
    ("authentication.kubernetes.io/credential-id".to_owned(), vec![id])
}

/// The user that a service account is.
pub fn of_token(token: &Token) -> User {
    let mut extra = BTreeMap::from([credential(format!("JTI={}", token.id))]);
    if let Some(bound) = token.bound.as_ref().filter(|bound| bound.resource == "pods") {
        for (key, value) in [("pod-name", &bound.name), ("pod-uid", &bound.uid), ("node-name", &bound.node)] {
            if !value.is_empty() {
                extra.insert(format!("authentication.kubernetes.io/{key}"), vec![value.clone()]);
            }
        }
    }
    User {
        name: format!("system:serviceaccount:{}:{}", token.namespace, token.name),
        uid: token.uid.clone(),
        extra,
        groups: vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{}", token.namespace),
            AUTHENTICATED.to_owned(),
        ],
    }
}

/// A component of the system that lives in this process.
pub fn of_component(name: &str) -> User {
    User {
        name: format!("system:{name}"),
        groups: vec!["system:masters".to_owned(), AUTHENTICATED.to_owned()],
        ..User::default()
    }
}

/// The bearer token of a request.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{ADMIN, ADMIN_GROUP, Pki};
    use rustls::pki_types::pem::PemObject as _;

    #[test]
    fn a_certificate_names_the_user_and_the_groups() {
        let directory = tempfile::tempdir().unwrap();
        let pki = Pki::open(directory.path()).unwrap();
        let certificate = CertificateDer::from_pem_slice(pki.admin().certificate.as_bytes()).unwrap();
        let user = of_certificate(&certificate).unwrap();
        assert_eq!(user.name, ADMIN);
        assert_eq!(user.groups, [ADMIN_GROUP, AUTHENTICATED]);
    }

    #[test]
    fn the_scheme_of_a_bearer_token_has_any_case() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), None);
        headers.insert(header::AUTHORIZATION, "bearer abc".parse().unwrap());
        assert_eq!(bearer(&headers), Some("abc"));
        headers.insert(header::AUTHORIZATION, "Basic abc".parse().unwrap());
        assert_eq!(bearer(&headers), None);
    }
}
