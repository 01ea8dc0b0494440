//! The programs in the JAR: those of the examples, by their main classes.

use std::collections::BTreeMap;

use flink::RunRequest;
use flink::option;

/// What the main class stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Counts for ever.
    Counter,
    /// Fails when it has processed so many records since its last start.
    Fail,
    /// Ends by itself, and does not checkpoint.
    Batch,
}

/// One job as a program has defined it.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub kind: Kind,
    pub class: String,
    pub name: String,
    /// What stays the same over all executions: where the job writes to.
    pub logical: String,
    /// Records a second.
    pub rate: u64,
    /// After how many records it ends.
    pub count: u64,
    /// After how many records since its start it fails.
    pub fails: u64,
    /// Options that the program sets itself.
    pub options: BTreeMap<String, String>,
}

impl Program {
    /// Reads the arguments; the error is what `main` throws.
    pub fn new(kind: Kind, request: &RunRequest) -> Result<Self, String> {
        let mut arguments = BTreeMap::new();
        for argument in &request.program_args_list {
            let pair = argument.strip_prefix("--").and_then(|rest| rest.split_once('='));
            let known = pair.filter(|(key, _)| known(kind).contains(key));
            let (key, value) = known.ok_or_else(|| format!("unknown argument {argument}"))?;
            arguments.insert(key, value.to_owned());
        }
        let number = |key: &str, usual: u64| arguments.get(key).and_then(|text| text.parse().ok()).unwrap_or(usual);
        if kind == Kind::Counter && !arguments.contains_key("output") {
            return Err("argument --output is missing".to_owned());
        }
        let name = match kind {
            Kind::Counter => "counter",
            Kind::Fail => "fail",
            Kind::Batch => "batch",
        };
        let class = request.entry_class.clone().unwrap_or_default();
        let name = arguments.get("name").cloned().unwrap_or_else(|| name.to_owned());
        let logical = arguments.get("output").cloned().unwrap_or_else(|| format!("{class} {name}"));
        let mut options = BTreeMap::new();
        let mut set = |key: &str, value: String| options.insert(key.to_owned(), value);
        match kind {
            Kind::Counter => {
                set(option::CHECKPOINT_RETENTION, "RETAIN_ON_CANCELLATION".to_owned());
                if let Some(interval) = arguments.get("checkpoint-interval") {
                    set(option::CHECKPOINT_INTERVAL, interval.clone());
                }
                if let Some(directory) = arguments.get("checkpoint-dir") {
                    set(option::CHECKPOINT_DIRECTORY, directory.clone());
                }
            }
            Kind::Fail => {
                let restarts = number("restarts", 0);
                let kind = if restarts > 0 { "fixed-delay" } else { "disable" };
                set("restart-strategy.type", kind.to_owned());
                set("restart-strategy.fixed-delay.attempts", restarts.max(1).to_string());
                set("restart-strategy.fixed-delay.delay", "1 s".to_owned());
            }
            Kind::Batch => {
                set(option::CHECKPOINT_INTERVAL, String::new());
                set("restart-strategy.type", "disable".to_owned());
            }
        }
        Ok(Self {
            kind,
            class,
            name,
            logical,
            rate: number("rate", if kind == Kind::Batch { 1_000_000 } else { 100 }).max(1),
            count: if kind == Kind::Batch { number("count", 1000) } else { u64::MAX },
            fails: if kind == Kind::Fail { number("after", 1000) } else { u64::MAX },
            options,
        })
    }

    /// Of each vertex, whether it follows the parallelism of the job. Source and writer have one task each; what could be chained at
    /// submission is one vertex for ever.
    pub fn vertices(&self, submitted: u32) -> &'static [bool] {
        match (self.kind, submitted) {
            (Kind::Fail, 1) => &[true],
            (Kind::Counter, 2..) => &[false, true, false],
            _ => &[false, true],
        }
    }

    /// How many tasks there are.
    pub fn tasks(&self, submitted: u32, parallelism: u32) -> u32 {
        self.vertices(submitted).iter().map(|follows| if *follows { parallelism } else { 1 }).sum()
    }
}

fn known(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Counter => &["rate", "output", "keys", "checkpoint-interval", "checkpoint-dir", "name"],
        Kind::Fail => &["after", "rate", "restarts", "name"],
        Kind::Batch => &["count", "rate", "output", "name"],
    }
}

/// The main classes of the example JAR.
pub(super) fn examples() -> BTreeMap<String, Kind> {
    let package = "com.nextbreakpoint.flink.examples";
    [("CounterJob", Kind::Counter), ("FailJob", Kind::Fail), ("BatchJob", Kind::Batch)]
        .map(|(class, kind)| (format!("{package}.{class}"), kind))
        .into()
}
