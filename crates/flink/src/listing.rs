//! What the lister JAR found (see `flink-client/lister`): snapshots of state in Flink's own file systems.
//!
//! The lister can only answer through the text of an exception, which Flink wraps and repeats. Its result is
//! therefore marked, counted and base64: `FLINKCTL-LISTING[<bytes>:<base64 of JSON lines>]`.
//! Invariant: a text that is cut or damaged is never taken for a result.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

const MARK: &str = "FLINKCTL-LISTING[";

/// What was found below one path.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Listing {
    /// The path as it was asked for.
    pub path: String,
    #[serde(flatten)]
    pub outcome: ListingOutcome,
}

/// The outcome for one path.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", tag = "outcome")]
pub enum ListingOutcome {
    /// The path exists; there may be no snapshots below it.
    Found { snapshots: Vec<StoredSnapshot> },
    /// The path does not exist (in an object store: nothing is below it).
    Absent,
    /// It could not be found out.
    Failed { cause: String },
}

/// A checkpoint or savepoint whose metadata is complete, so that a job can start from it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StoredSnapshot {
    pub path: String,
    /// N of `chk-N`; `None` for a savepoint.
    #[serde(default)]
    pub checkpoint: Option<u64>,
    /// When its metadata was written: milliseconds since the epoch.
    pub modified: i64,
}

impl Listing {
    /// The snapshots; none for a path that is absent or could not be listed.
    pub fn snapshots(&self) -> &[StoredSnapshot] {
        match &self.outcome {
            ListingOutcome::Found { snapshots } => snapshots,
            ListingOutcome::Absent | ListingOutcome::Failed { .. } => &[],
        }
    }

    /// The newest snapshot below this path: by number of the checkpoint, then by time.
    pub fn newest(&self) -> Option<&StoredSnapshot> {
        self.snapshots().iter().max_by_key(|snapshot| (snapshot.checkpoint, snapshot.modified))
    }
}

/// The result in an error text, if it holds a whole one.
pub fn parse(text: &str) -> Option<Vec<Listing>> {
    text.match_indices(MARK).find_map(|(at, _)| parse_marked(&text[at + MARK.len()..]))
}

fn parse_marked(text: &str) -> Option<Vec<Listing>> {
    let (length, rest) = text.split_once(':')?;
    let (encoded, _) = rest.split_once(']')?;
    let decoded = STANDARD.decode(encoded).ok()?;
    if decoded.len() != length.parse::<usize>().ok()? {
        return None;
    }
    let lines = String::from_utf8(decoded).ok()?;
    lines.lines().map(|line| serde_json::from_str(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = concat!(
        r#"{"path":"file:/ck/1","outcome":"found","snapshots":[{"path":"file:/ck/1/chk-9","checkpoint":9,"modified":5},{"path":"file:/ck/1/chk-10","checkpoint":10,"modified":4}]}"#,
        "\n",
        r#"{"path":"file:/none","outcome":"absent"}"#,
        "\n",
        r#"{"path":"s3://b","outcome":"failed","cause":"no \"s3\" here"}"#,
        "\n"
    );

    fn marked(lines: &str) -> String {
        format!("{MARK}{}:{}]", lines.len(), STANDARD.encode(lines))
    }

    #[test]
    fn a_result_is_found_in_a_stack_trace() {
        let text =
            format!("a.B: The main method caused an error: {m}\n\tat x\nCaused by: c.D: {m}\n", m = marked(LINES));
        let listings = parse(&text).unwrap();
        assert_eq!(listings.len(), 3);
        assert_eq!(listings[0].newest().unwrap().path, "file:/ck/1/chk-10");
        assert_eq!(listings[1].outcome, ListingOutcome::Absent);
        assert_eq!(listings[2].outcome, ListingOutcome::Failed { cause: "no \"s3\" here".to_owned() });
        assert_eq!(listings[2].newest(), None);
    }

    #[test]
    fn savepoints_are_ordered_by_time() {
        let line =
            r#"{"path":"p","outcome":"found","snapshots":[{"path":"a","modified":7},{"path":"b","modified":6}]}"#;
        assert_eq!(parse(&marked(line)).unwrap()[0].newest().unwrap().path, "a");
    }

    #[test]
    fn a_damaged_result_is_no_result() {
        let whole = marked(LINES);
        assert_eq!(parse(&whole[..whole.len() - 20]), None);
        assert_eq!(parse(&whole.replacen(&format!("[{}:", LINES.len()), "[7:", 1)), None);
        assert_eq!(parse("FLINKCTL-LISTING[0:]"), Some(Vec::new()));
        assert_eq!(parse("java.lang.RuntimeException: LISTING"), None);
    }
}
