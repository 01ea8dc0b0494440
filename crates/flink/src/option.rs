//! Keys of Flink's options that flinkctl sets or reads, and the rules where versions differ.

use std::collections::BTreeMap;

pub const JOB_MANAGER_RPC_ADDRESS: &str = "jobmanager.rpc.address";
pub const JOB_MANAGER_RPC_PORT: &str = "jobmanager.rpc.port";
pub const JOB_MANAGER_BIND_HOST: &str = "jobmanager.bind-host";
pub const JOB_MANAGER_MEMORY_PROCESS_SIZE: &str = "jobmanager.memory.process.size";
pub const TASK_MANAGER_HOST: &str = "taskmanager.host";
pub const TASK_MANAGER_BIND_HOST: &str = "taskmanager.bind-host";
pub const TASK_MANAGER_SLOTS: &str = "taskmanager.numberOfTaskSlots";
pub const TASK_MANAGER_MEMORY_PROCESS_SIZE: &str = "taskmanager.memory.process.size";
pub const TASK_MANAGER_RESOURCE_ID: &str = "taskmanager.resource-id";
pub const BLOB_SERVER_PORT: &str = "blob.server.port";
pub const QUERY_SERVER_PORT: &str = "queryable-state.server.ports";
pub const REST_ADDRESS: &str = "rest.address";
pub const REST_BIND_ADDRESS: &str = "rest.bind-address";
pub const REST_PORT: &str = "rest.port";
pub const PARALLELISM_DEFAULT: &str = "parallelism.default";
pub const HEARTBEAT_INTERVAL: &str = "heartbeat.interval";
pub const HEARTBEAT_TIMEOUT: &str = "heartbeat.timeout";
/// How old a cached answer of the REST API may be.
pub const WEB_REFRESH_INTERVAL: &str = "web.refresh-interval";
/// Uploading and running JARs needs it (default true).
pub const WEB_SUBMIT_ENABLE: &str = "web.submit.enable";
pub const WEB_UPLOAD_DIRECTORY: &str = "web.upload.dir";
/// How long a TaskManager waits before it tries to register again.
pub const REGISTRATION_ERROR_DELAY: &str = "cluster.registration.error-delay";
/// `RETAIN_ON_CANCELLATION` keeps the newest checkpoint of a job that was cancelled or lost.
pub const CHECKPOINT_RETENTION: &str = "execution.checkpointing.externalized-checkpoint-retention";
pub const CHECKPOINT_INTERVAL: &str = "execution.checkpointing.interval";
/// Since 1.20; before it [`CHECKPOINT_DIRECTORY_BEFORE_1_20`], which later versions still understand.
pub const CHECKPOINT_DIRECTORY: &str = "execution.checkpointing.dir";
pub const CHECKPOINT_DIRECTORY_BEFORE_1_20: &str = "state.checkpoints.dir";
/// Since 1.20; before it [`SAVEPOINT_DIRECTORY_BEFORE_1_20`], which later versions still understand.
pub const SAVEPOINT_DIRECTORY: &str = "execution.checkpointing.savepoint-dir";
pub const SAVEPOINT_DIRECTORY_BEFORE_1_20: &str = "state.savepoints.dir";
pub const SCHEDULER: &str = "jobmanager.scheduler";
pub const SCHEDULER_MODE: &str = "scheduler-mode";
pub const HIGH_AVAILABILITY_TYPE: &str = "high-availability.type";
pub const HIGH_AVAILABILITY_BEFORE_1_17: &str = "high-availability";

fn first<'a>(config: &'a BTreeMap<String, String>, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| config.get(*key)).map(|value| value.trim()).filter(|value| !value.is_empty())
}

/// Where checkpoints go (each job has a directory named by its id below it).
pub fn checkpoint_directory(config: &BTreeMap<String, String>) -> Option<&str> {
    first(config, &[CHECKPOINT_DIRECTORY, CHECKPOINT_DIRECTORY_BEFORE_1_20])
}

/// Where savepoints go that name no target.
pub fn savepoint_directory(config: &BTreeMap<String, String>) -> Option<&str> {
    first(config, &[SAVEPOINT_DIRECTORY, SAVEPOINT_DIRECTORY_BEFORE_1_20])
}

/// Whether the scheduler of jobs is one that changes their parallelism while they run, as it is told. In reactive mode it is not told.
pub fn is_adaptive(config: &BTreeMap<String, String>) -> bool {
    let says = |key: &str, word: &str| first(config, &[key]).is_some_and(|value| value.eq_ignore_ascii_case(word));
    says(SCHEDULER, "adaptive") && !says(SCHEDULER_MODE, "reactive")
}

/// Whether Flink itself brings jobs back after the loss of a JobManager.
pub fn is_highly_available(config: &BTreeMap<String, String>) -> bool {
    first(config, &[HIGH_AVAILABILITY_TYPE, HIGH_AVAILABILITY_BEFORE_1_17])
        .is_some_and(|value| !value.eq_ignore_ascii_case("none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_newer_name_wins() {
        let both = config(&[("state.checkpoints.dir", "file:/old"), ("execution.checkpointing.dir", "file:/new")]);
        assert_eq!(checkpoint_directory(&both), Some("file:/new"));
        assert_eq!(checkpoint_directory(&config(&[("state.checkpoints.dir", "file:/old")])), Some("file:/old"));
        assert_eq!(savepoint_directory(&config(&[("state.savepoints.dir", " ")])), None);
    }

    #[test]
    fn only_the_adaptive_scheduler_can_be_told() {
        assert!(is_adaptive(&config(&[("jobmanager.scheduler", "Adaptive")])));
        assert!(!is_adaptive(&config(&[])));
        assert!(!is_adaptive(&config(&[("jobmanager.scheduler", "default")])));
        assert!(!is_adaptive(&config(&[("jobmanager.scheduler", "adaptive"), ("scheduler-mode", "REACTIVE")])));
    }

    #[test]
    fn high_availability_is_anything_but_none() {
        assert!(!is_highly_available(&config(&[])));
        assert!(!is_highly_available(&config(&[("high-availability.type", "NONE")])));
        assert!(is_highly_available(&config(&[("high-availability.type", "kubernetes")])));
        assert!(is_highly_available(&config(&[("high-availability", "zookeeper")])));
    }
}
