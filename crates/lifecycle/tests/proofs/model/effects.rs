//! What effects do, whenever they are carried out.

use api::RecoveryMode;
use api::record::{Attempt, ClusterRecord, Incarnation, JobRecord};
use lifecycle::{cluster, ids, job};

use super::world::{
    Bootstrap, Course, Execution, Late, Name, Object, Operation, Pod, Progress, Saved, Silence, State, World,
};
use super::{GONE, KEPT, Laws, NEWEST};
use crate::job_case::UID;

/// Takes the action back, if it is still that one; its serial.
fn reset<R>(object: &mut Object<R>, action: &str, stamp: Option<u8>) -> Option<u8> {
    object.ask.as_ref().filter(|ask| ask.action.as_str() == action)?;
    object.stamp = stamp.or(object.stamp);
    object.ask.take().map(|ask| ask.serial)
}

impl World {
    pub fn run_late(&mut self, late: Late, laws: &Laws) {
        match late {
            Late::Job(effect, on) => self.run_job(effect, &on, laws),
            Late::Cluster(effect, on) => self.run_cluster(effect, &on, laws),
        }
    }

    pub fn run_cluster(&mut self, effect: cluster::Effect, on: &Object<ClusterRecord>, laws: &Laws) {
        use cluster::Effect;
        match effect {
            Effect::CreateJobManager { incarnation } => self.create_pod(Name::JobManager(incarnation)),
            Effect::CreateTaskManager { incarnation, index, .. } => {
                self.create_pod(Name::TaskManager(incarnation, index));
            }
            // Nobody uses force in this world.
            Effect::KillPod { uid, .. } | Effect::DeletePod { uid, .. } => {
                self.pods.iter_mut().filter(|pod| pod.uid == uid).for_each(|pod| pod.deleting = true);
            }
            Effect::CancelJob { job_manager, job_id } => self.cancel(&job_manager, &job_id),
            Effect::AddFinalizer => {
                if let Some(object) = self.cluster.as_mut().filter(|object| *object == on && !object.deleting) {
                    object.supervised = true;
                }
            }
            Effect::RemoveFinalizer => {
                if self.cluster.as_ref() == Some(on) {
                    self.cluster = None;
                }
            }
            Effect::ResetAction { action } => {
                let stamp = self.stamp(laws);
                if let Some(object) = self.cluster.as_mut().filter(|object| !laws.resets_are_guarded || *object == on) {
                    let serial = reset(object, &action, stamp);
                    let dropped = serial.is_some_and(|serial| !self.witness.taken.contains(&serial));
                    self.witness.breaks(KEPT, dropped);
                }
            }
            // The model begins with nothing that another operator left.
            Effect::AdoptPod { .. }
            | Effect::AdoptService { .. }
            | Effect::CreateService
            | Effect::DeleteService { .. }
            | Effect::Scale { .. } => {}
        }
    }

    fn stamp(&mut self, laws: &Laws) -> Option<u8> {
        self.stamps += u8::from(laws.resets_are_stamped);
        laws.resets_are_stamped.then_some(self.stamps)
    }

    fn create_pod(&mut self, name: Name) {
        if self.cluster.is_none() || self.pods.iter().any(|pod| pod.name == name) {
            return;
        }
        let uid = self.uid(name);
        let pending = self.full && matches!(name, Name::TaskManager(..));
        self.pods.push(Pod {
            name,
            uid,
            deleting: false,
            over: false,
            orphaned: false,
            pending,
            silence: Silence::None,
            settled: false,
        });
        if matches!(name, Name::JobManager(_)) {
            let leader = self.leader().map(|pod| pod.uid.clone());
            self.store(|manager| leader.as_deref() != Some(manager));
        }
        self.pods.sort();
    }

    pub fn run_job(&mut self, effect: job::Effect, on: &Object<JobRecord>, laws: &Laws) {
        use job::Effect;
        match effect {
            Effect::CreateBootstrap { attempt } => {
                if self.bootstrap.is_none() && self.job.is_some() {
                    let uid = self.uid(Name::Bootstrap(attempt.number));
                    let progress = Progress::Created;
                    self.bootstrap = Some(Bootstrap { uid, attempt, progress, deleting: false });
                }
            }
            Effect::DeleteBootstrap { uid } => {
                if let Some(bootstrap) = self.bootstrap.as_mut().filter(|own| own.uid == uid) {
                    bootstrap.deleting = true;
                }
            }
            Effect::StopWithSavepoint { incarnation, job_id, trigger_id, directory } => {
                self.operate(&incarnation, &job_id, trigger_id, directory, true);
            }
            Effect::TriggerSavepoint { incarnation, job_id, trigger_id, directory } => {
                self.operate(&incarnation, &job_id, trigger_id, directory, false);
            }
            Effect::Rescale { incarnation, job_id, to, .. } => {
                if let Some(execution) = self.execution(&incarnation.uid, &job_id) {
                    execution.asked = to;
                }
            }
            // JARs do not matter in this world, and savepoints are kept.
            Effect::DeleteJar { .. } | Effect::DeleteSavepoint { .. } => {}
            Effect::CancelJob { incarnation, job_id } => self.cancel(&incarnation.uid, &job_id),
            Effect::AddFinalizer => {
                if let Some(object) = self.job.as_mut().filter(|object| *object == on && !object.deleting) {
                    object.supervised = true;
                }
            }
            Effect::RemoveFinalizer => self.let_go(on),
            Effect::ResetAction { action } => {
                let stamp = self.stamp(laws);
                if let Some(object) = self.job.as_mut().filter(|object| !laws.resets_are_guarded || *object == on) {
                    let serial = reset(object, &action, stamp);
                    let dropped = serial.is_some_and(|serial| !self.witness.taken.contains(&serial));
                    self.witness.breaks(KEPT, dropped);
                }
            }
        }
    }

