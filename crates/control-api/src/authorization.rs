//! Roles for owners of client certificates: a file says who is what, for which namespaces and names.
//!
//! ```yaml
//! grants:
//! - subjects: ["mary", "CN=ci-*"]   # common names, exact or with * and ?
//!   role: admin
//! - subjects: ["O=analytics"]       # an organisation of the subject
//!   role: operator
//!   namespaces: ["flink-*"]         # all, unless said
//!   names: ["orders", "clicks-*"]   # of deployments and clusters, and so of their jobs; all, unless said
//! ```
//!
//! Invariant: what no grant allows is denied, and nobody's role is larger than the largest of the grants that fit.

use serde::Deserialize;

use crate::route::{Operation, Target};

/// What somebody may do. Each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look at everything.
    Viewer,
    /// Also start, stop, scale, take and forget savepoints.
    Operator,
    /// Also create, replace and delete.
    Admin,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The least role that an operation takes.
    pub fn needed_for(operation: Operation) -> Self {
        match operation {
            Operation::Create(_) | Operation::Update(_) | Operation::Delete(_) => Self::Admin,
            Operation::Act(..) => Self::Operator,
            _ => Self::Viewer,
        }
    }
}

/// Who is what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub grants: Vec<Grant>,
}

/// A role for some, in some places.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    pub subjects: Vec<SubjectPattern>,
    pub role: Role,
    #[serde(default)]
    pub namespaces: Option<Vec<Pattern>>,
    #[serde(default)]
    pub names: Option<Vec<Pattern>>,
}

/// A text in which `*` stands for any characters and `?` for one. It fits the whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(String);

/// A pattern for the common name (`CN=…`, or without anything) or one of the organisations (`O=…`) of a subject.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum SubjectPattern {
    CommonName(Pattern),
    Organization(Pattern),
}

/// The owner of a certificate.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub common_name: Option<&'a str>,
    pub organizations: &'a [String],
}

/// What somebody asks for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub operation: Operation,
    pub namespace: &'a str,
    /// Of the deployment, or of the cluster, whose jobs go with it. None where it is about all.
    pub name: Option<&'a str>,
}

/// A line of the file that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error("`{0}` is no pattern: it is empty")]
    Empty(String),
    #[error("`{0}` is no subject: use CN=<common name>, O=<organisation> or a bare common name")]
    Attribute(String),
    #[error("grant {0} has no subjects: name at least one, or remove the grant")]
    NoSubjects(usize),
}

impl TryFrom<String> for Pattern {
    type Error = PolicyError;

    fn try_from(text: String) -> Result<Self, PolicyError> {
        if text.trim().is_empty() { Err(PolicyError::Empty(text)) } else { Ok(Self(text)) }
    }
}

impl TryFrom<String> for SubjectPattern {
    type Error = PolicyError;

    fn try_from(text: String) -> Result<Self, PolicyError> {
        match text.split_once('=') {
            None => Ok(Self::CommonName(text.try_into()?)),
            Some(("CN", name)) => Ok(Self::CommonName(name.to_owned().try_into()?)),
            Some(("O", name)) => Ok(Self::Organization(name.to_owned().try_into()?)),
            Some(_) => Err(PolicyError::Attribute(text)),
        }
    }
}

impl Pattern {
    pub fn fits(&self, text: &str) -> bool {
        glob(self.0.as_bytes(), text.as_bytes())
    }
}

