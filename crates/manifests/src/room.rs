//! Whether pods fit into a namespace: what they need, what its `ResourceQuota`s and `LimitRange`s allow, and what is left.
//!
//! Quotas with scopes count only some pods; they are shown and do not refuse anything here. Nodes are not looked at.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::quantity::Quantity;

/// Amounts by resource name, such as `cpu`, or by the name in a quota, such as `requests.cpu`.
pub type Amounts = BTreeMap<String, Quantity>;

/// What one pod asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    pub requests: Amounts,
    pub limits: Amounts,
}

/// Pods of one kind: how many there are, and how many there are to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pods {
    pub role: String,
    pub now: u32,
    pub then: u32,
    pub each: Need,
}

/// A `ResourceQuota`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    pub name: String,
    pub hard: Amounts,
    pub used: Amounts,
    /// It counts some pods only.
    pub scoped: bool,
}

/// A limit of a `LimitRange`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    pub range: String,
    /// `Container` or `Pod`.
    pub on: String,
    pub default: Amounts,
    pub default_request: Amounts,
    pub min: Amounts,
    pub max: Amounts,
}

/// One line of a quota, against what is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub quota: String,
    pub resource: String,
    pub hard: Quantity,
    pub used: Quantity,
    /// What is added; less than nothing where something is taken away.
    pub added: Quantity,
    pub scoped: bool,
}

impl Line {
    pub fn free(&self) -> Quantity {
        self.hard - self.used
    }

    pub fn fits(&self) -> bool {
        self.scoped || self.added <= Quantity::default() || self.added <= self.free()
    }
}

impl Need {
    /// What a pod asks for once the limits of the namespace are its defaults.
    pub fn of(pod: &Value, limits: &[Limit]) -> Self {
        let list = |name: &str| pod["spec"][name].as_array().cloned().unwrap_or_default();
        let sum = |all: Vec<Value>| {
            all.iter()
                .map(|container| container_need(container, limits))
                .fold(Self::default(), |sum, one| sum.plus(&one))
        };
        let largest = list("initContainers")
            .iter()
            .map(|container| container_need(container, limits))
            .fold(Self::default(), |largest, one| largest.largest(&one));
        sum(list("containers")).largest(&largest)
    }

    fn plus(mut self, other: &Self) -> Self {
        for (to, from) in [(&mut self.requests, &other.requests), (&mut self.limits, &other.limits)] {
            for (name, amount) in from {
                let known = to.entry(name.clone()).or_default();
                *known = *known + *amount;
            }
        }
        self
    }

    fn largest(mut self, other: &Self) -> Self {
        for (to, from) in [(&mut self.requests, &other.requests), (&mut self.limits, &other.limits)] {
            for (name, amount) in from {
                let known = to.entry(name.clone()).or_default();
                *known = (*known).max(*amount);
            }
        }
        self
    }

    /// What a quota counts under this name; `None` if it counts something else.
    fn counted(&self, name: &str) -> Option<Quantity> {
        let (of, resource) = match name.split_once('.') {
            Some(("requests", resource)) => (&self.requests, resource),
            Some(("limits", resource)) => (&self.limits, resource),
            None if matches!(name, "pods" | "count/pods") => return Some(Quantity::whole(1)),
            None if matches!(name, "cpu" | "memory" | "ephemeral-storage") => (&self.requests, name),
            _ => return None,
        };
        Some(of.get(resource).copied().unwrap_or_default())
    }
}

fn container_need(container: &Value, limits: &[Limit]) -> Need {
    let given = |member: &str| amounts(&container["resources"][member]);
    let (mut requests, mut bounds) = (given("requests"), given("limits"));
    let own = bounds.clone();
    for limit in limits.iter().filter(|limit| limit.on == "Container") {
        for (name, amount) in &limit.default {
            bounds.entry(name.clone()).or_insert(*amount);
        }
    }
    // The API server fills requests from the container's own limits before the limits of the namespace are applied.
    for (name, amount) in &own {
        requests.entry(name.clone()).or_insert(*amount);
    }
    for limit in limits.iter().filter(|limit| limit.on == "Container") {
        for (name, amount) in &limit.default_request {
            requests.entry(name.clone()).or_insert(*amount);
        }
    }
    for (name, amount) in &bounds {
        requests.entry(name.clone()).or_insert(*amount);
    }
    Need { requests, limits: bounds }
}

