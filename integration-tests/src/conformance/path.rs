//! Short paths: `configmaps/a` is what it is in the namespace of the case.

/// Groups, versions and resources; `true` where a resource lies in a namespace.
const RESOURCES: &[(&str, bool, &[&str])] = &[
    (
        "api/v1",
        true,
        &[
            "configmaps",
            "endpoints",
            "events",
            "persistentvolumeclaims",
            "pods",
            "secrets",
            "serviceaccounts",
            "services",
        ],
    ),
    ("api/v1", false, &["namespaces", "nodes", "persistentvolumes"]),
    ("apis/apps/v1", true, &["daemonsets", "deployments", "replicasets", "statefulsets"]),
    ("apis/batch/v1", true, &["cronjobs", "jobs"]),
    ("apis/coordination.k8s.io/v1", true, &["leases"]),
    ("apis/rbac.authorization.k8s.io/v1", true, &["rolebindings", "roles"]),
    ("apis/rbac.authorization.k8s.io/v1", false, &["clusterrolebindings", "clusterroles"]),
    ("apis/apiextensions.k8s.io/v1", false, &["customresourcedefinitions"]),
    ("apis/nextbreakpoint.com/v1", true, &["flinkclusters", "flinkdeployments", "flinkjobs"]),
    ("apis/example.test/v1", true, &["gauges", "widgets"]),
    ("apis/example.test/v1", false, &["planets"]),
];

/// The whole path of a request; one that begins with a slash is whole already.
pub fn expand(path: &str, namespace: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let resource = path.split(['/', '?']).next().unwrap_or_default();
    let found = RESOURCES.iter().find(|(_, _, resources)| resources.contains(&resource));
    match found {
        Some((group, true, _)) => format!("/{group}/namespaces/{namespace}/{path}"),
        Some((group, false, _)) => format!("/{group}/{path}"),
        None => panic!("a case names the resource `{resource}`, which has no short path"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_found_where_the_api_has_them() {
        assert_eq!(expand("jobs/a?dryRun=All", "n"), "/apis/batch/v1/namespaces/n/jobs/a?dryRun=All");
        assert_eq!(expand("namespaces", "n"), "/api/v1/namespaces");
        assert_eq!(expand("/version", "n"), "/version");
    }
}
