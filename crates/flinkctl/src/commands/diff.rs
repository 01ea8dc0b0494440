//! `flinkctl diff`.

use std::path::PathBuf;

use api::names;
use control_api::route::Target;
use jiff::Timestamp;
use kube::api::ListParams;
use local::judge::Judge;
use serde_json::Value;

use super::ahead;
use crate::failure::Failure;
use crate::namespace::Namespace;
use crate::preview::{self, Present, Wanted};
use crate::session::ClientArgs;
use crate::validate::{self, Document};
use crate::{Result, spec};

/// Arguments of `diff`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  flinkctl diff -f demo.yaml")]
pub struct Args {
    /// File with resources, or directory; `-` for stdin; may be repeated
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    filename: Vec<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
}

impl Args {
    pub async fn run(self) -> Result {
        let documents = documents(&self.filename)?;
        let place = Namespace::open(&self.client.connection).await?;
        let clusters = place.all::<api::FlinkCluster>(&ListParams::default()).await?;
        let clusters: Vec<String> = clusters.iter().map(kube::ResourceExt::name_any).collect();
        let mut previews = Vec::new();
        for object in &documents {
            let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let target = [Target::Deployment, Target::Cluster, Target::Job]
                .into_iter()
                .find(|target| object["kind"] == spec::kind_of(*target));
            let Some(target) = target else {
                eprintln!("note: {} {name} is not looked at", object["kind"].as_str().unwrap_or("a document"));
                continue;
            };
            let names = if target == Target::Job {
                let owner = names::cluster_of_job(&name, clusters.iter().map(String::as_str));
                let split = || name.split_once('-');
                let (cluster, short) = owner.or_else(split).unwrap_or((name.as_str(), ""));
                vec![cluster.to_owned(), short.to_owned()]
            } else {
                vec![name]
            };
            let mut wanted = ahead::wanted(target, &names, &object["spec"]).map_err(Failure::new)?;
            let present = ahead::gather(&place, &wanted).await?;
            keep_numbers(&mut wanted, &present);
            previews.push(preview::preview(&present, &wanted, Timestamp::now()));
        }
        ahead::show(&previews, &self.client)
    }
}

/// What a file does not say of the numbers that others scale stays, as `kubectl apply` leaves it.
fn keep_numbers(wanted: &mut Wanted, present: &Present) {
    match wanted {
        Wanted::Deployment(_) => {}
        Wanted::Cluster(wanted) => {
            let known = present.cluster.as_ref().and_then(|cluster| cluster.spec.task_managers);
            wanted.spec.task_managers = wanted.spec.task_managers.or(known);
        }
        Wanted::Job { job, .. } => {
            let known = present.jobs.iter().find(|known| known.metadata.name == job.metadata.name);
            job.spec.job_parallelism = job.spec.job_parallelism.or(known.and_then(|known| known.spec.job_parallelism));
        }
    }
}

/// The resources in the files, all of them valid.
fn documents(paths: &[PathBuf]) -> Result<Vec<Value>> {
    let mut report = validate::Report::default();
    let mut judge = Judge::new();
    let mut objects = Vec::new();
    for file in validate::files(paths)? {
        for document in validate::read(&file)? {
            validate::one(&mut judge, &document, &mut report);
            objects.extend(object(document)?);
        }
    }
    if report.is_valid() {
        return Ok(objects);
    }
    let lines = validate::render(&report);
    Err(Failure::new(format!("what is to be compared is not valid:\n{}", lines.trim_end())))
}

fn object(document: Document) -> Result<Option<Value>> {
    if document.wrapped {
        let hint = "give the whole resource, or use `flinkctl cluster|job|deployment update --dry-run`";
        return Err(Failure::usage(format!("{} holds a spec without a name", document.file)).hint(hint));
    }
    Ok(document.content.ok())
}
