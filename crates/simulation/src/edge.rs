//! The edges of operator, supervisor and bootstrap in this world: each call passes the faults first.

use std::collections::BTreeMap;
use std::future::pending;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use flink::{
    CheckpointConfig, Checkpoints, Jars, JobId, JobState, JobsOverview, Listing, Operation, Overview, Requirements,
    RunRequest, TaskManagers, TriggerId,
};
use flink_client::{Error, Flink as Calls, Refusal};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kit::client::{CallError, DEADLINE};
use kit::kubernetes::Kind as Written;
use kit::{Clock, Kubernetes, Outcome};
use lifecycle::{cluster, job};
use serde_json::Value;
use supervisor::edge::Edge;

use crate::faults::{Class, Verdict};
use crate::flink::Flink;
use crate::mutants::Mutation;
use crate::objects::{Kind, Object};
use crate::server::{Answer, status};
use crate::state::{Id, Shared, State};

/// The node of a pod is called by its uid.
pub const NODE: &str = "node-of-";

/// Where a process ends.
#[derive(Clone)]
pub struct SimEdge {
    pub state: Shared,
    pub me: Id,
    pub clock: Clock,
    /// A known bug, if there is to be one.
    pub mutation: Option<Rc<dyn Mutation>>,
}

/// How a call can fail that has no answer.
pub trait Failure {
    fn lost() -> Self;
    fn unsent() -> Self;
    fn refused(code: u16) -> Self;
}

impl Failure for CallError {
    fn lost() -> Self {
        Self::Timeout(DEADLINE)
    }

    fn unsent() -> Self {
        Self::Timeout(DEADLINE)
    }

    fn refused(code: u16) -> Self {
        status(code, if code == 409 { "Conflict" } else { "Unavailable" }, format!("the API server answers {code}"))
    }
}

impl Failure for Error {
    fn lost() -> Self {
        Self::Timeout { call: "a call".into(), address: "there".into(), deadline: Duration::from_secs(3) }
    }

    fn unsent() -> Self {
        Self::Unreachable { address: "there".into(), cause: "connection refused".into() }
    }

    fn refused(code: u16) -> Self {
        let refusal = if code == 503 { Refusal::NotReady } else { Refusal::Other };
        Self::Status { call: "a call".into(), code, reason: "Internal server error.".into(), refusal }
    }
}

impl SimEdge {
    /// Lets that much time of the world pass.
    pub async fn wait(&self, time: Duration) {
        let until = self.state.borrow().server.now + time;
        std::future::poll_fn(|context| {
            let mut state = self.state.borrow_mut();
            if state.server.now >= until {
                return Poll::Ready(());
            }
            state.sleep(self.me, until, context.waker());
            Poll::Pending
        })
        .await;
    }

    async fn die<T>(&self) -> T {
        self.state.borrow_mut().crashed.insert(self.me);
        pending().await
    }

    /// Makes a call, as far as the faults let it.
    async fn through<T: 'static, E: Failure + 'static>(
        &self,
        class: Class,
        what: impl Fn() -> String,
        effect: impl FnOnce(&mut State) -> Result<T, E> + Clone + 'static,
    ) -> Result<T, E> {
        let verdict = self.state.borrow_mut().gate(self.me, class, &what);
        match verdict {
            Verdict::Go => effect(&mut self.state.borrow_mut()),
            Verdict::CrashBefore => self.die().await,
            Verdict::CrashAfter => {
                drop(effect(&mut self.state.borrow_mut()));
                self.die().await
            }
            Verdict::Lost => {
                drop(effect(&mut self.state.borrow_mut()));
                self.wait(Duration::from_secs(3)).await;
                Err(E::lost())
            }
            Verdict::Unsent => {
                self.wait(Duration::from_millis(50)).await;
                Err(E::unsent())
            }
            Verdict::Twice => {
                let mut state = self.state.borrow_mut();
                drop(effect.clone()(&mut state));
                effect(&mut state)
            }
            Verdict::Late(time) => {
                let mut state = self.state.borrow_mut();
                let at = state.server.now + time;
                state.late.push((at, Box::new(move |state| drop(effect(state)))));
                drop(state);
                self.wait(time.min(Duration::from_secs(3))).await;
                Err(E::lost())
            }
            Verdict::Refused(code) => Err(E::refused(code)),
            Verdict::SlowThere(time) => {
                self.wait(time).await;
                let mut state = self.state.borrow_mut();
                state.belated = true;
                let answer = effect(&mut state);
                state.belated = false;
                answer
            }
            Verdict::SlowBack(time) => {
                let answer = effect(&mut self.state.borrow_mut());
                self.wait(time).await;
                answer
            }
        }
    }

