//! Annotations by which users, the operator and supervisors speak to each other.
//!
//! Reading never fails: an unknown command is a value, so that it can be refused with an event.

use std::{collections::BTreeMap, fmt};

/// The command: see [`Action`].
pub const REQUESTED_ACTION: &str = "operator.nextbreakpoint.com/requested-action";
/// When the command was given: milliseconds since 1970 as decimal text.
pub const ACTION_TIMESTAMP: &str = "operator.nextbreakpoint.com/action-timestamp";
/// Whether the next stop takes no savepoint and the next start uses none.
pub const WITHOUT_SAVEPOINT: &str = "operator.nextbreakpoint.com/without-savepoint";
/// Lets a cluster or job that is being deleted go, whatever may still run.
pub const FORCE_DELETE: &str = "operator.nextbreakpoint.com/force-delete";
/// Set by the original while a resource is deleted; read by nobody here.
pub const DELETE_RESOURCES: &str = "operator.nextbreakpoint.com/delete-resources";
/// Set by the original while a resource is restarted; read when its resources are taken over.
pub const SHOULD_RESTART: &str = "operator.nextbreakpoint.com/should-restart";
/// Digest of the supervisor section that a supervisor Deployment was made from.
pub const DEPLOYMENT_DIGEST: &str = "flink-operator/deployment-digest";
/// Value of [`REQUESTED_ACTION`] that asks for nothing.
pub const NONE: &str = "NONE";

/// Annotations by key, as object metadata has them.
pub type Annotations = BTreeMap<String, String>;

/// What a user may ask of a cluster or job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Action {
    Start,
    Stop,
    TriggerSavepoint,
    ForgetSavepoint,
}

impl Action {
    pub const ALL: [Self; 4] = [Self::Start, Self::Stop, Self::TriggerSavepoint, Self::ForgetSavepoint];

    /// The word in the annotation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Stop => "STOP",
            Self::TriggerSavepoint => "TRIGGER_SAVEPOINT",
            Self::ForgetSavepoint => "FORGET_SAVEPOINT",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an object's annotations ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requested {
    Nothing,
    Action(Action),
    /// A word that is no command; to be refused with an event.
    Invalid(String),
}

impl Requested {
    /// Reads the value of [`REQUESTED_ACTION`]; case does not matter.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() || text.eq_ignore_ascii_case(NONE) {
            return Self::Nothing;
        }
        Action::ALL
            .into_iter()
            .find(|action| text.eq_ignore_ascii_case(action.as_str()))
            .map_or_else(|| Self::Invalid(text.to_owned()), Self::Action)
    }
}

/// What the annotations ask for.
pub fn requested(annotations: Option<&Annotations>) -> Requested {
    text(annotations, REQUESTED_ACTION).map_or(Requested::Nothing, Requested::parse)
}

/// Whether a stop or start is to do without savepoint.
pub fn without_savepoint(annotations: Option<&Annotations>) -> bool {
    text(annotations, WITHOUT_SAVEPOINT).is_some_and(|text| text.trim().eq_ignore_ascii_case("true"))
}

/// Whether a deletion is not to wait for anything.
pub fn force_delete(annotations: Option<&Annotations>) -> bool {
    text(annotations, FORCE_DELETE).is_some_and(|text| text.trim().eq_ignore_ascii_case("true"))
}

/// Whether `without-savepoint` outlived the command that it was meant for: the original never takes it back.
pub fn leftover_without_savepoint(annotations: Option<&Annotations>) -> bool {
    without_savepoint(annotations)
        && text(annotations, REQUESTED_ACTION).is_some_and(|text| text.trim().eq_ignore_ascii_case(NONE))
}

/// Whether the original was to start a resource again once it had stopped.
pub fn should_restart(annotations: Option<&Annotations>) -> bool {
    text(annotations, SHOULD_RESTART).is_some_and(|text| text.trim().eq_ignore_ascii_case("true"))
}

/// When the command was given, as the annotation says it.
pub fn action_timestamp(annotations: Option<&Annotations>) -> Option<&str> {
    text(annotations, ACTION_TIMESTAMP).map(str::trim).filter(|text| !text.is_empty())
}

fn text<'a>(annotations: Option<&'a Annotations>, key: &str) -> Option<&'a str> {
    annotations?.get(key).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SC-173, SC-174, SC-244, SC-305, SC-432
    #[test]
    fn commands_are_read_in_any_case_and_unknown_ones_kept() {
        assert_eq!(Requested::parse("stop"), Requested::Action(Action::Stop));
        assert_eq!(Requested::parse(" Trigger_Savepoint "), Requested::Action(Action::TriggerSavepoint));
        assert_eq!(Requested::parse("none"), Requested::Nothing);
        assert_eq!(Requested::parse(""), Requested::Nothing);
        assert_eq!(Requested::parse("HALT"), Requested::Invalid("HALT".into()));
        assert_eq!(requested(None), Requested::Nothing);
    }

    /// SC-248, SC-309, SC-434
    #[test]
    fn without_savepoint_is_true_in_any_case_and_false_otherwise() {
        for (text, expected) in [("true", true), ("TRUE", true), ("false", false), ("yes", false), ("", false)] {
            let annotations = Annotations::from([(WITHOUT_SAVEPOINT.to_owned(), text.to_owned())]);
            assert_eq!(without_savepoint(Some(&annotations)), expected, "{text}");
        }
        assert!(!without_savepoint(None));
    }

    #[test]
    fn only_a_flag_without_a_command_is_left_over() {
        let says = |action: Option<&str>, flag: &str| {
            let mut all = Annotations::from([(WITHOUT_SAVEPOINT.to_owned(), flag.to_owned())]);
            all.extend(action.map(|action| (REQUESTED_ACTION.to_owned(), action.to_owned())));
            leftover_without_savepoint(Some(&all))
        };
        assert!(says(Some("NONE"), "true"));
        assert!(!says(Some("NONE"), "false"));
        assert!(!says(Some("STOP"), "true"), "it belongs to that command");
        assert!(!says(None, "true"), "a user has set it for the next command");
    }
}
