//! What the fake must do, in the words of what was measured; the comparison with a real Flink is an integration test.

use std::collections::BTreeMap;

use flink::{JobId, JobState, ListingOutcome, Operation, RunRequest, TriggerId};
use flink_client::{Error, Refusal};
use jiff::{SignedDuration, Timestamp};

use super::{Fact, Flink, Settings};

const JM: &str = "jm-1";
const CLASS: &str = "com.nextbreakpoint.flink.examples.CounterJob";

/// A fake with a clock.
struct World {
    flink: Flink,
    now: Timestamp,
    config: BTreeMap<String, String>,
}

impl World {
    fn new(options: &[(&str, &str)]) -> Self {
        let usual = [
            ("execution.checkpointing.interval", "1s"),
            ("execution.checkpointing.dir", "file:///ck"),
            ("heartbeat.timeout", "6000"),
            ("heartbeat.interval", "1000"),
            ("cluster.registration.error-delay", "300"),
        ];
        let config = usual.iter().chain(options).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let mut world = Self { flink: Flink::new(Settings::default(), 7), now, config };
        world.start(JM);
        world.flink.start_task_manager("tm-1", "c", "10.0.0.2", 2, now);
        world.pass(5000);
        world
    }

    fn start(&mut self, uid: &str) {
        self.flink.start_job_manager(uid, "c", self.config.clone(), self.now);
    }

    fn pass(&mut self, millis: i64) {
        self.now += SignedDuration::from_millis(millis);
        self.flink.advance(self.now);
    }

    fn run(&mut self, uid: &str, job: u8, from: Option<&str>) -> Result<JobId, Error> {
        let jar = self.flink.upload_jar(uid, "x.jar", self.now)?;
        let request = RunRequest {
            entry_class: Some(CLASS.to_owned()),
            program_args_list: vec!["--output=file:///out".to_owned(), "--rate=1000".to_owned()],
            parallelism: Some(2),
            job_id: Some(id(job)),
            savepoint_path: from.map(str::to_owned),
            ..RunRequest::default()
        };
        self.flink.run_jar(uid, &jar, &request, self.now)
    }

    fn state(&mut self, uid: &str, job: u8) -> Option<JobState> {
        self.flink.job_status(uid, &id(job), self.now).unwrap()
    }

    fn newest(&mut self, uid: &str, path: &str) -> Option<String> {
        let listings = self.flink.list_checkpoints(uid, &[path.to_owned()], self.now).unwrap();
        listings[0].newest().map(|found| found.path.clone())
    }

    fn committed(&self) -> u64 {
        self.flink.ledger().committed(self.flink.ledger().logical("file:///out").unwrap())
    }
}

fn id(job: u8) -> JobId {
    JobId::from_bytes([job; 16])
}

fn trigger(number: u8) -> TriggerId {
    TriggerId::from_bytes([number; 16])
}

#[test]
fn a_job_manager_starts_by_refusing_connections_and_then_electing_itself() {
    let mut world = World::new(&[]);
    world.flink.end_job_manager(JM, world.now);
    assert!(matches!(world.flink.overview(JM, world.now), Err(Error::Unreachable { .. })));
    world.start("jm-2");
    assert!(matches!(world.flink.overview("jm-2", world.now), Err(Error::Unreachable { .. })));
    world.pass(2100);
    let starting = world.flink.overview("jm-2", world.now).unwrap_err();
    assert_eq!((starting.reason(), starting.refusal()), ("FlinkNotReady", None));
    assert!(world.flink.jobs_overview("jm-2", world.now).unwrap().jobs.is_empty());
    world.pass(300);
    assert_eq!(world.flink.overview("jm-2", world.now).unwrap().slots_total, 0);
    world.pass(6000);
    assert_eq!(world.flink.overview("jm-2", world.now).unwrap().slots_total, 2, "its TaskManager has noticed");
}

#[test]
fn a_job_id_is_accepted_once_in_the_life_of_a_job_manager() {
    let mut world = World::new(&[]);
    world.run(JM, 1, None).unwrap();
    world.pass(3000);
    assert!(world.flink.jobs_overview(JM, world.now).unwrap().jobs[0].is_fully_running());
    assert_eq!(world.run(JM, 1, None).unwrap_err().refusal(), Some(Refusal::DuplicateSubmission));
    world.flink.cancel_job(JM, &id(1), world.now).unwrap();
    world.pass(1000);
    assert_eq!(world.state(JM, 1), Some(JobState::Canceled));
    assert!(world.run(JM, 1, None).unwrap_err().is_duplicate_submission());
    world.flink.end_job_manager(JM, world.now);
    world.start("jm-2");
    world.pass(3000);
    assert_eq!(world.run("jm-2", 1, None).unwrap(), id(1));
}

