//! How Flink gets its configuration: our defaults, then the user's `FLINK_PROPERTIES`, then `spec.flinkConfiguration`; later wins.
//!
//! The entry point of the official image, of Flink 1.x and 2.x alike, reads the variable `FLINK_PROPERTIES`: a line per option,
//! split at the first colon, from which it removes all white space. What would not survive this goes as an argument `-Dkey=value`.
//! Nothing that the user wrote is lost silently: what can be delivered neither way is an error.

use std::collections::BTreeMap;

use api::labels::Role;
use serde_json::Value;

use crate::{Error, container::variable};

/// The variable that the entry point reads.
const PROPERTIES: &str = "FLINK_PROPERTIES";
/// What the user's variable is called if its value is not known here, so that ours can refer to it.
const USER_PROPERTIES: &str = "FLINKCTL_USER_PROPERTIES";

/// What a supervised cluster sets unless the user does: losses are noticed within seconds, the REST API tells the present, and the
/// newest checkpoint outlives its job.
pub const DEFAULTS: [(&str, &str); 5] = [
    (flink::option::HEARTBEAT_INTERVAL, "2000"),
    (flink::option::HEARTBEAT_TIMEOUT, "12000"),
    (flink::option::WEB_REFRESH_INTERVAL, "250"),
    (flink::option::REGISTRATION_ERROR_DELAY, "300ms"),
    (flink::option::CHECKPOINT_RETENTION, "RETAIN_ON_CANCELLATION"),
];

/// Options that follow from other fields, or that the rest of the system relies on.
const RESERVED: [(&str, &str); 6] = [
    (flink::option::JOB_MANAGER_RPC_ADDRESS, "is the name of the JobManager's Service and cannot be set"),
    (flink::option::JOB_MANAGER_RPC_PORT, "is 6123, as the JobManager's Service says, and cannot be set"),
    (flink::option::BLOB_SERVER_PORT, "is 6124, as the JobManager's Service says, and cannot be set"),
    (flink::option::REST_PORT, "is 8081, as the JobManager's Service says, and cannot be set"),
    ("rest.bind-port", "is 8081, as the JobManager's Service says, and cannot be set"),
    (flink::option::TASK_MANAGER_SLOTS, "is spec.taskManager.taskSlots; set it there"),
];

/// Options for the JVM, which Flink's scripts read before any argument, and the variables that they take instead.
const JVM_OPTIONS: [(&str, &str); 4] = [
    ("env.java.opts", "FLINK_ENV_JAVA_OPTS"),
    ("env.java.opts.all", "FLINK_ENV_JAVA_OPTS"),
    ("env.java.opts.jobmanager", "FLINK_ENV_JAVA_OPTS_JM"),
    ("env.java.opts.taskmanager", "FLINK_ENV_JAVA_OPTS_TM"),
];

/// Under which names Flink's high availability keeps what belongs to a cluster.
const CLUSTER_IDS: [&str; 2] = ["high-availability.cluster-id", "kubernetes.cluster-id"];
/// Where the leader is spoken to. By default Flink takes any port, which the Service of the JobManager would not know.
const LEADER_PORT: &str = "high-availability.jobmanager.port";

/// What Flink's high availability needs here, unless the user says otherwise. Each cluster keeps its jobs under a name of its own: by
/// default all share one, and a cluster would bring back the jobs of another one, or of one of the same name that is gone.
pub fn keep_available(options: &mut BTreeMap<String, String>, environment: &[Value], uid: &str) {
    if !flink::option::is_highly_available(options) {
        return;
    }
    let properties = environment.iter().filter(|variable| variable["name"] == PROPERTIES);
    let said: Vec<&str> = properties.filter_map(|variable| variable["value"].as_str()).collect();
    let ids = CLUSTER_IDS.map(|key| (key, format!("flinkctl-{uid}")));
    for (key, value) in ids.into_iter().chain([(LEADER_PORT, crate::flink_pod::RPC_PORT.to_string())]) {
        if !said.iter().any(|text| text.lines().any(|line| key_of(line).as_deref() == Some(key))) {
            options.entry(key.to_owned()).or_insert(value);
        }
    }
}

/// What the user says about the main container.
pub struct Given<'a> {
    pub role: Role,
    /// `spec.flinkConfiguration`.
    pub options: &'a BTreeMap<String, String>,
    /// The user's variables.
    pub environment: Vec<Value>,
    /// Whether variables come from config maps or secrets.
    pub has_environment_from: bool,
    pub command: Option<&'a [String]>,
    pub args: Option<&'a [String]>,
}

/// Variables and arguments of the main container.
#[derive(Debug)]
pub struct Delivery {
    pub environment: Vec<Value>,
    pub args: Vec<String>,
}

