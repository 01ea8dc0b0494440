//! What is asked: an operation of the table of routes, the names in its path, parameters and a body.

use control_api::route::Method;
use control_api::{Operation, PLAIN_MEDIA_TYPE, ROUTES, Route};
use reqwest::Url;
use serde_json::Value;

/// Which form of an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// The envelope that clients of flink-k8s-toolbox know.
    Envelope,
    /// Objects, and problem details.
    Plain,
}

impl Style {
    pub(crate) fn accepted(self) -> String {
        match self {
            Self::Envelope => "application/json".to_owned(),
            Self::Plain => format!("{PLAIN_MEDIA_TYPE}, application/problem+json, application/json"),
        }
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    route: &'static Route,
    names: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    /// A request by the route that the original has, where it has one. `names` are those of the path, in its order.
    pub fn new<N: Into<String>>(operation: Operation, names: impl IntoIterator<Item = N>) -> Self {
        let route = ROUTES.iter().find(|route| route.operation == operation).expect("every operation has a route");
        let names = names.into_iter().map(Into::into).collect();
        Self { route, names, query: Vec::new(), body: None }
    }

    /// The same by POST, which can wait; by the same method if there is no such route.
    #[must_use]
    pub fn by_post(mut self) -> Self {
        let found = ROUTES.iter().find(|r| r.operation == self.route.operation && r.method == Method::Post);
        self.route = found.unwrap_or(self.route);
        self
    }

    /// With a parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// With a body as it is.
    #[must_use]
    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    /// With a body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body(body.to_string().into_bytes())
    }

    pub(crate) fn method(&self) -> reqwest::Method {
        match self.route.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        }
    }

    pub(crate) fn payload(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// The path below the base of the endpoint; names are encoded, whatever they hold.
    pub(crate) fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        let mut names = self.names.iter();
        {
            let mut segments = url.path_segments_mut().expect("an http address has a path");
            segments.pop_if_empty();
            segments.extend(control_api::BASE.split('/').filter(|part| !part.is_empty()));
            for part in self.route.path.split('/').filter(|part| !part.is_empty()) {
                let name = if part.starts_with('{') { names.next().map(String::as_str) } else { Some(part) };
                segments.push(name.unwrap_or_default());
            }
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use control_api::route::{Action, Target};

    use super::*;

    fn url(request: &Request) -> String {
        let base = Url::parse("https://localhost:4444").expect("an address");
        format!("{} {}", request.method(), request.url(&base).as_str().trim_start_matches("https://localhost:4444"))
    }

    #[test]
    fn an_operation_takes_the_route_of_the_original_unless_it_waits() {
        let stop = Request::new(Operation::Act(Target::Job, Action::Stop), ["demo", "counter"]);
        assert_eq!(url(&stop), "PUT /api/v1/clusters/demo/jobs/counter/stop");
        let waiting = stop.by_post().with("wait", "60s");
        assert_eq!(url(&waiting), "POST /api/v1/clusters/demo/jobs/counter/stop?wait=60s");
        let forget = Request::new(Operation::Act(Target::Job, Action::ForgetSavepoint), ["demo", "counter"]);
        assert_eq!(url(&forget), "DELETE /api/v1/clusters/demo/jobs/counter/savepoint");
        assert_eq!(url(&forget.by_post()), "POST /api/v1/clusters/demo/jobs/counter/savepoint/forget");
        let names = Request::new(Operation::Names(Target::Cluster), [""; 0]);
        assert_eq!(url(&names.clone().by_post()), url(&names));
    }

    #[test]
    fn names_are_encoded() {
        let id = Request::new(Operation::TaskManagerDetails, ["demo", "127.1.0.3:6122-a/b?c"]);
        assert_eq!(url(&id), "GET /api/v1/clusters/demo/taskmanagers/127.1.0.3:6122-a%2Fb%3Fc/details");
    }

    #[test]
    fn every_route_can_be_asked_for() {
        for route in ROUTES {
            let request = Request { route, names: vec!["a".into(), "b".into()], query: Vec::new(), body: None };
            assert!(!url(&request).contains('{'), "{}", route.path);
        }
    }
}