#[test]
fn a_stop_is_one_operation_and_its_savepoint_holds_everything() {
    let mut world = World::new(&[]);
    world.run(JM, 1, None).unwrap();
    world.pass(10_000);
    let stop =
        |world: &mut World| world.flink.stop_with_savepoint(JM, &id(1), &trigger(1), Some("file:///sp"), world.now);
    stop(&mut world).unwrap();
    stop(&mut world).unwrap();
    let operation = |world: &mut World| world.flink.savepoint_operation(JM, &id(1), &trigger(1), world.now).unwrap();
    assert_eq!(operation(&mut world), Operation::InProgress);
    world.pass(85);
    let Operation::Completed { location } = operation(&mut world) else { panic!("it is complete") };
    assert_eq!(world.state(JM, 1), Some(JobState::Running), "a moment later it will be finished");
    world.pass(50);
    assert_eq!(world.state(JM, 1), Some(JobState::Finished));
    assert_eq!(world.newest(JM, "file:///sp"), Some(location.clone()));
    assert_eq!(world.newest(JM, &format!("file:///ck/{}", id(1))), None, "its checkpoints are gone");
    stop(&mut world).unwrap();
    assert_eq!(operation(&mut world), Operation::Completed { location: location.clone() });
    let committed = world.committed();
    world.run(JM, 2, Some(&location)).unwrap();
    world.pass(5000);
    assert!(world.committed() > committed);
    assert_eq!(world.flink.ledger().facts(), []);
    assert!(world.flink.ledger().starts().iter().all(|start| !start.steps_back()));
    world.pass(300_000);
    assert_eq!(operation(&mut world), Operation::NotFound, "results are kept for five minutes");
}

#[test]
fn a_trigger_is_forgotten_with_its_job_manager_and_the_savepoint_is_not() {
    let mut world = World::new(&[]);
    world.run(JM, 1, None).unwrap();
    world.pass(5000);
    world.flink.stop_with_savepoint(JM, &id(1), &trigger(1), Some("file:///sp/1"), world.now).unwrap();
    world.pass(82);
    world.flink.end_job_manager(JM, world.now);
    world.start("jm-2");
    world.pass(10_000);
    let operation = world.flink.savepoint_operation("jm-2", &id(1), &trigger(1), world.now).unwrap();
    assert_eq!(operation, Operation::NotFound);
    let savepoint = world.newest("jm-2", "file:///sp/1").unwrap();
    world.run("jm-2", 2, Some(&savepoint)).unwrap();
    world.pass(5000);
    assert_eq!(world.flink.ledger().facts(), []);
}

#[test]
fn an_older_state_is_told_as_a_step_back_and_as_numbers_committed_twice() {
    let mut world = World::new(&[]);
    world.run(JM, 1, None).unwrap();
    world.pass(5000);
    world.flink.trigger_savepoint(JM, &id(1), &trigger(1), Some("file:///sp"), world.now).unwrap();
    world.pass(5000);
    let savepoint = world.newest(JM, "file:///sp").unwrap();
    world.flink.cancel_job(JM, &id(1), world.now).unwrap();
    world.pass(1000);
    world.run(JM, 2, Some(&savepoint)).unwrap();
    world.pass(3000);
    assert!(matches!(world.flink.ledger().facts(), [Fact::Twice { .. }, ..]));
    assert!(world.flink.ledger().starts()[1].steps_back());
}

#[test]
fn a_job_that_is_started_while_orphans_live_runs_together_with_them() {
    let mut world = World::new(&[]);
    world.flink.start_task_manager("tm-2", "c", "10.0.0.3", 2, world.now);
    world.pass(5000);
    world.run(JM, 1, None).unwrap();
    world.pass(5000);
    world.flink.end_job_manager(JM, world.now);
    assert_eq!(world.flink.live().count(), 1);
    world.start("jm-2");
    world.flink.start_task_manager("tm-3", "c", "10.0.0.4", 2, world.now);
    world.pass(3000);
    let checkpoint = world.newest("jm-2", &format!("file:///ck/{}", id(1))).unwrap();
    world.run("jm-2", 2, Some(&checkpoint)).unwrap();
    world.pass(2000);
    assert!(matches!(world.flink.ledger().facts(), [Fact::Together { .. }]), "{:?}", world.flink.ledger().facts());
    world.pass(10_000);
    assert_eq!(world.flink.live().count(), 1, "the orphans have ended");
}

