//! Signed JSON web tokens (ES256): the form, and a key that lives as long as the process.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Half of a signature.
const HALF: usize = 32;

pub(super) struct Signer {
    key: KeyPair,
    head: String,
}

impl Signer {
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("the system has randomness");
        let name = BASE64.encode(Sha256::digest(key.der_bytes()));
        let head = BASE64.encode(json!({"alg": "ES256", "kid": name}).to_string());
        Self { key, head }
    }

    pub fn sign(&self, claims: &Value) -> String {
        let text = format!("{}.{}", self.head, BASE64.encode(claims.to_string()));
        let signature = self.key.sign(text.as_bytes()).expect("a P-256 key signs everything");
        let signature = plain(&signature).expect("a signature is two numbers in DER");
        format!("{text}.{}", BASE64.encode(signature))
    }
}

/// The two numbers of a DER signature, one after the other.
fn plain(der: &[u8]) -> Option<Vec<u8>> {
    let mut rest = der.get(2..)?;
    let mut out = Vec::with_capacity(2 * HALF);
    for _ in 0..2 {
        let length = usize::from(*rest.get(1)?);
        let number = rest.get(2..2 + length)?;
        rest = &rest[2 + length..];
        // A leading zero only says that the number is not negative.
        let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
        let number = &number[start..];
        out.extend(std::iter::repeat_n(0, HALF.checked_sub(number.len())?));
        out.extend(number);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_three_parts_and_a_signature_of_a_fixed_length() {
        let signer = Signer::new();
        for number in 0..50 {
            let token = signer.sign(&json!({"jti": number}));
            let parts: Vec<&str> = token.split('.').collect();
            let [head, claims, signature] = parts[..] else { panic!("{token}") };
            let read = |part: &str| serde_json::from_slice::<Value>(&BASE64.decode(part).unwrap()).unwrap();
            assert_eq!(read(head)["alg"], "ES256");
            assert_eq!(read(claims)["jti"], number);
            assert_eq!(BASE64.decode(signature).unwrap().len(), 2 * HALF);
        }
    }
}
