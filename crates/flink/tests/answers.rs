//! Every type against what the three supported lines of Flink really answered.

#![expect(clippy::disallowed_methods, reason = "the crate is pure, its tests read fixtures")]

use std::fs;
use std::path::{Path, PathBuf};

use flink::cluster::config_map;
use flink::job::JobStatus;
use flink::{
    CheckpointConfig, Checkpoints, ConfigEntry, ErrorBody, Exceptions, JobState, JobsOverview, Operation,
    OperationAnswer, Overview, RunAnswer, TaskManagers, TriggerAnswer, UploadAnswer, option,
};
use serde::de::DeserializeOwned;

const VERSIONS: [&str; 3] = ["1.20.5", "2.1.3", "2.3.0"];

fn path(version: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(version).join(name).with_extension("json")
}

fn read<T: DeserializeOwned>(version: &str, name: &str) -> T {
    let text = fs::read_to_string(path(version, name)).expect("the fixture is committed");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{version}/{name}: {error}"))
}

/// The answer to the same request from each version.
fn each<T: DeserializeOwned>(name: &str) -> Vec<T> {
    VERSIONS.iter().map(|version| read(version, name)).collect()
}

#[test]
fn the_overview_tells_the_version() {
    for version in VERSIONS {
        let overview: Overview = read(version, "overview");
        assert_eq!(overview.flink_version.to_string(), version);
        assert!(overview.flink_version.is_supported());
        assert_eq!(overview.task_managers, 1);
    }
}

#[test]
fn jobs_have_known_states_and_consistent_tasks() {
    for overview in each::<JobsOverview>("jobs_overview_mixed") {
        assert_eq!(overview.jobs.len(), 3);
        for job in overview.jobs {
            assert!(!matches!(job.state, JobState::Other(_)), "{job:?}");
            assert_eq!(job.state.is_terminal(), job.end_time > 0, "{job:?}");
            assert!(!job.is_fully_running());
        }
    }
}

#[test]
fn a_job_that_waits_for_slots_is_running_by_name_only() {
    for overview in each::<JobsOverview>("jobs_overview_slots_missing") {
        let waiting = overview.jobs.iter().find(|job| !job.state.is_terminal()).unwrap();
        assert_eq!(waiting.state, JobState::Running);
        assert!(waiting.tasks.scheduled > 0);
        assert!(!waiting.is_fully_running());
    }
}

#[test]
fn the_state_of_one_job() {
    for status in each::<JobStatus>("job_status") {
        assert_eq!(status.status, JobState::Running);
    }
    for error in each::<ErrorBody>("job_status_unknown") {
        assert!(error.is_job_not_found());
        assert_eq!(
            error.reason(),
            "FlinkJobNotFoundException: Could not find Flink job (ffffffffffffffffffffffffffffffff)"
        );
    }
}

#[test]
fn checkpoints_have_paths_to_start_from() {
    for checkpoints in each::<Checkpoints>("checkpoints_restored") {
        let completed = checkpoints.latest.completed.unwrap();
        assert!(completed.path().unwrap().ends_with(&format!("chk-{}", completed.id)));
        assert!(!completed.is_savepoint);
        let restored = checkpoints.latest.restored.unwrap();
        assert!(restored.path().unwrap().contains("/sp/savepoint-"));
        assert!(restored.is_savepoint);
        assert!(checkpoints.summary.state_size.p99.unwrap() > 0.0);
    }
}

#[test]
fn a_checkpoint_that_was_discarded_with_its_job_has_no_path() {
    for checkpoints in each::<Checkpoints>("checkpoints_with_savepoint") {
        assert_eq!(checkpoints.latest.completed.unwrap().path(), None);
    }
}

#[test]
fn the_checkpoint_configuration_tells_whether_state_outlives_a_cancel() {
    for config in each::<CheckpointConfig>("job_checkpoints_config") {
        assert!(config.retains());
        assert!(config.is_periodic());
    }
}

#[test]
fn statistics_without_values_are_none() {
    let text = r#"{"counts":{},"latest":{},"summary":{"state_size":{"avg":"NaN","p50":"NaN"}}}"#;
    let checkpoints: Checkpoints = serde_json::from_str(text).unwrap();
    assert_eq!(checkpoints.summary.state_size.p50, None);
    assert_eq!(checkpoints.summary.end_to_end_duration.p99, None);
}

#[test]
fn a_checkpoint_in_memory_has_no_path() {
    let text = r#"{"counts":{},"latest":{"completed":{"id":1,"status":"COMPLETED","is_savepoint":false,
        "trigger_timestamp":1,"external_path":"<checkpoint-not-externally-addressable>","discarded":false}}}"#;
    let checkpoints: Checkpoints = serde_json::from_str(text).unwrap();
    assert_eq!(checkpoints.latest.completed.unwrap().path(), None);
}

