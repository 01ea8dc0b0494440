//! Bodies of requests: bounded in size and time, and what may stand in the body of a create or an update.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use control_api::problem::Cause;
use control_api::route::Target;
use control_api::{Kind, MAX_BODY, Problem, request};
use serde_json::{Map, Value};

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads the whole body.
pub async fn read(body: Body) -> Result<Bytes, Problem> {
    match tokio::time::timeout(PATIENCE, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(unreadable(&error)),
        Err(_) => {
            Err(Problem::new(Kind::BadRequest, format!("the body did not arrive within {} s", PATIENCE.as_secs())))
        }
    }
}

fn unreadable(error: &axum::Error) -> Problem {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        // The only error of reading that is about the length has no public type here.
        if error.to_string() == "length limit exceeded" {
            let limit = MAX_BODY / 1024 / 1024;
            return Problem::new(Kind::TooLarge, format!("the body is longer than {limit} MiB"));
        }
        cause = error.source();
    }
    Problem::new(Kind::BadRequest, format!("the body did not arrive: {error}"))
}

/// What a caller wants a resource to be.
#[derive(Debug, PartialEq)]
pub struct Wanted {
    pub spec: Map<String, Value>,
    pub labels: Map<String, Value>,
    pub annotations: Map<String, Value>,
    pub resource_version: Option<String>,
}

impl Wanted {
    /// Reads a spec, or a whole resource, which says its kind.
    pub fn read(target: Target, name: &str, body: &[u8]) -> Result<Self, Problem> {
        let Value::Object(mut members) = request::spec(body)? else { return Err(wrong("", "it must be an object")) };
        let Some(kind) = members.get("kind") else {
            return Ok(Self { spec: members, labels: Map::new(), annotations: Map::new(), resource_version: None });
        };
        if kind.as_str() != Some(target.kind()) {
            return Err(wrong("kind", &format!("it is {kind}, but must be {}", target.kind())));
        }
        let mut metadata = object("metadata", members.remove("metadata"))?;
        if let Some(other) = metadata.get("name").filter(|other| other.as_str() != Some(name)) {
            return Err(wrong("metadata.name", &format!("it is {other}, but the path says {name:?}")));
        }
        Ok(Self {
            spec: object("spec", members.remove("spec"))?,
            labels: object("metadata.labels", metadata.remove("labels"))?,
            annotations: object("metadata.annotations", metadata.remove("annotations"))?,
            resource_version: match metadata.remove("resourceVersion") {
                Some(Value::String(version)) => Some(version).filter(|version| !version.is_empty()),
                _ => None,
            },
        })
    }
}

fn object(field: &str, value: Option<Value>) -> Result<Map<String, Value>, Problem> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(members)) => Ok(members),
        Some(_) => Err(wrong(field, "it must be an object")),
    }
}

fn wrong(field: &str, message: &str) -> Problem {
    let cause = Cause { field: field.to_owned(), message: message.to_owned() };
    Problem::new(Kind::BadRequest, "the body cannot be used").with_causes(vec![cause])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_a_spec_or_a_whole_resource() {
        let spec = Wanted::read(Target::Cluster, "a", br#"{"taskManagers": 1}"#).unwrap();
        let whole = br#"{"apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkCluster", "spec": {"taskManagers": 1},
                         "metadata": {"name": "a", "resourceVersion": "7", "labels": {"team": "x"}}}"#;
        let whole = Wanted::read(Target::Cluster, "a", whole).unwrap();
        assert_eq!(whole.spec, spec.spec);
        assert_eq!(whole.resource_version.as_deref(), Some("7"));
        assert_eq!(whole.labels["team"], "x");
        for (body, field) in [
            (r#"{"kind": "FlinkJob", "spec": {}}"#, "kind"),
            (r#"{"kind": "FlinkCluster", "metadata": {"name": "b"}}"#, "metadata.name"),
            (r#"{"kind": "FlinkCluster", "spec": 1}"#, "spec"),
        ] {
            assert_eq!(Wanted::read(Target::Cluster, "a", body.as_bytes()).unwrap_err().causes[0].field, field);
        }
    }

    #[tokio::test]
    async fn a_body_has_a_limit() {
        let long = Body::from(vec![b' '; MAX_BODY + 1]);
        assert_eq!(read(long).await.unwrap_err().kind, Kind::TooLarge);
        assert_eq!(read(Body::from(vec![b' '; MAX_BODY])).await.unwrap().len(), MAX_BODY);
    }
}
