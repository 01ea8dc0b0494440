//! The exact progress of the example counter job, read from the files that it committed.
//!
//! The job writes each number once, from 0 on, as `<job id> <number>`. Files that are not committed have hidden names and
//! do not count. Whatever happened to the job, a number that is missing below the highest is lost state, and a number
//! that appears twice is state that went back or a second copy of the job.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// Main class of the job that counts.
pub const CLASS: &str = "com.nextbreakpoint.flink.examples.CounterJob";
/// Main class of the job that fails after some records.
pub const FAILING_CLASS: &str = "com.nextbreakpoint.flink.examples.FailJob";
/// Main class of the job that ends by itself.
pub const BATCH_CLASS: &str = "com.nextbreakpoint.flink.examples.BatchJob";

/// Arguments of the counter: the URL of its output directory, records per second.
pub fn arguments(output: &str, rate: u32) -> Vec<String> {
    vec![format!("--output={output}"), format!("--rate={rate}")]
}

/// Arguments of the failing job: after how many records.
pub fn failing_arguments(after: u32) -> Vec<String> {
    vec![format!("--after={after}")]
}

/// Arguments of the batch job: how many records.
pub fn batch_arguments(count: u32) -> Vec<String> {
    vec![format!("--count={count}")]
}

/// What is committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The highest number; `None` if nothing is committed.
    pub maximum: Option<u64>,
    /// Where numbers below the highest are missing.
    pub gaps: Vec<RangeInclusive<u64>>,
    /// Each number that was committed more than once, with the executions that committed it.
    pub duplicates: BTreeMap<u64, Vec<String>>,
    /// How many numbers each execution (Flink job id) has committed.
    executions: BTreeMap<String, u64>,
}

impl Report {
    /// How many numbers this execution has committed.
    pub fn committed_by(&self, execution: &str) -> u64 {
        self.executions.get(execution).copied().unwrap_or(0)
    }

    /// How many numbers all executions have committed.
    pub fn committed(&self) -> u64 {
        self.executions.values().sum()
    }

    /// How many executions have committed something.
    pub fn executions(&self) -> usize {
        self.executions.len()
    }

    /// Fails when a number was committed twice or is missing among 0, 1, 2, … up to the greatest one.
    pub fn exact(&self) -> Result<()> {
        ensure!(self.gaps.is_empty() && self.duplicates.is_empty(), "the count is not exact: {self}");
        Ok(())
    }

    fn missing(&self) -> u64 {
        self.gaps.iter().map(|gap| gap.end() - gap.start() + 1).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.maximum {
            None => return f.write_str("nothing is committed"),
            Some(maximum) => write!(f, "0 to {maximum} by {} execution(s)", self.executions())?,
        }
        write!(f, ", {} missing, {} twice", self.missing(), self.duplicates.len())?;
        if let Some(gap) = self.gaps.first() {
            write!(f, ", first gap {} to {}", gap.start(), gap.end())?;
        }
        if let Some((number, executions)) = self.duplicates.first_key_value() {
            write!(f, ", first duplicate {number} by {}", executions.join(" and "))?;
        }
        Ok(())
    }
}

/// Reads all committed files below the directory. A directory that does not exist yet is an empty report. Files never
/// change once they are committed; new ones may appear while the job runs.
pub fn read(output: &Path) -> Result<Report> {
    let mut records = Vec::new();
    for path in settled(output)? {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        for line in text.lines() {
            records.push(parse(line).with_context(|| format!("{}: `{line}` is no record", path.display()))?);
        }
    }
    Ok(judge(records))
}

/// How many files are committed, which grows with each checkpoint of a job that counts.
pub fn commits(output: &Path) -> Result<usize> {
    Ok(files(output)?.len())
}

/// The committed files. A listing during which files appear can show a later one without an earlier one, so it counts
/// only if the next one is the same.
fn settled(output: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut before = files(output)?;
    for _ in 0..100 {
        let after = files(output)?;
        if after == before {
            return Ok(after);
        }
        before = after;
    }
    bail!("files appear in {} faster than they can be listed", output.display())
}

fn files(output: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut open = vec![output.to_owned()];
    while let Some(directory) = open.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", directory.display())),
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(['.', '_']) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else {
                found.insert(entry.path());
            }
        }
    }
    Ok(found)
}

fn parse(line: &str) -> Option<(u64, String)> {
    let (job, number) = line.split_once(' ')?;
    Some((number.parse().ok()?, job.to_owned()))
}

fn judge(mut records: Vec<(u64, String)>) -> Report {
    records.sort();
    let mut report = Report::default();
    for group in records.chunk_by(|a, b| a.0 == b.0) {
        let number = group[0].0;
        let next = report.maximum.map_or(0, |maximum| maximum + 1);
        if number > next {
            report.gaps.push(next..=number - 1);
        }
        if group.len() > 1 {
            report.duplicates.insert(number, group.iter().map(|record| record.1.clone()).collect());
        }
        for (_, execution) in group {
            *report.executions.entry(execution.clone()).or_default() += 1;
        }
        report.maximum = Some(number);
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    #[test]
    fn nothing_is_an_empty_report() {
        let report = read(Path::new("/nowhere/at/all")).unwrap();
        assert_eq!(report, Report::default());
        assert_eq!(report.to_string(), "nothing is committed");
        report.exact().unwrap();
    }

    #[test]
    fn each_number_once_is_exact_in_any_order_and_by_several_executions() {
        let output = directory(&[("part-0", "a 2\na 0\n"), ("part-1", "b 3\na 1\n"), (".part-2.inprogress", "b 3\nx")]);
        let report = read(output.path()).unwrap();
        report.exact().unwrap();
        assert_eq!(report.maximum, Some(3));
        assert_eq!(report.committed(), 4);
        assert_eq!(report.committed_by("a"), 3);
        assert_eq!(report.executions(), 2);
    }

    #[test]
    fn gaps_and_duplicates_are_told() {
        let output = directory(&[("part-0", "a 1\na 4\nb 4\na 5\nb 5\n")]);
        let report = read(output.path()).unwrap();
        assert_eq!(report.gaps, [0..=0, 2..=3]);
        assert_eq!(report.duplicates[&4], ["a", "b"]);
        assert_eq!(
            report.exact().unwrap_err().to_string(),
            "the count is not exact: 0 to 5 by 2 execution(s), 3 missing, 2 twice, first gap 0 to 0, first duplicate 4 by a and b"
        );
    }

    #[test]
    fn a_torn_line_is_an_error() {
        let output = directory(&[("part-0", "a 0\na")]);
        assert!(read(output.path()).is_err());
    }
}
