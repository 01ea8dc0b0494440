//! What the original leaves behind: its objects, read from the files beside this one, and a Flink that really runs.

use anyhow::{Context, Result};
use integration_tests::wait::until;
use integration_tests::world::{UP, World, name_of};
use integration_tests::{counter, objects, setup};
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

/// The cluster of the fixture.
pub const CLUSTER: &str = "legacy";
/// The job that runs.
pub const COUNTER: &str = "legacy-counter";
/// The role of the supervisor's pods, as a selector.
pub const SUPERVISORS: &str = "clusterName=legacy,role=supervisor";
/// The role of JobManagers and TaskManagers.
pub const FLINK: &str = "clusterName=legacy,role in (jobmanager,taskmanager)";

const PODS: &str = include_str!("pods.yaml");
const SUPERVISOR: &str = include_str!("supervisor.yaml");
const RESOURCES: &str = include_str!("resources.yaml");

/// What is remembered of it, to be compared later.
pub struct Left {
    /// The Flink job id.
    pub job: String,
    /// When Flink started it.
    pub started: u64,
    /// Names and uids of JobManager and TaskManagers.
    pub flink: Vec<(String, String)>,
    /// Uids of the supervisor's pods.
    pub supervisors: Vec<String>,
    /// The version of the pods' list, from which on they are followed.
    pub version: String,
}

/// Makes everything, with a job that was submitted as the original's bootstrap does it.
pub async fn behind(world: &World) -> Result<Left> {
    for object in items(PODS, &[("STATE", &world.state().to_string_lossy())])? {
        create(world, &object).await?;
    }
    let flink = until("the original's Flink answers", UP, async || {
        let flink = world.flink(CLUSTER).await?;
        Ok((flink.task_managers().await? == 1).then_some(flink))
    })
    .await?;
    let output = objects::url(world.state(), &format!("output/{COUNTER}"));
    let jar = setup::examples()?.join("flink-jobs.jar");
    let job = flink.run_by_hand(&jar, counter::CLASS, &counter::arguments(&output, 200)).await?;
    world.counted(COUNTER, &job, 20).await?;
    for object in resources(world, &job)? {
        create(world, &object).await?;
    }
    for object in items(SUPERVISOR, &[])? {
        create(world, &object).await?;
    }
    let supervisors = until("the original's supervisor runs", UP, async || {
        let pods = world.local.list("pod", SUPERVISORS).await?;
        let running = pods.len() == 1 && pods.iter().all(|pod| pod["status"]["phase"] == "Running");
        Ok(running.then(|| pods.iter().map(|pod| uid(pod).to_owned()).collect()))
    })
    .await?;
    let version = world.local.api("pod")?.list(&ListParams::default()).await?.metadata.resource_version;
    Ok(Left {
        started: flink.started(&job).await?,
        flink: flink_pods(world).await?,
        version: version.context("a list has a version")?,
        job,
        supervisors,
    })
}

/// Names and uids of the pods of Flink.
pub async fn flink_pods(world: &World) -> Result<Vec<(String, String)>> {
    let pods = world.local.list("pod", FLINK).await?;
    let mut pods: Vec<_> = pods.iter().map(|pod| (name_of(pod).to_owned(), uid(pod).to_owned())).collect();
    pods.sort();
    Ok(pods)
}

/// The custom resources as the original has stored them, statuses included, of a job that Flink knows by this id.
pub fn resources(world: &World, job: &str) -> Result<Vec<Value>> {
    let now = jiff::Timestamp::now().to_string();
    items(RESOURCES, &[("STATE", &world.state().to_string_lossy()), ("JOB-ID", job), ("NOW", &now)])
}

fn items(text: &str, places: &[(&str, &str)]) -> Result<Vec<Value>> {
    let text = places.iter().fold(text.to_owned(), |text, (place, value)| text.replace(place, value));
    let mut list: serde_yaml::Value = serde_yaml::from_str(&text)?;
    list.apply_merge()?;
    let list = serde_json::to_value(list)?;
    Ok(list["items"].as_array().context("it is a list")?.clone())
}

/// Creates an object, and gives it its status in a request of its own, as its controller did.
async fn create(world: &World, object: &Value) -> Result<()> {
    let text = |field: &str| object[field].as_str().with_context(|| format!("it has no {field}: {object}"));
    let (version, kind) = (text("apiVersion")?, text("kind")?);
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api: Api<DynamicObject> = Api::namespaced_with(world.local.client(), world.local.namespace(), &resource);
    let made = api
        .create(&PostParams::default(), &serde_json::from_value(object.clone())?)
        .await
        .with_context(|| format!("cannot create {kind} {}", object["metadata"]))?;
    if let Some(status) = object.get("status") {
        let name = made.metadata.name.context("it has a name")?;
        let patch = Patch::Merge(json!({ "status": status }));
        api.patch_status(&name, &PatchParams::default(), &patch).await?;
    }
    Ok(())
}

pub fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}
