//! The decisions about a job, row by row.

use api::OnFailure::StopAnyway;
use api::RecoveryMode::SavepointOnly;
use api::RestartPolicy::{Always, Never, OnlyIfFailed};
use api::record::{Checkpoints, End, JobNext, JobPhase, Restore, Stop};
use jiff::SignedDuration;
use lifecycle::Reading;
use lifecycle::job::{BootstrapView, ClusterState, InPlace, OperationView, Outcome};

use crate::job_case::*;
use crate::table::{Row, render};

fn new() -> Vec<Row> {
    vec![
        fresh().with(|case| case.desired.supervised = false).row("new, without our finalizer"),
        fresh().with(|case| case.desired.supervised = false).deleting().row("new, without our finalizer, deleted"),
        fresh()
            .with(|case| case.desired.supervised = false)
            .cluster(ClusterState::Terminated)
            .row("new, without our finalizer, on a cluster that goes"),
        fresh()
            .with(|case| case.desired.supervised = false)
            .cluster(ClusterState::Missing)
            .row("new, without our finalizer, without a cluster"),
        fresh().row("new"),
        fresh().with(|case| case.desired.savepoint_path = Some("s0".into())).row("new, with an initial savepoint"),
        fresh()
            .with(|case| {
                case.desired.savepoint_path = Some("s0".into());
                case.desired.recorded_savepoint = Some("s9".into());
            })
            .row("new, with a savepoint in its status"),
    ]
}

fn waits() -> Vec<Row> {
    let mut rows = vec![
        waiting().row("waiting, all is there"),
        waiting().cluster(ClusterState::Starting).row("waiting, cluster starts"),
        waiting().cluster(ClusterState::Restarting).row("waiting, cluster restarts"),
        waiting().cluster(ClusterState::Missing).row("waiting, no cluster"),
        waiting().cluster(ClusterState::Stopping).row("waiting, cluster stops"),
        waiting().cluster(ClusterState::Stopped).row("waiting, cluster stopped"),
        waiting().cluster(ClusterState::Terminated).row("waiting, cluster deleted"),
        waiting().with(|case| case.desired.parallelism = 0).row("waiting, parallelism 0"),
        waiting().deleting().row("waiting, deleted"),
        waiting().with(|case| case.cluster.job_manager = None).row("waiting, no JobManager"),
        waiting().with(|case| case.cluster.slots = none_free()).row("waiting, too few slots"),
        waiting().silent().row("waiting, JobManager does not answer"),
        waiting().bootstrap(active(1)).row("waiting, an old bootstrap is at work"),
        waiting().bootstrap(over(Outcome::Submitted)).row("waiting, an old bootstrap has ended"),
        waiting().bootstrap(BootstrapView::Leaving { started: true }).row("waiting, an old bootstrap is going"),
    ];
    rows.extend([
        returning().replaced().with(|case| case.cluster.alive = vec![1, 2]).row("returning, old pods live"),
        returning()
            .replaced()
            .with(|case| case.cluster.alive = vec![1, 2])
            .deleting()
            .row("returning, old pods live, deleted"),
        returning().replaced().row("returning, state not looked for yet"),
        returning().replaced().left_behind(&[(3, 900), (4, 950)], &[]).row("returning, checkpoints found"),
        returning().replaced().left_behind(&[(4, 950)], &[("s1", 960)]).row("returning, newer savepoint found"),
        returning().replaced().left_behind(&[], &[]).row("returning, nothing was left behind"),
        returning()
            .replaced()
            .left_behind(&[], &[])
            .with(|case| case.attempt().savepoint = Some("s1".into()))
            .row("returning, the recorded savepoint is not there"),
        returning()
            .replaced()
            .left_behind(&[(4, 950)], &[("s1", 940)])
            .with(|case| case.desired.recovery_mode = SavepointOnly)
            .row("returning, newer checkpoint found, only savepoints count"),
        returning()
            .replaced()
            .left_behind(&[(4, 950)], &[])
            .with(|case| {
                case.desired.recovery_mode = SavepointOnly;
                case.record.savepoint = Some("s0".into());
            })
            .row("returning, no savepoint since its start, only savepoints count"),
        returning()
            .replaced()
            .left_behind(&[], &[])
            .with(|case| case.attempt().checkpoints = Checkpoints::InMemory)
            .row("returning, checkpoints were in memory"),
        returning()
            .replaced()
            .left_behind(&[], &[])
            .with(|case| case.desired.savepoint_path = Some("s5".into()))
            .row("returning, nothing was left behind, another initial savepoint is given"),
        returning().flink("RUNNING").row("returning, the earlier execution lives"),
        returning().flink("RESTARTING").row("returning, the earlier execution lives and fails over"),
        returning()
            .replaced()
            .with(|case| case.cluster.jobs = Reading::Known(vec![flink_job(JOB, "RUNNING")]))
            .row("returning, the earlier execution lives on another JobManager"),
        returning()
            .with(|case| {
                case.attempt().number = 3;
                case.cluster.jobs = Reading::Known(vec![flink_job(JOB, "RUNNING")]);
            })
            .row("returning, a much earlier execution lives"),
    ]);
    rows
}

