//! What people do: a workload is a list of acts, each with what is to be true before the next one.

use std::time::Duration;

use api::annotations::{ACTION_TIMESTAMP, NONE, REQUESTED_ACTION, WITHOUT_SAVEPOINT};
use api::conditions::READY;
use api::record::{JobPhase, JobRecord};
use api::{FlinkJob, SupervisorStatus, digest, labels};
use serde_json::{Value, json};

use crate::objects::{Kind, Object, Stage, role};
use crate::supervisors::UNREADABLE;
use crate::world::{Event, World};

pub const CLUSTER: &str = "demo";
pub const JOB: &str = "demo-count";
/// Where the job writes to; what stays the same over its executions.
const OUTPUT: &str = "file:///out/count";

/// Something a person does.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Creates a cluster and a job, as the operator leaves them.
    Create,
    /// The same, made in another way.
    CreateAs(Make),
    /// Creates the job again, which was deleted.
    Again,
    /// The same with a job that ends by itself.
    Batch,
    /// Creates a deployment; the operator does the rest.
    Deploy,
    /// Annotates the job.
    Command(&'static str),
    /// Annotates the job, and wants no savepoint.
    Unsaved(&'static str),
    /// Annotates the cluster.
    ClusterCommand(&'static str),
    Parallelism(i32),
    /// Gives the job another argument.
    Argument(&'static str),
    /// Sets a field of a section of the job.
    Field(&'static str, &'static str, &'static str),
    /// Gives the job another main class.
    Class(&'static str),
    /// Snapshots take so many milliseconds longer from now on.
    StorageSlow(i64),
    /// From now on nothing can be written to the storage, or can be again.
    StorageFails(bool),
    /// What was edited so that it cannot run can run again.
    Mend,
    /// Sets an option of Flink.
    Option(&'static str, &'static str),
    DeleteJob,
    DeleteCluster,
    DeleteDeployment,
    /// Deletes job and cluster, and does not wait.
    DeleteAll,
    /// Kills the pod of a role.
    Kill(&'static str),
    /// Kills the pod of a role, and has the cluster restarted before anybody can mend it.
    KillAndRestart(&'static str),
    /// The next end of an object of this kind is not told to anybody.
    Unheard(Kind),
    /// The node of a pod with that role does not answer any more; whether its processes die.
    LoseNode(&'static str, bool),
    /// Nodes that do not answer are off for good.
    NodesOut,
    NodesBack,
    /// What is declared of the job does not parse any more, or does again.
    Unreadable(bool),
    /// The supervisor dies.
    Crash,
    /// Nothing.
    Look,
}

/// How a cluster and a job are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Make {
    /// Options of Flink.
    pub options: &'static [(&'static str, &'static str)],
    pub parallelism: Option<i32>,
    /// Members of `spec.savepoint`.
    pub savepoint: &'static [(&'static str, &'static str)],
}

/// Flink changes the parallelism of running jobs.
pub const ADAPTIVE: Make = Make {
    options: &[
        ("jobmanager.scheduler", "adaptive"),
        ("jobmanager.adaptive-scheduler.submission.resource-stabilization-timeout", "1s"),
    ],
    parallelism: Some(2),
    savepoint: &[],
};

/// Flink brings jobs back after the loss of a JobManager.
pub const AVAILABLE: Make = Make {
    options: &[("high-availability.type", "kubernetes"), ("high-availability.storageDir", "file:///ha")],
    parallelism: None,
    savepoint: &[],
};

/// A job is stopped even if it cannot be saved.
pub const ANYWAY: Make = Make { options: &[], parallelism: None, savepoint: &[("onFailure", "StopAnyway")] };

/// Checkpoints do not count.
pub const ONLY_SAVEPOINTS: Make =
    Make { options: &[], parallelism: None, savepoint: &[("recoveryMode", "SavepointOnly")] };

/// Of the savepoints that nobody has asked for the last one is kept.
pub const RETAINED: Make = Make { options: &[], parallelism: None, savepoint: &[("retention", r#"{"maxCount": 1}"#)] };

/// What is to be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The job runs as it is declared.
    Running,
    /// The job was stopped.
    Stopped,
    /// The job has ended by itself.
    Finished,
    /// The job could not be started.
    NotStarted,
    /// The job runs as it is declared, and is said to be ready.
    Ready,
    /// The job is not said to be ready.
    NotReady,
    /// A savepoint is known, or was refused, and none is under way.
    Saved,
    /// There is no such job any more.
    NoJob,
    /// Nothing is left.
    Nothing,
    /// The cluster runs.
    ClusterRunning,
    /// The job does not run, and its cluster is stopped.
    ClusterStopped,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub act: Act,
    pub goal: Goal,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    pub name: &'static str,
    pub steps: Vec<Step>,
    /// Whether the end is compared with that of the run without faults.
    pub exact: bool,
}

fn workload(name: &'static str, steps: &[(Act, Goal)]) -> Workload {
    let steps = steps.iter().map(|(act, goal)| Step { act: act.clone(), goal: *goal }).collect();
    Workload { name, steps, exact: true }
}

/// All workloads; the numbers are those of `docs/reliability.md`.
pub fn all() -> Vec<Workload> {
    use Goal::{
        ClusterRunning, ClusterStopped, Finished, NoJob, NotReady, NotStarted, Nothing, Ready, Running, Saved, Stopped,
    };
    vec![
        workload("W1 deploy", &[(Act::Create, Running)]),
        workload("W1 operator", &[(Act::Deploy, Running), (Act::DeleteDeployment, Nothing)]),
        workload("W3 upgrade", &[(Act::Create, Running), (Act::Argument("--rate=200"), Running)]),
        workload(
            "W5 rescale",
            &[(Act::Create, Running), (Act::Parallelism(2), Running), (Act::Parallelism(1), Running)],
        ),
        workload(
            "W6 savepoint",
            &[(Act::Create, Running), (Act::Command("TRIGGER_SAVEPOINT"), Saved), (Act::Kill("jobmanager"), Running)],
        ),
        workload(
            "W7 stop start",
            &[(Act::Create, Running), (Act::Command("STOP"), Stopped), (Act::Command("START"), Running)],
        ),
        workload(
            "W7 cluster",
            &[
                (Act::Create, Running),
                (Act::ClusterCommand("STOP"), ClusterStopped),
                (Act::ClusterCommand("START"), ClusterRunning),
                (Act::Command("START"), Running),
            ],
        ),
        workload(
            "W7 options",
            &[(Act::Create, Running), (Act::Option("taskmanager.numberOfTaskSlots.max", "8"), Running)],
        ),
        workload("W8 delete", &[(Act::Create, Running), (Act::DeleteJob, NoJob), (Act::DeleteCluster, Nothing)]),
        workload("W8 delete all", &[(Act::Create, Running), (Act::DeleteAll, Nothing)]),
        workload(
            "W4 lost JobManager",
            &[(Act::Create, Running), (Act::Kill("jobmanager"), Running), (Act::Kill("taskmanager"), Running)],
        ),
        workload(
            "W4 lost slots",
            &[(Act::Create, Running), (Act::KillAndRestart("taskmanager"), ClusterRunning), (Act::Look, Running)],
        ),
        workload(
            "T6 unheard bootstrap",
            &[(Act::Create, Running), (Act::Unheard(Kind::Bootstrap), Running), (Act::Argument("--rate=200"), Running)],
        ),
        workload(
            "T6 unheard Service",
            &[
                (Act::Create, Running),
                (Act::Unheard(Kind::Service), Running),
                (Act::ClusterCommand("START"), ClusterRunning),
                (Act::Look, Running),
            ],
        ),
        workload(
            "T6 unheard pod",
            &[
                (Act::Create, Running),
                (Act::Unheard(Kind::Pod), Running),
                (Act::ClusterCommand("START"), ClusterRunning),
                (Act::Look, Running),
            ],
        ),
        workload("W10 finishes", &[(Act::Batch, Finished)]),
        // Whether a checkpoint is there in time decides whether it is restarted instead.
        Workload {
            exact: false,
            ..workload(
                "W5 in place",
                &[(Act::CreateAs(ADAPTIVE), Running), (Act::Parallelism(4), Running), (Act::Parallelism(2), Running)],
            )
        },
        workload(
            "W4 high availability",
            &[
                (Act::CreateAs(AVAILABLE), Running),
                (Act::Kill("jobmanager"), Running),
                (Act::Argument("--rate=200"), Running),
                (Act::DeleteAll, Nothing),
            ],
        ),
        workload(
            "W7 stop anyway",
            &[
                (Act::CreateAs(ANYWAY), Running),
                (Act::StorageFails(true), Running),
                (Act::Command("STOP"), Stopped),
                (Act::StorageFails(false), Stopped),
                (Act::Command("START"), Running),
            ],
        ),
        // Whether the edit comes before the next attempt decides how many there are.
        Workload {
            exact: false,
            ..workload(
                "W6 only savepoints",
                &[
                    (Act::CreateAs(ONLY_SAVEPOINTS), Running),
                    (Act::Command("TRIGGER_SAVEPOINT"), Saved),
                    (Act::Kill("jobmanager"), Running),
                    (Act::Argument("--rate=200"), Running),
                ],
            )
        },
        workload(
            "W6 retention",
            &[
                (Act::CreateAs(RETAINED), Running),
                (Act::Argument("--rate=200"), Running),
                (Act::Argument("--rate=300"), Running),
                (Act::Argument("--rate=400"), Ready),
            ],
        ),
        workload(
            "T12 again",
            &[(Act::Create, Running), (Act::DeleteJob, NoJob), (Act::Again, Running), (Act::DeleteAll, Nothing)],
        ),
        workload(
            "T16 slow storage",
            &[
                (Act::Create, Running),
                (Act::StorageSlow(20_000), Running),
                (Act::Argument("--rate=200"), Running),
                (Act::Kill("jobmanager"), Running),
            ],
        ),
        workload(
            "T25 node lost",
            &[(Act::Create, Ready), (Act::LoseNode("jobmanager", false), NotReady), (Act::NodesOut, Ready)],
        ),
        // A late creation may bring a TaskManager that was given up.
        Workload {
            exact: false,
            ..workload(
                "T25 node back",
                &[
                    (Act::Create, Ready),
                    (Act::LoseNode("taskmanager", true), NotReady),
                    (Act::NodesBack, Ready),
                    (Act::DeleteAll, Nothing),
                ],
            )
        },
        workload(
            "T25 node lost, highly available",
            &[
                (Act::CreateAs(AVAILABLE), Ready),
                (Act::LoseNode("jobmanager", false), NotReady),
                (Act::Look, Ready),
                (Act::NodesBack, Ready),
            ],
        ),
        workload(
            "T12 unreadable",
            &[(Act::Create, Running), (Act::Unreadable(true), Running), (Act::Crash, ClusterRunning)],
        ),
        workload(
            "T28 cycles",
            &[
                (Act::Create, Running),
                (Act::DeleteJob, NoJob),
                (Act::Again, Running),
                (Act::DeleteJob, NoJob),
                (Act::Again, Running),
                (Act::DeleteJob, NoJob),
                (Act::Again, Running),
                (Act::DeleteJob, NoJob),
                (Act::Again, Running),
                (Act::DeleteJob, NoJob),
                (Act::Again, Running),
            ],
        ),
        workload(
            "T23 bad upgrade",
            &[(Act::Create, Running), (Act::Class("NoJob"), NotStarted), (Act::Class("CounterJob"), Running)],
        ),
    ]
}

fn job_spec(class: &str, arguments: &[&str], policy: &str) -> Value {
    json!({
        "jobParallelism": 1, "maxJobParallelism": 4,
        "bootstrap": {
            "image": "jobs", "className": format!("com.nextbreakpoint.flink.examples.{class}"), "jarPath": "/jobs.jar",
            "arguments": arguments,
        },
        "savepoint": {"savepointMode": "Automatic", "savepointInterval": 0, "savepointTargetPath": "file:///savepoints"},
        "restart": {"restartPolicy": policy, "restartDelay": 5, "restartTimeout": 120},
    })
}

fn cluster_spec() -> Value {
    json!({
        "taskManagers": 1, "maxTaskManagers": 4,
        "runtime": {"image": "flink"}, "jobManager": {}, "taskManager": {"taskSlots": 2},
        "supervisor": {"image": "flinkctl", "pollingInterval": 10, "taskTimeout": 300},
        "flinkConfiguration": {
            "execution.checkpointing.interval": "7s", "execution.checkpointing.dir": "file:///ck",
            "heartbeat.interval": "1000", "heartbeat.timeout": "6000",
        },
    })
}

fn counter() -> Value {
    job_spec("CounterJob", &["--output=file:///out/count", "--rate=100"], "OnlyIfFailed")
}

const API: &str = "nextbreakpoint.com/v1";

impl World {
    /// A person does something.
    pub fn act(&mut self, act: &Act) {
        self.state.borrow_mut().tell(|| format!("a person: {act:?}"));
        match act {
            Act::Create => self.create_pair(&[], counter()),
            Act::CreateAs(make) => {
                let mut job = counter();
                job["jobParallelism"] = json!(make.parallelism.unwrap_or(1));
                for (key, value) in make.savepoint {
                    job["savepoint"][*key] = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
                }
                self.state.borrow_mut().books.savepoints_only |= *make == ONLY_SAVEPOINTS;
                self.create_pair(make.options, job);
            }
            Act::Again => {
                // Another job: it writes elsewhere.
                let mut job = counter();
                job["bootstrap"]["arguments"][0] = json!(format!("--output={OUTPUT}-{}", self.now().as_millis()));
                self.create_job(job);
            }
            Act::Batch => {
                let spec = job_spec("BatchJob", &["--count=400", "--rate=100", "--output=file:///out/batch"], "Never");
                self.create_pair(&[], spec);
            }
            Act::Deploy => self.deploy(),
            Act::Command(action) => self.command(Kind::Job, JOB, action, false),
            Act::Unsaved(action) => self.command(Kind::Job, JOB, action, true),
            Act::ClusterCommand(action) => self.command(Kind::Cluster, CLUSTER, action, false),
            Act::Parallelism(parallelism) => self.edit_job(|spec| spec.job_parallelism = Some(*parallelism)),
            Act::Argument(argument) => self.edit_job(|spec| {
                let arguments = spec.bootstrap.arguments.get_or_insert_default();
                arguments.truncate(1);
                arguments.push((*argument).to_owned());
            }),
            Act::Field(section, field, value) => {
                // Whoever wants no savepoints goes on from the last one that there is.
                self.state.borrow_mut().books.waived |= *value == "Manual";
                self.edit_job(|spec| {
                    let mut edited = json!(spec);
                    edited[*section][*field] = json!(value);
                    *spec = serde_json::from_value(edited).expect("it is a field");
                });
            }
            Act::Class(class) => self.edit_job(|spec| {
                spec.bootstrap.class_name = format!("com.nextbreakpoint.flink.examples.{class}");
            }),
            Act::Mend => self.edit_job(|spec| {
                let class = &mut spec.bootstrap.class_name;
                *class = class.replace("NoJob", "CounterJob");
                spec.job_parallelism = Some(spec.parallelism().clamp(1, 2).cast_signed());
            }),
            Act::StorageSlow(time) => self.state.borrow_mut().flink.settings().mishaps.storage_slow = *time,
            Act::StorageFails(fails) => {
                self.state.borrow_mut().flink.settings().mishaps.storage_fails = *fails;
            }
            Act::Option(key, value) => self.set_option(key, value),
            Act::DeleteJob => self.delete(Kind::Job, JOB),
            Act::DeleteCluster => self.delete(Kind::Cluster, CLUSTER),
            Act::DeleteDeployment => self.delete(Kind::Deployment, CLUSTER),
            Act::DeleteAll => {
                self.delete(Kind::Job, JOB);
                self.delete(Kind::Cluster, CLUSTER);
            }
            Act::Kill(wanted) => self.kill(wanted),
            Act::KillAndRestart(wanted) => {
                self.kill(wanted);
                self.command(Kind::Cluster, CLUSTER, "START", false);
            }
            Act::Unheard(kind) => self.lose_end(*kind),
            Act::LoseNode(role, dies) => self.lose_node(role, *dies),
            Act::NodesOut => self.nodes_out(),
            Act::NodesBack => self.nodes_back(),
            Act::Unreadable(unreadable) => {
                let mut state = self.state.borrow_mut();
                state.books.memory.unreadable = state.server.now;
                state.server.edit(Kind::Job, JOB, |object| {
                    let annotations = object.meta_mut().annotations.get_or_insert_default();
                    if *unreadable {
                        annotations.insert(UNREADABLE.to_owned(), String::new());
                    } else {
                        annotations.remove(UNREADABLE);
                    }
                });
            }
            Act::Crash if !self.supervisors.is_empty() => {
                let dead = self.supervisors.remove(0);
                self.after(Duration::from_secs(1), Event::Supervisor { cluster: dead.cluster, pod: dead.pod });
            }
            Act::Crash | Act::Look => {}
        }
    }

    fn create(&mut self, kind: Kind, manifest: &Value) {
        let mut state = self.state.borrow_mut();
        let created = state.server.create(kind, manifest);
        created.expect("a person creates only what is not there");
    }

    fn create_pair(&mut self, options: &[(&str, &str)], job: Value) {
        let mut spec = cluster_spec();
        for (key, value) in options {
            spec["flinkConfiguration"][*key] = json!(value);
        }
        let cluster = json!({"apiVersion": API, "kind": "FlinkCluster", "metadata": {"name": CLUSTER}, "spec": spec});
        self.create(Kind::Cluster, &cluster);
        self.create_job(job);
        self.start_supervisor(CLUSTER, None);
    }

    fn create_job(&mut self, job: Value) {
        let labels = json!({labels::CLUSTER_NAME: CLUSTER, labels::JOB_NAME: "count"});
        let job =
            json!({"apiVersion": API, "kind": "FlinkJob", "metadata": {"name": JOB, "labels": labels}, "spec": job});
        // Somebody may have been faster.
        let _ = self.state.borrow_mut().server.create(Kind::Job, &job);
    }

    fn deploy(&mut self) {
        let spec = json!({"cluster": cluster_spec(), "jobs": [{"name": "count", "spec": counter()}]});
        let deployment =
            json!({"apiVersion": API, "kind": "FlinkDeployment", "metadata": {"name": CLUSTER}, "spec": spec});
        self.create(Kind::Deployment, &deployment);
        self.start_operator();
    }

    fn lose_end(&mut self, kind: Kind) {
        let operator = self.operator.iter_mut().flat_map(|operator| operator.watches.iter_mut());
        let watches = self.supervisors.iter_mut().flat_map(|one| one.watches.iter_mut()).chain(operator);
        watches.filter(|watch| watch.kind == kind).for_each(|watch| watch.lose_end = true);
    }

    fn command(&mut self, kind: Kind, name: &str, action: &str, unsaved: bool) {
        let mut state = self.state.borrow_mut();
        let stamp = state.server.time().as_millisecond().to_string();
        // A job that has ended begins anew when it is told to.
        let ends = |job: &api::FlinkJob| job.spec.bootstrap.class_name.ends_with("BatchJob");
        let anew = action == "START" && state.server.all(Kind::Job).filter_map(Object::job).any(ends);
        state.books.waived |= unsaved || anew;
        state.server.edit(kind, name, |object| {
            let annotations = object.meta_mut().annotations.get_or_insert_default();
            annotations.insert(REQUESTED_ACTION.to_owned(), action.to_owned());
            annotations.insert(ACTION_TIMESTAMP.to_owned(), stamp);
            annotations.insert(WITHOUT_SAVEPOINT.to_owned(), unsaved.to_string());
        });
    }

    fn edit_job(&mut self, change: impl FnOnce(&mut api::job::FlinkJobSpec)) {
        self.state.borrow_mut().server.edit(Kind::Job, JOB, |object| {
            if let Object::Job(job) = object {
                change(&mut std::rc::Rc::make_mut(job).spec);
            }
        });
    }

    fn set_option(&mut self, key: &str, value: &str) {
        self.state.borrow_mut().server.edit(Kind::Cluster, CLUSTER, |object| {
            if let Object::Cluster(cluster) = object {
                let options = std::rc::Rc::make_mut(cluster).spec.flink_configuration.get_or_insert_default();
                let value = serde_json::from_value(json!(value)).expect("text is a value");
                options.insert(key.to_owned(), value);
            }
        });
    }

    pub fn delete(&mut self, kind: Kind, name: &str) {
        let _ = self.state.borrow_mut().server.delete(kind, name, None);
    }

    /// The process of a running pod with that role ends.
    pub fn kill(&mut self, wanted: &str) {
        let state = self.state.borrow();
        let runs = |pod: &&crate::objects::Pod| role(&pod.metadata) == wanted && pod.stage == Stage::Running;
        let found = state.server.all(Kind::Pod).filter_map(Object::pod).find(runs).map(|pod| pod.metadata.clone());
        drop(state);
        if let Some(meta) = found {
            let (name, uid) = (meta.name.unwrap_or_default(), meta.uid.unwrap_or_default());
            self.ended(&name, &uid, 137, None);
        }
    }

    /// Whether what is to be true is.
    pub fn reached(&self, goal: Goal) -> bool {
        let state = self.state.borrow();
        let job = state.server.get(Kind::Job, JOB).and_then(Object::job);
        match goal {
            Goal::NoJob => job.is_none(),
            Goal::Nothing => state.server.objects.is_empty(),
            Goal::Running => job.is_some_and(runs_as_declared),
            Goal::Stopped => job.is_some_and(|job| is(job, SupervisorStatus::Stopped)),
            Goal::Ready => job.is_some_and(|job| runs_as_declared(job) && is_ready(job)),
            Goal::NotReady => job.is_some_and(|job| !is_ready(job)),
            Goal::NotStarted => job.is_some_and(|job| {
                matches!(record(job).phase, JobPhase::Ended { end: api::record::End::NotStarted { .. }, .. })
            }),
            Goal::Finished => job.is_some_and(|job| {
                matches!(record(job).phase, JobPhase::Ended { end: api::record::End::Finished, .. })
            }),
            Goal::Saved => job.is_some_and(|job| {
                let record = record(job);
                let refused = job.status.as_ref().and_then(|status| status.last_action.as_ref());
                let refused = refused.is_some_and(|one| one.action == "TRIGGER_SAVEPOINT" && one.outcome == "Refused");
                (record.savepoint.is_some() || refused) && record.operation.is_none() && !commanded(job)
            }),
            Goal::ClusterRunning => {
                let cluster = state.server.get(Kind::Cluster, CLUSTER).and_then(Object::cluster);
                cluster.is_some_and(|cluster| {
                    let said = cluster.metadata.annotations.as_ref().and_then(|all| all.get(REQUESTED_ACTION));
                    let status = cluster.status.as_ref().and_then(|status| status.supervisor_status);
                    status == Some(SupervisorStatus::Started) && said.is_none_or(|said| said == NONE)
                })
            }
            Goal::ClusterStopped => {
                let cluster = state.server.get(Kind::Cluster, CLUSTER).and_then(Object::cluster);
                let status = cluster.and_then(|cluster| cluster.status.as_ref()?.supervisor_status);
                status == Some(SupervisorStatus::Stopped) && !job.is_some_and(|job| is(job, SupervisorStatus::Started))
            }
        }
    }
}

fn record(job: &FlinkJob) -> JobRecord {
    lifecycle::job::status::record(job).unwrap_or_default()
}

/// Whether a command was not taken note of yet.
pub fn commanded(job: &FlinkJob) -> bool {
    let said = job.metadata.annotations.as_ref().and_then(|all| all.get(REQUESTED_ACTION));
    said.is_some_and(|said| said != NONE)
}

fn is(job: &FlinkJob, wanted: SupervisorStatus) -> bool {
    !commanded(job) && job.status.as_ref().and_then(|status| status.supervisor_status) == Some(wanted)
}

fn is_ready(job: &FlinkJob) -> bool {
    let mut conditions = job.status.iter().flat_map(|status| &status.conditions);
    conditions.any(|one| one.type_ == READY && one.status == "True")
}

fn runs_as_declared(job: &FlinkJob) -> bool {
    let status = job.status.as_ref();
    let running = status.and_then(|status| status.job_status.as_deref()) == Some("RUNNING");
    if !running || !is(job, SupervisorStatus::Started) {
        return false;
    }
    let record = record(job);
    let wanted = digest::job(&job.spec).bootstrap.unwrap_or_default();
    let declared =
        record.attempt.is_some_and(|attempt| attempt.digest == wanted && attempt.parallelism == job.spec.parallelism());
    declared && record.phase == JobPhase::Running
}
