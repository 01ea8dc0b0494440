//! Which state is the newest: decided from what an attempt left behind, never guessed.
//!
//! Within an attempt, checkpoints are ordered by number and savepoints against checkpoints by the time at which
//! they were completed. A checkpoint wins a tie: it may have committed output, an intermediate savepoint has not.

use api::RecoveryMode;
use api::conditions::reasons;
use api::record::{Attempt, Checkpoints, Restore};
use jiff::Timestamp;

/// A restore point that exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Found {
    pub path: String,
    /// `N` of a `chk-N`; 0 for a savepoint.
    pub number: u64,
    /// When its metadata was written.
    pub modified: Timestamp,
}

/// What exists of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Evidence {
    pub checkpoints: Vec<Found>,
    pub savepoints: Vec<Found>,
}

/// What a look at [`Places`] gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Looked {
    pub found: Evidence,
    /// A checkpoint directory could be looked at.
    pub known_place: bool,
}

/// Where to look for what an attempt left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Places {
    /// A directory of `chk-N`.
    pub checkpoints: Option<String>,
    /// A savepoint, or a directory that holds some.
    pub savepoints: Vec<String>,
}

/// Why the newest state cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stall {
    pub reason: &'static str,
    pub message: String,
}

/// What may count, and what is known of it already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rule<'a> {
    pub mode: RecoveryMode,
    /// The last savepoint that is recorded, of this attempt or an earlier one.
    pub recorded: Option<&'a str>,
}

/// A restore point with the reason why it is the one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Choice {
    pub restore: Restore,
    pub why: String,
}

impl Choice {
    fn of(restore: Restore, why: impl Into<String>) -> Self {
        Self { restore, why: why.into() }
    }

    fn savepoint(found: &Found, why: impl Into<String>) -> Self {
        Self::of(Restore::Savepoint { path: found.path.clone() }, why)
    }
}

/// Where to look, given the cluster's checkpoint directory (`execution.checkpointing.dir`) if it has one. Where checkpoints do not
/// count, nothing is to depend on whether they can be listed.
pub fn places(attempt: &Attempt, root: Option<&str>, mode: RecoveryMode) -> Places {
    let checkpoints = match &attempt.checkpoints {
        _ if mode == RecoveryMode::SavepointOnly => None,
        Checkpoints::Directory { path, .. } => Some(path.clone()),
        Checkpoints::Unknown => root.map(|root| format!("{}/{}", root.trim_end_matches('/'), attempt.job_id)),
        Checkpoints::Disabled | Checkpoints::InMemory => None,
    };
    let savepoints = attempt.savepoint.iter().chain(&attempt.stop_directory).cloned().collect();
    Places { checkpoints, savepoints }
}

/// The newest state that counts, or why it cannot be told. `known_place`: a checkpoint directory could be looked at.
///
/// # Errors
/// A [`Stall`], when state may exist that cannot be found; going on from anything else would be a step back.
pub fn resolve(attempt: &Attempt, looked: &Looked, rule: Rule<'_>) -> Result<Choice, Stall> {
    match rule.mode {
        RecoveryMode::LatestState => latest(attempt, &looked.found, looked.known_place),
        RecoveryMode::SavepointOnly => last_savepoint(attempt, &looked.found, rule.recorded),
    }
}

fn remembered<'a>(attempt: &Attempt, found: &'a [Found]) -> impl Iterator<Item = &'a Found> {
    let forgotten = attempt.forgotten;
    found.iter().filter(move |found| forgotten.is_none_or(|forgotten| found.modified > forgotten))
}

fn latest(attempt: &Attempt, evidence: &Evidence, known_place: bool) -> Result<Choice, Stall> {
    let checkpoint = remembered(attempt, &evidence.checkpoints).max_by_key(|found| (found.number, found.modified));
    let savepoint = remembered(attempt, &evidence.savepoints).max_by_key(|found| found.modified);
    match (checkpoint, savepoint) {
        (Some(checkpoint), Some(savepoint)) if savepoint.modified > checkpoint.modified => Ok(Choice::savepoint(
            savepoint,
            format!("the savepoint of {:.0} is newer than checkpoint {}", savepoint.modified, checkpoint.number),
        )),
        (Some(checkpoint), other) => {
            let number = checkpoint.number;
            let why = match other {
                Some(_) => {
                    format!("checkpoint {number}, of {:.0}, is newer than the last savepoint", checkpoint.modified)
                }
                None => format!("checkpoint {number}, of {:.0}, is the newest state", checkpoint.modified),
            };
            Ok(Choice::of(Restore::Checkpoint { path: checkpoint.path.clone() }, why))
        }
        (None, Some(savepoint)) if nothing_newer(attempt, savepoint, known_place) => {
            Ok(Choice::savepoint(savepoint, format!("the savepoint of {:.0} is the newest state", savepoint.modified)))
        }
        (None, Some(_)) => Err(unknown(&attempt.checkpoints)),
        (None, None) => nothing_found(attempt, known_place),
    }
}