fn submits() -> Vec<Row> {
    let unknown_twice = |tries| {
        submitting()
            .with(|case| case.record.phase = JobPhase::Submitting { since: ago(5), tries })
            .bootstrap(over(Outcome::Unknown))
    };
    vec![
        submitting().row("submitting, no bootstrap"),
        submitting().silent().row("submitting, no bootstrap, JobManager does not answer"),
        submitting().bootstrap(BootstrapView::Leaving { started: false }).row("submitting, old bootstrap going"),
        submitting().bootstrap(active(1)).row("submitting, bootstrap at work"),
        submitting().bootstrap(active(9)).row("submitting, bootstrap of another attempt"),
        submitting().bootstrap(over(Outcome::Submitted)).row("submitting, submitted, not listed yet"),
        submitting().bootstrap(over(not_submitted("MissingJar"))).row("submitting, refused"),
        unknown_twice(1).row("submitting, bootstrap lost"),
        unknown_twice(1).silent().row("submitting, bootstrap lost, JobManager does not answer"),
        unknown_twice(5).row("submitting, bootstrap lost too often"),
        submitting().flink("INITIALIZING").row("submitting, Flink initializes it"),
        submitting().flink("RUNNING").row("submitting, Flink runs it"),
        submitting()
            .flink("RUNNING")
            .with(|case| case.checkpoints = unknown())
            .row("submitting, Flink runs it and does not tell of checkpoints"),
        submitting().flink("FINISHED").row("submitting, finished already"),
        submitting().flink("FAILED").row("submitting, failed already"),
        submitting().replaced().row("submitting, JobManager lost"),
        submitting().replaced().bootstrap(over(Outcome::Submitted)).row("submitting, submitted, JobManager lost"),
        submitting()
            .replaced()
            .bootstrap(over(Outcome::Submitted))
            .with(|case| case.desired.restart_policy = Never)
            .row("submitting, submitted, JobManager lost, never to be restarted"),
        submitting()
            .replaced()
            .bootstrap(over(Outcome::Submitted))
            .deleting()
            .row("submitting, submitted, JobManager lost, deleted"),
        submitting()
            .replaced()
            .bootstrap(over(not_submitted("MissingJar")))
            .with(|case| case.desired.restart_policy = Never)
            .row("submitting, refused, JobManager lost, never to be restarted"),
        submitting().deleting().row("submitting, deleted"),
        submitting().cluster(ClusterState::Stopping).row("submitting, cluster stops"),
        submitting().cluster(ClusterState::Restarting).row("submitting, cluster restarts"),
        submitting().with(|case| case.desired.digest = "d2".into()).row("submitting, changed"),
        submitting()
            .flink("CREATED")
            .with(|case| case.desired.digest = "d2".into())
            .row("submitting, Flink creates it, changed"),
        submitting()
            .with(|case| case.record.phase = JobPhase::Submitting { since: ago(181), tries: 1 })
            .row("submitting, for too long"),
    ]
}

