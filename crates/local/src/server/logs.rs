//! The `log` subresource of pods: which container is meant. The log itself is the business of [`crate::logs`].

use http::Response;
use serde_json::Value;

use super::Server;
use super::reply::{self, Body};
use super::status::Failure;
use crate::logs::{self, Options};

pub(super) async fn answer(
    server: &Server,
    namespace: &str,
    name: &str,
    query: &[(String, String)],
) -> Result<Response<Body>, Failure> {
    let failed = |error: logs::Error| match error {
        logs::Error::Request(words) => Failure::bad_request(words),
        logs::Error::File(_) => Failure::internal(error.to_string()),
    };
    let options = Options::parse(query).map_err(failed)?;
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
    let pod = server.get(path.clone()).ok_or_else(|| Failure::not_found(format!("pods \"{name}\" not found")))?;
    let container = choose_container(&pod, name, options.container.as_deref())?;
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
    let directory = server.0.pods.join(format!("{namespace}_{name}_{uid}"));
    let (other, stop) = (server.clone(), server.0.stop.clone());
    let look = Box::new(move || other.get(path.clone()));
    let log = logs::read(&pod, &container, &options, &directory, look, stop).await.map_err(failed)?;
    Ok(reply::stream(logs::TEXT, log))
}

/// The container that is meant: the named one, or the only one.
pub(super) fn choose_container(pod: &Value, name: &str, wanted: Option<&str>) -> Result<String, Failure> {
    let names = |field: &str| -> Vec<&str> {
        let list = pod["spec"][field].as_array();
        list.into_iter().flatten().filter_map(|container| container["name"].as_str()).collect()
    };
    let (containers, init) = (names("containers"), names("initContainers"));
    match (wanted, containers.as_slice()) {
        (Some(wanted), _) if containers.contains(&wanted) || init.contains(&wanted) => Ok(wanted.to_owned()),
        (Some(wanted), _) => Err(Failure::bad_request(format!("container {wanted} is not valid for pod {name}"))),
        (None, [only]) => Ok((*only).to_owned()),
        (None, _) if init.is_empty() => Err(Failure::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            containers.join(" ")
        ))),
        (None, _) => Err(Failure::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}] or one of the init containers: [{}]",
            containers.join(" "),
            init.join(" ")
        ))),
    }
}
