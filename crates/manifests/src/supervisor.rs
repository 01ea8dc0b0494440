//! The Deployment of a cluster's supervisor.

use api::{
    FlinkCluster, annotations, digest,
    labels::{self, Role},
    names,
};
use serde_json::{Value, json};

use crate::{
    Error, MONITORING_PORT, Settings,
    container::{pod_variables, probe, pull_secrets, resources, same_node, security, variable},
    image::supervisor_image,
    metadata::{Owner, present},
};

/// Deployment `supervisor-<cluster>`.
pub fn supervisor_deployment(cluster: &FlinkCluster, settings: &Settings) -> Result<Value, Error> {
    let owner = Owner::new("FlinkCluster", &cluster.metadata)?;
    let spec = &cluster.spec.supervisor;
    let name = names::supervisor(owner.name);
    let labels = labels::role(owner.name, Role::Supervisor);
    let mut metadata = owner.child(&name, &labels);
    metadata["annotations"] = json!({ annotations::DEPLOYMENT_DIGEST: digest::supervisor(spec) });

    let mut args = vec![
        "supervisor".to_owned(),
        "run".to_owned(),
        format!("--namespace={}", owner.namespace),
        format!("--cluster-name={}", owner.name),
        format!("--polling-interval={}", spec.polling_interval().as_secs()),
        format!("--task-timeout={}", spec.task_timeout().as_secs()),
    ];
    if settings.dry_run {
        args.push("--dry-run".to_owned());
    }
    let mut variables = pod_variables();
    variables.push(variable("FLINKCTL_IMAGE", &settings.image));

    let container = json!({
        "name": "supervisor",
        "image": supervisor_image(&spec.image, &settings.image).name,
        "imagePullPolicy": spec.pull_policy(),
        "args": args,
        "env": variables,
        "ports": [{ "name": "monitoring", "containerPort": MONITORING_PORT, "protocol": "TCP" }],
        "livenessProbe": probe("/healthz", 10, 6),
        "readinessProbe": probe("/readyz", 2, 3),
        "resources": resources(spec.resources.as_ref(), "spec.supervisor.resources")?,
        "securityContext": security(spec.security_context.as_ref(), "spec.supervisor.securityContext")?,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    });
    let near = same_node(100, &labels);
    Ok(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": if settings.dry_run { 0 } else { spec.replicas() },
            "strategy": { "type": "Recreate" },
            "minReadySeconds": 0,
            "progressDeadlineSeconds": 180,
            "revisionHistoryLimit": 3,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "name": name, "labels": labels },
                "spec": present(json!({
                    "restartPolicy": "Always",
                    "terminationGracePeriodSeconds": crate::GRACE_SECONDS,
                    "serviceAccountName": spec.service_account(),
                    "imagePullSecrets": pull_secrets(spec.pull_secrets.as_deref()),
                    "containers": [container],
                    "affinity": { "podAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [near] } },
                })),
            },
        },
    }))
}