fn runs() -> Vec<Row> {
    let periodic = |last: i64| {
        running().with(|case| {
            case.desired.savepoint_interval = Some(SignedDuration::from_secs(100));
            case.record.savepoint_requested = Some(ago(last));
        })
    };
    let mut rows = vec![
        running().row("running"),
        running().flink("RESTARTING").row("running, fails over"),
        running().silent().row("running, JobManager does not answer"),
        running().silent().deleting().row("running, JobManager does not answer, deleted"),
        running().no_jobs().row("running, not listed any more"),
        running().flink("FINISHED").row("running, finished"),
        running().flink("FAILED").row("running, failed"),
        running().flink("CANCELED").row("running, canceled by someone"),
        running().flink("FAILED").deleting().row("running, failed, deleted"),
        running().deleting().row("running, deleted"),
        running().cluster(ClusterState::Stopping).row("running, cluster stops"),
        running()
            .cluster(ClusterState::Stopping)
            .with(|case| case.cluster.without_savepoint = true)
            .row("running, cluster stops without savepoint"),
        running().cluster(ClusterState::Restarting).row("running, cluster restarts"),
        running().with(|case| case.desired.digest = "d2".into()).row("running, changed"),
        running().with(|case| case.desired.parallelism = 3).row("running, rescaled"),
        running().with(|case| case.desired.parallelism = 0).row("running, suspended"),
        running()
            .with(|case| {
                case.desired.digest = "d2".into();
                case.desired.savepoint_automatic = false;
            })
            .row("running, changed, savepoints are manual"),
        running()
            .with(|case| {
                case.desired.digest = "d2".into();
                case.record.hold = Some(at(1010));
            })
            .row("running, changed, held after a failed savepoint"),
        running()
            .flink("RESTARTING")
            .with(|case| {
                case.desired.digest = "d2".into();
                case.record.hold = Some(at(1010));
            })
            .row("running, changed while it fails over, held after a failed savepoint"),
        running()
            .flink("RESTARTING")
            .with(|case| case.desired.digest = "d2".into())
            .row("running, changed while it fails over"),
        running()
            .flink("RESTARTING")
            .with(|case| {
                case.desired.digest = "d2".into();
                case.desired.recovery_mode = SavepointOnly;
            })
            .row("running, changed while it fails over, only savepoints count"),
    ];
    rows.extend([
        running().replaced().row("running, JobManager lost"),
        running().replaced().policy(Never).row("running, JobManager lost, policy Never"),
        running().replaced().deleting().row("running, JobManager lost, deleted"),
        running().replaced().cluster(ClusterState::Stopping).row("running, JobManager lost while the cluster stops"),
        running()
            .replaced()
            .policy(Never)
            .cluster(ClusterState::Restarting)
            .row("running, JobManager lost while the cluster restarts, policy Never"),
        periodic(99).row("running, periodic savepoint not due"),
        periodic(100).row("running, periodic savepoint due"),
        running().saving(5).operation(OperationView::NotFound).row("saving, not asked for yet"),
        running().deploying().saving(5).operation(OperationView::NotFound).row("saving, its tasks do not run yet"),
        running()
            .deploying()
            .saving(29)
            .operation(OperationView::NotFound)
            .row("saving, its tasks do not run for a while"),
        running()
            .deploying()
            .saving(30)
            .operation(OperationView::NotFound)
            .row("saving, its tasks do not run for too long: Flink decides"),
        running().saving(5).operation(OperationView::InProgress).row("saving, in progress"),
        running().saving(5).operation(OperationView::Completed { path: "s1".into() }).row("saving, completed"),
        running().saving(5).operation(OperationView::Failed { why: "disk".into() }).row("saving, failed"),
        running().saving(5).with(|case| case.desired.digest = "d2".into()).row("saving, changed"),
    ]);
    rows
}