    /// The object goes if it is being deleted, and its bootstrap with it.
    fn let_go(&mut self, on: &Object<JobRecord>) {
        let Some(object) = self.job.as_mut().filter(|object| *object == on) else { return };
        if !object.deleting {
            object.supervised = false;
            return;
        }
        // What is stored comes back with the next JobManager.
        let comes_back = !self.stored.is_empty() && self.cluster.as_ref().is_some_and(|cluster| !cluster.deleting);
        let alive = self.living() > 0 || comes_back;
        self.witness.breaks(GONE, alive);
        self.job = None;
        if let Some(bootstrap) = &mut self.bootstrap {
            bootstrap.deleting = true;
        }
    }

    fn execution(&mut self, job_manager: &str, job_id: &str) -> Option<&mut Execution> {
        self.executions.iter_mut().find(|execution| {
            execution.job_manager == job_manager
                && execution.state == State::Running
                && ids::job_id(UID, execution.attempt) == job_id
        })
    }

    fn cancel(&mut self, job_manager: &str, job_id: &str) {
        if let Some(execution) = self.execution(job_manager, job_id) {
            execution.state = State::Canceled;
        }
    }

    /// Flink takes up an operation once; the same trigger id names the same one.
    fn operate(&mut self, incarnation: &Incarnation, job_id: &str, trigger: String, directory: String, stop: bool) {
        if self.operations.iter().any(|operation| operation.trigger == trigger) {
            return;
        }
        let Some(attempt) = self.execution(&incarnation.uid, job_id).map(|execution| execution.attempt) else {
            return;
        };
        let (job_manager, course) = (incarnation.uid.clone(), Course::InProgress);
        self.operations.push(Operation { trigger, attempt, job_manager, stop, directory, course });
    }

    /// An operation comes to its end; the job with it, if it was to be stopped. A savepoint on the way has committed
    /// nothing: it counts once it was heard of.
    pub fn complete(&mut self, index: usize, success: bool) {
        let operation = self.operations[index].clone();
        let job_id = ids::job_id(UID, operation.attempt);
        let runs = self.execution(&operation.job_manager, &job_id).is_some();
        if !success || !runs {
            self.operations[index].course = Course::Failed;
            return;
        }
        let path = format!("{}/savepoint-{}", operation.directory, self.storage.len() + 1);
        self.storage.push(Saved { path: path.clone(), checkpoint: false });
        if operation.stop {
            self.witness.newest = self.storage.len();
        }
        self.operations[index].course = Course::Completed(path);
        if operation.stop
            && let Some(execution) = self.execution(&operation.job_manager, &job_id)
        {
            execution.state = State::Finished;
        }
    }

    pub fn checkpoint(&mut self, attempt: u64, laws: &Laws) {
        let path = format!("ck/{}/chk-{}", ids::job_id(UID, attempt), self.storage.len() + 1);
        self.storage.push(Saved { path, checkpoint: true });
        if laws.recovery_mode == RecoveryMode::LatestState {
            self.witness.newest = self.storage.len();
        }
    }

    /// A submission reaches its JobManager, which knows each job id once.
    pub fn submit(&mut self, attempt: &Attempt, laws: &Laws) -> job::Outcome {
        let leads = self.leader().is_some_and(|pod| pod.uid == attempt.incarnation.uid);
        if self.job_manager(&attempt.incarnation.uid).is_none() || self.highly_available && !leads {
            return job::Outcome::Unknown;
        }
        let known = self
            .executions
            .iter()
            .any(|execution| execution.job_manager == attempt.incarnation.uid && execution.attempt == attempt.number);
        if known && laws.job_ids_are_known {
            return job::Outcome::Submitted;
        }
        let from = self.position(attempt.restore.path());
        self.witness.breaks(NEWEST, from < self.witness.newest && !self.witness.waived);
        if self.witness.waived && attempt.number != self.witness.last_started {
            self.witness.waived = false;
            self.witness.newest = from;
        }
        self.witness.last_started = attempt.number;
        let job_manager = attempt.incarnation.uid.clone();
        let (parallelism, state) = (attempt.parallelism, State::Running);
        let execution = Execution { attempt: attempt.number, job_manager, state, parallelism, asked: parallelism };
        self.executions.push(execution);
        job::Outcome::Submitted
    }
}
