//! A command at work: connected to an operator, with a form of output.

use std::time::Duration;

use control_api::route::{Operation, Target};
use control_client::{Request, Style};
use jiff::Timestamp;
use serde_json::Value;

use crate::connection::{self, Connection, ConnectionArgs};
use crate::failure::Failure;
use crate::print::{self, Format, Habit, Look, OutputArgs};
use crate::{ExitStatus, Result};

/// Options of every command that asks an operator.
#[derive(Clone, Debug, clap::Args)]
pub struct ClientArgs {
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// A resource by its kind, with the names that lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    pub target: Target,
    pub names: Vec<String>,
}

impl Resource {
    pub fn deployment(name: String) -> Self {
        Self { target: Target::Deployment, names: vec![name] }
    }

    pub fn cluster(name: String) -> Self {
        Self { target: Target::Cluster, names: vec![name] }
    }

    pub fn job(cluster: String, job: String) -> Self {
        Self { target: Target::Job, names: vec![cluster, job] }
    }

    /// Its name in Kubernetes.
    pub fn name(&self) -> String {
        self.names.join("-")
    }

    /// As people say it: `job demo-counter`.
    pub fn said(&self) -> String {
        format!("{} {}", noun(self.target), self.name())
    }

    /// As kubectl takes it.
    pub fn reference(&self) -> String {
        reference(self.target, &self.name())
    }

    pub fn request(&self, operation: impl Fn(Target) -> Operation) -> Request {
        Request::new(operation(self.target), self.names.clone())
    }
}

/// What people call one of that kind.
pub fn noun(target: Target) -> &'static str {
    match target {
        Target::Deployment => "deployment",
        Target::Cluster => "cluster",
        Target::Job => "job",
    }
}

/// A resource as kubectl takes it.
pub fn reference(target: Target, name: &str) -> String {
    format!("{}.{}/{name}", crate::spec::kind_of(target).to_lowercase(), api::GROUP)
}

/// A command at work.
pub struct Session {
    pub connection: Connection,
    pub format: Format,
    pub look: Look,
}

impl Session {
    /// Finds the operator.
    pub async fn open(args: &ClientArgs, habit: Habit) -> Result<Self> {
        let connection = connection::open(&args.connection).await?;
        Ok(Self { connection, format: args.output.format(habit), look: args.output.look() })
    }

    /// Sends a request for a plain object.
    pub async fn ask(&self, request: &Request) -> Result<Value> {
        self.connection.client.ask(request).await.map_err(|error| self.explained(error))
    }

    /// Sends a request and gives the answer as it came: for the envelope.
    pub async fn relay(&self, request: &Request, patience: Duration) -> Result {
        let sent = self.connection.client.send(request, Style::Envelope, patience).await;
        let answer = sent.map_err(|error| self.explained(error))?;
        print::data(&answer.text());
        match answer.outcome() {
            Ok(_) => Ok(ExitStatus::Done),
            Err(problem) => Err(Failure::refused(&problem)),
        }
    }

    /// What an error of the client means for the command. Where a port is forwarded, the forwarding knows more of what failed.
    pub fn explained(&self, error: control_client::Error) -> Failure {
        let trouble = self.connection.forward.as_ref().and_then(kit::forward::Forward::trouble);
        match (&error, trouble) {
            (control_client::Error::Unreachable { why: control_client::Unreachable::Closed, .. }, Some(trouble)) => {
                Failure::new(format!("failed to reach the operator by {}: {trouble}", self.connection.by))
                    .with(ExitStatus::Unreachable)
                    .hint("does the operator serve the control API? It needs certificates, or --insecure; its log says more")
            }
            _ => error.into(),
        }
    }

    /// Asks a question, and shows the answer in the form that is wanted; `table` makes it readable.
    pub async fn question(&self, request: &Request, table: impl FnOnce(&Value) -> String) -> Result {
        if self.format == Format::Envelope {
            return self.relay(request, Duration::ZERO).await;
        }
        let answer = self.ask(request).await?;
        self.show(&answer, table)
    }

    /// Shows an answer. Where there are no names, `name` shows what the table does.
    pub fn show(&self, answer: &Value, table: impl FnOnce(&Value) -> String) -> Result {
        match self.format {
            Format::Json | Format::Envelope => print::data(&pretty(answer)),
            Format::Yaml => print::data(&yaml(answer)?),
            Format::Table | Format::Wide | Format::Name => print::data(&table(answer)),
        }
        Ok(ExitStatus::Done)
    }

    pub fn now() -> Timestamp {
        Timestamp::now()
    }
}

/// JSON for people and programs.
pub fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a value is JSON")
}

/// YAML of a value.
pub fn yaml(value: &Value) -> Result<String> {
    serde_yaml::to_string(value).map_err(|error| Failure::new(error.to_string()))
}