fn tidies_up() -> Vec<Row> {
    let left = |case: Case| case.with(|case| case.jars = vec!["1_a.jar".into()]);
    vec![
        left(running()).row("running, a JAR of its bootstrap is left"),
        left(running()).bootstrap(active(1)).row("running, a JAR of its bootstrap is left, which is at work"),
        left(ended(End::Finished)).row("finished, a JAR of its bootstrap is left"),
        left(submitting()).bootstrap(active(1)).row("submitting, its JAR is there"),
    ]
}

fn keeps_savepoints() -> Vec<Row> {
    let two = || running().keeps(Some(2), None);
    let needs = |change: fn(&mut Case)| two().with(change);
    let path = || "file:///sp/s1".to_owned();
    vec![
        two().row("two savepoints are kept of four"),
        running().keeps(None, Some(250)).row("savepoints are kept for 250 s"),
        running().keeps(None, Some(1000)).row("savepoints are kept for 1000 s"),
        running().keeps(Some(1), Some(1)).with(|case| drop(case.record.made.drain(..3))).row("the newest one is kept"),
        running().keeps(None, None).row("savepoints are kept"),
        two().with(|case| case.desired.retention = None).row("savepoints are not deleted any more"),
        needs(|case| case.attempt().restore = Restore::Savepoint { path: "file:///sp/s1".into() })
            .row("two savepoints are kept, the job was started from the oldest"),
        needs(|case| case.attempt().savepoint = Some("file:///sp/s1".into()))
            .row("two savepoints are kept, the oldest is the attempt's"),
        needs(|case| case.record.savepoint = Some("file:///sp/s1".into()))
            .row("two savepoints are kept, the oldest is recorded"),
        needs(|case| case.record.restore = Restore::Savepoint { path: "file:///sp/s1".into() })
            .row("two savepoints are kept, the oldest is where it goes on"),
        needs(|case| case.record.made[0].base = true)
            .row("two savepoints are kept, the oldest is what the checkpoint goes back to"),
        two()
            .with(|case| case.desired.savepoint_path = Some(path()))
            .row("two savepoints are kept, the oldest is named in the definition"),
        two().saving(5).row("two savepoints are kept, one is being taken"),
        two().flink("RESTARTING").row("two savepoints are kept, it fails over"),
        two().silent().row("two savepoints are kept, JobManager does not answer"),
        two().leaving(OperationView::Unknown).row("a savepoint is deleted, Flink does not tell"),
        two().leaving(OperationView::NotFound).row("a savepoint is deleted, Flink has not heard of it"),
        two()
            .leaving(OperationView::NotFound)
            .with(|case| case.desired.savepoint_path = Some("file:///sp/s1".into()))
            .row("a savepoint is to be deleted, and is named in the definition by now"),
        two().leaving(OperationView::InProgress).row("a savepoint is being deleted"),
        two().leaving(OperationView::Completed { path: String::new() }).row("a savepoint is deleted"),
        two().leaving(OperationView::Failed { why: "access denied".into() }).row("a savepoint cannot be deleted"),
        two().leaving(OperationView::InProgress).replaced().row("a savepoint is being deleted, JobManager lost"),
    ]
}