/// Decides how the options reach Flink.
pub fn deliver(given: Given<'_>) -> Result<Delivery, Error> {
    for (key, value) in given.options {
        check(key, value)?;
    }
    let Given { role, options, mut environment, has_environment_from, command, args } = given;
    let position = environment.iter().rposition(|variable| variable["name"] == PROPERTIES);
    // A variable of the container hides one of the same name that comes from a config map or secret.
    let hidden = has_environment_from && position.is_none();
    let (properties, arguments): (BTreeMap<_, _>, BTreeMap<_, _>) =
        options.iter().partition(|(_, value)| !hidden && survives(value));

    let delivered = position.map(|position| environment.remove(position));
    if !hidden {
        let ours = |user: Option<&str>| text(role, user, &properties);
        let at = position.unwrap_or(environment.len());
        match delivered {
            None => environment.push(variable(PROPERTIES, &ours(None))),
            Some(user) if user["valueFrom"].is_object() => {
                environment.insert(at, variable(PROPERTIES, &ours(Some(&format!("$({USER_PROPERTIES})")))));
                environment.insert(at, renamed(user));
            }
            Some(user) => environment.insert(at, variable(PROPERTIES, &ours(user["value"].as_str()))),
        }
    }

    let entry_point = command.is_none_or(is_entry_point);
    let default = [role.as_str().to_owned()];
    let mut args = args.filter(|args| !args.is_empty() || !entry_point).unwrap_or(&default).to_vec();
    let understood = entry_point && args.first().is_some_and(|first| first == role.as_str());
    for (key, value) in arguments {
        if !understood {
            return Err(refused(key, &undeliverable(role, hidden)));
        }
        if let Some((_, name)) = JVM_OPTIONS.iter().find(|(option, _)| option == key) {
            environment.push(variable(name, value));
        }
        args.push(format!("-D{key}={value}"));
    }
    Ok(Delivery { environment, args })
}

/// Whether a command leaves the container to the entry point of the image.
fn is_entry_point(command: &[String]) -> bool {
    match command {
        [] => true,
        [only] => only.rsplit('/').next() == Some("docker-entrypoint.sh"),
        _ => false,
    }
}

/// Whether a value comes through the entry point and Flink's configuration file as it is.
fn survives(value: &str) -> bool {
    !value.is_empty() && !value.contains(|letter: char| letter.is_whitespace() || letter == '#')
}

fn check(key: &str, value: &str) -> Result<(), Error> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | '/');
    if key.is_empty() || !key.chars().all(is_plain) {
        return Err(refused(
            key,
            "is not the key of an option: only letters, digits, '.', '-', '_' and '/' may stand in it",
        ));
    }
    if let Some((_, why)) = RESERVED.iter().find(|(reserved, _)| *reserved == key) {
        return Err(refused(key, why));
    }
    if value.contains(['\n', '\r', '\0']) {
        return Err(refused(key, "has a value of several lines, which Flink's configuration cannot hold"));
    }
    Ok(())
}

fn refused(key: &str, why: &str) -> Error {
    Error::Option { key: key.to_owned(), why: why.to_owned() }
}

fn undeliverable(role: Role, hidden: bool) -> String {
    let (section, word) = match role {
        Role::TaskManager => ("spec.taskManager", "taskmanager"),
        _ => ("spec.jobManager", "jobmanager"),
    };
    let why = if hidden {
        "can only be given as an argument, since environmentFrom may hold FLINK_PROPERTIES,"
    } else {
        "has a value with white space or '#', which can only be given as an argument,"
    };
    format!(
        "{why} and {section} has a command or args of its own; remove them, let args begin with {word:?} and leave out the \
             command, or set the option in FLINK_PROPERTIES"
    )
}

/// The lines of `FLINK_PROPERTIES`. A line whose option is set again further down is left out, so that it does not matter what the
/// version of Flink makes of a key that stands twice.
fn text(role: Role, user: Option<&str>, options: &BTreeMap<&String, &String>) -> String {
    let users: Vec<(Option<String>, &str)> =
        user.into_iter().flat_map(str::lines).map(|line| (key_of(line), line)).collect();
    let overridden = |key: &str| options.keys().any(|option| *option == key);
    let said = |key: &str| overridden(key) || users.iter().any(|(option, _)| option.as_deref() == Some(key));
    let mut lines: Vec<String> =
        DEFAULTS.iter().filter(|(key, _)| !said(key)).map(|(key, value)| format!("{key}: {value}")).collect();
    let id = flink::option::TASK_MANAGER_RESOURCE_ID;
    if role == Role::TaskManager && !said(id) {
        lines.push(format!("{id}: $(POD_NAME)"));
    }
    lines.extend(
        users.iter().filter(|(key, _)| !key.as_deref().is_some_and(overridden)).map(|(_, line)| (*line).to_owned()),
    );
    lines.extend(options.iter().map(|(key, value)| format!("{key}: {value}")));
    // Manifests join this text with others, as in "$(FLINK_PROPERTIES)$(SECRET_PROPERTIES)".
    lines.join("\n") + "\n"
}

/// The key of a line as the entry point reads it; none for comments and references.
fn key_of(line: &str) -> Option<String> {
    let (key, _) = line.split_once(':')?;
    let key: String = key.split_whitespace().collect();
    (!key.starts_with('#') && !key.contains('$')).then_some(key)
}

fn renamed(mut user: Value) -> Value {
    user["name"] = USER_PROPERTIES.into();
    user
}
