//! The durable side of the API server: every object, the revision and the issued tokens, in one `redb` file.
//!
//! Not here: any meaning of an object; values are opaque JSON. The file is written before a request is answered,
//! so that what a client was told is there after the process is killed. It is *not* forced to the disk at each
//! commit (that would cost milliseconds a request): a crash of the whole machine may lose the last changes. At an
//! orderly end everything is forced to the disk.
//!
//! Invariant: one transaction holds one request's changes together with the revision that they led to.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase as _, ReadableTable as _, StorageBackend, TableDefinition};
use serde_json::Value;

use crate::machinery::Change;

const OBJECTS: TableDefinition<&str, &[u8]> = TableDefinition::new("objects");
const TOKENS: TableDefinition<&str, &[u8]> = TableDefinition::new("tokens");
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");

const REVISION: &str = "revision";
const SUBNET: &str = "subnet";

/// The page cache of the store. The machinery holds every object in memory, so that pages are read at the start only.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// Why the store could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened at all.
    #[error("open the store {path}: {source}")]
    Open {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no store, damaged, or not readable.
    #[error("read or write the store: {0}; if it is damaged, `flinkctl local down --purge` removes it")]
    Database(#[from] redb::Error),
    /// A value is no JSON.
    #[error("read `{key}` from the store: {source}")]
    Json {
        /// The key of the value.
        key: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Everything that was in the store when it was opened.
#[derive(Debug, Default)]
pub struct Content {
    /// The revision of the last committed request.
    pub revision: u64,
    /// The objects by key.
    pub objects: Vec<(String, Value)>,
    /// The tokens by their digest.
    pub tokens: Vec<(String, Value)>,
}

/// An open store.
#[derive(Debug)]
pub struct Store {
    database: Database,
    file: File,
}

impl Store {
    /// Opens or creates the store.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let open_error = |source| Error::Open { path: path.display().to_string(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(open_error)?;
        let backend = FileBackend::new(file.try_clone().map_err(open_error)?).map_err(failed)?;
        let database =
            Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(Unforced(backend)).map_err(failed)?;
        let transaction = database.begin_write().map_err(failed)?;
        transaction.open_table(OBJECTS).map_err(failed)?;
        transaction.open_table(TOKENS).map_err(failed)?;
        transaction.open_table(META).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(Self { database, file })
    }

    /// Reads everything.
    pub fn content(&self) -> Result<Content, Error> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let revision = transaction
            .open_table(META)
            .map_err(failed)?
            .get(REVISION)
            .map_err(failed)?
            .map_or(0, |value| value.value());
        let mut content = Content { revision, ..Content::default() };
        for (table, into) in [(OBJECTS, &mut content.objects), (TOKENS, &mut content.tokens)] {
            for entry in transaction.open_table(table).map_err(failed)?.iter().map_err(failed)? {
                let (key, value) = entry.map_err(failed)?;
                let key = key.value().to_owned();
                let value =
                    serde_json::from_slice(value.value()).map_err(|source| Error::Json { key: key.clone(), source })?;
                into.push((key, value));
            }
        }
        Ok(content)
    }

    /// Writes the changes of one request.
    pub fn commit(&self, revision: u64, changes: &[Change]) -> Result<(), Error> {
        let transaction = self.database.begin_write().map_err(failed)?;
        {
            let mut objects = transaction.open_table(OBJECTS).map_err(failed)?;
            for change in changes {
                match &change.object {
                    Some(object) => {
                        let bytes = serde_json::to_vec(object).expect("a JSON value is always written");
                        objects.insert(change.key.as_str(), bytes.as_slice()).map_err(failed)?;
                    }
                    None => {
                        objects.remove(change.key.as_str()).map_err(failed)?;
                    }
                }
            }
            let mut meta = transaction.open_table(META).map_err(failed)?;
            meta.insert(REVISION, revision).map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    /// Adds and removes tokens.
    pub fn commit_tokens(&self, add: &[(String, Value)], remove: &[String]) -> Result<(), Error> {
        let transaction = self.database.begin_write().map_err(failed)?;
        {
            let mut tokens = transaction.open_table(TOKENS).map_err(failed)?;
            for (digest, token) in add {
                let bytes = serde_json::to_vec(token).expect("a JSON value is always written");
                tokens.insert(digest.as_str(), bytes.as_slice()).map_err(failed)?;
            }
            for digest in remove {
                tokens.remove(digest.as_str()).map_err(failed)?;
            }
        }
        transaction.commit().map_err(failed)
    }

    /// The second octet of the loopback network that this store's instance used last.
    pub fn subnet(&self) -> Result<Option<u8>, Error> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = transaction.open_table(META).map_err(failed)?;
        let value = table.get(SUBNET).map_err(failed)?;
        Ok(value.and_then(|value| u8::try_from(value.value()).ok()))
    }

    /// Remembers the second octet of the loopback network.
    pub fn set_subnet(&self, subnet: u8) -> Result<(), Error> {
        let transaction = self.database.begin_write().map_err(failed)?;
        {
            let mut meta = transaction.open_table(META).map_err(failed)?;
            meta.insert(SUBNET, u64::from(subnet)).map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    /// Forces everything to the disk; for the orderly end.
    pub fn force(&self) {
        if let Err(error) = self.file.sync_all() {
            tracing::warn!(%error, "failed to force the store to the disk");
        }
    }
}

fn failed(error: impl Into<redb::Error>) -> Error {
    Error::Database(error.into())
}

/// A file whose writes reach the operating system, but are not forced to the disk.
#[derive(Debug)]
struct Unforced(FileBackend);

impl StorageBackend for Unforced {
    fn len(&self) -> Result<u64, std::io::Error> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), std::io::Error> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> Result<(), std::io::Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        self.0.write(offset, data)
    }

    fn close(&self) -> Result<(), std::io::Error> {
        self.0.close()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(key: &str, revision: u64, object: Option<Value>) -> Change {
        Change { key: key.to_owned(), revision, object }
    }

    #[test]
    fn what_was_committed_is_there_after_reopening() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.redb");
        let store = Store::open(&path).unwrap();
        store.commit(1, &[change("a", 1, Some(json!({"x": 1})))]).unwrap();
        store.commit(3, &[change("b", 2, Some(json!(2))), change("a", 3, None)]).unwrap();
        store.commit_tokens(&[("digest".to_owned(), json!({"user": "u"}))], &[]).unwrap();
        store.set_subnet(7).unwrap();
        drop(store);

        let store = Store::open(&path).unwrap();
        let content = store.content().unwrap();
        assert_eq!(content.revision, 3);
        assert_eq!(content.objects, vec![("b".to_owned(), json!(2))]);
        assert_eq!(content.tokens.len(), 1);
        assert_eq!(store.subnet().unwrap(), Some(7));
    }

    #[test]
    fn what_was_committed_is_there_when_the_process_never_closed_the_store() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.redb");
        let store = Store::open(&path).unwrap();
        store.commit(1, &[change("a", 1, Some(json!(1)))]).unwrap();
        // A killed process runs no destructor: take the file as it lies there.
        let copy = directory.path().join("copy.redb");
        std::fs::copy(&path, &copy).unwrap();
        let content = Store::open(&copy).unwrap().content().unwrap();
        assert_eq!(content.objects.len(), 1);
        drop(store);
    }

    #[test]
    fn a_file_that_is_no_store_is_refused_with_advice() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.redb");
        std::fs::write(&path, vec![b'x'; 8192]).unwrap();
        let error = Store::open(&path).unwrap_err().to_string();
        assert!(error.contains("--purge"), "{error}");
    }
}
