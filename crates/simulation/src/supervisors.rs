//! A supervisor's process in this world: the real reconciler, its caches, and what wakes it.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use api::{FlinkJob, labels};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kit::Clock;
use kit::cache;
use kit::clock::Hands;
use kit::events::{Events, Notice};
use kit::projection::{Parsed, Projection};
use manifests::Settings;
use prometheus_client::registry::Registry;
use supervisor::act::Actor;
use supervisor::caches::{
    Caches, ContainerState, ContainerStatus, JobObject, Nothing, PodObject, PodPlace, PodStatus, ServiceObject,
    Terminated,
};
use supervisor::metrics::Metrics;
use supervisor::reconcile::Reconciler;
use tokio::sync::mpsc::Receiver;

use crate::edge::SimEdge;
use crate::mutants::Mutation;
use crate::objects::{Kind, Object, Pod, Stage, label, role};
use crate::state::{Id, Shared};
use crate::watch::Watch;

/// What is annotated so does not parse.
pub const UNREADABLE: &str = "simulation/unreadable";

type Real = Reconciler<SimEdge>;
type Flight = Pin<Box<dyn Future<Output = (Box<Real>, Duration)>>>;

enum Run {
    Idle(Box<Real>),
    /// A pass that waits for an answer.
    Flying(Flight),
    /// The process has died.
    Dead,
}

/// The image of all pods.
pub fn settings() -> Settings {
    Settings { image: "flinkctl".into(), dry_run: false }
}

/// The clock of a process: its hands follow the world's time.
pub struct Watchmaker {
    hands: Arc<Hands>,
    shown: Duration,
}

impl Watchmaker {
    pub fn new(start: Duration) -> (Self, Clock) {
        let hands = Arc::new(Hands::default());
        hands.pass(start);
        let clock = Clock::given(&hands);
        (Self { hands, shown: start }, clock)
    }

    /// Shows the time of the world, with the wall clock that far off.
    pub fn show(&mut self, now: Duration, skew: i64) {
        if now > self.shown {
            self.hands.pass(now - self.shown);
            self.shown = now;
        }
        let wall = crate::time::wall(now) + SignedDuration::from_secs(skew);
        self.hands.set_wall(wall);
    }
}

pub struct Supervisor {
    pub id: Id,
    pub cluster: String,
    /// The uid of its pod, where there is one.
    pub pod: Option<String>,
    pub watches: Vec<Watch>,
    pub due: Duration,
    again: bool,
    run: Run,
    state: Shared,
    clock: Clock,
    time: Watchmaker,
    events: Receiver<Notice>,
}

impl Supervisor {
    /// Starts the process, which lists everything as it was after so many changes.
    pub fn start(
        state: &Shared,
        id: Id,
        cluster: &str,
        pod: Option<String>,
        changes: usize,
        mutation: Option<Rc<dyn Mutation>>,
    ) -> Self {
        let now = state.borrow().server.now;
        let (time, clock) = Watchmaker::new(now);
        let edge = SimEdge { state: Rc::clone(state), me: id, clock: clock.clone(), mutation };
        let (caches, mut watches) = caches(cluster);
        let actor = Actor {
            edge,
            caches: caches.clone(),
            cluster: cluster.to_owned(),
            settings: settings(),
            unseen: Mutex::default(),
        };
        for watch in &mut watches {
            watch.list(&state.borrow().server, changes);
        }
        let (events, notices) = Events::collected();
        let metrics = Metrics::register(&mut Registry::default());
        let reconciler = Reconciler::new(actor, caches, events, metrics, Duration::from_secs(10));
        state.borrow_mut().tell(|| format!("{id} starts"));
        let run = Run::Idle(Box::new(reconciler));
        let state = Rc::clone(state);
        let cluster = cluster.to_owned();
        Self { id, cluster, pod, watches, due: now, again: false, run, state, clock, time, events: notices }
    }

    /// When there is something to do.
    pub fn next(&mut self) -> Duration {
        let state = self.state.borrow();
        let cut = state.faults.cut_api;
        self.watches
            .iter_mut()
            .filter_map(|watch| watch.due(&state.server))
            .map(|due| due.max(cut))
            .fold(self.due, Duration::min)
    }

    /// Takes what the watches bring, and goes on if it is time; false when the process has died.
    pub fn poll(&mut self) -> bool {
        let state = self.state.borrow();
        let now = state.server.now;
        let mut changed = false;
        if now >= state.faults.cut_api {
            for watch in &mut self.watches {
                changed |= watch.deliver(&state.server);
            }
        }
        let skew = state.skew.get(&self.id).copied().unwrap_or_default();
        drop(state);
        match &self.run {
            Run::Idle(_) if changed => self.due = now,
            Run::Flying(_) => self.again |= changed,
            _ => {}
        }
        if now < self.due {
            return true;
        }
        self.time.show(now, skew);
        self.go_on(now)
    }

