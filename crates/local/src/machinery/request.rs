//! What a request asks for: paths, options and media types, taken apart. Knows nothing of stored objects.

use serde_json::Value;

use super::Request;
use super::error::{Failure, Result};
use super::{protobuf, strict, syntax};

/// Where a path leads. Strings are owned: requests are few and short.
#[derive(Debug, PartialEq)]
pub(crate) enum Route {
    Version,
    /// `/api`
    CoreVersions,
    /// `/apis`
    Groups,
    /// `/apis/<group>`
    Group(String),
    /// `/api/v1`, `/apis/<group>/<version>`
    Resources {
        group: String,
        version: String,
    },
    /// `/openapi/v2`
    OpenApi2,
    /// `/openapi/v3`
    OpenApi3Index,
    /// `/openapi/v3/<path>`
    OpenApi3(String),
    Object(Target),
}

/// A collection, an object, or a subresource.
#[derive(Debug, PartialEq, Clone, Default)]
pub(crate) struct Target {
    pub group: String,
    pub version: String,
    pub namespace: Option<String>,
    pub resource: String,
    pub name: Option<String>,
    pub subresource: Option<String>,
    /// The old `/watch/` prefix.
    pub watch: bool,
}

impl Route {
    pub fn parse(path: &str) -> Result<Self> {
        let parts: Vec<String> = path.split('/').filter(|p| !p.is_empty()).map(decode).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        Ok(match parts.as_slice() {
            ["version"] => Self::Version,
            ["api"] => Self::CoreVersions,
            ["apis"] => Self::Groups,
            ["apis", group] => Self::Group((*group).to_owned()),
            ["openapi", "v2"] => Self::OpenApi2,
            ["openapi", "v3"] => Self::OpenApi3Index,
            ["openapi", "v3", rest @ ..] => Self::OpenApi3(rest.join("/")),
            ["api", version] => Self::Resources { group: String::new(), version: (*version).to_owned() },
            ["apis", group, version] => Self::Resources { group: (*group).to_owned(), version: (*version).to_owned() },
            ["api", version, rest @ ..] => Self::Object(Target::parse("", version, rest)?),
            ["apis", group, version, rest @ ..] => Self::Object(Target::parse(group, version, rest)?),
            _ => return Err(Failure::no_such_path()),
        })
    }
}

impl Target {
    fn parse(group: &str, version: &str, rest: &[&str]) -> Result<Self> {
        let (watch, rest) = match rest {
            ["watch", rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        // `namespaces/x/status` and `namespaces/x/finalize` are subresources of the namespace, not collections within it.
        let (namespace, rest) = match rest {
            ["namespaces", _, "status" | "finalize"] if group.is_empty() => (None, rest),
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
            rest => (None, rest),
        };
        let (resource, name, subresource) = match rest {
            [resource] => (resource, None, None),
            [resource, name] => (resource, Some((*name).to_owned()), None),
            [resource, name, sub @ ..] if sub.len() <= 1 => (resource, Some((*name).to_owned()), Some(sub.join("/"))),
            _ => return Err(Failure::no_such_path()),
        };
        Ok(Self {
            group: group.to_owned(),
            version: version.to_owned(),
            namespace,
            resource: (*resource).to_owned(),
            name,
            subresource,
            watch,
        })
    }
}

/// Undoes percent-encoding; what is not valid stays as it is.
fn decode(part: &str) -> String {
    let bytes = part.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%')
            .then(|| part.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(hex.unwrap_or(bytes[at]));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| part.to_owned())
}

/// The query of a request.
pub(crate) struct Query<'a>(pub &'a [(String, String)]);

impl<'a> Query<'a> {
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// `true`, `1` and the bare name count as true, as everywhere in Kubernetes.
    pub fn flag(&self, name: &str) -> bool {
        self.0.iter().any(|(key, value)| {
            key == name && matches!(value.as_str(), "true" | "1" | "" | "True" | "TRUE" | "t" | "T")
        })
    }

    /// All values of an option that may be given more than once.
    pub fn all<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'a str> + 'b {
        self.0.iter().filter(move |(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    pub fn number(&self, name: &str) -> Result<Option<i64>> {
        let parse = |text: &str| {
            text.parse()
                .map_err(|_| Failure::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))
        };
        self.get(name).map(parse).transpose()
    }
}

/// How an unknown field in a body is taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

impl FieldValidation {
    pub fn of(query: &Query<'_>) -> Self {
        match query.get("fieldValidation") {
            Some("Ignore") => Self::Ignore,
            Some("Strict") => Self::Strict,
            _ => Self::Warn,
        }
    }
}

/// What a table's rows carry besides their cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Include {
    Nothing,
    Metadata,
    Object,
}

impl Include {
    /// What a table cannot be made with.
    pub fn check(query: &Query<'_>) -> Result<()> {
        match query.get("includeObject") {
            None | Some("None" | "Object" | "Metadata") => Ok(()),
            Some(other) => Err(Failure::bad_request(format!(
                "Unable to convert to Table as requested: includeObject: Invalid value: {other:?}: must be 'Metadata', 'Object', 'None', or empty"
            ))),
        }
    }

