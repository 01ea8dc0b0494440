//! Looking ahead: `--dry-run`, and the refusal of what cannot fit.

use api::{FlinkCluster, FlinkDeployment, FlinkJob};
use control_api::route::Target;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::connection::Address;
use crate::failure::Failure;
use crate::namespace::Namespace;
use crate::preview::{self, Present, Preview, Wanted};
use crate::print::{self, Format, Habit};
use crate::session::{ClientArgs, Resource, pretty, yaml};
use crate::{ExitStatus, Result, spec};

/// Whether only to look ahead.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct DryRunArgs {
    /// Change nothing: show what would restart, and whether its pods fit
    #[arg(long)]
    pub dry_run: bool,
}

/// The same, and whether to scale in any case.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ScaleArgs {
    #[command(flatten)]
    pub ahead: DryRunArgs,
    /// Scale also if the namespace's quota has no room for it
    #[arg(long)]
    pub force: bool,
}

/// What a number is to become.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    TaskManagers(i32),
    Parallelism(i32),
}

/// Shows what creating or replacing a resource would do.
pub async fn spec(resource: &Resource, file: &std::path::Path, is_new: bool, client: &ClientArgs) -> Result {
    let spec = spec::read(file, resource.target)?;
    let spec: Value = serde_json::from_slice(&spec.body)
        .map_err(|error| Failure::new(format!("failed to use {}: it is no JSON: {error}", file.display())))?;
    let place = Namespace::open(&client.connection).await?;
    let wanted = wanted(resource.target, &resource.names, &spec).map_err(|why| {
        Failure::new(format!("failed to use {}: {why}", file.display())).hint("flinkctl validate says where")
    })?;
    let present = gather(&place, &wanted).await?;
    let preview = preview::preview(&present, &wanted, Timestamp::now());
    if is_new && preview.exists {
        return Err(Failure::new(format!("{} is there already", resource.said())).hint("use update"));
    }
    if !is_new && !preview.exists {
        return Err(Failure::new(format!("there is no {}", resource.said())).hint("use create"));
    }
    show(&[preview], client)
}

/// Shows what scaling would do.
pub async fn scale(resource: &Resource, number: Number, client: &ClientArgs) -> Result {
    let place = Namespace::open(&client.connection).await?;
    let preview = scaled(&place, resource, number).await?;
    show(&[preview], client)
}

/// Refuses what cannot fit. Where Kubernetes cannot be asked, the quota has the last word anyway.
pub async fn refuse(resource: &Resource, number: Number, client: &ClientArgs) -> Result<()> {
    if client.connection.place()?.address != Address::Kubernetes {
        return Ok(());
    }
    let Ok(place) = Namespace::open(&client.connection).await else { return Ok(()) };
    let Ok(preview) = scaled(&place, resource, number).await else { return Ok(()) };
    if preview.fits() {
        return Ok(());
    }
    let why = preview.shortage().join("; ");
    Err(Failure::new(format!("{} is not scaled, since it cannot fit: {why}", resource.said()))
        .hint("--dry-run shows more; --force scales nevertheless, and pods come when there is room"))
}

async fn scaled(place: &Namespace, resource: &Resource, number: Number) -> Result<Preview> {
    let name = resource.name();
    let missing = || Failure::new(format!("there is no {} in namespace {}", resource.said(), place.name));
    let wanted = match number {
        Number::TaskManagers(number) => {
            let mut cluster = place.cluster(&name).await?.ok_or_else(missing)?;
            cluster.spec.task_managers = Some(number);
            Wanted::Cluster(Box::new(cluster))
        }
        Number::Parallelism(number) => {
            let mut job = place.job(&name).await?.ok_or_else(missing)?;
            job.spec.job_parallelism = Some(number);
            Wanted::Job { cluster: resource.names.first().cloned().unwrap_or_default(), job: Box::new(job) }
        }
    };
    let present = gather(place, &wanted).await?;
    Ok(preview::preview(&present, &wanted, Timestamp::now()))
}

/// A resource of these names with this spec.
pub fn wanted(target: Target, names: &[String], spec: &Value) -> std::result::Result<Wanted, String> {
    let object = json!({
        "apiVersion": format!("{}/{}", api::GROUP, api::VERSION), "kind": spec::kind_of(target),
        "metadata": { "name": names.join("-") }, "spec": spec,
    });
    let failed = |error: serde_json::Error| error.to_string();
    Ok(match target {
        Target::Deployment => {
            Wanted::Deployment(Box::new(serde_json::from_value::<FlinkDeployment>(object).map_err(failed)?))
        }
        Target::Cluster => Wanted::Cluster(Box::new(serde_json::from_value::<FlinkCluster>(object).map_err(failed)?)),
        Target::Job => Wanted::Job {
            cluster: names.first().cloned().unwrap_or_default(),
            job: Box::new(serde_json::from_value::<FlinkJob>(object).map_err(failed)?),
        },
    })
}

/// What there is around it.
pub async fn gather(place: &Namespace, wanted: &Wanted) -> Result<Present> {
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    let (cluster, deployment) = match wanted {
        Wanted::Deployment(wanted) => (name(&wanted.metadata.name), Some(name(&wanted.metadata.name))),
        Wanted::Cluster(wanted) => (name(&wanted.metadata.name), None),
        Wanted::Job { cluster, .. } => (cluster.clone(), None),
    };
    let (quotas, limits) = place.bounds().await?;
    Ok(Present {
        deployment: match deployment {
            Some(name) => place.deployment(&name).await?,
            None => None,
        },
        jobs: place.jobs_of(&cluster).await?,
        cluster: place.cluster(&cluster).await?,
        quotas,
        limits,
    })
}

/// Shows previews; what cannot fit is a failure.
pub fn show(previews: &[Preview], client: &ClientArgs) -> Result {
    let all: Vec<Value> = previews.iter().map(Preview::json).collect();
    let value = match all.as_slice() {
        [one] => one.clone(),
        _ => Value::Array(all),
    };
    let look = client.output.look();
    match client.output.format(Habit::Added) {
        Format::Json | Format::Envelope => print::data(&pretty(&value)),
        Format::Yaml => print::data(&yaml(&value)?),
        Format::Table | Format::Wide | Format::Name => {
            let texts: Vec<String> = previews.iter().map(|preview| preview::render(preview, &look)).collect();
            print::data(&texts.join("\n"));
        }
    }
    Ok(if previews.iter().all(Preview::fits) { ExitStatus::Done } else { ExitStatus::Failed })
}
