//! The Service by which TaskManagers and users find the JobManager.

use api::{
    FlinkCluster,
    labels::{self, Role},
    names,
};
use serde_json::{Value, json};

use crate::{Error, flink_pod::JOB_MANAGER_PORTS, metadata::Owner};

/// Service `jobmanager-<cluster>`.
pub fn job_manager_service(cluster: &FlinkCluster) -> Result<Value, Error> {
    let owner = Owner::new("FlinkCluster", &cluster.metadata)?;
    let labels = labels::role(owner.name, Role::JobManager);
    let ports = JOB_MANAGER_PORTS
        .map(|(name, port)| json!({ "name": name, "port": port, "targetPort": name, "protocol": "TCP" }));
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": owner.child(&names::job_manager_service(owner.name), &labels),
        "spec": { "type": cluster.spec.job_manager.service_mode(), "selector": labels, "ports": ports },
    }))
}