fn rescales() -> Vec<Row> {
    let asked = |seconds| running().rescaling(2, 2).asked(seconds);
    vec![
        running().rescaling(2, 2).row("rescaled in place"),
        running().rescaling(2, 2).with(|case| case.in_place = unknown()).row("rescaled in place, Flink does not tell"),
        running()
            .rescaling(2, 2)
            .with(|case| case.attempt().checkpoints = Checkpoints::Disabled)
            .row("rescaled, without checkpoints: not in place"),
        running()
            .rescaling(2, 2)
            .with(|case| case.desired.digest = "d2".into())
            .row("rescaled and changed: not in place"),
        running().rescaling(2, 2).with(|case| case.attempt().parallelism = 1).row("rescaled from 1: not in place"),
        asked(None).row("rescaling, recorded"),
        asked(None).saving(5).row("rescaling, recorded, while a savepoint is taken: later"),
        asked(None).with(|case| case.cluster.slots = none_free()).row("rescaling, recorded, too few slots"),
        asked(None)
            .with(|case| (case.cluster.slots, case.attempt().parallelism) = (none_free(), 4))
            .row("rescaling to less, recorded, too few slots"),
        asked(None).with(|case| case.desired.parallelism = 4).row("rescaling, recorded, another parallelism is wanted"),
        asked(None).with(|case| case.desired.parallelism = 2).row("rescaling, recorded, and taken back"),
        asked(None)
            .with(|case| case.in_place = Reading::Known(InPlace::Cannot { why: "refused".into() }))
            .row("rescaling, recorded, Flink cannot"),
        asked(None).with(|case| case.in_place = unknown()).row("rescaling, recorded, Flink does not tell"),
        asked(Some(5)).row("rescaling, Flink was asked and has not heard of it"),
        running().rescaling(3, 2).asked(Some(5)).row("rescaling, Flink is at it"),
        running().rescaling(3, 3).asked(Some(5)).flink("RESTARTING").row("rescaling, its tasks start"),
        running().rescaling(3, 3).asked(Some(5)).row("rescaling, done"),
        running().rescaling(3, 2).asked(Some(20)).row("rescaling, another checkpoint is due"),
        running()
            .rescaling(3, 2)
            .asked(Some(5))
            .with(|case| case.desired.parallelism = 2)
            .row("rescaling, Flink is at it, and it is to be undone"),
        running()
            .rescaling(3, 2)
            .asked(Some(5))
            .with(|case| case.in_place = unknown())
            .row("rescaling, Flink is silent"),
        running()
            .rescaling(3, 2)
            .asked(Some(120))
            .with(|case| case.in_place = unknown())
            .row("rescaling, silent for long"),
        running().rescaling(3, 2).asked(Some(130)).given_up().held().row("rescaling given up, held"),
        running()
            .rescaling(3, 2)
            .asked(Some(130))
            .given_up()
            .with(|case| case.desired.parallelism = 2)
            .row("rescaling given up, and not wanted any more"),
        running().rescaling(3, 2).asked(Some(120)).row("rescaling, for too long"),
        running()
            .rescaling(3, 2)
            .asked(Some(5))
            .with(|case| case.in_place = Reading::Known(InPlace::Cannot { why: "refused".into() }))
            .row("rescaling, Flink refuses"),
        running()
            .rescaling(3, 2)
            .asked(Some(5))
            .with(|case| case.desired.digest = "d2".into())
            .row("rescaling, changed"),
        running().rescaling(3, 2).asked(Some(5)).deleting().row("rescaling, deleted"),
        running().rescaling(3, 2).asked(Some(5)).replaced().row("rescaling, JobManager lost"),
        running().rescaling(3, 2).asked(Some(5)).asks(api::annotations::Action::Stop).row("rescaling, STOP"),
    ]
}

fn recovers() -> Vec<Row> {
    let lost = || running().replaced();
    let save = || stopping(stop_with_savepoint(), stay());
    vec![
        running().without_job_manager().highly_available(0).row("recovering, no JobManager yet"),
        lost().silent().highly_available(0).row("recovering, the JobManager does not answer yet"),
        lost().highly_available(29).row("recovering, not listed yet"),
        lost().highly_available(30).row("recovering, not listed for too long"),
        lost().highly_available(30).policy(Never).row("recovering, not listed for too long, policy Never"),
        running().brought_back("INITIALIZING").row("recovering, brought back"),
        lost().highly_available(1).deleting().row("recovering, deleted"),
        running()
            .without_job_manager()
            .highly_available(0)
            .cluster(ClusterState::Stopping)
            .row("recovering, the cluster stops before there is a JobManager"),
        running().no_jobs().highly_available(1).row("running, not listed for a moment, highly available"),
        running().no_jobs().highly_available(30).row("running, not listed for too long, highly available"),
        submitting().replaced().highly_available(1).row("submitting, JobManager lost, highly available"),
        submitting().brought_back("RUNNING").row("submitting, brought back"),
        submitting()
            .replaced()
            .highly_available(1)
            .deleting()
            .row("submitting, JobManager lost, deleted, highly available"),
        save().replaced().highly_available(1).row("stop with savepoint, JobManager lost, highly available"),
        save().brought_back("RUNNING").row("stop with savepoint, brought back"),
        save().replaced().highly_available(30).row("stop with savepoint, not brought back"),
        stopping(Stop::Cancel, JobNext::Delete)
            .deleting()
            .without_job_manager()
            .highly_available(0)
            .row("cancel for deletion, no JobManager yet, highly available"),
        stopping(Stop::Cancel, JobNext::Delete)
            .deleting()
            .brought_back("RUNNING")
            .row("cancel for deletion, brought back"),
        returning().replaced().highly_available(1).row("returning, it may still be brought back"),
        returning().brought_back("RUNNING").row("returning, brought back after all"),
        ended(End::Lost).policy(Never).brought_back("RUNNING").row("lost, brought back after all"),
    ]
}