    fn go_on(&mut self, now: Duration) -> bool {
        let mut flight: Flight = match std::mem::replace(&mut self.run, Run::Dead) {
            Run::Idle(mut reconciler) => Box::pin(async move {
                let pause = reconciler.pass().await;
                (reconciler, pause)
            }),
            Run::Flying(flight) => flight,
            Run::Dead => return false,
        };
        self.state.borrow_mut().wake(self.id);
        let answer = flight.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        self.tell();
        // Who sleeps by a clock of its own is busy meanwhile.
        let slept = self.clock.monotonic().saturating_sub(now);
        match answer {
            Poll::Ready((reconciler, pause)) => {
                let pause = if std::mem::take(&mut self.again) { Duration::ZERO } else { pause };
                self.due = now + pause.max(slept).max(Duration::from_millis(1));
                self.run = Run::Idle(reconciler);
                true
            }
            Poll::Pending => {
                let mut state = self.state.borrow_mut();
                if state.crashed.remove(&self.id) {
                    return false;
                }
                self.due = state.resume(self.id).max(now + slept);
                drop(state);
                self.run = Run::Flying(flight);
                true
            }
        }
    }

    fn tell(&mut self) {
        while let Ok(notice) = self.events.try_recv() {
            let name = notice.about.name.as_deref().unwrap_or_default();
            self.state.borrow_mut().tell(|| format!("{}: {name}: {} {}", self.id, notice.reason, notice.note));
        }
    }
}

fn caches(cluster: &str) -> (Caches, Vec<Watch>) {
    let named = cluster.to_owned();
    let of_cluster = || {
        let name = cluster.to_owned();
        move |meta: &ObjectMeta| label(meta, labels::CLUSTER_NAME) == Some(name.as_str())
    };
    let (cluster, one) = cache::fed(|_: &Arc<_>| ());
    let (jobs, two) = cache::fed(|_: &Arc<_>| ());
    let (pods, three) = cache::fed(|_: &Arc<_>| ());
    let (bootstraps, four) = cache::fed(|_: &Arc<_>| ());
    let (services, five) = cache::fed(|_: &Arc<_>| ());
    let watches = vec![
        Watch::new(
            Kind::Cluster,
            one,
            |object| object.cluster().map(|found| Parsed::Valid(Box::new(found.clone()))),
            move |meta| meta.name.as_deref() == Some(named.as_str()),
        ),
        Watch::new(Kind::Job, two, |object| object.job().map(seen_job), of_cluster()),
        Watch::new(Kind::Pod, three, |object| object.pod().map(seen_pod), of_cluster()),
        Watch::new(
            Kind::Bootstrap,
            four,
            |object| Some(JobObject::new(object.meta().clone(), Nothing {}, Nothing {})),
            of_cluster(),
        ),
        Watch::new(
            Kind::Service,
            five,
            |object: &Object| Some(ServiceObject::new(object.meta().clone(), Nothing {}, Nothing {})),
            of_cluster(),
        ),
    ];
    (Caches { cluster, jobs, pods, bootstraps, services }, watches)
}

/// A job as our processes decode it: what does not parse is known to be there.
pub fn seen_job(job: &FlinkJob) -> Parsed<FlinkJob> {
    if job.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(UNREADABLE)) {
        let metadata = Box::new(job.metadata.clone());
        return Parsed::Invalid { metadata, why: "it cannot be read".into() };
    }
    Parsed::Valid(Box::new(job.clone()))
}

/// A pod as a supervisor decodes it.
fn seen_pod(pod: &Pod) -> PodObject {
    let (phase, state) = match &pod.stage {
        Stage::Pending => ("Pending", None),
        Stage::Running => ("Running", Some(ContainerState { running: Some(Nothing {}), ..ContainerState::default() })),
        Stage::Over { code, message } => {
            let reason = Some(if *code == 0 { "Completed" } else { "Error" }.to_owned());
            let terminated = Some(Terminated { exit_code: *code, reason, message: message.clone() });
            let phase = if *code == 0 { "Succeeded" } else { "Failed" };
            (phase, Some(ContainerState { terminated, ..ContainerState::default() }))
        }
    };
    let name = role(&pod.metadata).to_owned();
    let status = PodStatus {
        phase: phase.to_owned(),
        pod_ip: pod.address.clone(),
        container_statuses: state
            .map(|state| ContainerStatus { name, state, ..ContainerStatus::default() })
            .into_iter()
            .collect(),
        reason: pod.silent.then(|| "NodeLost".to_owned()),
        ..PodStatus::default()
    };
    let node = pod.metadata.uid.as_ref().map(|uid| format!("{}{uid}", crate::edge::NODE));
    Projection::new(pod.metadata.clone(), PodPlace { node_name: node }, status)
}
