//! Names in paths. They become parts of resource names, selectors and addresses, so they are looked at before anything else is.

use control_api::route::Target;
use control_api::{Kind, Problem};

/// The names of one path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub deployment: Option<String>,
    pub cluster: Option<String>,
    /// Short name of a job within its cluster.
    pub job: Option<String>,
    pub taskmanager: Option<String>,
}

impl Names {
    /// Reads the parameters of a path.
    pub fn read<'a>(params: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, Problem> {
        let mut names = Self::default();
        for (param, value) in params {
            let (place, valid, rule) = match param {
                "deployment" => (&mut names.deployment, is_label(value), LABEL),
                "cluster" => (&mut names.cluster, is_label(value), LABEL),
                "job" => (&mut names.job, is_subdomain(value), SUBDOMAIN),
                _ => (&mut names.taskmanager, is_flink_id(value), FLINK_ID),
            };
            if !valid {
                let problem = format!("{value:?} cannot be the name of a {param}: {rule}");
                return Err(Problem::new(Kind::BadRequest, problem));
            }
            *place = Some(value.to_owned());
        }
        Ok(names)
    }

    /// Name of the resource of that kind; a job's begins with that of its cluster.
    pub fn resource(&self, target: Target) -> Option<String> {
        match target {
            Target::Deployment => self.deployment.clone(),
            Target::Cluster => self.cluster.clone(),
            Target::Job => Some(api::names::job(self.cluster.as_deref()?, self.job.as_deref()?)),
        }
    }
}

const LABEL: &str = "it must be of lower-case letters, digits and '-', begin and end with a letter or digit, and have at most 63 \
                     characters";
const SUBDOMAIN: &str = "it must be of lower-case letters, digits, '-' and '.', begin and end with a letter or digit, and have at \
                         most 253 characters";
const FLINK_ID: &str = "it must be the id that Flink shows";

fn is_inner(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// DNS-1123 label, the rule of Kubernetes for names of Services.
pub fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_label_of_any_length(text)
}

/// DNS-1123 subdomain, the rule of Kubernetes for names of resources.
pub fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label_of_any_length)
}

fn is_label_of_any_length(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = bytes.first().zip(bytes.last());
    ends.is_some_and(|(first, last)| is_inner(*first) && is_inner(*last))
        && bytes.iter().all(|byte| is_inner(*byte) || *byte == b'-')
}

/// `host:port-number`, or what the configuration says.
fn is_flink_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:[]@".contains(&byte))
        && text.bytes().any(|byte| byte != b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S-10
    #[test]
    fn names_are_those_that_kubernetes_takes() {
        for name in ["a", "cluster-1", "0a", &"a".repeat(63)] {
            assert!(is_label(name), "{name}");
        }
        for name in ["", "-a", "a-", "A", "a.b", "a/b", "..", "a b", "ä", &"a".repeat(64)] {
            assert!(!is_label(name), "{name}");
        }
        assert!(is_subdomain("a.b-c"));
        for name in ["", ".", "a..b", "a.", "-a.b", "a%"] {
            assert!(!is_subdomain(name), "{name}");
        }
        assert!(is_flink_id("127.0.0.1:6122-4d3f2a"));
        assert!(!is_flink_id(".."));
        assert!(!is_flink_id("a/../b"));
    }

    #[test]
    fn a_job_is_named_after_its_cluster() {
        let names = Names::read([("cluster", "demo"), ("job", "one")].into_iter()).unwrap();
        assert_eq!(names.resource(Target::Job).as_deref(), Some("demo-one"));
        assert_eq!(names.resource(Target::Deployment), None);
        let problem = Names::read([("cluster", "De mo")].into_iter()).unwrap_err();
        assert!(problem.detail.starts_with(r#""De mo" cannot be the name of a cluster: it must be"#), "{problem}");
    }
}