fn haunts() -> Vec<Row> {
    let deleted = || case(JobPhase::Terminated).deleting().replaced().highly_available(1).adrift();
    let without = |state| deleted().without_job_manager().cluster(state);
    vec![
        running()
            .without_job_manager()
            .highly_available(0)
            .cluster(ClusterState::Restarting)
            .deleting()
            .row("recovering, deleted while the cluster restarts"),
        without(ClusterState::Restarting).row("deleted, may come back, the cluster restarts"),
        without(ClusterState::Stopped).row("deleted, may come back, the cluster is stopped"),
        without(ClusterState::Terminated).row("deleted, may come back, the cluster is being deleted"),
        without(ClusterState::Stopped).forced().row("deleted by force, may come back, the cluster is stopped"),
        deleted().silent().row("deleted, may come back, JobManager does not answer"),
        deleted().row("deleted, may come back, not listed yet"),
        deleted().highly_available(30).row("deleted, may come back, not listed for too long"),
        case(JobPhase::Terminated).deleting().adrift().brought_back("RUNNING").row("deleted, brought back"),
        case(JobPhase::Terminated)
            .deleting()
            .adrift()
            .brought_back("CANCELLING")
            .row("deleted, brought back, cancelled"),
        case(JobPhase::Terminated).deleting().adrift().brought_back("CANCELED").row("deleted, brought back, over"),
        ended(End::ClusterStopped)
            .replaced()
            .highly_available(30)
            .adrift()
            .row("stopped with its cluster, not brought back"),
    ]
}

fn is_forced() -> Vec<Row> {
    let cancel = |seconds| stopping(Stop::Cancel, JobNext::Delete).silent().forced().with(|case| case.since(seconds));
    vec![
        running().silent().forced().row("running, JobManager does not answer, deleted by force"),
        cancel(9).row("cancel for deletion by force, JobManager does not answer"),
        cancel(10).row("cancel for deletion by force, JobManager does not answer for too long"),
        case(JobPhase::Terminated)
            .forced()
            .replaced()
            .with(|case| case.cluster.alive = vec![1, 2])
            .row("terminated by force, tasks of its JobManager may live"),
    ]
}

