//! The objects of the world's API server: our resources as they are, and of all others what somebody looks at.

use std::any::Any;
use std::rc::Rc;

use api::{FlinkCluster, FlinkDeployment, FlinkJob, labels};
use k8s_openapi::api::core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Deployment,
    Cluster,
    Job,
    Pod,
    Service,
    /// A `Job` of Kubernetes.
    Bootstrap,
    /// A `Deployment` of Kubernetes.
    Supervisor,
}

impl Kind {
    /// By the kind's name in Kubernetes.
    pub fn named(name: &str) -> Self {
        match name {
            "FlinkDeployment" => Self::Deployment,
            "FlinkCluster" => Self::Cluster,
            "FlinkJob" => Self::Job,
            "Pod" => Self::Pod,
            "Service" => Self::Service,
            "Job" => Self::Bootstrap,
            "Deployment" => Self::Supervisor,
            other => panic!("nobody writes objects of kind {other}"),
        }
    }
}

/// How far the process of a pod is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    Pending,
    Running,
    Over { code: i32, message: Option<String> },
}

/// A pod with one container.
#[derive(Clone, Debug)]
pub struct Pod {
    pub metadata: ObjectMeta,
    pub args: Vec<String>,
    pub stage: Stage,
    pub address: Option<String>,
    /// Kubernetes has written on it that its node does not answer.
    pub silent: bool,
}

impl Pod {
    fn as_kubernetes_has_it(&self) -> core::v1::Pod {
        let phase = match self.stage {
            Stage::Pending => "Pending",
            Stage::Running => "Running",
            Stage::Over { code: 0, .. } => "Succeeded",
            Stage::Over { .. } => "Failed",
        };
        let status = core::v1::PodStatus { phase: Some(phase.to_owned()), ..core::v1::PodStatus::default() };
        core::v1::Pod { metadata: self.metadata.clone(), status: Some(status), ..core::v1::Pod::default() }
    }
}

/// An object that nothing is known of but that it exists, and its manifest.
#[derive(Clone, Debug)]
pub struct Plain {
    pub kind: Kind,
    pub metadata: ObjectMeta,
    pub manifest: Value,
}

/// Any object. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Object {
    Deployment(Rc<FlinkDeployment>),
    Cluster(Rc<FlinkCluster>),
    Job(Rc<FlinkJob>),
    Pod(Rc<Pod>),
    Plain(Rc<Plain>),
}

impl Object {
    /// The object that a manifest describes, or why it describes none.
    pub fn read(kind: Kind, manifest: &Value) -> Result<Self, serde_json::Error> {
        use serde::Deserialize;
        let metadata = || ObjectMeta::deserialize(&manifest["metadata"]);
        Ok(match kind {
            Kind::Deployment => Self::Deployment(Rc::new(FlinkDeployment::deserialize(manifest)?)),
            Kind::Cluster => Self::Cluster(Rc::new(FlinkCluster::deserialize(manifest)?)),
            Kind::Job => Self::Job(Rc::new(FlinkJob::deserialize(manifest)?)),
            Kind::Pod => Self::Pod(Rc::new(Pod {
                metadata: metadata()?,
                args: arguments(&manifest["spec"]),
                stage: Stage::Pending,
                address: None,
                silent: false,
            })),
            Kind::Service | Kind::Bootstrap | Kind::Supervisor => {
                Self::Plain(Rc::new(Plain { kind, metadata: metadata()?, manifest: manifest.clone() }))
            }
        })
    }