#[test]
fn task_managers_have_slots_and_a_host() {
    for answer in each::<TaskManagers>("taskmanagers") {
        let task_manager = &answer.taskmanagers[0];
        assert_eq!(task_manager.host(), Some("localhost"));
        assert!(task_manager.slots > 0);
        assert!(task_manager.total_resource.cpu_cores.unwrap() > 0.0);
    }
}

/// SC-417, F-15
#[test]
fn a_task_manager_is_found_by_the_address_in_its_path_whatever_the_protocol() {
    let host = |path: &str| {
        let text = format!(r#"{{"taskmanagers":[{{"id":"t","path":"{path}","slotsNumber":1,"freeSlots":1}}]}}"#);
        let answer: TaskManagers = serde_json::from_str(&text).unwrap();
        answer.taskmanagers[0].host().map(str::to_owned)
    };
    assert_eq!(host("akka.tcp://flink@172.17.0.12:41545/user/taskmanager_0").as_deref(), Some("172.17.0.12"));
    assert_eq!(host("pekko.tcp://flink@172.17.0.12:41545/user/rpc/taskmanager_0").as_deref(), Some("172.17.0.12"));
    assert_eq!(host("pekko.ssl.tcp://flink@[fd00::12]:4154/user/rpc/taskmanager_0").as_deref(), Some("fd00::12"));
    assert_eq!(host("pekko.tcp://flink@node-7:1/user/rpc/taskmanager_0").as_deref(), Some("node-7"));
}

#[test]
fn the_configuration_names_the_checkpoint_directory_in_every_version() {
    for entries in each::<Vec<ConfigEntry>>("jobmanager_config") {
        let config = config_map(entries);
        assert!(option::checkpoint_directory(&config).unwrap().starts_with("file:"));
        assert!(!option::is_highly_available(&config));
    }
}

/// SC-551, SC-552
#[test]
fn an_operation_ends_in_a_location_or_a_cause() {
    for answer in each::<OperationAnswer>("savepoint_status_completed") {
        let Operation::Completed { location } = answer.into() else { panic!("not completed") };
        assert!(location.contains("/sp/savepoint-"));
    }
    for answer in each::<OperationAnswer>("savepoint_status_failed") {
        let Operation::Failed { cause } = answer.into() else { panic!("not failed") };
        assert!(cause.contains("Failed to create savepoint directory"), "{cause}");
    }
    for error in each::<ErrorBody>("savepoint_status_unknown_trigger") {
        assert!(error.reason().starts_with("There is no savepoint operation"), "{}", error.reason());
    }
    assert_eq!(each::<TriggerAnswer>("savepoint_trigger").len(), 3);
}

#[test]
fn an_uploaded_jar_has_an_id() {
    for answer in each::<UploadAnswer>("jar_upload") {
        assert_eq!(Path::new(answer.jar_id()).extension().unwrap(), "jar");
        assert!(!answer.jar_id().contains('/'));
    }
    for answer in each::<RunAnswer>("run_ok_full") {
        assert_eq!(answer.job_id.as_str(), "00000000000000000000000000000abc");
    }
}

#[test]
fn a_refused_run_has_a_short_reason() {
    let expected = [
        ("run_err_main_throws", "IllegalStateException: boom in main"),
        ("run_err_bad_class", "ClassNotFoundException: rf.Nope"),
        ("run_err_bad_savepoint", "FileNotFoundException: Cannot find checkpoint or savepoint file/directory"),
        ("run_err_missing_jar", "Jar file "),
    ];
    for (name, start) in expected {
        for error in each::<ErrorBody>(name) {
            assert!(error.reason().starts_with(start), "{name}: {}", error.reason());
            assert!(!error.is_duplicate_submission());
        }
    }
    for error in each::<ErrorBody>("run_err_duplicate_jobid_running") {
        assert!(error.is_duplicate_submission(), "{}", error.reason());
    }
}

#[test]
fn the_newest_failure_is_the_root_cause() {
    for exceptions in each::<Exceptions>("exceptions_restarting") {
        assert!(exceptions.root_cause().unwrap().starts_with("RuntimeException: planned failure at 5"));
    }
}

#[test]
fn every_fixture_is_used() {
    let source = include_str!("answers.rs");
    for version in VERSIONS {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(version)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(source.contains(&format!("\"{name}\"")), "{version}/{name} is not used");
        }
    }
}
