//! Deployments, clusters and jobs: their tables, with the columns of the definitions, and one of them in full.

use std::fmt::Write as _;

use control_api::route::Target;
use jiff::Timestamp;
use serde_json::Value;

use super::details::Details;
use super::time::ago;
use super::{Cell, Column, Look, Table, Tone};

/// A column and how its cell is made of a resource.
type Read = fn(&Value, Timestamp) -> Cell;

macro_rules! columns {
    ($($title:literal, $spare:expr, $read:expr;)+) => {
        &[$((Column { title: $title, spare: $spare, wide: $spare == WIDE, words: false }, $read as Read)),+]
    };
}

const WIDE: u8 = u8::MAX;

const DEPLOYMENT: &[(Column, Read)] = columns! {
    "NAME", 0, |object, _| Cell::plain(text(object, "/metadata/name"));
    "READY", 0, |object, _| ready(object);
    "RESOURCE-STATUS", 2, |object, _| Cell::word(text(object, "/status/resourceStatus"));
    "JOBS", 3, |object, _| Cell::plain(jobs(object));
    "AGE", 1, |object, now| Cell::plain(ago(&text(object, "/metadata/creationTimestamp"), now));
};

const CLUSTER: &[(Column, Read)] = columns! {
    "NAME", 0, |object, _| Cell::plain(text(object, "/metadata/name"));
    "READY", 1, |object, _| ready(object);
    "SUPERVISOR-STATUS", 0, |object, _| Cell::word(text(object, "/status/supervisorStatus"));
    "RESOURCE-STATUS", 7, |object, _| Cell::word(text(object, "/status/resourceStatus"));
    "CLUSTER-HEALTH", 3, |object, _| Cell::word(text(object, "/status/clusterHealth"));
    "TASK-MANAGERS", 1, |object, _| Cell::plain(of(object, "/status/taskManagerReplicas", "/spec/taskManagers"));
    "TOTAL-TASK-SLOTS", 4, |object, _| Cell::plain(text(object, "/status/totalTaskSlots"));
    "SERVICE-MODE", WIDE, |object, _| Cell::plain(text(object, "/status/serviceMode"));
    "AGE", 2, |object, now| Cell::plain(ago(&text(object, "/metadata/creationTimestamp"), now));
};

const JOB: &[(Column, Read)] = columns! {
    "NAME", 0, |object, _| Cell::plain(text(object, "/metadata/name"));
    "READY", 1, |object, _| ready(object);
    "SUPERVISOR-STATUS", 2, |object, _| Cell::word(text(object, "/status/supervisorStatus"));
    "JOB-STATUS", 0, |object, _| Cell::word(text(object, "/status/jobStatus"));
    "CLUSTER-NAME", 6, |object, _| Cell::plain(text(object, "/status/clusterName"));
    "RESOURCE-STATUS", 9, |object, _| Cell::word(text(object, "/status/resourceStatus"));
    "CLUSTER-HEALTH", 10, |object, _| Cell::word(text(object, "/status/clusterHealth"));
    "PARALLELISM", 4, |object, _| Cell::plain(of(object, "/status/jobParallelism", "/spec/jobParallelism"));
    "JOB-RESTART", 8, |object, _| Cell::plain(text(object, "/status/restartPolicy"));
    "SAVEPOINT-MODE", WIDE, |object, _| Cell::plain(text(object, "/status/savepointMode"));
    "SAVEPOINT-AGE", 5, |object, now| Cell::plain(ago(&text(object, "/status/savepointTimestamp"), now));
    "AGE", 3, |object, now| Cell::plain(ago(&text(object, "/metadata/creationTimestamp"), now));
    "JOB-ID", WIDE, |object, _| Cell::plain(text(object, "/status/jobId"));
    "SAVEPOINT-PATH", WIDE, |object, _| Cell::plain(text(object, "/status/savepointPath"));
};

fn columns(target: Target) -> &'static [(Column, Read)] {
    match target {
        Target::Deployment => DEPLOYMENT,
        Target::Cluster => CLUSTER,
        Target::Job => JOB,
    }
}

/// Resources of one kind as a table.
pub fn list(target: Target, objects: &[Value], now: Timestamp) -> Table {
    let columns = columns(target).iter().map(|(column, _)| *column).collect();
    Table { columns, rows: rows(target, objects, now) }
}

/// The rows alone.
pub fn rows(target: Target, objects: &[Value], now: Timestamp) -> Vec<Vec<Cell>> {
    objects.iter().map(|object| columns(target).iter().map(|(_, read)| read(object, now)).collect()).collect()
}

/// A member as text; empty where there is none.
fn text(object: &Value, pointer: &str) -> String {
    match object.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// What there is, and what is wanted where that is more or less.
fn of(object: &Value, is: &str, wanted: &str) -> String {
    let (is, wanted) = (text(object, is), text(object, wanted));
    match (is.is_empty(), wanted.is_empty() || is == wanted) {
        (_, true) => is,
        (true, false) => format!("0/{wanted}"),
        (false, false) => format!("{is}/{wanted}"),
    }
}

fn jobs(object: &Value) -> String {
    object.pointer("/spec/jobs").and_then(Value::as_array).map_or_else(String::new, |jobs| jobs.len().to_string())
}

fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    object.pointer("/status/conditions")?.as_array()?.iter().find(|one| one["type"] == type_)
}

fn holds(condition: Option<&Value>) -> bool {
    condition.is_some_and(|condition| condition["status"] == "True")
}