    /// The JobManager at an address, for whoever is not a supervisor too.
    pub fn flink_at(&self, address: &str) -> SimFlink {
        let meant = self.state.borrow().pod_at(address);
        SimFlink { edge: self.clone(), address: address.to_owned(), meant }
    }
}

impl Edge for SimEdge {
    type Kubernetes = Self;
    type Flink = SimFlink;

    fn kubernetes(&self) -> &Self {
        self
    }

    fn flink(&self, address: &str, _deadline: Duration) -> SimFlink {
        self.flink_at(address)
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn decide_cluster(&self, observed: &cluster::Observed<'_>) -> cluster::Step {
        match &self.mutation {
            None => cluster::step(observed),
            Some(mutation) => mutation.decide_cluster(observed),
        }
    }

    fn decide_job(&self, observed: &job::Observed<'_>) -> job::Step {
        match &self.mutation {
            None => job::step(observed),
            Some(mutation) => mutation.decide_job(observed),
        }
    }
}

fn name(manifest: &Value) -> &str {
    manifest["metadata"]["name"].as_str().unwrap_or_default()
}

fn outcome<K: Clone + 'static>(answer: Answer<Object>) -> Answer<Outcome<K>> {
    match answer {
        Ok(object) => Ok(Outcome::Written(object.typed().expect("one of our own"))),
        Err(error) if error.is_conflict() => Ok(Outcome::Conflict),
        Err(error) if error.is_not_found() => Ok(Outcome::Gone),
        Err(error) => Err(error),
    }
}

fn kind<K: Written>() -> Kind {
    Kind::named(&K::kind(&()))
}

impl Kubernetes for SimEdge {
    async fn get<K: Written>(&self, name: &str) -> Answer<Option<K>> {
        let (kind, name) = (kind::<K>(), name.to_owned());
        let wanted = name.clone();
        let read = move |state: &mut State| Ok(state.server.get(kind, &wanted).and_then(Object::typed));
        self.through(Class::Read, || format!("get {kind:?} {name}"), read).await
    }

    async fn is_node_out(&self, name: &str) -> Answer<Option<bool>> {
        let uid = name.strip_prefix(NODE).unwrap_or_default().to_owned();
        let read = move |state: &mut State| Ok(Some(state.server.silent.get(&uid).copied().unwrap_or_default()));
        self.through(Class::Read, || format!("get node {name}"), read).await
    }

    async fn create<K: Written>(&self, manifest: &Value) -> Answer<()> {
        let (kind, me) = (kind::<K>(), self.me);
        let mut manifest = manifest.clone();
        if let Some(mutation) = &self.mutation {
            mutation.create(kind, &mut manifest);
        }
        let what = format!("create {kind:?} {}", name(&manifest));
        let create = move |state: &mut State| {
            if state.server.now < state.faults.quota && !matches!(kind, Kind::Cluster | Kind::Job) {
                return Err(status(403, "Forbidden", format!("{kind:?} is forbidden: exceeded quota")));
            }
            let created = state.server.create(kind, &manifest)?;
            state.created(me, &created);
            Ok(())
        };
        self.through(Class::Write, || what.clone(), create).await
    }

    async fn replace<K: Written>(&self, manifest: &Value) -> Answer<ObjectMeta> {
        let (kind, manifest) = (kind::<K>(), manifest.clone());
        let what = format!("replace {kind:?} {}", name(&manifest));
        let me = self.me;
        let replace = move |state: &mut State| {
            state.changing(me, kind, name(&manifest), |server| server.replace(kind, &manifest))
        };
        self.through(Class::Write, || what.clone(), replace).await
    }

    async fn replace_status<K: Written>(&self, object: &K) -> Answer<Outcome<K>> {
        let me = self.me;
        let mut object = Object::of(object).expect("only our own have a status that we write");
        if let Some(mutation) = &self.mutation {
            mutation.status(&mut object);
        }
        let told = self.state.borrow().listened().then(|| label(&object)).unwrap_or_default();
        let kind = object.kind();
        let what = || format!("write status of {kind:?} {told}");
        let write = move |state: &mut State| {
            state.s09_fenced(me, &object);
            let answer = state.server.replace_status(object);
            if let Ok(written) = &answer {
                state.wrote_status(me, written);
            }
            outcome(answer)
        };
        self.through(Class::Write, what, write).await
    }

