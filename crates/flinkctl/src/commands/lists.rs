//! `flinkctl deployments|clusters|jobs|taskmanagers list`.

use std::collections::HashMap;

use clap::Subcommand;
use control_api::route::{Operation, Target};
use control_client::Request;
use serde_json::Value;

use crate::failure::Failure;
use crate::names::{AnyCluster, ClusterName};
use crate::print::{self, Cell, Column, Format, Habit, Table, bytes};
use crate::session::{ClientArgs, Session, reference};
use crate::{ExitStatus, Result, spec};

#[derive(Subcommand)]
pub enum Deployments {
    /// List deployments
    #[command(after_help = "Example:\n  flinkctl deployments list --watch")]
    List(List),
}

#[derive(Subcommand)]
pub enum Clusters {
    /// List clusters
    #[command(after_help = "Example:\n  flinkctl clusters list -o wide")]
    List(List),
}

#[derive(Subcommand)]
pub enum Jobs {
    /// List the jobs of a cluster, or of all
    #[command(after_help = "Example:\n  flinkctl jobs list demo --watch")]
    List(JobList),
}

#[derive(Subcommand)]
pub enum TaskManagers {
    /// List the TaskManagers that Flink knows
    #[command(after_help = "Example:\n  flinkctl taskmanagers list demo")]
    List(TaskManagerList),
}

#[derive(clap::Args)]
pub struct List {
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(clap::Args)]
pub struct JobList {
    #[command(flatten)]
    cluster: AnyCluster,
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(clap::Args)]
pub struct TaskManagerList {
    #[command(flatten)]
    cluster: ClusterName,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(clap::Args)]
struct WatchArgs {
    /// Go on with every change, until Ctrl-C
    #[arg(short, long)]
    watch: bool,
}

impl Deployments {
    pub async fn run(self) -> Result {
        let Self::List(list) = self;
        resources(Target::Deployment, None, list.watch.watch, &list.client).await
    }
}

impl Clusters {
    pub async fn run(self) -> Result {
        let Self::List(list) = self;
        resources(Target::Cluster, None, list.watch.watch, &list.client).await
    }
}

impl Jobs {
    pub async fn run(self) -> Result {
        let Self::List(list) = self;
        resources(Target::Job, list.cluster.0, list.watch.watch, &list.client).await
    }
}

impl TaskManagers {
    pub async fn run(self) -> Result {
        let Self::List(list) = self;
        let session = Session::open(&list.client, Habit::Original).await?;
        let request = Request::new(Operation::TaskManagers, [list.cluster.0]);
        session.question(&request, |found| task_managers(found, &session)).await
    }
}

/// Whole resources of a kind; the names alone in the envelope, as the original gave them.
pub async fn resources(target: Target, cluster: Option<String>, watch: bool, client: &ClientArgs) -> Result {
    let session = Session::open(client, Habit::Original).await?;
    if session.format == Format::Envelope && !watch {
        let names = match (target, cluster) {
            (Target::Job, Some(cluster)) => vec![cluster],
            (Target::Job, None) => {
                return Err(Failure::usage(
                    "give --cluster-name <NAME>: without it only the other forms of output list jobs",
                ));
            }
            _ => Vec::new(),
        };
        return session.relay(&Request::new(Operation::Names(target), names), std::time::Duration::ZERO).await;
    }
    if watch {
        return follow(&session, target, cluster.as_deref()).await;
    }
    let mut found = all(&session, target).await?;
    found.retain(|object| belongs(object, cluster.as_deref()));
    list(&session, target, found)
}

/// All resources of a kind.
pub async fn all(session: &Session, target: Target) -> Result<Vec<Value>> {
    session.ask(&Request::new(Operation::List(target), [""; 0])).await.map(items)
}

/// Resources of several kinds: one table below the other, or one list.
pub fn sections(session: &Session, all: Vec<(Target, Vec<Value>)>) -> Result {
    if !matches!(session.format, Format::Table | Format::Wide | Format::Name) {
        let objects = all.into_iter().flat_map(|(_, objects)| objects).collect();
        return session.show(&Value::Array(objects), ToString::to_string);
    }
    let mut is_first = true;
    for (target, objects) in all.into_iter().filter(|(_, objects)| !objects.is_empty()) {
        if !std::mem::replace(&mut is_first, false) && session.format != Format::Name {
            print::data("\n");
        }
        list(session, target, objects)?;
    }
    if is_first {
        eprintln!("There is nothing.");
    }
    Ok(ExitStatus::Done)
}

/// Shows resources in the form that is wanted.
pub fn list(session: &Session, target: Target, found: Vec<Value>) -> Result {
    if found.is_empty() && matches!(session.format, Format::Table | Format::Wide) {
        eprintln!("There are no {}s.", crate::session::noun(target));
        return Ok(ExitStatus::Done);
    }
    let table = |found: &Value| {
        let objects = found.as_array().map(Vec::as_slice).unwrap_or_default();
        if session.format == Format::Name {
            objects.iter().map(|object| reference(target, name(object)) + "\n").collect()
        } else {
            print::list(target, objects, Session::now()).render(&session.look)
        }
    };
    if session.format == Format::Name && found.is_empty() {
        return Ok(ExitStatus::Done);
    }
    session.show(&Value::Array(found), table)
}