/// Takes time in proportion to the product of the lengths, whatever the pattern.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut of) = (0, 0);
    // Where to go on after the last star, with the text that it has not taken yet.
    let mut retry: Option<(usize, usize)> = None;
    while of < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                retry = Some((at, of));
            }
            Some(byte) if *byte == b'?' || *byte == text[of] => {
                at += 1;
                of += 1;
            }
            _ => match retry {
                Some((after, taken)) => {
                    (at, of) = (after, taken + 1);
                    retry = Some((after, taken + 1));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

impl SubjectPattern {
    fn fits(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::CommonName(pattern) => subject.common_name.is_some_and(|name| pattern.fits(name)),
            Self::Organization(pattern) => subject.organizations.iter().any(|one| pattern.fits(one)),
        }
    }
}

impl Grant {
    fn covers(&self, subject: &Subject<'_>, namespace: &str, name: Option<&str>) -> bool {
        let of = |patterns: &Option<Vec<Pattern>>, text: Option<&str>| match (patterns, text) {
            (None, _) => true,
            (Some(patterns), Some(text)) => patterns.iter().any(|pattern| pattern.fits(text)),
            // What is about all names is for those who have a say in all.
            (Some(_), None) => false,
        };
        self.subjects.iter().any(|pattern| pattern.fits(subject))
            && of(&self.namespaces, Some(namespace))
            && of(&self.names, name)
    }
}

impl Policy {
    /// What the types do not check.
    pub fn validate(&self) -> Result<(), PolicyError> {
        match self.grants.iter().position(|grant| grant.subjects.is_empty()) {
            Some(index) => Err(PolicyError::NoSubjects(index + 1)),
            None => Ok(()),
        }
    }

    /// The largest role that somebody has for a name, or for all.
    pub fn role(&self, subject: &Subject<'_>, namespace: &str, name: Option<&str>) -> Option<Role> {
        self.grants.iter().filter(|grant| grant.covers(subject, namespace, name)).map(|grant| grant.role).max()
    }

    /// Whether somebody may do what is asked for, else a sentence that says what is missing. The description of the API is for all.
    pub fn check(&self, subject: &Subject<'_>, request: &Request<'_>) -> Result<(), String> {
        let Request { operation, namespace, name } = *request;
        let Some((verb, what)) = permission(operation) else { return Ok(()) };
        let needed = Role::needed_for(operation);
        let role = self.role(subject, namespace, name);
        if role.is_some_and(|role| role >= needed) {
            return Ok(());
        }
        let who = subject.common_name.unwrap_or("the owner of the certificate");
        let of = name.map_or_else(|| "of all names".to_owned(), |name| format!("`{name}`"));
        let has = role.map_or("no role", Role::as_str);
        let needed = needed.as_str();
        Err(format!(
            "`{who}` may not {verb} {what} {of} in namespace `{namespace}`: the role {needed} is needed, and the grants give {has}"
        ))
    }
}

/// The verb and the resource, with its subresource, that an operation takes, as the Kubernetes API names them.
pub fn permission(operation: Operation) -> Option<(&'static str, String)> {
    let (verb, subresource) = operation.verb()?;
    let resource = operation.target().map_or("flinkdeployments, flinkclusters and flinkjobs", Target::plural);
    let resource = if subresource.is_empty() { resource.to_owned() } else { format!("{resource}/{subresource}") };
    Some((verb, resource))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Action::{Scale, Stop};
    use Target::{Cluster, Deployment, Job};

    fn policy(json: serde_json::Value) -> Policy {
        serde_json::from_value(json).unwrap()
    }

    fn example() -> Policy {
        policy(serde_json::json!({"grants": [
            {"subjects": ["mary", "CN=ci-*"], "role": "admin"},
            {"subjects": ["O=analytics"], "role": "operator", "namespaces": ["flink-*"], "names": ["orders", "clicks-*"]},
            {"subjects": ["O=analytics"], "role": "viewer", "namespaces": ["flink-*"]},
            {"subjects": ["*"], "role": "viewer", "namespaces": ["play"]},
        ]}))
    }

    #[test]
    fn a_role_is_the_largest_that_fits() {
        let analysts = ["analytics".to_owned()];
        let rows = [
            ("mary", &[][..], "anything", Some("x"), Some(Role::Admin)),
            ("mary2", &[], "anything", Some("x"), None),
            ("ci-7", &[], "anything", None, Some(Role::Admin)),
            ("joe", &analysts, "flink-a", Some("orders"), Some(Role::Operator)),
            ("joe", &analysts, "flink-a", Some("clicks-eu"), Some(Role::Operator)),
            ("joe", &analysts, "flink-a", Some("orders2"), Some(Role::Viewer)),
            ("joe", &analysts, "flink-a", None, Some(Role::Viewer)),
            ("joe", &analysts, "flunk", Some("orders"), None),
            ("analytics", &[], "flink-a", Some("orders"), None),
            ("anybody", &[], "play", None, Some(Role::Viewer)),
        ];
        for (name, organizations, namespace, of, role) in rows {
            let subject = Subject { common_name: Some(name), organizations };
            assert_eq!(example().role(&subject, namespace, of), role, "{name} {namespace} {of:?}");
        }
    }

    #[test]
    fn each_operation_takes_its_role() {
        let rows = [
            (Operation::Names(Job), Role::Viewer),
            (Operation::Watch, Role::Viewer),
            (Operation::JobMetrics, Role::Viewer),
            (Operation::Act(Job, Stop), Role::Operator),
            (Operation::Act(Cluster, Scale), Role::Operator),
            (Operation::Create(Deployment), Role::Admin),
            (Operation::Update(Job), Role::Admin),
            (Operation::Delete(Cluster), Role::Admin),
        ];
        for (operation, role) in rows {
            assert_eq!(Role::needed_for(operation), role, "{operation:?}");
        }
        for route in crate::ROUTES {
            assert_eq!(Role::needed_for(route.operation) > Role::Viewer, route.operation.is_mutating());
        }
    }

    #[test]
    fn who_is_denied_learns_what_is_missing() {
        let organizations = ["analytics".to_owned()];
        let joe = Subject { common_name: Some("joe"), organizations: &organizations };
        let ask = |operation, name| example().check(&joe, &Request { operation, namespace: "flink-a", name });
        assert_eq!(ask(Operation::Act(Job, Scale), Some("orders")), Ok(()));
        assert_eq!(ask(Operation::OpenApi, None), Ok(()));
        let nobody = Subject { common_name: None, organizations: &[] };
        let open = Request { operation: Operation::OpenApi, namespace: "x", name: None };
        assert_eq!(example().check(&nobody, &open), Ok(()));
        assert_eq!(
            ask(Operation::Act(Job, Scale), Some("other")).unwrap_err(),
            "`joe` may not patch flinkjobs/scale `other` in namespace `flink-a`: \
             the role operator is needed, and the grants give viewer"
        );
        let watch = Request { operation: Operation::Watch, namespace: "x", name: None };
        assert_eq!(
            example().check(&joe, &watch).unwrap_err(),
            "`joe` may not watch flinkdeployments, flinkclusters and flinkjobs of all names in namespace `x`: \
             the role viewer is needed, and the grants give no role"
        );
    }

    #[test]
    fn patterns_fit_the_whole() {
        let rows = [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*b*c", "aXXbYYc", true),
            ("a*b*c", "aXXbYY", false),
            ("*-prod", "eu-prod-prod", true),
            ("?x", "ax", true),
            ("?x", "x", false),
            ("a**", "a", true),
        ];
        for (pattern, text, fits) in rows {
            assert_eq!(Pattern(pattern.into()).fits(text), fits, "{pattern} {text}");
        }
        // A pattern that would take for ever if each star tried everything.
        assert!(!Pattern(format!("{}b", "a*".repeat(200))).fits(&"a".repeat(5_000)));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let refused = |grant: serde_json::Value| {
            let read = serde_json::from_value::<Policy>(serde_json::json!({ "grants": [grant] }));
            read.map_err(|error| error.to_string()).and_then(|one| one.validate().map_err(|error| error.to_string()))
        };
        let rows = [
            (serde_json::json!({"subjects": ["a"], "role": "root"}), "unknown variant `root`"),
            (serde_json::json!({"subjects": ["a"], "role": "viewer", "name": ["x"]}), "unknown field `name`"),
            (serde_json::json!({"subjects": ["OU=a"], "role": "viewer"}), "`OU=a` is no subject"),
            (serde_json::json!({"subjects": ["O="], "role": "viewer"}), "is no pattern"),
            (serde_json::json!({"subjects": [], "role": "viewer"}), "grant 1 has no subjects"),
            (serde_json::json!({"role": "viewer"}), "missing field `subjects`"),
        ];
        for (grant, words) in rows {
            let error = refused(grant).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