/// Reads a map of quantities; what is none is left out.
pub fn amounts(value: &Value) -> Amounts {
    let members = value.as_object().into_iter().flatten();
    members
        .filter_map(|(name, amount)| {
            let text = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
            Some((name.clone(), Quantity::parse(&text)?))
        })
        .collect()
}

impl Quota {
    /// Reads a `ResourceQuota`.
    pub fn of(object: &Value) -> Self {
        let spec = &object["spec"];
        let scoped = spec["scopes"].as_array().is_some_and(|scopes| !scopes.is_empty())
            || spec["scopeSelector"]["matchExpressions"].as_array().is_some_and(|scopes| !scopes.is_empty());
        Self {
            name: object["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            hard: amounts(&object["spec"]["hard"]),
            used: amounts(&object["status"]["used"]),
            scoped,
        }
    }
}

impl Limit {
    /// Reads the limits of a `LimitRange`.
    pub fn of(object: &Value) -> Vec<Self> {
        let range = object["metadata"]["name"].as_str().unwrap_or_default();
        let limits = object["spec"]["limits"].as_array().into_iter().flatten();
        limits
            .map(|limit| Self {
                range: range.to_owned(),
                on: limit["type"].as_str().unwrap_or_default().to_owned(),
                default: amounts(&limit["default"]),
                default_request: amounts(&limit["defaultRequest"]),
                min: amounts(&limit["min"]),
                max: amounts(&limit["max"]),
            })
            .collect()
    }
}

/// What of each quota is taken by a change of pods, line by line. Lines that the change does not touch are left out.
pub fn lines(quotas: &[Quota], pods: &[Pods]) -> Vec<Line> {
    let mut lines = Vec::new();
    for quota in quotas {
        for (resource, hard) in &quota.hard {
            let counted = pods
                .iter()
                .filter_map(|pods| Some(pods.each.counted(resource)? * (i64::from(pods.then) - i64::from(pods.now))));
            let amounts: Vec<Quantity> = counted.collect();
            if amounts.is_empty() {
                continue;
            }
            lines.push(Line {
                quota: quota.name.clone(),
                resource: resource.clone(),
                hard: *hard,
                used: quota.used.get(resource).copied().unwrap_or_default(),
                added: amounts.into_iter().sum(),
                scoped: quota.scoped,
            });
        }
    }
    lines
}

/// What no pod of these may be, whatever is free: outside of the limits, or without a resource that a quota counts.
pub fn refusals(quotas: &[Quota], limits: &[Limit], pods: &[Pods]) -> Vec<String> {
    let mut found = Vec::new();
    for pods in pods.iter().filter(|pods| pods.then > pods.now) {
        for quota in quotas.iter().filter(|quota| !quota.scoped) {
            for name in quota.hard.keys() {
                let missing = match name.split_once('.') {
                    Some(("requests", resource)) => !pods.each.requests.contains_key(resource),
                    Some(("limits", resource)) => !pods.each.limits.contains_key(resource),
                    _ => matches!(name.as_str(), "cpu" | "memory") && !pods.each.requests.contains_key(name),
                };
                if missing && ["cpu", "memory", "ephemeral-storage"].iter().any(|word| name.ends_with(word)) {
                    found.push(format!(
                        "{}: ResourceQuota {} counts {name}, so its pods must say it, and they do not",
                        pods.role, quota.name
                    ));
                }
            }
        }
        for limit in limits.iter().filter(|limit| limit.on == "Pod" || limit.on == "Container") {
            for (resource, max) in &limit.max {
                let amount = pods.each.limits.get(resource).copied().unwrap_or_default();
                if amount > *max {
                    let (amount, max) = (amount.shown(resource), max.shown(resource));
                    found.push(format!(
                        "{}: LimitRange {} allows {max} of {resource}, not {amount}",
                        pods.role, limit.range
                    ));
                }
            }
            for (resource, min) in &limit.min {
                let amount = pods.each.requests.get(resource).copied();
                if amount.is_some_and(|amount| amount < *min) {
                    let min = min.shown(resource);
                    found.push(format!("{}: LimitRange {} wants at least {min} of {resource}", pods.role, limit.range));
                }
            }
        }
    }
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pods(now: u32, then: u32, resources: &Value) -> Pods {
        let pod = json!({ "spec": { "containers": [{ "name": "a", "resources": resources }] } });
        Pods { role: "TaskManager".into(), now, then, each: Need::of(&pod, &[]) }
    }

    fn quota(hard: &Value, used: &Value) -> Quota {
        Quota::of(&json!({ "metadata": { "name": "few" }, "spec": { "hard": hard }, "status": { "used": used } }))
    }

    #[test]
    fn a_pod_needs_its_containers_or_its_largest_init_container() {
        let container =
            |cpu: &str| json!({ "resources": { "requests": { "cpu": cpu }, "limits": { "memory": "1Gi" } } });
        let pod = json!({ "spec": {
            "containers": [container("500m"), container("250m")], "initContainers": [container("2"), container("1")],
        } });
        let need = Need::of(&pod, &[]);
        assert_eq!(need.requests["cpu"], Quantity::whole(2));
        assert_eq!(need.requests["memory"].shown("memory"), "2Gi", "a limit is a request where there is none");
    }

    #[test]
    fn a_namespace_gives_defaults() {
        let limits = Limit::of(&json!({ "metadata": { "name": "usual" }, "spec": { "limits": [
            { "type": "Container", "default": { "cpu": "1" }, "defaultRequest": { "cpu": "200m" } },
        ] } }));
        let need = Need::of(&json!({ "spec": { "containers": [{ "name": "a" }] } }), &limits);
        assert_eq!((need.requests["cpu"].to_string(), need.limits["cpu"].to_string()), ("200m".into(), "1".into()));
    }

    #[test]
    fn what_is_added_must_be_free() {
        let each = json!({ "requests": { "cpu": "1" }, "limits": { "memory": "1Gi" } });
        let quota = quota(
            &json!({ "pods": "5", "requests.cpu": "4", "limits.memory": "8Gi", "services": "3" }),
            &json!({ "pods": "3", "requests.cpu": "2500m", "limits.memory": "3Gi" }),
        );
        let all = lines(std::slice::from_ref(&quota), &[pods(1, 3, &each)]);
        let fits: Vec<_> = all.iter().map(|line| (line.resource.as_str(), line.fits())).collect();
        assert_eq!(fits, [("limits.memory", true), ("pods", true), ("requests.cpu", false)]);
        let fewer = lines(&[quota], &[pods(3, 1, &each)]);
        assert!(fewer.iter().all(Line::fits), "what is given back always fits");
    }

    #[test]
    fn a_pod_that_says_nothing_is_refused_by_a_quota_that_counts() {
        let quota = quota(&json!({ "requests.cpu": "4", "limits.memory": "8Gi" }), &json!({}));
        let bare = pods(0, 1, &json!({ "requests": { "cpu": "1" } }));
        let said = refusals(&[quota], &[], &[bare]);
        assert_eq!(
            said,
            ["TaskManager: ResourceQuota few counts limits.memory, so its pods must say it, and they do not"]
        );
        let limits = Limit::of(
            &json!({ "metadata": { "name": "small" }, "spec": { "limits": [{ "type": "Pod", "max": { "memory": "1Gi" } }] } }),
        );
        let large = pods(0, 1, &json!({ "limits": { "memory": "2Gi" } }));
        assert_eq!(refusals(&[], &limits, &[large]), ["TaskManager: LimitRange small allows 1Gi of memory, not 2Gi"]);
    }
}
