//! Names on the command line: by the flags of the original, or as words in their order.
//!
//! A word wins over a variable of the environment, and a word beside a flag for the same name is wrong usage.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};

/// Name of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentName(pub String);

/// Name of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterName(pub String);

/// Name of a cluster that may be left away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnyCluster(pub Option<String>);

/// Name of a job within its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobName {
    pub cluster: String,
    pub job: String,
}

struct Name {
    flag: &'static str,
    word: &'static str,
    help: &'static str,
}

const DEPLOYMENT: Name = Name { flag: "deployment-name", word: "DEPLOYMENT", help: "Name of the deployment" };
const CLUSTER: Name = Name { flag: "cluster-name", word: "CLUSTER", help: "Name of the cluster" };
const JOB: Name = Name { flag: "job-name", word: "JOB", help: "Name of the job within its cluster" };

impl Name {
    fn add(&self, command: Command) -> Command {
        command
            .arg(Arg::new(self.word).value_name(self.word).help(format!("{}, instead of --{}", self.help, self.flag)))
            .arg(Arg::new(self.flag).long(self.flag).value_name("NAME").help(self.help))
    }

    fn word(&self, matches: &ArgMatches) -> Option<String> {
        matches.get_one::<String>(self.word).filter(|word| !word.is_empty()).cloned()
    }

    fn flag(&self, matches: &ArgMatches) -> Option<String> {
        matches.get_one::<String>(self.flag).filter(|name| !name.is_empty()).cloned()
    }

    fn is_said(&self, matches: &ArgMatches) -> bool {
        matches.value_source(self.flag) == Some(ValueSource::CommandLine)
    }

    fn find(&self, matches: &ArgMatches) -> Result<Option<String>, Error> {
        match self.word(matches) {
            Some(_) if self.is_said(matches) => Err(self.twice()),
            Some(word) => Ok(Some(word)),
            None => Ok(self.flag(matches)),
        }
    }

    fn need(&self, matches: &ArgMatches) -> Result<String, Error> {
        self.find(matches)?.ok_or_else(|| self.missing())
    }

    fn missing(&self) -> Error {
        Error::raw(
            ErrorKind::MissingRequiredArgument,
            format!("give --{} <NAME>, or {} as a word", self.flag, self.word),
        )
    }

    fn twice(&self) -> Error {
        Error::raw(
            ErrorKind::ArgumentConflict,
            format!("{} is given twice: as --{} and as a word", self.word, self.flag),
        )
    }
}

macro_rules! args {
    ($type:ty, [$($name:expr),+], $read:expr) => {
        impl FromArgMatches for $type {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
                let read: fn(&ArgMatches) -> Result<Self, Error> = $read;
                read(matches)
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }

        impl Args for $type {
            fn augment_args(command: Command) -> Command {
                $(let command = $name.add(command);)+
                command
            }

            fn augment_args_for_update(command: Command) -> Command {
                Self::augment_args(command)
            }
        }
    };
}

args!(DeploymentName, [DEPLOYMENT], |matches| DEPLOYMENT.need(matches).map(Self));
args!(ClusterName, [CLUSTER], |matches| CLUSTER.need(matches).map(Self));
args!(AnyCluster, [CLUSTER], |matches| CLUSTER.find(matches).map(Self));
args!(JobName, [CLUSTER, JOB], job_name);

fn job_name(matches: &ArgMatches) -> Result<JobName, Error> {
    match (CLUSTER.word(matches), JOB.word(matches)) {
        (Some(_), Some(_)) if CLUSTER.is_said(matches) => Err(CLUSTER.twice()),
        (Some(_), Some(_)) if JOB.is_said(matches) => Err(JOB.twice()),
        (Some(cluster), Some(job)) => Ok(JobName { cluster, job }),
        // One word is the name that no flag gives.
        (Some(word), None) => match (CLUSTER.flag(matches), JOB.is_said(matches)) {
            (Some(_), true) if CLUSTER.is_said(matches) => Err(JOB.twice()),
            (_, true) => Ok(JobName { cluster: word, job: JOB.need(matches)? }),
            (Some(cluster), false) => Ok(JobName { cluster, job: word }),
            (None, false) => {
                let job = JOB.flag(matches).ok_or_else(|| JOB.missing())?;
                Ok(JobName { cluster: word, job })
            }
        },
        (None, _) => Ok(JobName { cluster: CLUSTER.need(matches)?, job: JOB.need(matches)? }),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        name: JobName,
    }

    fn parse(line: &str) -> Result<(String, String), ErrorKind> {
        let words = std::iter::once("x").chain(line.split_whitespace());
        Line::try_parse_from(words).map(|line| (line.name.cluster, line.name.job)).map_err(|error| error.kind())
    }

    #[test]
    fn names_are_words_or_flags() {
        let demo = Ok(("demo".to_owned(), "counter".to_owned()));
        for line in [
            "demo counter",
            "--cluster-name demo --job-name=counter",
            "--cluster-name=demo counter",
            "counter --cluster-name demo",
            "demo --job-name counter",
        ] {
            assert_eq!(parse(line), demo, "{line}");
        }
    }

    #[test]
    fn a_name_that_is_missing_or_there_twice_is_wrong() {
        for line in ["", "demo", "--cluster-name demo", "--job-name counter", "--job-name="] {
            assert_eq!(parse(line), Err(ErrorKind::MissingRequiredArgument), "{line}");
        }
        for line in ["demo counter --cluster-name demo", "demo counter --job-name x", "x --cluster-name a --job-name b"]
        {
            assert_eq!(parse(line), Err(ErrorKind::ArgumentConflict), "{line}");
        }
    }
}