    async fn finalizer<K: Written>(&self, seen: &K, finalizer: &str, wanted: bool) -> Answer<Outcome<K>> {
        let (me, finalizer) = (self.me, finalizer.to_owned());
        let seen = Object::of(seen).expect("only our own have finalizers of ours");
        let verb = if wanted { "add" } else { "remove" };
        let what = format!("{verb} the finalizer {finalizer} of {:?} {}", seen.kind(), label(&seen));
        let write = move |state: &mut State| {
            let answer = state.server.finalizer(&seen, &finalizer, wanted);
            if answer.is_ok() && !wanted {
                state.released(me, &seen, &finalizer);
            }
            outcome(answer)
        };
        self.through(Class::Write, || what.clone(), write).await
    }

    async fn patch<K: Written>(&self, name: &str, operations: &[Value]) -> Answer<Outcome<K>> {
        let (kind, name, me) = (kind::<K>(), name.to_owned(), self.me);
        let operations = operations.to_vec();
        let what = format!("patch {kind:?} {name}");
        let write = move |state: &mut State| {
            outcome(state.changing(me, kind, &name, |server| server.patch(kind, &name, &operations)))
        };
        self.through(Class::Write, || what.clone(), write).await
    }

    async fn merge_metadata<K: Written>(&self, name: &str, _metadata: &Value) -> Answer<()> {
        panic!("nothing is adopted in this world, {name} neither")
    }

    async fn scale<K: Written>(&self, name: &str, replicas: u32) -> Answer<()> {
        let (kind, name, me) = (kind::<K>(), name.to_owned(), self.me);
        let what = format!("scale {kind:?} {name} to {replicas}");
        let write =
            move |state: &mut State| state.changing(me, kind, &name, |server| server.scale(kind, &name, replicas));
        self.through(Class::Write, || what.clone(), write).await
    }

    async fn delete<K: Written>(&self, name: &str, uid: &str, _grace: Option<u32>) -> Answer<Outcome<()>> {
        let (kind, me, name, uid) = (kind::<K>(), self.me, name.to_owned(), uid.to_owned());
        let guarded = self.mutation.as_ref().is_none_or(|mutation| mutation.guards_deletes());
        let what = format!("delete {kind:?} {name}");
        let write = move |state: &mut State| {
            let before = state.server.get(kind, &name).cloned();
            let answer = state.server.delete(kind, &name, guarded.then_some(uid.as_str()));
            if let (Ok(()), Some(deleted)) = (&answer, before) {
                state.deleted(me, &deleted, &uid);
            }
            match answer {
                Err(error) if error.is_not_found() || error.is_conflict() => Ok(Outcome::Gone),
                other => other.map(Outcome::Written),
            }
        };
        self.through(Class::Write, || what.clone(), write).await
    }
}

fn label(object: &Object) -> String {
    let name = object.meta().name.as_deref().unwrap_or_default();
    match object {
        Object::Job(job) => {
            let phase = job.status.as_ref().and_then(|status| status.record.as_ref()).map(|record| &record["phase"]);
            format!("{name} {}", phase.map(ToString::to_string).unwrap_or_default())
        }
        Object::Cluster(cluster) => {
            let phase =
                cluster.status.as_ref().and_then(|status| status.record.as_ref()).map(|record| &record["phase"]);
            format!("{name} {}", phase.map(ToString::to_string).unwrap_or_default())
        }
        _ => name.to_owned(),
    }
}

/// One JobManager's address, as a process knows it.
#[derive(Clone)]
pub struct SimFlink {
    edge: SimEdge,
    address: String,
    /// The pod that had the address when it was looked up.
    meant: Option<String>,
}

impl SimFlink {
    async fn call<T: 'static>(
        &self,
        class: Class,
        what: impl Fn() -> String,
        effect: impl FnOnce(&mut Flink, &str, Timestamp) -> Result<T, Error> + Clone + 'static,
    ) -> Result<T, Error> {
        let (address, meant, me) = (self.address.clone(), self.meant.clone(), self.edge.me);
        let call = move |state: &mut State| {
            let Some(uid) = state.at_address(&address) else { return Err(Error::unsent()) };
            let now = state.server.time();
            let answer = effect(&mut state.flink, &uid, now);
            if class == Class::Order && answer.is_ok() {
                state.s21_right_target(me, meant.as_deref(), &uid);
            }
            answer
        };
        let answer = self.edge.through(class, what, call).await;
        if let (Ok(_), Some(pod)) = (&answer, &self.meant) {
            self.edge.state.borrow_mut().heard(me, pod);
        }
        answer
    }

    pub async fn upload_jar(&self, jar: &'static str) -> Result<String, Error> {
        self.call(Class::Ask, || "upload the JAR".into(), move |flink, uid, now| flink.upload_jar(uid, jar, now)).await
    }
}