/// The resources of a list: as an array, or as Kubernetes lists them.
fn items(answer: Value) -> Vec<Value> {
    match answer {
        Value::Array(items) => items,
        Value::Object(mut members) => match members.remove("items") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// Whether a job belongs to the cluster that is asked for.
fn belongs(object: &Value, cluster: Option<&str>) -> bool {
    let Some(cluster) = cluster else {
        return true;
    };
    let label = object["metadata"]["labels"]["clusterName"].as_str();
    label.or(object["status"]["clusterName"].as_str()) == Some(cluster)
}

/// Rows as things change: first what there is, then what is new.
async fn follow(session: &Session, target: Target, cluster: Option<&str>) -> Result {
    let request = Request::new(Operation::Watch, [""; 0]).with("kind", spec::kind_of(target));
    let opened = session.connection.client.watch(&request).await;
    let mut watch = opened.map_err(|error| session.explained(error))?;
    let mut first = Some(Vec::new());
    let mut layout = Vec::new();
    let mut shown = HashMap::new();
    loop {
        let message = tokio::select! {
            message = watch.next() => message.map_err(|error| session.explained(error))?,
            _ = tokio::signal::ctrl_c() => return Ok(ExitStatus::Done),
        };
        let Some(message) = message else {
            return Err(Failure::new("the operator ended the watch").with(ExitStatus::Unreachable));
        };
        let Ok(mut data) = serde_json::from_str::<Value>(&message.data) else {
            continue;
        };
        if data["type"] == "SYNCED" {
            let objects = first.take().unwrap_or_default();
            let table = print::list(target, &objects, Session::now());
            layout = roomy(table.layout(&session.look), &session.look);
            shown.extend(
                objects.iter().zip(&table.rows).map(|(object, row)| (name(object).to_owned(), timeless(&table, row))),
            );
            match session.format {
                Format::Table | Format::Wide => {
                    let heads: Vec<Cell> = table.columns.iter().map(|column| Cell::plain(column.title)).collect();
                    print::data(&Table::body(&[heads], &layout, &session.look));
                    print::data(&Table::body(&table.rows, &layout, &session.look));
                }
                _ => objects.iter().try_for_each(|object| one(session, target, object, "ADDED"))?,
            }
            continue;
        }
        let change = data["type"].as_str().unwrap_or_default().to_owned();
        let object = data["object"].take();
        if !belongs(&object, cluster) {
            continue;
        }
        match &mut first {
            Some(objects) => objects.push(object),
            None if matches!(session.format, Format::Table | Format::Wide) => {
                let mut rows = print::rows(target, std::slice::from_ref(&object), Session::now());
                if change == "DELETED" {
                    rows[0][1] = Cell::toned("Gone", print::Tone::Faint);
                }
                // A change that does not show is none.
                let seen = timeless(&print::list(target, &[], Session::now()), &rows[0]);
                if shown.insert(name(&object).to_owned(), seen.clone()) != Some(seen) {
                    print::data(&Table::body(&rows, &layout, &session.look));
                }
            }
            None => one(session, target, &object, &change)?,
        }
    }
}

/// Room for words that come later, where the terminal has it.
fn roomy(mut layout: Vec<(usize, usize)>, look: &print::Look) -> Vec<(usize, usize)> {
    const WORD: usize = 12;
    let Some(width) = look.width else {
        for (_, room) in &mut layout {
            *room = (*room).max(WORD);
        }
        return layout;
    };
    let mut free = width.saturating_sub(layout.iter().map(|(_, room)| room + 3).sum());
    for (_, room) in layout.iter_mut().take(4) {
        let more = WORD.saturating_sub(*room).min(free);
        *room += more;
        free -= more;
    }
    layout
}

/// A row without what changes by itself.
fn timeless(table: &Table, row: &[Cell]) -> Vec<String> {
    let cells = table.columns.iter().zip(row).filter(|(column, _)| !column.title.ends_with("AGE"));
    cells.map(|(_, cell)| cell.text.clone()).collect()
}

/// A change for programs: one JSON document a line.
fn one(session: &Session, target: Target, object: &Value, change: &str) -> Result<()> {
    match session.format {
        Format::Name => print::data(&reference(target, name(object))),
        Format::Yaml => print::data(&format!("---\n{}", crate::session::yaml(object)?)),
        _ => print::data(&serde_json::json!({ "type": change, "object": object }).to_string()),
    }
    Ok(())
}

fn task_managers(found: &Value, session: &Session) -> String {
    let rows = items(found.clone());
    if session.format == Format::Name {
        return rows.iter().filter_map(|one| one["id"].as_str()).collect::<Vec<_>>().join("\n");
    }
    let number = |value: &Value| if value.is_null() { String::new() } else { value.to_string() };
    let size = |value: &Value| value.as_u64().map(bytes).unwrap_or_default();
    let now = Session::now();
    let row = |one: &Value| {
        let beat = one["timeSinceLastHeartbeat"].as_i64().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
        let beat = beat.map(|at| print::age(now.as_second() - at.as_second())).unwrap_or_default();
        vec![
            Cell::plain(one["id"].as_str().unwrap_or_default()),
            Cell::plain(number(&one["slotsNumber"])),
            Cell::plain(number(&one["freeSlots"])),
            Cell::plain(beat),
            Cell::plain(number(&one["hardware"]["cpuCores"])),
            Cell::plain(size(&one["hardware"]["physicalMemory"])),
            Cell::plain(size(&one["hardware"]["managedMemory"])),
            Cell::plain(number(&one["dataPort"])),
            Cell::plain(one["path"].as_str().unwrap_or_default()),
        ]
    };
    let columns = vec![
        Column::new("ID", 0),
        Column::new("SLOTS", 0),
        Column::new("FREE", 0),
        Column::new("HEARTBEAT", 1),
        Column::new("CPU", 2),
        Column::new("MEMORY", 3),
        Column::new("MANAGED", 4),
        Column::wide("DATA-PORT"),
        Column::wide("PATH"),
    ];
    Table { columns, rows: rows.iter().map(row).collect() }.render(&session.look)
}