    pub fn of(query: &Query<'_>) -> Self {
        match query.get("includeObject") {
            Some("None") => Self::Nothing,
            Some("Object") => Self::Object,
            _ => Self::Metadata,
        }
    }
}

/// The shape in which an answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    Plain,
    Table,
    /// `PartialObjectMetadata`
    Metadata,
    /// `PartialObjectMetadataList`
    MetadataList,
    /// Aggregated discovery, `v2` or `v2beta1`.
    Discovery {
        beta: bool,
    },
}

impl Shape {
    /// The first entry of an `Accept` header that can be served. Built-in kinds do not know what "any application" means.
    pub fn negotiate(accept: Option<&str>, custom: bool) -> Result<Self> {
        let Some(accept) = accept.filter(|a| !a.trim().is_empty()) else { return Ok(Self::Plain) };
        let mut known = false;
        for entry in accept.split(',') {
            let mut parts = entry.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            if !(matches!(media, "application/json" | "*/*") || custom && media == "application/*") {
                continue;
            }
            let parameters: Vec<(&str, &str)> = parts.filter_map(|p| p.split_once('=')).collect();
            let parameter = |name: &str| parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
            match (parameter("as"), parameter("v")) {
                (None, _) => return Ok(Self::Plain),
                (Some("Table"), Some("v1" | "v1beta1")) => return Ok(Self::Table),
                (Some("PartialObjectMetadata"), Some("v1" | "v1beta1")) => return Ok(Self::Metadata),
                (Some("PartialObjectMetadataList"), Some("v1" | "v1beta1")) => return Ok(Self::MetadataList),
                (Some("APIGroupDiscoveryList"), Some(version @ ("v2" | "v2beta1"))) => {
                    return Ok(Self::Discovery { beta: version == "v2beta1" });
                }
                // The type is served, but nothing of it in this form.
                _ => known = true,
            }
        }
        Err(if known || custom { Failure::no_such_form() } else { Failure::not_acceptable() })
    }
}

/// The body as JSON. An absent body is null.
pub(crate) fn body(request: &Request) -> Result<Value> {
    let media = media_type(request);
    if request.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    let mut body = decoded(request, media)?;
    whole_numbers(&mut body);
    Ok(body)
}

/// A number without a fraction is a whole number, however it was written.
pub(crate) fn whole_numbers(value: &mut Value) {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or_default();
            if float.fract() == 0.0
                && float.abs() <= LARGEST
                && let Ok(whole) = format!("{float:.0}").parse::<i64>()
            {
                *value = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(map) => map.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

fn decoded(request: &Request, media: &str) -> Result<Value> {
    match media {
        "application/json" | "" | "*/*" => serde_json::from_slice(&request.body).map_err(|_| {
            let why = syntax::error(&request.body);
            Failure::bad_request(format!("couldn't get version/kind; json parse error: {why}"))
        }),
        "application/yaml" => yaml(&request.body),
        "application/vnd.kubernetes.protobuf" => protobuf::decode(&request.body),
        _ => Err(Failure::unsupported_media_type(
            "application/json, application/yaml, application/vnd.kubernetes.protobuf",
        )),
    }
}

pub(crate) fn yaml(text: &[u8]) -> Result<Value> {
    let read = || {
        let mut value: serde_yaml::Value = serde_yaml::from_slice(text)?;
        // `<<: *defaults`
        value.apply_merge()?;
        serde_yaml::from_value(value)
    };
    read()
        .or_else(|error: serde_yaml::Error| {
            // Whether that is a fault is judged later.
            strict::lenient(text).map_err(|_| error)
        })
        .map_err(|error| {
            let text = error.to_string();
            let what = text.split(" at line").next().unwrap_or_default();
            let line = error.location().map_or(1, |at| at.line().saturating_sub(1).max(1));
            Failure::bad_request(format!("error converting YAML to JSON: yaml: line {line}: {what}"))
        })
}

pub(crate) fn media_type(request: &Request) -> &str {
    request.content_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_they_should() {
        let target = |path: &str| match Route::parse(path) {
            Ok(Route::Object(t)) => (
                t.group,
                t.namespace.unwrap_or_default(),
                t.resource,
                t.name.unwrap_or_default(),
                t.subresource.unwrap_or_default(),
            ),
            other => panic!("{path}: {other:?}"),
        };
        let row = |g: &str, ns: &str, r: &str, n: &str, s: &str| {
            (g.to_owned(), ns.to_owned(), r.to_owned(), n.to_owned(), s.to_owned())
        };
        assert_eq!(target("/api/v1/pods"), row("", "", "pods", "", ""));
        assert_eq!(target("/api/v1/namespaces/a/pods/p/log"), row("", "a", "pods", "p", "log"));
        assert_eq!(target("/api/v1/namespaces/a"), row("", "", "namespaces", "a", ""));
        assert_eq!(target("/api/v1/namespaces/a/finalize"), row("", "", "namespaces", "a", "finalize"));
        assert_eq!(
            target("/apis/apps/v1/namespaces/a/deployments/d%2Ee/scale"),
            row("apps", "a", "deployments", "d.e", "scale")
        );
        assert!(Route::parse("/nothing").is_err());
        assert_eq!(
            Route::parse("/apis/apps/v1").expect("route"),
            Route::Resources { group: "apps".into(), version: "v1".into() }
        );
    }

    #[test]
    fn accept_headers_are_negotiated_in_order() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(Shape::negotiate(Some(table), false).expect("table"), Shape::Table);
        assert_eq!(
            Shape::negotiate(Some("application/vnd.kubernetes.protobuf,application/json"), false).expect("json"),
            Shape::Plain
        );
        assert_eq!(
            Shape::negotiate(Some("application/vnd.kubernetes.protobuf"), false).expect_err("protobuf").code,
            406
        );
        let metadata = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        assert_eq!(Shape::negotiate(Some(metadata), false).expect("metadata"), Shape::Metadata);
    }
}