/// Whether it does what it should, and if not, in one word why.
fn ready(object: &Value) -> Cell {
    let (stalled, ready) = (condition(object, "Stalled"), condition(object, "Ready"));
    let reason = |found: Option<&Value>| found.map(|found| text(found, "/reason")).unwrap_or_default();
    if object.pointer("/metadata/deletionTimestamp").is_some_and(|at| !at.is_null()) {
        Cell::toned("Deleting", Tone::Busy)
    } else if holds(stalled) {
        Cell::toned(reason(stalled), Tone::Bad)
    } else if holds(ready) {
        Cell::toned("True", Tone::Good)
    } else {
        Cell::word(reason(ready))
    }
}

/// Where a resource stands, in a few words: for progress.
pub fn state(object: &Value) -> String {
    let told = ["Stalled", "Progressing", "Ready"];
    let found = told.iter().find_map(|type_| {
        let found = condition(object, type_)?;
        (*type_ == "Ready" || holds(Some(found))).then_some(found)
    });
    let Some(found) = found else {
        return "nobody has looked at it yet".to_owned();
    };
    match (text(found, "/reason"), text(found, "/message")) {
        (reason, message) if message.is_empty() => reason,
        (reason, message) => format!("{reason}: {message}"),
    }
}

/// One resource in full.
pub fn describe(target: Target, object: &Value, now: Timestamp, look: &Look) -> String {
    let get = |pointer: &str| Cell::plain(text(object, pointer));
    let word = |pointer: &str| Cell::word(text(object, pointer));
    let mut details = Details::default();
    details.add("Name", get("/metadata/name"));
    if target == Target::Job {
        details.add("Cluster", get("/status/clusterName"));
    }
    details.add("Ready", ready(object));
    details.add("Resource", word("/status/resourceStatus"));
    details.add("Supervisor", word("/status/supervisorStatus"));
    match target {
        Target::Deployment => {
            let names = object.pointer("/spec/jobs").and_then(Value::as_array).into_iter().flatten();
            let names: Vec<String> = names.map(|job| text(job, "/name")).collect();
            details.add("Jobs", Cell::plain(names.join(", ")));
        }
        Target::Cluster => {
            details.add("Health", word("/status/clusterHealth"));
            details.add("TaskManagers", Cell::plain(of(object, "/status/taskManagerReplicas", "/spec/taskManagers")));
            details.add("Slots", get("/status/totalTaskSlots"));
            details.add("Flink", get("/spec/runtime/image"));
            details.add("Service", get("/status/serviceMode"));
        }
        Target::Job => {
            details.add("Job", word("/status/jobStatus"));
            details.add("Job id", get("/status/jobId"));
            details.add("Parallelism", Cell::plain(of(object, "/status/jobParallelism", "/spec/jobParallelism")));
            details.add("Restart", get("/status/restartPolicy"));
            details.add("Savepoint", Cell::plain(savepoint(object, now)));
        }
    }
    details.add("Last action", last_action(object, now));
    details.add("Age", Cell::plain(ago(&text(object, "/metadata/creationTimestamp"), now)));
    let mut out = details.render(look);
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    if let Some(conditions) = conditions.filter(|conditions| !conditions.is_empty()) {
        out.push('\n');
        out.push_str(&condition_table(conditions, now).render(look));
    }
    out
}

fn condition_table(conditions: &[Value], now: Timestamp) -> Table {
    let row = |one: &Value| {
        let status = text(one, "/status");
        let tone = match (text(one, "/type").as_str(), status.as_str()) {
            ("Ready", "True") => Tone::Good,
            ("Stalled", "True") => Tone::Bad,
            ("Ready", "False") | ("Progressing", "True") => Tone::Busy,
            _ => Tone::Faint,
        };
        vec![
            Cell::plain(text(one, "/type")),
            Cell::toned(status, tone),
            Cell::plain(ago(&text(one, "/lastTransitionTime"), now)),
            Cell::plain(if tone == Tone::Faint { String::new() } else { text(one, "/reason") }),
            Cell::plain(if tone == Tone::Faint { String::new() } else { text(one, "/message") }),
        ]
    };
    let columns = vec![
        Column::new("CONDITION", 0),
        Column::new("STATUS", 0),
        Column::new("AGE", 1),
        Column::new("REASON", 0),
        Column::words("MESSAGE"),
    ];
    Table { columns, rows: conditions.iter().map(row).collect() }
}

fn savepoint(object: &Value, now: Timestamp) -> String {
    let path = text(object, "/status/savepointPath");
    let since = ago(&text(object, "/status/savepointTimestamp"), now);
    match (path.is_empty(), since.is_empty()) {
        (true, _) => String::new(),
        (false, true) => path,
        (false, false) => format!("{path} ({since} ago)"),
    }
}

fn last_action(object: &Value, now: Timestamp) -> Cell {
    let Some(action) = object.pointer("/status/lastAction").filter(|action| action.is_object()) else {
        return Cell::default();
    };
    let outcome = text(action, "/outcome");
    let mut words = format!("{} {}", text(action, "/action"), outcome.to_lowercase());
    let since = ago(&text(action, "/requested"), now);
    if !since.is_empty() {
        let _ = write!(words, ", {since} ago");
    }
    let message = text(action, "/message");
    if !message.is_empty() {
        let _ = write!(words, ": {message}");
    }
    let tone = if matches!(outcome.as_str(), "Refused" | "Failed") { Tone::Bad } else { Tone::Plain };
    Cell::toned(words, tone)
}