impl Calls for SimFlink {
    async fn overview(&self) -> Result<Overview, Error> {
        self.call(Class::Ask, || "overview".into(), Flink::overview).await
    }

    async fn jobs_overview(&self) -> Result<JobsOverview, Error> {
        let mut answer = self.call(Class::Ask, || "jobs".into(), Flink::jobs_overview).await?;
        if let Some(mutation) = &self.edge.mutation {
            mutation.jobs(&mut answer);
        }
        Ok(answer)
    }

    async fn job_status(&self, job: &JobId) -> Result<Option<JobState>, Error> {
        let job = job.clone();
        self.call(Class::Ask, || "job status".into(), move |flink, uid, now| flink.job_status(uid, &job, now)).await
    }

    async fn checkpoints(&self, job: &JobId) -> Result<Checkpoints, Error> {
        let job = job.clone();
        self.call(Class::Ask, || "checkpoints".into(), move |flink, uid, now| flink.checkpoints(uid, &job, now)).await
    }

    async fn checkpoint_config(&self, job: &JobId) -> Result<Option<CheckpointConfig>, Error> {
        let job = job.clone();
        let ask = move |flink: &mut Flink, uid: &str, now| flink.checkpoint_config(uid, &job, now);
        self.call(Class::Ask, || "checkpoint configuration".into(), ask).await
    }

    async fn jobmanager_config(&self) -> Result<BTreeMap<String, String>, Error> {
        self.call(Class::Ask, || "configuration".into(), Flink::jobmanager_config).await
    }

    async fn taskmanagers(&self) -> Result<TaskManagers, Error> {
        self.call(Class::Ask, || "TaskManagers".into(), Flink::taskmanagers).await
    }

    async fn job_exceptions(&self, job: &JobId) -> Result<Option<String>, Error> {
        let job = job.clone();
        self.call(Class::Ask, || "exceptions".into(), move |flink, uid, now| flink.job_exceptions(uid, &job, now)).await
    }

    async fn savepoint_operation(&self, job: &JobId, trigger: &TriggerId) -> Result<Operation, Error> {
        let (job, trigger) = (job.clone(), trigger.clone());
        let ask = move |flink: &mut Flink, uid: &str, now| flink.savepoint_operation(uid, &job, &trigger, now);
        let mut answer = self.call(Class::Ask, || "savepoint operation".into(), ask).await;
        if let Some(mutation) = &self.edge.mutation {
            mutation.operation(&mut answer);
        }
        answer
    }

    async fn list_checkpoints(&self, paths: &[String]) -> Result<Vec<Listing>, Error> {
        let paths = paths.to_vec();
        let ask = move |flink: &mut Flink, uid: &str, now| flink.list_checkpoints(uid, &paths, now);
        let mut answer = self.call(Class::Ask, || "list what is stored".into(), ask).await?;
        if let Some(mutation) = &self.edge.mutation {
            mutation.listings(&mut answer);
        }
        Ok(answer)
    }

    async fn run_jar(&self, jar_id: &str, request: &RunRequest) -> Result<JobId, Error> {
        let (jar, mut request) = (jar_id.to_owned(), request.clone());
        if let Some(mutation) = &self.edge.mutation {
            mutation.run(&mut request);
        }
        let what = format!("run {:?} from {:?}", request.job_id.as_ref().map(JobId::as_str), request.savepoint_path);
        let (address, meant, me) = (self.address.clone(), self.meant.clone(), self.edge.me);
        let run = move |state: &mut State| {
            let Some(uid) = state.at_address(&address) else { return Err(Error::unsent()) };
            let now = state.server.time();
            let answer = state.flink.run_jar(&uid, &jar, &request, now);
            if let Ok(id) = &answer {
                state.s21_right_target(me, meant.as_deref(), &uid);
                state.accepted(id.as_str());
            }
            answer
        };
        self.edge.through(Class::Order, || what.clone(), run).await
    }