fn stops() -> Vec<Row> {
    let abort = || stopping(Stop::Abort { quiet: None }, stay()).no_jobs();
    let cancel = || stopping(Stop::Cancel, stay());
    let save = || stopping(stop_with_savepoint(), stay());
    let mut rows = vec![
        abort().bootstrap(active(1)).row("abort, bootstrap at work"),
        abort().bootstrap(over(Outcome::Unknown)).row("abort, bootstrap has ended"),
        abort().bootstrap(BootstrapView::Leaving { started: false }).row("abort, bootstrap going"),
        abort().row("abort, bootstrap gone"),
        stopping(Stop::Abort { quiet: Some(ago(19)) }, stay()).no_jobs().row("abort, bootstrap gone for a while"),
        stopping(Stop::Abort { quiet: Some(ago(20)) }, stay()).no_jobs().row("abort, bootstrap gone for long"),
        abort().silent().row("abort, JobManager does not answer"),
        abort().flink("RUNNING").row("abort, Flink runs it"),
        abort().flink("INITIALIZING").row("abort, Flink initializes it"),
        abort().flink("FAILED").row("abort, it has ended"),
        abort().replaced().row("abort, JobManager lost"),
        cancel().row("cancel, runs"),
        cancel().flink("CANCELLING").row("cancel, under way"),
        cancel().flink("CANCELED").row("cancel, done"),
        cancel().no_jobs().row("cancel, not listed any more"),
        cancel().silent().row("cancel, JobManager does not answer"),
        cancel().replaced().row("cancel, JobManager lost"),
        stopping(Stop::Cancel, JobNext::Delete).deleting().flink("CANCELED").row("cancel for deletion, done"),
        stopping(Stop::Cancel, JobNext::Delete).deleting().replaced().row("cancel for deletion, JobManager lost"),
        stopping(Stop::Cancel, JobNext::Restart).flink("CANCELED").row("cancel for restart, done"),
    ];
    let completed = || OperationView::Completed { path: "sp/stop-t1/s1".into() };
    rows.extend([
        save().operation(OperationView::NotFound).row("stop with savepoint, not asked for yet"),
        save().deploying().operation(OperationView::NotFound).row("stop with savepoint, its tasks do not run yet"),
        save()
            .deploying()
            .with(|case| case.since(29))
            .operation(OperationView::NotFound)
            .row("stop with savepoint, its tasks do not run for a while"),
        save()
            .deploying()
            .with(|case| case.since(30))
            .operation(OperationView::NotFound)
            .row("stop with savepoint, its tasks do not run for too long: Flink decides"),
        save().operation(OperationView::InProgress).row("stop with savepoint, in progress"),
        save().operation(OperationView::Failed { why: "disk".into() }).row("stop with savepoint, failed"),
        save()
            .operation(OperationView::Failed { why: "disk".into() })
            .with(|case| case.desired.on_failure = StopAnyway)
            .row("stop with savepoint, failed, stopped anyway"),
        stopping(stop_with_savepoint(), JobNext::Restart)
            .operation(OperationView::Failed { why: "disk".into() })
            .with(|case| case.desired.on_failure = StopAnyway)
            .row("restart with savepoint, failed, stopped anyway"),
        stopping(stop_with_savepoint(), JobNext::Restart)
            .operation(OperationView::Failed { why: "disk".into() })
            .with(|case| {
                case.desired.on_failure = StopAnyway;
                case.attempt().checkpoints = Checkpoints::InMemory;
            })
            .row("restart with savepoint, failed, to be stopped anyway, which would lose its state"),
        save().operation(completed()).row("stop with savepoint, saved, not finished yet"),
        save().operation(completed()).flink("FINISHED").row("stop with savepoint, done"),
        save().flink("FINISHED").row("stop with savepoint, finished, the answer is lost"),
        save().no_jobs().row("stop with savepoint, not listed any more"),
        save().silent().row("stop with savepoint, JobManager does not answer"),
        save().replaced().row("stop with savepoint, JobManager lost"),
        save().deleting().row("stop with savepoint, deleted meanwhile"),
        stopping(stop_with_savepoint(), JobNext::Restart)
            .operation(completed())
            .flink("FINISHED")
            .row("restart with savepoint, done"),
    ]);
    rows
}

