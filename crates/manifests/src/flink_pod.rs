//! Pods of JobManagers and TaskManagers.
//!
//! They never restart in place: a JobManager that forgot its jobs must not come back under the same uid.

use api::{
    FlinkCluster,
    annotations::Annotations,
    cluster::FlinkPodSpec,
    labels::{self, Labels, Role},
    names,
};
use serde_json::{Value, json};

use crate::{
    Error, GRACE_SECONDS, REST_PORT,
    configuration::{self, Given},
    container::{list, part, pod_variables, pull_secrets, same_node, unless_empty, variable},
    metadata::{Owner, present},
};

/// Where TaskManagers speak to their JobManager.
pub(crate) const RPC_PORT: u16 = 6123;
/// Ports of the JobManager and its Service, in this order.
pub const JOB_MANAGER_PORTS: [(&str, u16); 4] = [("ui", REST_PORT), ("rpc", RPC_PORT), ("blob", 6124), ("query", 6125)];
const TASK_MANAGER_PORTS: [(&str, u16); 2] = [("data", 6121), ("ipc", 6122)];

/// Pod `jobmanager-<cluster>-<incarnation>`.
pub fn job_manager_pod(cluster: &FlinkCluster, incarnation: u32) -> Result<Value, Error> {
    let owner = Owner::new("FlinkCluster", &cluster.metadata)?;
    let part = Part {
        role: Role::JobManager,
        section: "spec.jobManager",
        spec: &cluster.spec.job_manager.pod,
        ports: &JOB_MANAGER_PORTS,
        variables: Vec::new(),
    };
    let mut labels = labels::role(owner.name, Role::JobManager);
    labels.insert(labels::INCARNATION.to_owned(), incarnation.to_string());
    let metadata = owner.child(&names::job_manager_pod(owner.name, incarnation), &labels);
    let mut main = part.main_container(cluster, owner.name)?;
    // A JobManager that does not answer for more than a minute is ended, and another pod takes its place.
    main["livenessProbe"] = overview(15, 30, 3);
    main["readinessProbe"] = overview(0, 1, 10);
    part.pod(cluster, metadata, &part.spec.annotations(), main)
}

/// Pod `taskmanager-<cluster>-<incarnation>-<index>`; `job_manager_uid` is the uid of the JobManager pod that it belongs to.
pub fn task_manager_pod(
    cluster: &FlinkCluster,
    incarnation: u32,
    job_manager_uid: &str,
    index: u32,
) -> Result<Value, Error> {
    let owner = Owner::new("FlinkCluster", &cluster.metadata)?;
    let section = &cluster.spec.task_manager;
    let part = Part {
        role: Role::TaskManager,
        section: "spec.taskManager",
        spec: &section.pod,
        ports: &TASK_MANAGER_PORTS,
        variables: vec![variable("TASK_MANAGER_NUMBER_OF_TASK_SLOTS", &section.slots().to_string())],
    };
    let mut labels = labels::role(owner.name, Role::TaskManager);
    labels.insert(labels::INCARNATION.to_owned(), incarnation.to_string());
    let metadata = owner.child(&names::task_manager_pod(owner.name, incarnation, index), &labels);
    let mut annotations = part.spec.annotations();
    annotations.insert(labels::INCARNATION_UID.to_owned(), job_manager_uid.to_owned());
    let main = part.main_container(cluster, owner.name)?;
    part.pod(cluster, metadata, &annotations, main)
}

/// What differs between the two kinds of pods.
struct Part<'a> {
    role: Role,
    /// Path of the section in the resource, for errors.
    section: &'static str,
    spec: &'a FlinkPodSpec,
    ports: &'a [(&'a str, u16)],
    variables: Vec<Value>,
}