/// The user does not want checkpoints to count. What the attempt itself was started from is never gone behind, whatever it is.
fn last_savepoint(attempt: &Attempt, evidence: &Evidence, recorded: Option<&str>) -> Result<Choice, Stall> {
    const ONLY: &str = "recoveryMode is SavepointOnly";
    if let Some(found) = remembered(attempt, &evidence.savepoints).max_by_key(|found| found.modified) {
        return Ok(Choice::savepoint(found, format!("{ONLY}: the last savepoint, of {:.0}", found.modified)));
    }
    if let Some(missing) = missing(attempt) {
        return Err(missing);
    }
    match (recorded, attempt.forgotten) {
        (_, Some(_)) => Ok(Choice::of(Restore::Empty, "what it left behind was forgotten on request")),
        (Some(path), None) if !matches!(attempt.restore, Restore::Checkpoint { .. }) => {
            let restore = Restore::Savepoint { path: path.to_owned() };
            Ok(Choice::of(restore, format!("{ONLY}: the last savepoint that is recorded")))
        }
        (_, None) => {
            Ok(Choice::of(attempt.restore.clone(), format!("{ONLY}, and there is no savepoint since its last start")))
        }
    }
}

/// Without a look at the checkpoints only the savepoint that ended the attempt is surely its newest state.
fn nothing_newer(attempt: &Attempt, savepoint: &Found, known_place: bool) -> bool {
    // Schemes and slashes are spelled in several ways; the last part of the directory is ours and unique.
    let own = attempt.stop_directory.as_deref().and_then(|directory| directory.rsplit('/').next());
    let ended_by = own.is_some_and(|own| savepoint.path.contains(own));
    ended_by
        || match attempt.checkpoints {
            Checkpoints::Disabled | Checkpoints::Directory { .. } => true,
            Checkpoints::Unknown => known_place,
            Checkpoints::InMemory => false,
        }
}

/// A savepoint that was completed, and is not there.
fn missing(attempt: &Attempt) -> Option<Stall> {
    let path = attempt.savepoint.as_ref().filter(|_| attempt.forgotten.is_none())?;
    Some(Stall {
        reason: reasons::SAVEPOINT_MISSING,
        message: format!(
            "the savepoint {path} was recorded but is not there, and no newer checkpoint is; bring it back, or \
             annotate requested-action=FORGET_SAVEPOINT to start without state"
        ),
    })
}

fn nothing_found(attempt: &Attempt, known_place: bool) -> Result<Choice, Stall> {
    let origin = match attempt.forgotten {
        Some(_) => Choice::of(Restore::Empty, "what it left behind was forgotten on request"),
        None => {
            Choice::of(attempt.restore.clone(), "the last attempt left nothing newer than what it was started from")
        }
    };
    if let Some(missing) = missing(attempt) {
        return Err(missing);
    }
    match attempt.checkpoints {
        Checkpoints::Disabled | Checkpoints::Directory { .. } => Ok(origin),
        Checkpoints::Unknown if known_place => Ok(origin),
        Checkpoints::Unknown | Checkpoints::InMemory => Err(unknown(&attempt.checkpoints)),
    }
}

