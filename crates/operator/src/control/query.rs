//! Query parameters.

use std::time::Duration;

use control_api::route::{Method, Route, Target};
use control_api::{Kind, Operation, Problem, request};

/// The parameters of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// How long to wait for the end of an action.
    pub wait: Option<Duration>,
    pub resource_version: Option<String>,
    /// Filters of a watch.
    pub kind: Option<Target>,
    pub name: Option<String>,
}

impl Query {
    /// Reads them. One that the route does not know is an error: a misspelt `wait` would not wait.
    pub fn read(route: &Route, text: Option<&str>) -> Result<Self, Problem> {
        let mut query = Self::default();
        let Some(text) = text else { return Ok(query) };
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            match (name.as_ref(), route.operation) {
                ("envelope", _) if matches!(value.as_ref(), "true" | "false") => {}
                ("envelope", _) => return Err(wrong(&name, &value, "true or false")),
                ("wait", Operation::Act(..)) if route.method == Method::Post => {
                    query.wait = Some(request::wait(&value)?);
                }
                ("wait", Operation::Act(..)) => {
                    return Err(Problem::new(Kind::BadRequest, "wait is a parameter of POST; PUT does not wait"));
                }
                ("resourceVersion", Operation::Update(_) | Operation::Delete(_)) => {
                    query.resource_version = Some(value.into_owned()).filter(|version| !version.is_empty());
                }
                ("kind", Operation::Watch) => query.kind = Some(kind(&value)?),
                ("name", Operation::Watch) => query.name = Some(value.into_owned()),
                _ => return Err(Problem::new(Kind::BadRequest, format!("{name:?} is no parameter of this path"))),
            }
        }
        Ok(query)
    }
}

fn kind(text: &str) -> Result<Target, Problem> {
    match text.to_ascii_lowercase().trim_end_matches('s') {
        "flinkdeployment" | "deployment" | "fd" => Ok(Target::Deployment),
        "flinkcluster" | "cluster" | "fc" => Ok(Target::Cluster),
        "flinkjob" | "job" | "fj" => Ok(Target::Job),
        _ => Err(wrong("kind", text, "FlinkDeployment, FlinkCluster or FlinkJob")),
    }
}

fn wrong(name: &str, value: &str, wanted: &str) -> Problem {
    Problem::new(Kind::BadRequest, format!("{name}={value}: it must be {wanted}"))
}

#[cfg(test)]
mod tests {
    use control_api::ROUTES;

    use super::*;

    fn route(method: Method, path: &str) -> &'static Route {
        ROUTES.iter().find(|route| route.method == method && route.path == path).unwrap()
    }

    #[test]
    fn a_parameter_that_would_be_ignored_is_refused() {
        let stop = route(Method::Post, "/clusters/{cluster}/stop");
        assert_eq!(Query::read(stop, Some("wait=2m&envelope=false")).unwrap().wait, Some(Duration::from_mins(2)));
        assert!(Query::read(stop, Some("wiat=2m")).is_err());
        assert!(Query::read(stop, Some("wait=ever")).is_err());
        assert!(Query::read(route(Method::Put, "/clusters/{cluster}/stop"), Some("wait=2m")).is_err());
    }

    #[test]
    fn kinds_are_known_by_many_names() {
        let watch = route(Method::Get, "/watch");
        for kind in ["FlinkCluster", "clusters", "fc"] {
            let query = Query::read(watch, Some(&format!("kind={kind}&name=a%2Db"))).unwrap();
            assert_eq!((query.kind, query.name.as_deref()), (Some(Target::Cluster), Some("a-b")));
        }
        assert!(Query::read(watch, Some("kind=pod")).is_err());
    }
}