    /// One of our own resources.
    pub fn of<K: 'static>(object: &K) -> Option<Self> {
        let any: &dyn Any = object;
        if let Some(found) = any.downcast_ref::<FlinkJob>() {
            Some(Self::Job(Rc::new(found.clone())))
        } else if let Some(found) = any.downcast_ref::<FlinkCluster>() {
            Some(Self::Cluster(Rc::new(found.clone())))
        } else {
            any.downcast_ref::<FlinkDeployment>().map(|found| Self::Deployment(Rc::new(found.clone())))
        }
    }

    /// As one of our own resources.
    pub fn typed<K: Clone + 'static>(&self) -> Option<K> {
        let any: &dyn Any = match self {
            Self::Deployment(object) => object.as_ref(),
            Self::Cluster(object) => object.as_ref(),
            Self::Job(object) => object.as_ref(),
            Self::Pod(pod) => &pod.as_kubernetes_has_it(),
            Self::Plain(_) => return None,
        };
        any.downcast_ref::<K>().cloned()
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Deployment(_) => Kind::Deployment,
            Self::Cluster(_) => Kind::Cluster,
            Self::Job(_) => Kind::Job,
            Self::Pod(_) => Kind::Pod,
            Self::Plain(object) => object.kind,
        }
    }

    pub fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Deployment(object) => &object.metadata,
            Self::Cluster(object) => &object.metadata,
            Self::Job(object) => &object.metadata,
            Self::Pod(object) => &object.metadata,
            Self::Plain(object) => &object.metadata,
        }
    }

    pub fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::Deployment(object) => &mut Rc::make_mut(object).metadata,
            Self::Cluster(object) => &mut Rc::make_mut(object).metadata,
            Self::Job(object) => &mut Rc::make_mut(object).metadata,
            Self::Pod(object) => &mut Rc::make_mut(object).metadata,
            Self::Plain(object) => &mut Rc::make_mut(object).metadata,
        }
    }

    /// Takes over the status of another version of the object.
    pub fn take_status(&mut self, other: &Self) {
        if self.same_status(other) {
            return;
        }
        match (self, other) {
            (Self::Deployment(object), Self::Deployment(other)) => {
                Rc::make_mut(object).status.clone_from(&other.status);
            }
            (Self::Cluster(object), Self::Cluster(other)) => Rc::make_mut(object).status.clone_from(&other.status),
            (Self::Job(object), Self::Job(other)) => Rc::make_mut(object).status.clone_from(&other.status),
            _ => {}
        }
    }

    /// Whether the status is the same.
    pub fn same_status(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Deployment(one), Self::Deployment(other)) => one.status == other.status,
            (Self::Cluster(one), Self::Cluster(other)) => one.status == other.status,
            (Self::Job(one), Self::Job(other)) => one.status == other.status,
            _ => true,
        }
    }

    /// Whether the specification is the same.
    pub fn same_spec(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Deployment(one), Self::Deployment(other)) => one.spec == other.spec,
            (Self::Cluster(one), Self::Cluster(other)) => one.spec == other.spec,
            (Self::Job(one), Self::Job(other)) => one.spec == other.spec,
            (Self::Plain(one), Self::Plain(other)) => one.manifest["spec"] == other.manifest["spec"],
            _ => true,
        }
    }

    pub fn pod(&self) -> Option<&Pod> {
        match self {
            Self::Pod(pod) => Some(pod),
            _ => None,
        }
    }

    pub fn job(&self) -> Option<&FlinkJob> {
        match self {
            Self::Job(job) => Some(job),
            _ => None,
        }
    }

    pub fn cluster(&self) -> Option<&FlinkCluster> {
        match self {
            Self::Cluster(cluster) => Some(cluster),
            _ => None,
        }
    }
}

/// What the main container of a pod is started with.
pub fn arguments(spec: &Value) -> Vec<String> {
    let all = spec["containers"][0]["args"].as_array();
    all.into_iter().flatten().filter_map(|argument| argument.as_str().map(str::to_owned)).collect()
}

/// The value of a label.
pub fn label<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.labels.as_ref()?.get(key).map(String::as_str)
}

/// What a pod is for.
pub fn role(meta: &ObjectMeta) -> &str {
    label(meta, labels::ROLE).unwrap_or_default()
}

/// The uid of the object's controller.
pub fn controller(meta: &ObjectMeta) -> Option<&str> {
    meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str())
}
