//! The controllers that every cluster has: deployments, replica sets, jobs, garbage collection, namespaces, scheduling.
//!
//! They speak the Kubernetes API and nothing else. One loop looks at one object at a time: a pure `step` reads the
//! cache and says what to do, [`act`] does it, and the answers go into the cache before the next look.
//!
//! Invariant: nothing is written while nothing changes; there is no resync, only watches and times that a step named.

mod act;
mod cache;
mod claim;
mod deployment;
mod expiry;
mod feed;
mod garbage;
mod job;
mod namespace;
mod object;
mod progress;
mod protection;
mod queue;
mod replicaset;
mod rollout;
mod scheduler;
mod verdict;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use act::Act;
use cache::{
    CLAIMS, Cache, Changed, DEFINITIONS, DEPLOYMENTS, EVENTS, JOBS, Key, NAMESPACES, NODES, PODS, REPLICA_SETS,
    Resource,
};
use feed::News;
use queue::{Item, Queue, Role};

/// How much may wait between the watches and the loop.
const BACKLOG: usize = 256;
/// A loop without anything to wait for looks at the clock this often; it costs nothing and covers a clock that jumps.
const LONGEST_SLEEP: Duration = Duration::from_mins(10);

/// What one look at an object came to.
#[derive(Debug, Default)]
struct Step {
    acts: Vec<Act>,
    /// When to look again although nothing changed.
    wake: Option<Timestamp>,
}

/// Runs the controllers until they are told to stop. `authority` is the certificate that pods trust the server by.
pub async fn run(client: Client, authority: String, stop: CancellationToken) -> Result<(), kube::Error> {
    let resources = feed::builtin(&client).await?;
    let (sender, news) = mpsc::channel(BACKLOG);
    let mut controllers = Controllers {
        client,
        authority,
        cache: Cache::default(),
        queue: Queue::default(),
        followers: HashMap::new(),
        unheard: BTreeSet::new(),
        sender,
        stop: stop.clone(),
    };
    for resource in resources {
        controllers.follow(resource);
    }
    tokio::select! {
        () = controllers.work(news) => {}
        () = stop.cancelled() => {}
    }
    Ok(())
}

struct Controllers {
    client: Client,
    authority: String,
    cache: Cache,
    queue: Queue,
    followers: HashMap<String, CancellationToken>,
    /// Resources whose first list has not come yet. Nobody judges before all are in.
    unheard: BTreeSet<String>,
    sender: mpsc::Sender<News>,
    stop: CancellationToken,
}

