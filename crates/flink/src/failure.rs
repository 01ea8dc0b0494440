//! Why something failed, in one line.
//!
//! Flink answers errors with Java stack traces of several kB. The reason is in the last `Caused by:` line; without
//! one, in the first line that names an exception. The package name of the exception is left out. Where an exception
//! is caused by one of its own class, the outer one says more (a missing file system names its scheme, its cause does
//! not).

use serde::Deserialize;

/// Longest reason in characters; it ends up in conditions and events.
const LONGEST: usize = 400;

/// The body of every error answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ErrorBody {
    pub errors: Vec<String>,
}

impl ErrorBody {
    /// The reason from the part that holds a stack trace (answers with 500 put a phrase before it).
    pub fn reason(&self) -> String {
        let traced = self.errors.iter().find(|error| error.contains("Caused by:") || error.contains("\tat "));
        traced.or(self.errors.last()).map_or_else(|| "no reason given".to_owned(), |error| reason(error))
    }

    /// Whether the job id was submitted before (Flink 2.3 speaks of the application).
    pub fn is_duplicate_submission(&self) -> bool {
        self.mentions("DuplicateJobSubmissionException") || self.mentions("DuplicateApplicationSubmissionException")
    }

    /// Whether the job is unknown to the JobManager.
    pub fn is_job_not_found(&self) -> bool {
        self.mentions("FlinkJobNotFoundException")
    }

    /// Whether the TaskManager is unknown to the JobManager.
    pub fn is_taskmanager_not_found(&self) -> bool {
        self.mentions("UnknownTaskExecutorException")
    }

    fn mentions(&self, class: &str) -> bool {
        self.errors.iter().any(|error| error.contains(class))
    }
}

/// The reason in a stack trace.
pub fn reason(trace: &str) -> String {
    let mut causes = trace.lines().rev().filter_map(|line| line.trim_start().strip_prefix("Caused by: "));
    let cause = causes.next().map(|last| causes.take_while(|outer| class(outer) == class(last)).last().unwrap_or(last));
    let head = || {
        trace
            .lines()
            .map(|line| line.trim_start_matches("<Exception on server side:").trim())
            .find(|line| !line.is_empty() && !line.starts_with("at "))
    };
    shorten(simple_class(cause.or_else(head).unwrap_or("no reason given").trim()))
}

/// What the end of a process's log says of why it ended.
pub fn last_words(log: &str) -> Option<String> {
    let lines = || log.lines().rev().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("at "));
    let cause = lines().find_map(|line| line.strip_prefix("Caused by: "));
    let exception = || lines().find(|line| line.contains("Exception: ") || line.contains("Error: "));
    let error = || lines().find(|line| line.contains("ERROR") || line.contains("FATAL"));
    let line = cause.or_else(exception).or_else(error).or_else(|| lines().next())?;
    // A line of a log has its exception at the end; what comes before is where it was logged.
    let from = line
        .find("Exception: ")
        .or_else(|| line.find("Error: "))
        .map(|end| line[..end].rfind(char::is_whitespace).map_or(0, |space| space + 1));
    Some(shorten(simple_class(&line[from.unwrap_or(0)..])))
}

fn class(line: &str) -> &str {
    line.split_once(':').map_or(line, |(class, _)| class)
}

/// `org.apache.flink.x.SomeException: message` without the package. The wrapper that every REST handler puts around
/// its message says nothing and goes too.
fn simple_class(line: &str) -> &str {
    let class = class(line);
    let is_class = !class.is_empty()
        && class.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'$' | b'_'))
        && class.contains('.');
    if !is_class {
        return line;
    }
    let simple = class.rsplit(['.', '$']).next().unwrap_or(class);
    let line = &line[class.len() - simple.len()..];
    line.strip_prefix("RestHandlerException: ").unwrap_or(line)
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `/jobs/:id/exceptions`, newest first. From a cache: empty for up to `web.refresh-interval` after the failure.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exceptions {
    pub exception_history: ExceptionHistory,
}

/// The failures that made the job restart or fail.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ExceptionHistory {
    #[serde(default)]
    pub entries: Vec<ExceptionEntry>,
}

/// One failure.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionEntry {
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    pub stacktrace: String,
    #[serde(default)]
    pub task_name: Option<String>,
}

impl Exceptions {
    /// The reason of the newest failure.
    pub fn root_cause(&self) -> Option<String> {
        let entries = &self.exception_history.entries;
        entries.iter().max_by_key(|entry| entry.timestamp).map(|entry| reason(&entry.stacktrace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cause_is_the_reason() {
        let trace = "a.b.Outer: x\n\tat a\nCaused by: a.b.Middle: y\n\tat b\nCaused by: a.b.C$Inner: z: w\n\tat c\n\t... 7 more";
        assert_eq!(reason(trace), "Inner: z: w");
    }

    #[test]
    fn of_causes_of_one_class_the_outer_one_is_the_reason() {
        let trace =
            "a.Outer: x\nCaused by: a.Scheme: no file system for s3\n\tat y\nCaused by: a.Scheme: no Hadoop\n\tat z";
        assert_eq!(reason(trace), "Scheme: no file system for s3");
    }

    #[test]
    fn without_a_cause_the_first_line_is_the_reason() {
        assert_eq!(
            reason("java.lang.RuntimeException: planned failure at 300\n\tat x"),
            "RuntimeException: planned failure at 300"
        );
        assert_eq!(
            reason("<Exception on server side:\na.B: gone\n\tat x\nEnd of exception on server side>"),
            "B: gone"
        );
        assert_eq!(reason("Unable to load requested file /x."), "Unable to load requested file /x.");
        assert_eq!(reason(""), "no reason given");
    }

    #[test]
    fn the_end_of_a_log_says_why_its_process_ended() {
        let words = |log: &str| last_words(log).unwrap_or_default();
        let thread =
            "INFO x\nException in thread \"main\" a.b.IllegalConfigurationException: too little memory\n\tat a.B";
        assert_eq!(words(thread), "IllegalConfigurationException: too little memory");
        assert_eq!(words("a.Outer: x\nCaused by: a.C: y\n\tat z\n12:00 INFO bye"), "C: y");
        assert_eq!(words("12:00 ERROR o.a.f.Entry [] - cannot bind\nbye"), "12:00 ERROR o.a.f.Entry [] - cannot bind");
        assert_eq!(words("no space left\n\n"), "no space left");
        assert_eq!(last_words("\n"), None);
    }

    #[test]
    fn a_colon_in_a_plain_message_is_no_class() {
        assert_eq!(reason("cannot reach file:/a.b: denied"), "cannot reach file:/a.b: denied");
    }

    #[test]
    fn a_reason_stays_short_and_does_not_cut_a_character() {
        let reason = reason(&format!("a.B: {}", "ü".repeat(1000)));
        assert_eq!(reason.chars().count(), LONGEST + 1);
        assert!(reason.ends_with("ü…"));
    }
}