#[test]
fn cached_answers_are_as_old_as_the_first_question() {
    let mut world = World::new(&[]);
    world.run(JM, 1, None).unwrap();
    world.pass(400);
    let completed = |world: &mut World| world.flink.checkpoints(JM, &id(1), world.now).unwrap().latest.completed;
    assert!(completed(&mut world).is_none());
    world.pass(2900);
    assert!(completed(&mut world).is_none(), "three seconds are not over");
    world.pass(200);
    assert!(completed(&mut world).is_some());
}

#[test]
fn a_lost_task_manager_is_noticed_late_and_costs_no_number() {
    let mut world = World::new(&[]);
    world.run(JM, 1, None).unwrap();
    world.pass(5000);
    world.flink.end_task_manager("tm-1", world.now);
    world.pass(1000);
    assert!(world.flink.jobs_overview(JM, world.now).unwrap().jobs[0].is_fully_running(), "nobody has noticed");
    world.flink.trigger_savepoint(JM, &id(1), &trigger(1), Some("file:///sp"), world.now).unwrap();
    world.pass(3000);
    let operation = world.flink.savepoint_operation(JM, &id(1), &trigger(1), world.now).unwrap();
    assert!(matches!(operation, Operation::Failed { .. }), "{operation:?}");
    let job = world.flink.jobs_overview(JM, world.now).unwrap().jobs[0].clone();
    assert_eq!((job.state.clone(), job.is_fully_running()), (JobState::Running, false), "it waits for slots");
    world.flink.trigger_savepoint(JM, &id(1), &trigger(2), Some("file:///sp"), world.now).unwrap();
    let operation = world.flink.savepoint_operation(JM, &id(1), &trigger(2), world.now).unwrap();
    assert!(matches!(operation, Operation::Failed { .. }), "{operation:?}");
    let committed = world.committed();
    world.flink.start_task_manager("tm-2", "c", "10.0.0.3", 2, world.now);
    world.pass(10_000);
    assert!(world.committed() > committed + 5000);
    assert_eq!(world.flink.ledger().facts(), []);
}

#[test]
fn a_missing_savepoint_leaves_a_failed_job_behind() {
    let mut world = World::new(&[]);
    let error = world.run(JM, 1, Some("file:///nowhere/sp")).unwrap_err();
    assert!(error.to_string().contains("/nowhere/sp"), "{error}");
    assert_eq!(world.state(JM, 1), Some(JobState::Failed));
    assert!(world.run(JM, 1, None).unwrap_err().is_duplicate_submission());
}

#[test]
fn high_availability_brings_jobs_back_from_their_newest_checkpoint() {
    let mut world = World::new(&[("high-availability.type", "kubernetes")]);
    world.run(JM, 1, None).unwrap();
    world.pass(5000);
    world.flink.end_job_manager(JM, world.now);
    world.start("jm-2");
    world.pass(2350);
    assert!(world.flink.jobs_overview("jm-2", world.now).unwrap().jobs.is_empty(), "an empty list comes first");
    world.pass(5000);
    assert_eq!(world.state("jm-2", 1), Some(JobState::Running));
    assert!(world.run("jm-2", 1, None).unwrap_err().is_duplicate_submission());
    let restored = world.flink.checkpoints("jm-2", &id(1), world.now).unwrap().latest.restored.unwrap();
    assert!(restored.path().unwrap().contains("chk-") && !restored.is_savepoint);
    world.pass(5000);
    assert_eq!(world.flink.ledger().facts(), []);
}

#[test]
fn a_stop_that_cannot_write_leaves_the_job_running() {
    let mut world = World::new(&[]);
    world.run(JM, 1, None).unwrap();
    world.pass(5000);
    world.flink.stop_with_savepoint(JM, &id(1), &trigger(1), Some("file:///sp"), world.now).unwrap();
    world.flink.settings().mishaps.storage_fails = true;
    world.pass(1000);
    let operation = world.flink.savepoint_operation(JM, &id(1), &trigger(1), world.now).unwrap();
    assert!(matches!(operation, Operation::Failed { .. }));
    world.flink.settings().mishaps.storage_fails = false;
    let committed = world.committed();
    world.pass(3000);
    assert!(world.committed() > committed);
    world.flink.settings().mishaps.finishing_fails = true;
    world.flink.stop_with_savepoint(JM, &id(1), &trigger(2), Some("file:///sp"), world.now).unwrap();
    world.pass(200);
    assert_eq!(world.state(JM, 1), Some(JobState::Restarting));
    assert!(world.newest(JM, "file:///sp").is_some(), "the savepoint is there all the same");
    world.pass(5000);
    assert_eq!(world.flink.ledger().facts(), []);
}

