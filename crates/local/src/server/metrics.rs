//! `metrics.k8s.io`, which `kubectl top` reads: what the nodes say of themselves and of the pods that they run.
//!
//! Invariant: nothing is kept here; a node that does not answer has no figures, and its pods have none.

use http::Method;
use serde_json::{Map, Value, json};

use super::Server;
use super::status::Failure;
use crate::machinery::Request;

const VERSION: &str = "metrics.k8s.io/v1beta1";

/// What is asked for.
#[derive(Debug, PartialEq)]
enum Asked<'a> {
    Nodes(Option<&'a str>),
    Pods { namespace: Option<&'a str>, name: Option<&'a str> },
}

impl<'a> Asked<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let rest = path.trim_matches('/').strip_prefix("apis/metrics.k8s.io/v1beta1/")?;
        Some(match rest.split('/').collect::<Vec<_>>().as_slice() {
            ["nodes"] => Self::Nodes(None),
            ["nodes", name] => Self::Nodes(Some(name)),
            ["pods"] => Self::Pods { namespace: None, name: None },
            ["namespaces", namespace, "pods"] => Self::Pods { namespace: Some(namespace), name: None },
            ["namespaces", namespace, "pods", name] => Self::Pods { namespace: Some(namespace), name: Some(name) },
            _ => return None,
        })
    }
}

impl Server {
    /// The figures that a request asks for; nothing for every other request.
    pub(super) async fn metrics(&self, request: &Request) -> Option<Result<Value, Failure>> {
        let asked = Asked::of(&request.path).filter(|_| self.machinery().has_metrics())?;
        if request.method != Method::GET {
            return Some(Err(Failure::method_not_allowed()));
        }
        Some(match asked {
            Asked::Nodes(name) => self.nodes(name, request).await,
            Asked::Pods { namespace, name } => self.pods(namespace, name, request).await,
        })
    }

    async fn nodes(&self, name: Option<&str>, request: &Request) -> Result<Value, Failure> {
        let mut items = Vec::new();
        for node in self.objects("/api/v1/nodes", name, request)? {
            let Ok(summary) = self.ask_node(text(&node["metadata"]["name"]), "/stats/summary").await else { continue };
            let mut item = head("NodeMetrics", &node, &summary);
            item.insert("usage".into(), usage(&summary["node"]));
            items.push(Value::Object(item));
        }
        answer("NodeMetricsList", "nodes", name, items)
    }

    async fn pods(&self, namespace: Option<&str>, name: Option<&str>, request: &Request) -> Result<Value, Failure> {
        let path = namespace.map_or_else(|| "/api/v1/pods".to_owned(), |one| format!("/api/v1/namespaces/{one}/pods"));
        let pods = self.objects(&path, name, request)?;
        let mut summaries: Map<String, Value> = Map::new();
        for pod in &pods {
            let node = text(&pod["spec"]["nodeName"]);
            if !node.is_empty() && !summaries.contains_key(node) {
                summaries.insert(node.to_owned(), self.ask_node(node, "/stats/summary").await.unwrap_or_default());
            }
        }
        let of_pod = |pod: &Value| {
            let summary = summaries.get(text(&pod["spec"]["nodeName"]))?;
            let all = summary["pods"].as_array()?;
            let figures = all.iter().find(|one| one["podRef"]["uid"] == pod["metadata"]["uid"])?;
            let containers = figures["containers"].as_array()?;
            let container = |one: &Value| json!({"name": one["name"], "usage": usage(one)});
            let mut item = head("PodMetrics", pod, summary);
            item.insert("containers".into(), containers.iter().map(container).collect());
            Some(Value::Object(item))
        };
        answer("PodMetricsList", "pods", name, pods.iter().filter_map(of_pod).collect())
    }

    /// The objects that a request selects, by name or by its selectors.
    fn objects(&self, path: &str, name: Option<&str>, request: &Request) -> Result<Vec<Value>, Failure> {
        let path = name.map_or_else(|| path.to_owned(), |name| format!("{path}/{name}"));
        let selectors = request.query.iter().filter(|(key, _)| key.ends_with("Selector")).cloned().collect();
        match (self.read(path, selectors), name) {
            (Some(object), Some(_)) => Ok(vec![object]),
            (Some(mut list), None) => Ok(match list["items"].take() {
                Value::Array(items) => items,
                _ => Vec::new(),
            }),
            (None, Some(_)) => Ok(Vec::new()),
            (None, None) => Err(Failure::bad_request("the selector is not understood")),
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn head(kind: &str, of: &Value, summary: &Value) -> Map<String, Value> {
    let mut metadata = json!({"name": of["metadata"]["name"], "creationTimestamp": summary["node"]["cpu"]["time"]});
    for field in ["namespace", "labels"] {
        if let Some(value) = of["metadata"].get(field) {
            metadata[field] = value.clone();
        }
    }
    let window = format!("{:.3}s", summary["windowSeconds"].as_f64().unwrap_or_default());
    let head = json!({
        "kind": kind, "apiVersion": VERSION, "metadata": metadata,
        "timestamp": summary["node"]["cpu"]["time"], "window": window,
    });
    head.as_object().cloned().unwrap_or_default()
}

fn usage(figures: &Value) -> Value {
    let cpu = figures["cpu"]["usageNanoCores"].as_u64().unwrap_or_default();
    let memory = figures["memory"]["workingSetBytes"].as_u64().unwrap_or_default();
    json!({"cpu": format!("{cpu}n"), "memory": format!("{}Ki", memory / 1024)})
}

fn answer(list: &str, resource: &str, name: Option<&str>, mut items: Vec<Value>) -> Result<Value, Failure> {
    match name {
        None => Ok(json!({"kind": list, "apiVersion": VERSION, "metadata": {}, "items": items})),
        Some(name) => {
            items.pop().ok_or_else(|| Failure::not_found(format!("{resource}.metrics.k8s.io {name:?} not found")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_say_what_is_asked_for() {
        assert_eq!(Asked::of("/apis/metrics.k8s.io/v1beta1/nodes/n"), Some(Asked::Nodes(Some("n"))));
        assert_eq!(
            Asked::of("/apis/metrics.k8s.io/v1beta1/namespaces/a/pods"),
            Some(Asked::Pods { namespace: Some("a"), name: None })
        );
        assert_eq!(Asked::of("/apis/metrics.k8s.io/v1beta1"), None);
    }

    #[test]
    fn figures_are_quantities() {
        let figures = json!({"cpu": {"usageNanoCores": 1500}, "memory": {"workingSetBytes": 4096}});
        assert_eq!(usage(&figures), json!({"cpu": "1500n", "memory": "4Ki"}));
    }
}