impl Controllers {
    async fn work(&mut self, mut news: mpsc::Receiver<News>) {
        loop {
            while let Ok(news) = news.try_recv() {
                self.hear(news);
            }
            let due = if self.unheard.is_empty() { self.queue.pop(Timestamp::now()) } else { None };
            if let Some(item) = due {
                self.look(item).await;
                continue;
            }
            let sleep = self.queue.next().filter(|_| self.unheard.is_empty()).map_or(LONGEST_SLEEP, until);
            tokio::select! {
                heard = news.recv() => match heard {
                    Some(news) => self.hear(news),
                    None => return,
                },
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    fn follow(&mut self, resource: Resource) {
        let id = resource.id();
        if self.followers.contains_key(&id) {
            return;
        }
        let stop = self.stop.child_token();
        self.followers.insert(id.clone(), stop.clone());
        self.unheard.insert(id);
        self.cache.add_resource(resource.clone());
        feed::follow(self.client.clone(), resource, self.sender.clone(), stop);
    }

    fn unfollow(&mut self, id: &str) {
        if let Some(stop) = self.followers.remove(id) {
            stop.cancel();
        }
        self.unheard.remove(id);
        for changed in self.cache.remove_resource(id) {
            self.route(&changed);
        }
    }

    fn hear(&mut self, news: News) {
        let changed = match news {
            News::List { resource, revision, objects } => {
                self.unheard.remove(&resource);
                self.cache.replace(&resource, objects, revision)
            }
            // Nobody waits for what is not there.
            News::Unserved { resource } => {
                self.unheard.remove(&resource);
                Vec::new()
            }
            News::Put { resource, object } => self.cache.put(&resource, object).into_iter().collect(),
            News::Gone { resource, object } => {
                let key = Key::of(&resource, &object);
                self.cache.remove(&key, object::uid(&object)).into_iter().collect()
            }
        };
        for changed in changed {
            self.route(&changed);
        }
    }

    async fn look(&mut self, item: Item) {
        let step = self.step(&item, Timestamp::now());
        self.queue.wake(item.clone(), step.wake);
        for act in &step.acts {
            match act::perform(&self.client, &mut self.cache, act).await {
                Ok(changed) => {
                    for changed in &changed {
                        self.route(changed);
                    }
                    self.tell_of_pods(&item, act, &changed).await;
                }
                Err(error) => return self.fail(item, act, &error).await,
            }
        }
        self.queue.succeeded(&item);
    }

    /// Tells the owner of pods which ones came and went.
    async fn tell_of_pods(&mut self, (role, key): &Item, act: &Act, changed: &[Changed]) {
        if !matches!(role, Role::ReplicaSet | Role::Job) {
            return;
        }
        let news: Vec<(&str, String)> = match act {
            Act::Create { resource: PODS, .. } => {
                let created = changed.iter().filter_map(|changed| changed.new.as_ref());
                created.map(|pod| ("SuccessfulCreate", format!("Created pod: {}", object::name(pod)))).collect()
            }
            Act::Delete { key: pod, .. } if pod.resource == PODS => {
                vec![("SuccessfulDelete", format!("Deleted pod: {}", pod.name))]
            }
            _ => return,
        };
        let Some(about) = self.cache.get(key).map(|owner| reference(owner)) else { return };
        for (reason, message) in news {
            let tell = Act::Tell { from: role.component(), about: about.clone(), kind: "Normal", reason, message };
            if let Ok(changed) = act::perform(&self.client, &mut self.cache, &tell).await {
                for changed in &changed {
                    self.route(changed);
                }
            }
        }
    }

    async fn fail(&mut self, item: Item, act: &Act, error: &act::Error) {
        let (role, key) = item.clone();
        let failures = self.queue.failed(item, Timestamp::now());
        if error.is_race() {
            tracing::debug!(%error, ?key, "lost a race");
            return;
        }
        tracing::warn!(%error, failures, resource = key.resource, namespace = key.namespace, name = key.name, "a controller failed");
        // Said once, not at each attempt.
        if let (1, Act::Create { .. }, Some(about)) = (failures, act, self.cache.get(&key)) {
            let message = error.to_string();
            let tell = Act::Tell {
                from: role.component(),
                about: reference(about),
                kind: "Warning",
                reason: "FailedCreate",
                message,
            };
            let _ = act::perform(&self.client, &mut self.cache, &tell).await;
        }
    }

    fn step(&self, (role, key): &Item, now: Timestamp) -> Step {
        let cache = &self.cache;
        match role {
            Role::Namespace => namespace::step(cache, key, &self.authority, now),
            Role::Deployment => deployment::step(cache, key, now),
            Role::ReplicaSet => replicaset::step(cache, key, now),
            Role::Job => job::step(cache, key, now),
            Role::OrphanPod => job::orphan(cache, key),
            Role::Scheduler => scheduler::step(cache, key, now),
            Role::Garbage => garbage::step(cache, key),
            Role::Expiry => expiry::step(cache, key, now),
            Role::Protection => protection::step(cache, key),
        }
    }

    /// Decides who has to look at what, now that an object changed.
    fn route(&mut self, changed: &Changed) {
        let key = &changed.key;
        match key.resource.as_str() {
            NAMESPACES => self.queue.push(Role::Namespace, key.clone()),
            DEPLOYMENTS => self.queue.push(Role::Deployment, key.clone()),
            REPLICA_SETS => self.queue.push(Role::ReplicaSet, key.clone()),
            JOBS => self.queue.push(Role::Job, key.clone()),
            EVENTS => self.queue.push(Role::Expiry, key.clone()),
            CLAIMS => self.queue.push(Role::Protection, key.clone()),
            PODS => self.route_pod(changed),
            NODES => self.route_node(),
            DEFINITIONS => self.route_definition(changed),
            _ => {}
        }
        self.route_owners(changed);
        self.route_orphan(changed);
        self.route_garbage(changed);
        self.route_content(changed);
    }

    fn route_pod(&mut self, changed: &Changed) {
        if changed.new.as_ref().is_none_or(|pod| object::pod::finished(pod)) {
            for key in protection::freed(&self.cache, &changed.key) {
                self.queue.push(Role::Protection, key);
            }
        }
        let Some(pod) = &changed.new else { return };
        if scheduler::waits(pod) {
            self.queue.push(Role::Scheduler, changed.key.clone());
        }
        if object::has_finalizer(pod, job::TRACKING) {
            self.queue.push(Role::OrphanPod, changed.key.clone());
        }
    }

    fn route_node(&mut self) {
        let waiting = self.cache.objects(PODS).filter(|(_, pod)| scheduler::waits(pod)).map(|(key, _)| key.clone());
        for key in waiting.collect::<Vec<_>>() {
            self.queue.push(Role::Scheduler, key);
        }
    }

    /// What a definition adds is followed while it is there.
    fn route_definition(&mut self, changed: &Changed) {
        match (&changed.old, &changed.new) {
            (_, Some(definition)) => {
                if let Some(resource) = feed::defined(definition) {
                    let moved = self.cache.resource(&resource.id()).is_some_and(|known| *known != resource);
                    if moved {
                        self.unfollow(&resource.id());
                    }
                    self.follow(resource);
                }
            }
            (Some(definition), None) => {
                if let Some(resource) = feed::defined(definition) {
                    self.unfollow(&resource.id());
                }
            }
            (None, None) => {}
        }
    }

    /// Controllers look when what they control changes; deployments also when the pods of their replica sets do.
    fn route_owners(&mut self, changed: &Changed) {
        for object in [&changed.old, &changed.new].into_iter().flatten() {
            let Some(uid) = object::controller(object) else { continue };
            let Some((owner, found)) = self.cache.by_uid(uid) else { continue };
            let role = match owner.resource.as_str() {
                DEPLOYMENTS => Role::Deployment,
                REPLICA_SETS => Role::ReplicaSet,
                JOBS => Role::Job,
                _ => continue,
            };
            let above = object::controller(found).and_then(|uid| self.cache.by_uid(uid));
            let above = above.filter(|(key, _)| key.resource == DEPLOYMENTS).map(|(key, _)| key.clone());
            self.queue.push(role, owner.clone());
            if let Some(above) = above {
                self.queue.push(Role::Deployment, above);
            }
        }
    }

    /// What nobody controls is looked at by those who may adopt it.
    fn route_orphan(&mut self, changed: &Changed) {
        let Some(new) = changed.new.as_ref().filter(|new| claim::is_orphan(new)) else { return };
        let (owners, role) = match changed.key.resource.as_str() {
            PODS => (REPLICA_SETS, Role::ReplicaSet),
            REPLICA_SETS => (DEPLOYMENTS, Role::Deployment),
            _ => return,
        };
        let found =
            self.cache.objects(owners).filter(|(_, owner)| claim::matches(owner, new)).map(|(key, _)| key.clone());
        for key in found.collect::<Vec<_>>() {
            self.queue.push(role, key);
        }
    }

    fn route_garbage(&mut self, changed: &Changed) {
        if changed.new.as_ref().is_some_and(|new| garbage::concerns(new)) {
            self.queue.push(Role::Garbage, changed.key.clone());
        }
        let old_uid = changed.old.as_ref().map(|old| object::uid(old).to_owned());
        let new_uid = changed.new.as_ref().map(|new| object::uid(new).to_owned());
        let gone = old_uid.as_ref().filter(|old| Some(*old) != new_uid.as_ref());
        let leaving = changed.new.as_ref().filter(|new| object::deleting(new)).and(new_uid.as_ref());
        let mut keys: Vec<Key> = Vec::new();
        for uid in gone.into_iter().chain(leaving) {
            keys.extend(self.cache.dependents(uid).map(|(key, _)| key.clone()));
        }
        // Owners that wait for their dependents look when one of these goes or is released.
        for owner in changed.old.iter().flat_map(|old| object::owners(old)) {
            let found = self.cache.by_uid(object::text(owner, "/uid"));
            keys.extend(found.filter(|(_, owner)| garbage::concerns(owner)).map(|(key, _)| key.clone()));
        }
        for key in keys {
            if key.resource == PODS {
                self.queue.push(Role::OrphanPod, key.clone());
            }
            self.queue.push(Role::Garbage, key);
        }
    }

    /// Namespaces look when something in them goes.
    fn route_content(&mut self, changed: &Changed) {
        let key = &changed.key;
        let namespace = Key::new(NAMESPACES, "", &key.namespace);
        let closing = self.cache.get(&namespace).is_some_and(|namespace| object::deleting(namespace));
        if !key.namespace.is_empty() && (closing || (changed.new.is_none() && namespace::is_furniture(key))) {
            self.queue.push(Role::Namespace, namespace);
        }
    }
}

fn until(time: Timestamp) -> Duration {
    let left = time.duration_since(Timestamp::now());
    // A little late rather than a little early: a look before its time would only lead to another one.
    Duration::try_from(left).map_or(Duration::ZERO, |left| (left + Duration::from_millis(1)).min(LONGEST_SLEEP))
}

/// What an event needs to know of the object that it is about.
fn reference(object: &Value) -> Value {
    json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": {
        "name": object["metadata"]["name"],
        "namespace": object["metadata"]["namespace"],
        "uid": object["metadata"]["uid"],
        "resourceVersion": object["metadata"]["resourceVersion"],
    }})
}

/// Writes a whole status: a field that is absent from it is removed.
fn replace_status(resource: &str, object: &Value, status: &Value) -> Act {
    let mut patch = status.clone();
    for field in object["status"].as_object().into_iter().flat_map(serde_json::Map::keys) {
        if status.get(field).is_none() {
            patch[field] = Value::Null;
        }
    }
    // A map is merged, so that what it must lose has to be named.
    for (field, value) in object["status"].as_object().into_iter().flatten() {
        for inner in value.as_object().into_iter().flat_map(serde_json::Map::keys) {
            if status[field].is_object() && status[field].get(inner).is_none() {
                patch[field][inner] = Value::Null;
            }
        }
    }
    Act::Patch {
        key: Key::of(resource, object),
        subresource: "status",
        patch: json!({"metadata": {"uid": object::uid(object)}, "status": patch}),
    }
}
