//! Answers about the cluster itself: `/overview`, `/taskmanagers`, `/jobmanager/config`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::number;
use crate::version::FlinkVersion;

/// `/overview`. Right after a TaskManager registered it can show the TaskManager without its slots for a moment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Overview {
    pub flink_version: FlinkVersion,
    #[serde(rename = "taskmanagers")]
    pub task_managers: u32,
    pub slots_total: u32,
    pub slots_available: u32,
}

/// `/taskmanagers`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct TaskManagers {
    pub taskmanagers: Vec<TaskManager>,
}

/// One registered TaskManager. A killed one stays listed until its heartbeat is missed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskManager {
    /// `host:port-xxxxxx`, or what `taskmanager.resource-id` says.
    pub id: String,
    /// The RPC address, which holds the host: `pekko.tcp://flink@HOST:PORT/user/rpc/taskmanager_0`.
    #[serde(default)]
    pub path: String,
    #[serde(rename = "slotsNumber")]
    pub slots: u32,
    #[serde(default)]
    pub free_slots: u32,
    #[serde(default)]
    pub total_resource: Resource,
}

impl TaskManager {
    /// The host from the RPC address.
    pub fn host(&self) -> Option<&str> {
        let (_, rest) = self.path.split_once('@')?;
        let (address, _) = rest.split_once('/')?;
        let (host, _) = address.rsplit_once(':')?;
        Some(host.trim_start_matches('[').trim_end_matches(']'))
    }
}

/// What a TaskManager offers.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    #[serde(default, deserialize_with = "number::lenient")]
    pub cpu_cores: Option<f64>,
}

/// One entry of `/jobmanager/config`, which is a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ConfigEntry {
    pub key: String,
    pub value: String,
}

/// The list as a map. A key that appears twice keeps its last value, as Flink itself reads it.
pub fn config_map(entries: Vec<ConfigEntry>) -> BTreeMap<String, String> {
    entries.into_iter().map(|entry| (entry.key, entry.value)).collect()
}