    async fn delete_jar(&self, jar_id: &str) -> Result<(), Error> {
        let jar = jar_id.to_owned();
        self.call(Class::Ask, || "delete the JAR".into(), move |flink, uid, now| flink.delete_jar(uid, &jar, now)).await
    }

    async fn dispose_savepoint(&self, path: &str) -> Result<TriggerId, Error> {
        self.edge.state.borrow_mut().s05_protected(self.edge.me, path);
        let (path, what) = (path.to_owned(), format!("delete savepoint {path}"));
        let order = move |flink: &mut Flink, uid: &str, now| flink.dispose_savepoint(uid, &path, now);
        self.call(Class::Order, || what.clone(), order).await
    }

    async fn savepoint_disposal(&self, trigger: &TriggerId) -> Result<Operation, Error> {
        let trigger = trigger.clone();
        let ask = move |flink: &mut Flink, uid: &str, now| flink.savepoint_disposal(uid, &trigger, now);
        self.call(Class::Ask, || "savepoint disposal".into(), ask).await
    }

    async fn jars(&self) -> Result<Jars, Error> {
        self.call(Class::Ask, || "list the JARs".into(), Flink::jars).await
    }

    async fn resource_requirements(&self, job: &JobId) -> Result<Requirements, Error> {
        let job = job.clone();
        let ask = move |flink: &mut Flink, uid: &str, now| flink.resource_requirements(uid, &job, now);
        self.call(Class::Ask, || "resource requirements".into(), ask).await
    }

    async fn set_resource_requirements(&self, job: &JobId, requirements: &Requirements) -> Result<(), Error> {
        let (job, requirements) = (job.clone(), requirements.clone());
        let what = format!("require another parallelism of {job}");
        let order =
            move |flink: &mut Flink, uid: &str, now| flink.set_resource_requirements(uid, &job, &requirements, now);
        self.call(Class::Order, || what.clone(), order).await
    }

    async fn parallelism(&self, job: &JobId) -> Result<BTreeMap<String, u32>, Error> {
        let job = job.clone();
        self.call(Class::Ask, || "parallelism".into(), move |flink, uid, now| flink.parallelism(uid, &job, now)).await
    }

    async fn trigger_checkpoint(&self, job: &JobId, trigger: &TriggerId) -> Result<TriggerId, Error> {
        let (job, trigger) = (job.clone(), trigger.clone());
        let what = format!("checkpoint {trigger} of {job}");
        let order = move |flink: &mut Flink, uid: &str, now| flink.trigger_checkpoint(uid, &job, &trigger, now);
        self.call(Class::Order, || what.clone(), order).await
    }

    async fn cancel_job(&self, job: &JobId) -> Result<(), Error> {
        self.edge.state.borrow_mut().s28_unreadable_is_left_alone(self.edge.me, job);
        let (job, what) = (job.clone(), format!("cancel {job}"));
        self.call(Class::Order, || what.clone(), move |flink, uid, now| flink.cancel_job(uid, &job, now)).await
    }

    async fn trigger_savepoint(
        &self,
        job: &JobId,
        trigger: &TriggerId,
        target: Option<&str>,
    ) -> Result<TriggerId, Error> {
        self.edge.state.borrow_mut().ordered(job, trigger);
        let (job, trigger, target) = (job.clone(), trigger.clone(), target.map(str::to_owned));
        let what = format!("savepoint {trigger} of {job}");
        let order = move |flink: &mut Flink, uid: &str, now| {
            flink.trigger_savepoint(uid, &job, &trigger, target.as_deref(), now)
        };
        self.call(Class::Order, || what.clone(), order).await
    }

    async fn stop_with_savepoint(
        &self,
        job: &JobId,
        trigger: &TriggerId,
        target: Option<&str>,
    ) -> Result<TriggerId, Error> {
        let mut trigger = trigger.clone();
        if let Some(mutation) = &self.edge.mutation {
            mutation.trigger(&mut trigger);
        }
        let mut state = self.edge.state.borrow_mut();
        state.ordered(job, &trigger);
        state.s28_unreadable_is_left_alone(self.edge.me, job);
        state.s19_one_stop_at_a_time(job, &trigger, self.meant.as_deref().unwrap_or_default());
        drop(state);
        let (job, target) = (job.clone(), target.map(str::to_owned));
        let what = format!("stop {trigger} of {job}");
        let order = move |flink: &mut Flink, uid: &str, now| {
            flink.stop_with_savepoint(uid, &job, &trigger, target.as_deref(), now)
        };
        self.call(Class::Order, || what.clone(), order).await
    }
}
