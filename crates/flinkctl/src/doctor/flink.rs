//! Clusters and jobs: their supervisors, whether Flink answers, and where state is kept.

use std::collections::BTreeSet;

use api::conditions::{READY, condition};
use api::{FlinkCluster, FlinkJob};
use kube::ResourceExt as _;
use kube::api::ListParams;

use super::kubernetes::account_rights;
use super::rights::{BOOTSTRAP, SUPERVISOR};
use super::{Check, storage};
use crate::namespace::Namespace;

/// All checks of all clusters.
pub async fn all(namespace: &Namespace) -> Vec<Check> {
    let read = async {
        let clusters = namespace.all::<FlinkCluster>(&ListParams::default()).await?;
        Ok::<_, kit::client::CallError>((clusters, namespace.all::<FlinkJob>(&ListParams::default()).await?))
    };
    let (clusters, jobs) = match read.await {
        Ok(found) => found,
        Err(error) => return vec![Check::warn("clusters", kit::chain(&error), "they cannot be listed; see above")],
    };
    let mut checks = accounts(namespace, &clusters, &jobs).await;
    if clusters.is_empty() {
        checks.push(Check::ok("clusters", format!("there are none in namespace {}", namespace.name)));
    }
    for cluster in &clusters {
        let name = cluster.name_any();
        let trouble = namespace.supervisor_trouble(&name).await.unwrap_or_default();
        checks.push(supervisor(&name, trouble));
        checks.push(flink(cluster));
        let own: Vec<&FlinkJob> = jobs.iter().filter(|job| belongs(job, &name, &clusters)).collect();
        checks.extend(storage::all(cluster, &own));
    }
    checks
}

fn belongs(job: &FlinkJob, cluster: &str, clusters: &[FlinkCluster]) -> bool {
    let names: Vec<String> = clusters.iter().map(kube::ResourceExt::name_any).collect();
    let owner =
        api::names::cluster_of_job(job.metadata.name.as_deref().unwrap_or_default(), names.iter().map(String::as_str));
    owner.is_some_and(|(owner, _)| owner == cluster)
}

/// Rights of each account that supervisors and bootstraps have.
async fn accounts(namespace: &Namespace, clusters: &[FlinkCluster], jobs: &[FlinkJob]) -> Vec<Check> {
    let mut supervisors: BTreeSet<&str> =
        clusters.iter().map(|cluster| cluster.spec.supervisor.service_account()).collect();
    let mut bootstraps: BTreeSet<&str> = jobs.iter().map(|job| job.spec.bootstrap.service_account()).collect();
    if supervisors.is_empty() {
        supervisors.insert("flink-supervisor");
        bootstraps.insert("flink-bootstrap");
    }
    let mut checks = Vec::new();
    for account in supervisors {
        checks.push(account_rights(namespace, "rights of supervisors", account, SUPERVISOR).await);
    }
    for account in bootstraps {
        checks.push(account_rights(namespace, "rights of bootstraps", account, BOOTSTRAP).await);
    }
    checks
}

fn supervisor(cluster: &str, trouble: Option<String>) -> Check {
    let name = format!("supervisor of {cluster}");
    match trouble {
        None => Check::ok(name, "it runs"),
        Some(why) => Check::fail(name, why, format!("flinkctl explain cluster {cluster}")),
    }
}

/// What the supervisor says of Flink.
fn flink(cluster: &FlinkCluster) -> Check {
    let own = cluster.name_any();
    let name = format!("Flink of {own}");
    let status = cluster.status.as_ref();
    let ready = status.and_then(|status| condition(&status.conditions, READY));
    let health = status.and_then(|status| status.cluster_health.as_deref()).unwrap_or_default();
    let explain = format!("flinkctl explain cluster {own}");
    match (ready, health) {
        (Some(ready), _) if ready.status == "True" => {
            Check::ok(name, "the JobManager answers, and all TaskManagers are there")
        }
        (Some(ready), _) if matches!(ready.reason.as_str(), "Stopped" | "Terminated" | "Stopping") => {
            Check::ok(name, ready.message.clone())
        }
        (Some(ready), "HEALTHY") => {
            Check::warn(name, format!("the JobManager answers, but: {}", ready.message), explain)
        }
        (Some(ready), _) if matches!(ready.reason.as_str(), "Starting" | "Unknown") => {
            Check::warn(name, ready.message.clone(), explain)
        }
        (Some(ready), _) => Check::fail(name, format!("{}: {}", ready.reason, ready.message), explain),
        (None, _) => Check::warn(name, "nobody has looked at it yet", explain),
    }
}
