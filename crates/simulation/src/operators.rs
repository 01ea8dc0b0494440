//! The operator's process in this world: the real context, its queue and its caches.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as Polled, Poll, Waker};
use std::time::Duration;

use api::labels;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kit::cache;
use kit::events::{Events, Notice};
use kit::projection::{Parsed, Projection};
use kit::queue::{Next, Queue};
use operator::caches::{Caches, Supervisor, SupervisorPod};
use operator::key::{self, Key};
use operator::pod::{DeploymentState, PodState};
use operator::reconcile::Context;
use tokio::sync::mpsc::Receiver;

use crate::edge::SimEdge;
use crate::mutants::Mutation;
use crate::objects::{Kind, Object, label};
use crate::state::{Id, Shared};
use crate::supervisors::{Watchmaker, settings};
use crate::watch::Watch;

type Flight = Pin<Box<dyn Future<Output = Next>>>;

pub struct Operator {
    pub id: Id,
    pub watches: Vec<Watch>,
    due: Duration,
    flying: Option<(Key, Flight)>,
    queue: Queue<Key>,
    context: Context<SimEdge>,
    state: Shared,
    time: Watchmaker,
    events: Receiver<Notice>,
}

impl Operator {
    /// Starts the process, which lists everything as it was after so many changes.
    pub fn start(state: &Shared, id: Id, changes: usize, mutation: Option<Rc<dyn Mutation>>) -> Self {
        let now = state.borrow().server.now;
        let (time, clock) = Watchmaker::new(now);
        let queue = Queue::new(clock.clone());
        let (caches, mut watches) = caches(&queue);
        for watch in &mut watches {
            watch.list(&state.borrow().server, changes);
        }
        let (events, notices) = Events::collected();
        let edge = SimEdge { state: Rc::clone(state), me: id, clock: clock.clone(), mutation };
        let context = Context::new(edge, clock, caches, events, settings());
        state.borrow_mut().tell(|| format!("{id} starts"));
        let state = Rc::clone(state);
        Self { id, watches, due: now, flying: None, queue, context, state, time, events: notices }
    }

    /// When there is something to do.
    pub fn next(&mut self) -> Duration {
        let state = self.state.borrow();
        let watched = self.watches.iter_mut().filter_map(|watch| watch.due(&state.server)).min();
        let own =
            if self.flying.is_some() { Some(self.due) } else { self.queue.earliest().map(|due| due.max(self.due)) };
        let own = own.unwrap_or(Duration::MAX);
        watched.map_or(own, |watched| watched.min(own))
    }

    /// Takes what the watches bring, and goes on; false when the process has died.
    pub fn poll(&mut self) -> bool {
        let state = self.state.borrow();
        let now = state.server.now;
        let skew = state.skew.get(&self.id).copied().unwrap_or_default();
        self.time.show(now, skew);
        for watch in &mut self.watches {
            watch.deliver(&state.server);
        }
        drop(state);
        if now < self.due {
            return true;
        }
        let (key, mut flight) = match self.flying.take() {
            Some(flying) => flying,
            None => {
                let Some(key) = self.queue.take() else { return true };
                let (context, queue, at) = (self.context.clone(), self.queue.clone(), key.clone());
                let flight: Flight = Box::pin(async move { context.reconcile(at, &queue).await });
                (key, flight)
            }
        };
        self.state.borrow_mut().wake(self.id);
        let answer = flight.as_mut().poll(&mut Polled::from_waker(Waker::noop()));
        self.tell();
        match answer {
            Poll::Ready(next) => self.queue.finish(&key, next),
            Poll::Pending => {
                let mut state = self.state.borrow_mut();
                if state.crashed.remove(&self.id) {
                    state.tell(|| format!("{} has died", self.id));
                    return false;
                }
                self.due = state.resume(self.id);
                drop(state);
                self.flying = Some((key, flight));
            }
        }
        true
    }

    fn tell(&mut self) {
        while let Ok(notice) = self.events.try_recv() {
            let name = notice.about.name.as_deref().unwrap_or_default();
            self.state.borrow_mut().tell(|| format!("{}: {name}: {} {}", self.id, notice.reason, notice.note));
        }
    }
}

fn caches(queue: &Queue<Key>) -> (Caches, Vec<Watch>) {
    let queues = || queue.clone();
    let (one, two, three, four, five) = (queues(), queues(), queues(), queues(), queues());
    let (deployments, first) = cache::fed(move |object: &Arc<_>| key::deployment(&one, object));
    let (clusters, second) = cache::fed(move |object: &Arc<_>| key::cluster(&two, object));
    let (jobs, third) = cache::fed(move |object: &Arc<_>| key::job(&three, object));
    let (supervisors, fourth) = cache::fed(move |object: &Arc<_>| key::supervisor(&four, object));
    let (pods, fifth) = cache::fed(move |object: &Arc<_>| key::supervisor(&five, object));
    let all = |_: &ObjectMeta| true;
    let ours = |meta: &ObjectMeta| label(meta, labels::ROLE) == Some(labels::Role::Supervisor.as_str());
    let deployment = |object: &Object| match object {
        Object::Deployment(found) => Some(Parsed::Valid(Box::new(found.as_ref().clone()))),
        _ => None,
    };
    let watches = vec![
        Watch::new(Kind::Deployment, first, deployment, all),
        Watch::new(
            Kind::Cluster,
            second,
            |object| object.cluster().map(|found| Parsed::Valid(Box::new(found.clone()))),
            all,
        ),
        Watch::new(Kind::Job, third, |object| object.job().map(crate::supervisors::seen_job), all),
        Watch::new(Kind::Supervisor, fourth, seen_supervisor, ours),
        Watch::new(Kind::Pod, fifth, seen_pod, ours),
    ];
    (Caches { deployments, clusters, jobs, supervisors, pods }, watches)
}

fn seen_supervisor(object: &Object) -> Option<Supervisor> {
    let Object::Plain(found) = object else { return None };
    Some(Projection::new(found.metadata.clone(), found.manifest["spec"].clone(), DeploymentState::default()))
}

fn seen_pod(object: &Object) -> Option<SupervisorPod> {
    object.pod().map(|pod| Projection::new(pod.metadata.clone(), serde::de::IgnoredAny, PodState::default()))
}
