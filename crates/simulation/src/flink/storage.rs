//! Where checkpoints and savepoints lie. It outlives every JobManager, and is listed as the lister lists it.
//!
//! Paths are kept as Flink writes them: `file:///a` is `file:/a`, without a slash at the end.

use std::collections::{BTreeMap, BTreeSet};

use flink::{Listing, ListingOutcome, StoredSnapshot};

use super::ledger::{Logical, Run};
use super::settings::Millis;

/// A checkpoint or savepoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub logical: Logical,
    /// The number of the checkpoint; savepoints are counted with them.
    pub id: u64,
    pub savepoint: bool,
    /// Everything below it is in the state.
    pub position: u64,
    /// From here to the position the data was not yet committed, and is committed at the latest by who restores it.
    pub uncommitted: u64,
    /// Who wrote it.
    pub run: Run,
    /// When `_metadata` was written; without it nobody can start from here.
    pub completed: Option<Millis>,
    /// The main class of the program whose state it is.
    pub class: String,
}

/// All snapshots, and directories without one.
#[derive(Debug, Clone, Default)]
pub struct Storage {
    snapshots: BTreeMap<String, Snapshot>,
    directories: BTreeSet<String>,
}

impl Storage {
    /// The complete snapshot at that path.
    pub fn get(&self, path: &str) -> Option<&Snapshot> {
        self.snapshots.get(&normal(path)).filter(|snapshot| snapshot.completed.is_some())
    }

    /// Every complete snapshot, with its path.
    pub fn complete(&self) -> impl Iterator<Item = (&str, &Snapshot)> {
        self.snapshots
            .iter()
            .filter(|(_, snapshot)| snapshot.completed.is_some())
            .map(|(path, snapshot)| (path.as_str(), snapshot))
    }

    /// The complete snapshot of a logical job that holds most.
    pub fn newest(&self, logical: Logical) -> Option<(&str, &Snapshot)> {
        self.complete().filter(|(_, one)| one.logical == logical).max_by_key(|(_, one)| (one.position, one.completed))
    }

    /// Removes a snapshot, as a person would.
    pub fn remove(&mut self, path: &str) -> bool {
        self.snapshots.remove(&normal(path)).is_some()
    }

    pub(super) fn put(&mut self, path: String, snapshot: Snapshot) {
        self.snapshots.insert(path, snapshot);
    }

    pub(super) fn make(&mut self, directory: String) {
        self.directories.insert(directory);
    }

    /// What the lister says of that path.
    pub(super) fn list(&self, asked: &str) -> Listing {
        let path = normal(asked);
        let found = |path: &str, snapshot: &Snapshot| {
            Some(StoredSnapshot {
                path: path.to_owned(),
                checkpoint: (!snapshot.savepoint).then_some(snapshot.id),
                modified: snapshot.completed?,
            })
        };
        let below = format!("{path}/");
        let mut exists = self.directories.contains(&path) || self.directory_below(&below);
        let mut snapshots: Vec<StoredSnapshot> = Vec::new();
        if let Some(snapshot) = self.snapshots.get(&path) {
            exists = true;
            snapshots.extend(found(&path, snapshot));
        }
        for (one, snapshot) in self.snapshots.range(below.clone()..).take_while(|(one, _)| one.starts_with(&below)) {
            exists = true;
            if !one[below.len()..].contains('/') {
                snapshots.extend(found(one, snapshot));
            }
        }
        snapshots.sort_by_key(|one| std::cmp::Reverse((one.checkpoint, one.modified)));
        let outcome = if exists { ListingOutcome::Found { snapshots } } else { ListingOutcome::Absent };
        Listing { path: asked.to_owned(), outcome }
    }

    fn directory_below(&self, below: &str) -> bool {
        self.directories.range(below.to_owned()..).next().is_some_and(|one| one.starts_with(below))
    }
}

/// A path as Flink writes it.
pub(super) fn normal(path: &str) -> String {
    let path = path.trim_end_matches('/');
    match path.strip_prefix("file:") {
        Some(rest) => format!("file:/{}", rest.trim_start_matches('/')),
        None => path.to_owned(),
    }
}

/// The scheme of a path; one without is a file.
pub(super) fn scheme(path: &str) -> &str {
    path.split_once(':').map_or("file", |(scheme, _)| scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(id: u64, savepoint: bool, completed: Option<Millis>) -> Snapshot {
        let (logical, run) = (Logical::default(), Run::default());
        Snapshot { logical, id, savepoint, position: id, uncommitted: 0, run, completed, class: String::new() }
    }

    #[test]
    fn a_listing_shows_the_path_and_its_children_newest_first_if_they_are_complete() {
        let mut storage = Storage::default();
        storage.make("file:/ck/a".to_owned());
        storage.put("file:/ck/a/chk-9".to_owned(), snapshot(9, false, Some(20)));
        storage.put("file:/ck/a/chk-10".to_owned(), snapshot(10, false, Some(10)));
        storage.put("file:/ck/a/chk-11".to_owned(), snapshot(11, false, None));
        storage.make("file:/empty".to_owned());
        let paths =
            |asked: &str| storage.list(asked).snapshots().iter().map(|one| one.path.clone()).collect::<Vec<_>>();
        assert_eq!(paths("file:///ck/a/"), ["file:/ck/a/chk-10", "file:/ck/a/chk-9"]);
        assert_eq!(paths("file:/ck/a/chk-9"), ["file:/ck/a/chk-9"]);
        assert_eq!(storage.list("file:/ck").outcome, ListingOutcome::Found { snapshots: Vec::new() });
        assert_eq!(storage.list("file:/empty").outcome, ListingOutcome::Found { snapshots: Vec::new() });
        assert_eq!(storage.list("file:/nowhere").outcome, ListingOutcome::Absent);
    }
}