fn ends() -> Vec<Row> {
    let mut rows = vec![
        ended(End::Stopped).row("stopped"),
        ended(End::Stopped).policy(Always).row("stopped, policy Always"),
        ended(End::Stopped).deleting().row("stopped, deleted"),
        ended(End::Stopped).cluster(ClusterState::Stopped).policy(Always).row("stopped, cluster stopped"),
        ended(End::Stopped).cluster(ClusterState::Terminated).row("stopped, cluster deleted"),
        ended(End::Stopped)
            .cluster(ClusterState::Terminated)
            .bootstrap(active(1))
            .row("stopped, cluster deleted, its bootstrap is at work"),
        ended(End::Stopped)
            .cluster(ClusterState::Terminated)
            .bootstrap(over(Outcome::Submitted))
            .row("stopped, cluster deleted, its bootstrap has ended"),
        ended(End::Stopped)
            .cluster(ClusterState::Terminated)
            .bootstrap(BootstrapView::Leaving { started: true })
            .row("stopped, cluster deleted, its bootstrap is going"),
        ended(End::Stopped).cluster(ClusterState::Missing).row("stopped, no cluster"),
        ended(End::Stopped).flink("RUNNING").row("stopped, but Flink runs it"),
        ended(End::Suspended).policy(Always).row("suspended, grown again, policy Always"),
        ended(End::Suspended).row("suspended, grown again, policy OnlyIfFailed"),
        ended(End::Suspended).policy(Always).with(|case| case.desired.parallelism = 0).row("suspended, policy Always"),
        ended(End::ClusterStopped).policy(Always).row("stopped with its cluster, policy Always"),
        ended(End::ClusterStopped).policy(OnlyIfFailed).row("stopped with its cluster, policy OnlyIfFailed"),
        ended(End::Finished).row("finished, policy OnlyIfFailed"),
        ended(End::Finished).policy(Always).row("finished, policy Always"),
        ended(End::Canceled).row("canceled, policy OnlyIfFailed"),
        ended(End::Lost).policy(Never).row("lost, policy Never"),
        ended(End::Lost).row("lost, policy OnlyIfFailed by now"),
        ended(failed()).row("failed, policy OnlyIfFailed"),
        ended(failed()).policy(Never).row("failed, policy Never"),
    ];
    let recently = |end: End, seconds| case(JobPhase::Ended { end, at: ago(seconds) });
    rows.extend([
        recently(failed(), 10).row("failed, restart delay"),
        recently(failed(), 10).with(|case| case.desired.digest = "d2".into()).row("failed, changed: no delay"),
        recently(not_started(), 10).deleting().row("not started, deleted, a late submission may still arrive"),
        recently(not_started(), 10).replaced().deleting().row("not started, deleted, its JobManager gone"),
        ended(not_started()).policy(Never).row("not started, policy Never"),
        ended(not_started()).policy(Never).with(|case| case.desired.digest = "d2".into()).row("not started, mended"),
        recently(not_started(), 10)
            .policy(Never)
            .with(|case| case.desired.digest = "d2".into())
            .row("not started, mended, a late submission may still arrive"),
        ended(not_started())
            .policy(Never)
            .with(|case| {
                case.record.restore = Restore::Empty;
                case.desired.savepoint_path = Some("s5".into());
            })
            .row("not started, another savepoint"),
        ended(failed())
            .policy(Never)
            .with(|case| {
                case.attempt().checkpoints = Checkpoints::Unknown;
                case.desired.savepoint_path = Some("s5".into());
            })
            .row("failed before it ran, another savepoint"),
        ended(failed())
            .policy(Never)
            .with(|case| case.desired.savepoint_path = Some("s5".into()))
            .row("failed after it ran, another savepoint, policy Never"),
        case(JobPhase::Terminated).deleting().row("terminated"),
        case(JobPhase::Terminated)
            .deleting()
            .replaced()
            .with(|case| case.cluster.alive = vec![1, 2])
            .row("terminated, tasks of its JobManager may live"),
        case(JobPhase::Terminated).deleting().with(|case| case.desired.supervised = false).row("terminated, let go"),
        running().deleting().with(|case| case.desired.supervised = false).row("running, deleted, finalizer removed"),
    ]);
    rows
}

impl Case {
    pub fn attempt(&mut self) -> &mut api::record::Attempt {
        self.record.attempt.as_mut().expect("the case has an attempt")
    }
}

pub fn rows() -> Vec<Row> {
    [
        new(),
        waits(),
        submits(),
        runs(),
        tidies_up(),
        keeps_savepoints(),
        rescales(),
        recovers(),
        stops(),
        ends(),
        haunts(),
        is_forced(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn each_situation_has_its_decision() {
    insta::assert_snapshot!(render(&rows()));
}