impl Part<'_> {
    fn field(&self, name: &str) -> String {
        format!("{}.{name}", self.section)
    }

    fn main_container(&self, cluster: &FlinkCluster, name: &str) -> Result<Value, Error> {
        let spec = self.spec;
        let runtime = &cluster.spec.runtime;
        let environment_from = list(spec.environment_from.as_ref(), &self.field("environmentFrom"))?;
        let environment = list(spec.environment.as_ref(), &self.field("environment"))?;
        let mut options = cluster.spec.flink_configuration();
        configuration::keep_available(&mut options, &environment, cluster.metadata.uid.as_deref().unwrap_or_default());
        let delivery = configuration::deliver(Given {
            role: self.role,
            options: &options,
            environment,
            has_environment_from: !environment_from.is_empty(),
            command: spec.command.as_deref(),
            args: spec.args.as_deref(),
        })?;
        let mut variables = pod_variables();
        variables.push(variable("JOB_MANAGER_RPC_ADDRESS", &names::job_manager_service(name)));
        variables.extend(self.variables.iter().cloned());
        variables.extend(delivery.environment);
        let mut ports: Vec<_> = self
            .ports
            .iter()
            .map(|(name, port)| json!({ "name": name, "containerPort": port, "protocol": "TCP" }))
            .collect();
        ports.extend(list(spec.extra_ports.as_ref(), &self.field("extraPorts"))?);
        Ok(present(json!({
            "name": self.role.as_str(),
            "image": runtime.image,
            "imagePullPolicy": runtime.pull_policy(),
            "command": spec.command,
            "args": delivery.args,
            "ports": ports,
            "env": variables,
            "envFrom": unless_empty(environment_from),
            "volumeMounts": unless_empty(list(spec.volume_mounts.as_ref(), &self.field("volumeMounts"))?),
            "resources": part(spec.resources.as_ref(), &self.field("resources"))?,
            "securityContext": part(spec.security_context.as_ref(), &self.field("securityContext"))?,
            // Why a process ended is in its log alone; so it stands in the pod's status too.
            "terminationMessagePolicy": "FallbackToLogsOnError",
        })))
    }

    fn pod(
        &self,
        cluster: &FlinkCluster,
        mut metadata: Value,
        annotations: &Annotations,
        main: Value,
    ) -> Result<Value, Error> {
        let spec = self.spec;
        if !annotations.is_empty() {
            metadata["annotations"] = json!(annotations);
        }
        let mut containers = vec![main];
        containers.extend(list(spec.side_containers.as_ref(), &self.field("sideContainers"))?);
        let constraints = list(spec.topology_spread_constraints.as_ref(), &self.field("topologySpreadConstraints"))?;
        let affinity = match part(spec.affinity.as_ref(), &self.field("affinity"))? {
            Value::Null => spread(cluster.metadata.name.as_deref().unwrap_or_default()),
            given => given,
        };
        Ok(json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": present(json!({
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": GRACE_SECONDS,
                "serviceAccountName": spec.service_account(),
                "imagePullSecrets": pull_secrets(cluster.spec.runtime.pull_secrets.as_deref()),
                "initContainers": unless_empty(list(spec.init_containers.as_ref(), &self.field("initContainers"))?),
                "containers": containers,
                "volumes": unless_empty(list(spec.volumes.as_ref(), &self.field("volumes"))?),
                "affinity": affinity,
                "tolerations": unless_empty(list(spec.tolerations.as_ref(), &self.field("tolerations"))?),
                "topologySpreadConstraints": unless_empty(constraints),
            })),
        }))
    }
}

/// Keeps the pods of a cluster apart, if there is room: TaskManagers most of all.
fn spread(cluster: &str) -> Value {
    let labels = |role| -> Labels { labels::role(cluster, role) };
    json!({ "podAntiAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [
        same_node(50, &labels(Role::JobManager)),
        same_node(100, &labels(Role::TaskManager)),
    ] } })
}

fn overview(delay: u32, period: u32, failures: u32) -> Value {
    json!({
        "httpGet": { "path": "/overview", "port": REST_PORT },
        "initialDelaySeconds": delay,
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
        "successThreshold": 1,
    })
}
