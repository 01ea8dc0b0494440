//! Events of Kubernetes about a resource, and about what was made for it.

use api::names as rules;
use control_api::explain::Event;
use control_api::route::Target;
use control_api::{Kind, Problem};
use k8s_openapi::api::core::v1::Event as KubernetesEvent;
use kit::client::{DEADLINE, call};
use kube::api::{Api, ListParams};

use super::dialect::Reply;
use super::names::Names;
use super::{Control, text};

/// What the names of the objects of a cluster begin with.
const ROLES: [&str; 4] = ["jobmanager-", "taskmanager-", "supervisor-", "bootstrap-"];
/// What the names of the objects of a job begin with.
const BOOTSTRAP: &str = "bootstrap-";

/// Which events are wanted.
pub struct About<'a> {
    target: Target,
    /// Name of the resource.
    name: &'a str,
    /// All resources that the names of other objects can begin with.
    owners: &'a [String],
}

impl Control {
    pub(super) async fn events(&self, target: Target, names: &Names) -> Result<Reply, Problem> {
        match target {
            Target::Deployment => self.find::<api::FlinkDeployment>(names).map(drop)?,
            Target::Cluster => self.find::<api::FlinkCluster>(names).map(drop)?,
            Target::Job => self.find::<api::FlinkJob>(names).map(drop)?,
        }
        let name = names.resource(target).unwrap_or_default();
        let mut events = self.events_about(target, &name).await?;
        events.sort_by_key(|event| std::cmp::Reverse(event.time));
        Ok(Reply::Answer(text(&events)?.into()))
    }

    /// All events that are still there, in no order.
    pub(super) async fn events_about(&self, target: Target, name: &str) -> Result<Vec<Event>, Problem> {
        let api: Api<KubernetesEvent> = Api::namespaced(self.0.client.clone(), &self.0.namespace);
        let listed = call(DEADLINE, api.list(&ListParams::default())).await;
        let listed = listed.map_err(|error| {
            let kind = if error.status().is_some() { Kind::KubernetesRefused } else { Kind::Unavailable };
            Problem::new(kind, format!("failed to list events: {}", kit::chain(&error)))
        })?;
        let owners = match target {
            Target::Deployment => Vec::new(),
            Target::Cluster => self.0.caches.clusters.names(),
            Target::Job => self.0.caches.jobs.names(),
        };
        let about = About { target, name, owners: &owners };
        Ok(listed.items.iter().filter(|event| about.includes(event)).map(Event::of).collect())
    }
}

impl About<'_> {
    fn includes(&self, event: &KubernetesEvent) -> bool {
        let object = &event.involved_object;
        let (Some(kind), Some(name)) = (&object.kind, &object.name) else { return false };
        if kind.starts_with("Flink") {
            return kind == self.target.kind() && name == self.name;
        }
        let roles: &[&str] = match self.target {
            Target::Deployment => &[],
            Target::Cluster => &ROLES,
            Target::Job => &[BOOTSTRAP],
        };
        roles.iter().filter_map(|role| name.strip_prefix(role)).any(|rest| self.is_owner_of(rest))
    }

    /// Whether the rest of a name begins with that of the resource, and with that of no other with a longer name.
    fn is_owner_of(&self, rest: &str) -> bool {
        let owners = self.owners.iter().map(String::as_str).chain([self.name]);
        let longest = owners
            .filter(|owner| rest == *owner || rules::short_job_name(owner, rest).is_some())
            .max_by_key(|owner| owner.len());
        longest == Some(self.name)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ObjectReference;

    use super::*;

    fn event(kind: &str, name: &str) -> KubernetesEvent {
        let involved_object =
            ObjectReference { kind: Some(kind.to_owned()), name: Some(name.to_owned()), ..ObjectReference::default() };
        KubernetesEvent { involved_object, ..KubernetesEvent::default() }
    }

    #[test]
    fn events_of_pods_belong_to_the_cluster_with_the_longest_name() {
        let owners = ["demo".to_owned(), "demo-2".to_owned()];
        let about = About { target: Target::Cluster, name: "demo", owners: &owners };
        for (kind, name) in [
            ("FlinkCluster", "demo"),
            ("Pod", "jobmanager-demo-1"),
            ("Pod", "taskmanager-demo-3-0"),
            ("ReplicaSet", "supervisor-demo-6f7d"),
            ("Service", "jobmanager-demo"),
            ("Job", "bootstrap-demo-one"),
        ] {
            assert!(about.includes(&event(kind, name)), "{kind} {name}");
        }
        for (kind, name) in [
            ("FlinkCluster", "demo-2"),
            ("FlinkJob", "demo"),
            ("Pod", "jobmanager-demo-2-1"),
            ("Pod", "jobmanager-demonstration-1"),
            ("Pod", "demo-1"),
        ] {
            assert!(!about.includes(&event(kind, name)), "{kind} {name}");
        }
    }

    #[test]
    fn events_of_a_job_are_those_of_its_bootstrap_too() {
        let owners = ["demo-a".to_owned(), "demo-a-b".to_owned()];
        let about = About { target: Target::Job, name: "demo-a", owners: &owners };
        assert!(about.includes(&event("FlinkJob", "demo-a")));
        assert!(about.includes(&event("Pod", "bootstrap-demo-a-x7k2p")));
        assert!(!about.includes(&event("Pod", "bootstrap-demo-a-b-x7k2p")));
        assert!(!about.includes(&event("Pod", "taskmanager-demo-a-0")));
    }
}
