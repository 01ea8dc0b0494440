//! Bodies of requests: bounded in size and time, and what may stand in the body of a create or an update.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use bytes::BytesMut;
use control_api::problem::Cause;
use control_api::route::Target;
use control_api::{Kind, MAX_BODY, Problem, request};
use http_body_util::BodyExt;
use serde_json::{Map, Value};

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much is read of a body that is too long or not wanted. Who still sends when the connection is closed loses the answer.
const MOST_DISCARDED: usize = 8 * MAX_BODY;

/// Reads the whole body.
pub async fn read(body: Body) -> Result<Bytes, Problem> {
    let mut read = BytesMut::new();
    let length = frames(body, |bytes, length| {
        if length <= MAX_BODY {
            read.extend_from_slice(bytes);
        }
    })
    .await?;
    if length > MAX_BODY {
        let limit = MAX_BODY / 1024 / 1024;
        return Err(Problem::new(Kind::TooLarge, format!("the body is longer than {limit} MiB")));
    }
    Ok(read.freeze())
}

/// Reads a body that nobody wants.
pub async fn discard(body: Body) {
    if !body.is_end_stream() {
        // Whether it came to an end makes no difference to the answer.
        let _ = frames(body, |_, _| ()).await;
    }
}

/// Hands over the parts of a body with the length so far, which comes back in the end.
async fn frames(mut body: Body, mut take: impl FnMut(&[u8], usize)) -> Result<usize, Problem> {
    let reading = async {
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| format!("the body did not arrive: {}", kit::chain(&error)))?;
            if let Some(bytes) = frame.data_ref() {
                length += bytes.len();
                take(bytes, length);
            }
            if length > MOST_DISCARDED {
                break;
            }
        }
        Ok(length)
    };
    let read = tokio::time::timeout(PATIENCE, reading).await;
    let read = read.unwrap_or_else(|_| Err(format!("the body did not arrive within {} s", PATIENCE.as_secs())));
    read.map_err(|why| Problem::new(Kind::BadRequest, why))
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

    /// S-09
    #[tokio::test]
    async fn a_body_has_a_limit() {
        let long = Body::from(vec![b' '; MAX_BODY + 1]);
        assert_eq!(read(long).await.unwrap_err().kind, Kind::TooLarge);
        assert_eq!(read(Body::from(vec![b' '; MAX_BODY])).await.unwrap().len(), MAX_BODY);
    }
}