#[test]
fn an_adaptive_job_changes_its_parallelism_at_the_next_checkpoint() {
    let mut world = World::new(&[("jobmanager.scheduler", "adaptive")]);
    world.run(JM, 1, None).unwrap();
    world.pass(5000);
    let numbers = |world: &mut World| {
        let wanted = world.flink.resource_requirements(JM, &id(1), world.now).unwrap();
        let running = world.flink.parallelism(JM, &id(1), world.now).unwrap();
        let upper: Vec<u32> = wanted.values().map(|one| one.parallelism.upper_bound).collect();
        (upper, running.into_values().collect::<Vec<u32>>())
    };
    assert_eq!(numbers(&mut world), (vec![1, 2, 1], vec![1, 2, 1]), "source and writer have one task");
    let known = world.flink.resource_requirements(JM, &id(1), world.now).unwrap();
    let wanted = flink::requirements::changed(&known, 2, 1).unwrap();
    world.flink.set_resource_requirements(JM, &id(1), &wanted, world.now).unwrap();
    world.flink.trigger_checkpoint(JM, &id(1), &trigger(1), world.now).unwrap();
    assert_eq!(numbers(&mut world), (vec![1, 1, 1], vec![1, 2, 1]), "not yet");
    world.pass(4000);
    assert_eq!(numbers(&mut world), (vec![1, 1, 1], vec![1, 1, 1]));
    let one = wanted.into_iter().take(1).collect();
    let refused = world.flink.set_resource_requirements(JM, &id(1), &one, world.now).unwrap_err();
    assert!(refused.to_string().contains("incomplete"), "{refused}");
    assert_eq!(world.state(JM, 1), Some(JobState::Running));
    world.pass(5000);
    assert_eq!(world.flink.ledger().facts(), []);
}

#[test]
fn a_savepoint_is_deleted_once() {
    let mut world = World::new(&[]);
    world.run(JM, 1, None).unwrap();
    world.pass(3000);
    world.flink.trigger_savepoint(JM, &id(1), &trigger(1), Some("file:///sp"), world.now).unwrap();
    world.pass(1000);
    let Operation::Completed { location } =
        world.flink.savepoint_operation(JM, &id(1), &trigger(1), world.now).unwrap()
    else {
        panic!("it is not there");
    };
    let mut dispose = || {
        let trigger = world.flink.dispose_savepoint(JM, &location, world.now).unwrap();
        world.flink.savepoint_disposal(JM, &trigger, world.now).unwrap()
    };
    assert_eq!(dispose(), Operation::Completed { location: String::new() });
    assert!(matches!(dispose(), Operation::Failed { .. }));
    assert_eq!(world.newest(JM, "file:///sp"), None);
}

#[test]
fn a_listing_that_cannot_be_made_is_told_as_such() {
    let mut world = World::new(&[]);
    world.flink.settings().mishaps.storage_unreadable = true;
    let listings = world.flink.list_checkpoints(JM, &["file:///a".to_owned()], world.now).unwrap();
    assert!(matches!(listings[0].outcome, ListingOutcome::Failed { .. }));
}

#[test]
fn an_hour_passes_in_an_instant() {
    let mut world = World::new(&[]);
    world.run(JM, 1, None).unwrap();
    world.pass(3_600_000);
    assert!(world.committed() > 3_500_000);
    assert_eq!(world.flink.ledger().facts(), []);
}

#[test]
fn a_job_that_waits_for_slots_keeps_others_from_those_that_are_free() {
    let mut world = World::new(&[]);
    world.flink.start_task_manager("tm-2", "c", "10.0.0.3", 1, world.now);
    world.pass(5000);
    world.run(JM, 1, None).unwrap();
    world.run(JM, 2, None).unwrap();
    world.pass(3000);
    let overview = world.flink.overview(JM, world.now).unwrap();
    assert_eq!((overview.slots_total, overview.slots_available), (3, 0));
    world.flink.end_task_manager("tm-2", world.now);
    world.pass(5000);
    world.flink.cancel_job(JM, &id(1), world.now).unwrap();
    world.pass(1000);
    assert!(world.flink.jobs_overview(JM, world.now).unwrap().jobs[1].is_fully_running());
}

#[test]
fn a_job_that_has_failed_cannot_be_cancelled() {
    let mut world = World::new(&[]);
    world.run(JM, 1, Some("file:///nowhere/sp")).unwrap_err();
    let refused = world.flink.cancel_job(JM, &id(1), world.now).unwrap_err();
    assert!(matches!(refused, Error::Status { code: 409, .. }), "{refused}");
}