/// Checkpoints that are out of reach may be newer than anything that was found.
fn unknown(checkpoints: &Checkpoints) -> Stall {
    match checkpoints {
        Checkpoints::InMemory => Stall {
            reason: reasons::CHECKPOINTS_LOST,
            message: "the job kept its checkpoints in the memory of a JobManager that is gone; set \
                      execution.checkpointing.dir in spec.flinkConfiguration, then annotate \
                      requested-action=START to go on from the last savepoint, or FORGET_SAVEPOINT to start \
                      without state"
                .into(),
        },
        Checkpoints::Unknown | Checkpoints::Disabled | Checkpoints::Directory { .. } => Stall {
            reason: reasons::CHECKPOINTS_UNKNOWN,
            message: "the JobManager was lost before it was seen where the job keeps its checkpoints, and the \
                      cluster has no execution.checkpointing.dir; set it in spec.flinkConfiguration, or annotate \
                      requested-action=FORGET_SAVEPOINT to start without state, or from a savepointPath that you set \
                      afterwards"
                .into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::record::Incarnation;

    fn attempt(checkpoints: Checkpoints) -> Attempt {
        Attempt {
            number: 1,
            job_id: "a".into(),
            incarnation: Incarnation { number: 1, uid: "u".into() },
            restore: Restore::Savepoint { path: "s0".into() },
            parallelism: 1,
            digest: "d".into(),
            checkpoints,
            savepoint: None,
            stop_directory: None,
            forgotten: None,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a valid time")
    }

    fn found(path: &str, number: u64, second: i64) -> Found {
        Found { path: path.into(), number, modified: at(second) }
    }

    fn directory() -> Checkpoints {
        Checkpoints::Directory { path: "ck".into(), retained: true }
    }

    fn resolve(attempt: &Attempt, evidence: &Evidence, known_place: bool) -> Result<Choice, Stall> {
        super::resolve(attempt, &Looked { found: evidence.clone(), known_place }, Rule::default())
    }

    fn path(result: Result<Choice, Stall>) -> String {
        match result {
            Ok(choice) => choice.restore.path().unwrap_or("empty").to_owned(),
            Err(stall) => stall.reason.to_owned(),
        }
    }

    #[test]
    fn the_newest_of_checkpoint_and_savepoint_wins() {
        let checkpoints = vec![found("chk-9", 9, 10), found("chk-10", 10, 12)];
        for (savepoint_at, expected) in [(11, "chk-10"), (12, "chk-10"), (13, "sp")] {
            let savepoints = vec![found("sp", 0, savepoint_at)];
            let evidence = Evidence { checkpoints: checkpoints.clone(), savepoints };
            assert_eq!(path(resolve(&attempt(directory()), &evidence, true)), expected);
        }
    }

    #[test]
    fn an_attempt_that_left_nothing_starts_again_where_it_started() {
        assert_eq!(path(resolve(&attempt(directory()), &Evidence::default(), true)), "s0");
        assert_eq!(path(resolve(&attempt(Checkpoints::Disabled), &Evidence::default(), false)), "s0");
        assert_eq!(path(resolve(&attempt(Checkpoints::Unknown), &Evidence::default(), true)), "s0");
    }

    #[test]
    fn what_cannot_be_found_out_stalls() {
        let none = Evidence::default();
        assert_eq!(path(resolve(&attempt(Checkpoints::InMemory), &none, false)), "CheckpointsLost");
        assert_eq!(path(resolve(&attempt(Checkpoints::Unknown), &none, false)), "CheckpointsUnknown");
        let mut saved = attempt(directory());
        saved.savepoint = Some("sp".into());
        assert_eq!(path(resolve(&saved, &none, true)), "SavepointMissing");
        let only_savepoint = Evidence { checkpoints: vec![], savepoints: vec![found("sp", 0, 5)] };
        let mut in_memory = attempt(Checkpoints::InMemory);
        assert_eq!(path(resolve(&in_memory, &only_savepoint, false)), "CheckpointsLost");
        in_memory.stop_directory = Some("file:///t/stop-1".into());
        let stop = Evidence { checkpoints: vec![], savepoints: vec![found("file:/t/stop-1/savepoint-1", 0, 5)] };
        assert_eq!(path(resolve(&in_memory, &stop, false)), "file:/t/stop-1/savepoint-1");
    }

    #[test]
    fn a_savepoint_is_the_newest_where_checkpoints_were_looked_for_in_vain() {
        let only_savepoint = Evidence { checkpoints: vec![], savepoints: vec![found("sp", 0, 5)] };
        let mut restored = attempt(Checkpoints::Unknown);
        restored.savepoint = Some("sp".into());
        assert_eq!(path(resolve(&restored, &only_savepoint, true)), "sp");
        assert_eq!(
            path(resolve(&restored, &only_savepoint, false)),
            "CheckpointsUnknown",
            "it is there, but is it the newest?"
        );
    }

    #[test]
    fn forgotten_state_is_not_restored() {
        let mut forgetful = attempt(directory());
        forgetful.forgotten = Some(at(10));
        let evidence = Evidence { checkpoints: vec![found("chk-3", 3, 9)], savepoints: vec![] };
        assert_eq!(path(resolve(&forgetful, &evidence, true)), "empty");
        let newer = Evidence { checkpoints: vec![found("chk-3", 3, 9), found("chk-4", 4, 11)], savepoints: vec![] };
        assert_eq!(path(resolve(&forgetful, &newer, true)), "chk-4");
    }

    #[test]
    fn where_only_savepoints_count_checkpoints_do_not() {
        let only = |attempt: &Attempt, savepoints: Vec<Found>, recorded| {
            let found = Evidence { checkpoints: vec![found("chk-3", 3, 9)], savepoints };
            let rule = Rule { mode: RecoveryMode::SavepointOnly, recorded };
            path(super::resolve(attempt, &Looked { found, known_place: false }, rule))
        };
        let mut last = attempt(directory());
        assert_eq!(only(&last, vec![found("sp", 0, 5), found("stop", 0, 6)], Some("sp")), "stop", "nobody heard of it");
        assert_eq!(only(&last, vec![], Some("earlier")), "earlier");
        assert_eq!(only(&last, vec![], None), "s0", "where it was started");
        last.restore = Restore::Checkpoint { path: "chk-2".into() };
        assert_eq!(only(&last, vec![], Some("earlier")), "chk-2", "the mode was another one: this is newer");
        last.savepoint = Some("sp".into());
        assert_eq!(only(&last, vec![], Some("sp")), "SavepointMissing");
        last.forgotten = Some(at(10));
        assert_eq!(only(&last, vec![found("sp", 0, 5)], None), "empty");
        assert_eq!(places(&last, Some("ck"), RecoveryMode::SavepointOnly).checkpoints, None);
    }
}
