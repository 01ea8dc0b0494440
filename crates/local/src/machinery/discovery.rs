//! What is served: groups, versions, resources, in the old form (one document per version) and the aggregated one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::error::{Failure, Result};
use super::kinds::Kind;
use super::request::{Route, Shape};
use super::{JSON, Machinery, Reply, Request, json as answer, openapi};

impl Machinery {
    pub(super) fn discover(&self, route: &Route, request: &Request) -> Result<Reply> {
        if request.method != http::Method::GET && request.method != http::Method::HEAD {
            return Err(Failure::method_not_allowed());
        }
        match route {
            Route::Version => Ok(answer(version())),
            Route::CoreVersions | Route::Groups => self.top(matches!(route, Route::CoreVersions), request),
            Route::Group(group) => {
                let group = self.group(group).ok_or_else(Failure::no_such_path)?;
                Ok(answer(with(json!({"kind": "APIGroup", "apiVersion": "v1"}), group)))
            }
            Route::Resources { group, version } => self.resources(group, version),
            Route::OpenApi3Index => Ok(answer(openapi::index(&self.kinds))),
            Route::OpenApi3(path) => {
                Ok(openapi::document(&self.kinds, path).map_or(Reply::Text { status: 404, body: "" }, answer))
            }
            Route::OpenApi2 => {
                let accepted = request.accept.as_deref().unwrap_or_default();
                let binary = accepted.contains("com.github.proto-openapi.spec.v2");
                Ok(if binary {
                    Reply::Binary { body: openapi::encoded_two(&self.kinds), content_type: OPENAPI_2 }
                } else {
                    answer(openapi::document_two(&self.kinds))
                })
            }
            Route::Object(_) => Err(Failure::no_such_path()),
        }
    }

    fn top(&self, core: bool, request: &Request) -> Result<Reply> {
        if let Shape::Discovery { beta } = Shape::negotiate(request.accept.as_deref(), false)? {
            let groups: Vec<&str> = if core { vec![""] } else { self.kinds.groups() };
            let items: Vec<Value> = groups.into_iter().map(|group| self.aggregated(group)).collect();
            let version = if beta { "v2beta1" } else { "v2" };
            let body = json!({
                "kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"), "metadata": {}, "items": items,
            });
            let content_type = if beta {
                "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
            } else {
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
            };
            return Ok(Reply::Json { status: 200, body, content_type, warnings: Vec::new() });
        }
        if core {
            return Ok(answer(json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})));
        }
        let groups: Vec<Value> = self.kinds.groups().into_iter().filter_map(|group| self.group(group)).collect();
        Ok(answer(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})))
    }

    fn group(&self, group: &str) -> Option<Value> {
        let version = |version: &&str| json!({"groupVersion": format!("{group}/{version}"), "version": version});
        let versions: Vec<Value> = self.kinds.versions(group).iter().map(version).collect();
        let preferred = versions.first()?.clone();
        Some(json!({"name": group, "versions": versions, "preferredVersion": preferred}))
    }

    fn resources(&self, group: &str, version: &str) -> Result<Reply> {
        let kinds = self.kinds.resources(group, version).ok_or_else(Failure::no_such_path)?;
        let mut resources = Vec::new();
        for kind in kinds {
            let mut row = with(
                json!({"name": kind.resource, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.name, "verbs": kind.verbs()}),
                names(kind),
            );
            if let Some((group, version)) = kind.stored_as() {
                row["storageVersionHash"] = digest(&format!("{group}/{version}/{}", kind.name)).into();
            }
            resources.push(row);
            for subresource in &kind.subresources {
                let (group, version, answer, verbs) = below(kind, subresource);
                let mut row = json!({
                    "name": format!("{}/{subresource}", kind.resource), "singularName": "", "namespaced": kind.namespaced, "kind": answer, "verbs": verbs,
                });
                if (group, version) != (kind.group.as_str(), kind.version.as_str()) {
                    row["group"] = group.into();
                    row["version"] = version.into();
                }
                resources.push(row);
            }
        }
        let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        let mut body = json!({"kind": "APIResourceList", "groupVersion": group_version, "resources": resources});
        if !group.is_empty() {
            body["apiVersion"] = "v1".into();
        }
        Ok(Reply::Json { status: 200, body, content_type: JSON, warnings: Vec::new() })
    }

    fn aggregated(&self, group: &str) -> Value {
        let resource = |kind: &Kind| {
            let mut row = with(
                json!({
                    "resource": kind.resource, "singularResource": kind.singular, "verbs": kind.verbs(),
                    "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.name},
                    "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
                }),
                names(kind),
            );
            let sub = |subresource: &String| {
                let (group, version, answer, verbs) = below(kind, subresource);
                json!({"subresource": subresource, "verbs": verbs, "responseKind": {"group": group, "version": version, "kind": answer}})
            };
            if !kind.subresources.is_empty() {
                row["subresources"] = kind.subresources.iter().map(sub).collect();
            }
            row
        };
        let version = |version: &str| {
            let resources: Vec<Value> =
                self.kinds.resources(group, version).into_iter().flatten().map(|kind| resource(kind)).collect();
            json!({"version": version, "resources": resources, "freshness": "Current"})
        };
        let versions: Vec<Value> = self.kinds.versions(group).into_iter().map(version).collect();
        json!({"metadata": {"name": group, "creationTimestamp": null}, "versions": versions})
    }
}

/// The version that is spoken here.
pub(super) const GIT_VERSION: &str = "v1.36.0+flinkctl";
const OPENAPI_2: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "gitVersion": GIT_VERSION, "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "rustc", "platform": "linux/amd64",
    })
}

/// By this clients see that objects have come to be stored in another version.
fn digest(stored: &str) -> String {
    STANDARD.encode(&Sha256::digest(stored.as_bytes())[..8])
}

fn names(kind: &Kind) -> Value {
    let mut names = json!({});
    if !kind.short_names.is_empty() {
        names["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        names["categories"] = json!(kind.categories);
    }
    names
}

/// Group, version and kind of what a subresource answers, and its verbs.
fn below<'a>(kind: &'a Kind, subresource: &str) -> (&'a str, &'a str, &'a str, &'static [&'static str]) {
    let own = (kind.group.as_str(), kind.version.as_str());
    match subresource {
        "scale" => ("autoscaling", "v1", "Scale", &["get", "patch", "update"]),
        "log" => (own.0, own.1, "Pod", &["get"]),
        "attach" => (own.0, own.1, "PodAttachOptions", &["create", "get"]),
        "exec" => (own.0, own.1, "PodExecOptions", &["create", "get"]),
        "portforward" => (own.0, own.1, "PodPortForwardOptions", &["create", "get"]),
        "binding" => (own.0, own.1, "Binding", &["create"]),
        "eviction" => ("policy", "v1", "Eviction", &["create"]),
        "token" => ("authentication.k8s.io", "v1", "TokenRequest", &["create"]),
        "finalize" => (own.0, own.1, &kind.name, &["update"]),
        _ => (own.0, own.1, &kind.name, &["get", "patch", "update"]),
    }
}

fn with(mut base: Value, more: Value) -> Value {
    if let (Some(base), Value::Object(more)) = (base.as_object_mut(), more) {
        base.extend(more);
    }
    base
}
