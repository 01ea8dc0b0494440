//! JSON documents of answers, and those that are kept: a status that many ask for is written out once for each change of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::body::Bytes;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// How many documents are kept. With more objects than these that are asked for, some are written out again.
const KEPT: usize = 256;

/// A JSON text, which also stands in an envelope. Cheap to clone.
#[derive(Clone)]
pub struct Document(Arc<Texts>);

struct Texts {
    plain: Bytes,
    /// Made when somebody asks for it.
    enveloped: OnceLock<Bytes>,
}

impl From<String> for Document {
    fn from(text: String) -> Self {
        Self(Arc::new(Texts { plain: text.into(), enveloped: OnceLock::new() }))
    }
}

impl Document {
    pub fn plain(&self) -> Bytes {
        self.0.plain.clone()
    }

    /// The envelope of an answer, with the document as text in its `output`.
    pub fn enveloped(&self) -> Bytes {
        self.0.enveloped.get_or_init(|| envelope(&self.0.plain)).clone()
    }
}

fn envelope(document: &[u8]) -> Bytes {
    let document = std::str::from_utf8(document).expect("documents are made of strings");
    let mut body = Vec::with_capacity(document.len() * 5 / 4 + 32);
    body.extend_from_slice(br#"{"status":"OK","output":"#);
    serde_json::to_writer(&mut body, document).expect("memory takes all that is written");
    body.push(b'}');
    body.into()
}

/// The last document of each object, by uid, with the resourceVersion that it shows.
#[derive(Default)]
pub struct Documents(Mutex<HashMap<String, (String, Document)>>);

impl Documents {
    /// The document of an object as it is now.
    pub fn of<E>(&self, meta: &ObjectMeta, write: impl FnOnce() -> Result<String, E>) -> Result<Document, E> {
        let (Some(uid), Some(version)) = (&meta.uid, &meta.resource_version) else {
            return write().map(Document::from);
        };
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, document)) = lock().get(uid).filter(|(known, _)| known == version) {
            return Ok(document.clone());
        }
        let document = Document::from(write()?);
        let mut kept = lock();
        if kept.len() >= KEPT && !kept.contains_key(uid) {
            kept.clear();
        }
        kept.insert(uid.clone(), (version.clone(), document.clone()));
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use control_api::Envelope;

    use super::*;

    fn object(uid: usize, version: &str) -> ObjectMeta {
        let version = Some(version.to_owned());
        ObjectMeta { uid: Some(format!("uid-{uid}")), resource_version: version, ..ObjectMeta::default() }
    }

    fn read(documents: &Documents, meta: &ObjectMeta, text: &str) -> Bytes {
        documents.of::<()>(meta, || Ok(text.to_owned())).unwrap().plain()
    }

    #[test]
    fn the_envelope_is_the_one_of_the_library() {
        let expected = serde_json::to_vec(&Envelope::of(&serde_json::json!({"a": "\"b\"\n"}))).unwrap();
        let document = Document::from(r#"{"a":"\"b\"\n"}"#.to_owned());
        assert_eq!(document.enveloped(), expected);
        assert_eq!(document.plain(), r#"{"a":"\"b\"\n"}"#);
    }

    #[test]
    fn a_document_is_written_again_when_its_object_changes() {
        let documents = Documents::default();
        assert_eq!(read(&documents, &object(1, "7"), "one"), "one");
        assert_eq!(read(&documents, &object(1, "7"), "not looked at"), "one");
        assert_eq!(read(&documents, &object(1, "8"), "two"), "two");
        assert_eq!(read(&documents, &object(2, "8"), "another"), "another");
        assert_eq!(read(&documents, &ObjectMeta::default(), "nobody's"), "nobody's");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let documents = Documents::default();
        for uid in 0..3 * KEPT {
            read(&documents, &object(uid, "1"), "text");
        }
        assert!(documents.0.lock().unwrap().len() <= KEPT);
    }
}
