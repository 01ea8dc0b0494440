//! Says regularly that the node lives: a genuine control plane takes the pods away from one that does not.
//!
//! The Lease in `kube-node-lease` is the cheap way, made for this. Invariant: only the time is written, and only by the node itself.

use super::Machine;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, OwnerReference};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const NAMESPACE: &str = "kube-node-lease";
/// A quarter of the time after which the node counts as dead, so that three renewals may fail.
const INTERVAL: Duration = Duration::from_secs(10);
const LIFETIME: i32 = 40;

pub(super) async fn run(machine: Arc<Machine>) {
    let leases: Api<Lease> = Api::namespaced(machine.client.clone(), NAMESPACE);
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = beat(&leases, &machine.client, &machine.name).await {
            tracing::warn!(error = kit::chain(&error), "the node's lease was not renewed, it is tried again");
        }
    }
}

async fn beat(leases: &Api<Lease>, client: &Client, name: &str) -> kube::Result<()> {
    let renewal = json!({"spec": {"renewTime": MicroTime(Timestamp::now()), "holderIdentity": name}});
    match leases.patch(name, &PatchParams::default(), &Patch::Merge(renewal)).await {
        Err(kube::Error::Api(error)) if error.is_not_found() => {
            let node = Api::<k8s_openapi::api::core::v1::Node>::all(client.clone()).get(name).await?;
            // Without its node the lease is garbage.
            let owner = OwnerReference { controller: None, ..node.controller_owner_ref(&()).unwrap_or_default() };
            let lease = Lease {
                metadata: ObjectMeta {
                    name: Some(name.to_owned()),
                    owner_references: Some(vec![owner]),
                    ..ObjectMeta::default()
                },
                spec: Some(LeaseSpec {
                    holder_identity: Some(name.to_owned()),
                    lease_duration_seconds: Some(LIFETIME),
                    renew_time: Some(MicroTime(Timestamp::now())),
                    ..LeaseSpec::default()
                }),
            };
            leases.create(&PostParams::default(), &lease).await.map(drop)
        }
        renewed => renewed.map(drop),
    }
}
