//! Small values that several resources share: policies, states, and scalars of YAML.
//!
//! Spec enums are closed, as the schema refuses other values. Status enums and copies in status read anything: a status that was
//! written by another version must never make its object unreadable.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            /// The word as it stands in manifests.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// When the kubelet pulls an image.
    PullPolicy { Never, Always, #[default] IfNotPresent }
}

words! {
    /// Type of the JobManager's Service.
    ServiceMode { #[default] ClusterIP, NodePort }
}

words! {
    /// Who decides on the number of TaskManagers.
    RescalePolicy {
        /// The number of TaskManagers is left as it is set.
        None,
        /// The number of TaskManagers follows the parallelism of the jobs.
        #[default]
        JobParallelism,
    }
}

words! {
    /// What happens with jobs in the Flink cluster that flinkctl did not start.
    UnmanagedJobs {
        /// They are shown in status and left alone.
        #[default]
        Keep,
        /// They are cancelled.
        Cancel,
    }
}

words! {
    /// Whether a savepoint is taken when a job is stopped.
    SavepointMode { Manual, #[default] Automatic }
}

words! {
    /// From what a job goes on that was not stopped with a savepoint.
    RecoveryMode {
        /// The newest of savepoint and completed checkpoint.
        #[default]
        LatestState,
        /// The last savepoint; checkpoints do not count.
        SavepointOnly,
    }
}

words! {
    /// What becomes of a stop whose savepoint fails.
    OnFailure {
        /// The stop is given up, and the job runs on.
        #[default]
        KeepRunning,
        /// The job is stopped without it, and goes on from what there is otherwise.
        StopAnyway,
    }
}

words! {
    /// When a job that ended is started again.
    RestartPolicy { #[default] Never, Always, OnlyIfFailed }
}

words! {
    /// Whether what runs is what is declared.
    ResourceStatus { #[default] Unknown, Updating, Updated }
}

words! {
    /// State of a cluster or job as its supervisor sees it.
    SupervisorStatus { #[default] Unknown, Starting, Started, Stopping, Stopped, Terminated }
}

/// A value of a map that manifests may write as text, number or boolean; it counts as text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scalar(pub Value);

impl Scalar {
    /// The value as text; `None` for an explicit null, which counts as absent.
    pub fn text(&self) -> Option<String> {
        match &self.0 {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// A map of scalars as a map of text.
    pub fn texts(map: Option<&BTreeMap<String, Self>>) -> BTreeMap<String, String> {
        map.into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), value.text()?))).collect()
    }
}

impl From<&str> for Scalar {
    fn from(text: &str) -> Self {
        Self(Value::String(text.to_owned()))
    }
}

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }

    // A structural schema cannot say "string, number or boolean"; the map around it says it in its description.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
    }
}

/// The command that was carried out last, or is being carried out, so that it is neither lost nor repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastAction {
    /// Identity of the command: its action-timestamp, or the resourceVersion at which it was first seen.
    pub id: String,
    /// The command, for example STOP.
    pub action: String,
    /// When it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested: Option<String>,
    /// What became of it: Accepted, Done or Refused.
    pub outcome: String,
    /// Why, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A point in time as status fields hold it: ISO 8601 with milliseconds.
pub fn timestamp(instant: jiff::Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Reads a value that others may have written; what is not understood counts as absent.
pub(crate) fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}

/// Seconds of a spec field as a duration; a negative number counts as zero.
pub(crate) fn seconds(value: Option<i32>, default: u32) -> std::time::Duration {
    std::time::Duration::from_secs(count(value, default).into())
}

/// A count of a spec field; a negative number counts as zero.
pub(crate) fn count(value: Option<i32>, default: u32) -> u32 {
    value.map_or(default, |value| u32::try_from(value).unwrap_or(0))
}

/// The text, unless it is absent or blank.
pub(crate) fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}
