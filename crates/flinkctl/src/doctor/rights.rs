//! The rights that each part needs, as its role gives them.

/// Rights on one kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rights {
    pub group: &'static str,
    /// With its subresource, such as `flinkjobs/status`.
    pub resource: &'static str,
    pub verbs: &'static [&'static str],
}

const fn rights(group: &'static str, resource: &'static str, verbs: &'static [&'static str]) -> Rights {
    Rights { group, resource, verbs }
}

const OURS: &str = api::GROUP;
const ALL: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];

/// Of the operator.
pub const OPERATOR: &[Rights] = &[
    rights(OURS, "flinkdeployments", ALL),
    rights(OURS, "flinkclusters", ALL),
    rights(OURS, "flinkjobs", ALL),
    rights(OURS, "flinkclusters/scale", &["patch"]),
    rights(OURS, "flinkjobs/scale", &["patch"]),
    rights(OURS, "flinkdeployments/status", &["update"]),
    rights(OURS, "flinkclusters/status", &["update"]),
    rights(OURS, "flinkjobs/status", &["update"]),
    rights("apps", "deployments", &["create", "delete", "list", "update", "watch"]),
    rights("", "pods", &["list", "watch"]),
    rights("", "events", &["create", "list", "patch"]),
];

/// Of a supervisor.
pub const SUPERVISOR: &[Rights] = &[
    rights(OURS, "flinkclusters", &["get", "list", "patch", "watch"]),
    rights(OURS, "flinkjobs", &["list", "patch", "watch"]),
    rights(OURS, "flinkclusters/status", &["update"]),
    rights(OURS, "flinkjobs/status", &["update"]),
    rights(OURS, "flinkclusters/scale", &["patch"]),
    rights("", "pods", &["create", "delete", "get", "list", "patch", "watch"]),
    rights("", "services", &["create", "delete", "list", "patch", "watch"]),
    rights("batch", "jobs", &["create", "delete", "list", "watch"]),
    rights("", "events", &["create", "patch"]),
];

/// Of a bootstrap.
pub const BOOTSTRAP: &[Rights] = &[rights(OURS, "flinkjobs", &["get"])];

/// Of a person who uses all commands.
pub const USER: &[Rights] = &[
    rights(OURS, "flinkdeployments", ALL),
    rights(OURS, "flinkclusters", ALL),
    rights(OURS, "flinkjobs", ALL),
    rights("", "services", &["get", "list"]),
    rights("", "pods", &["get", "list"]),
    rights("", "pods/log", &["get"]),
    rights("", "pods/portforward", &["create"]),
    rights("", "events", &["list"]),
    rights("", "resourcequotas", &["list"]),
    rights("", "limitranges", &["list"]),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde::Deserialize as _;

    use super::*;

    type Right = (String, String, String);

    fn wanted(rights: &[Rights]) -> BTreeSet<Right> {
        let each = |one: &Rights| {
            let one = *one;
            one.verbs.iter().map(move |verb| (one.group.to_owned(), one.resource.to_owned(), (*verb).to_owned()))
        };
        rights.iter().flat_map(each).collect()
    }

    fn granted(role: &str) -> BTreeSet<Right> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../integration-tests/manifests/roles.yaml");
        let text = std::fs::read_to_string(file).unwrap();
        let mut found = BTreeSet::new();
        for document in serde_yaml::Deserializer::from_str(&text) {
            let object: serde_json::Value = serde_json::Value::deserialize(document).unwrap();
            if object["kind"] != "Role" || object["metadata"]["name"] != role {
                continue;
            }
            let list = |value: &serde_json::Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap() };
            for rule in object["rules"].as_array().unwrap() {
                for group in list(&rule["apiGroups"]) {
                    for resource in list(&rule["resources"]) {
                        for verb in list(&rule["verbs"]) {
                            found.insert((group.clone(), resource.clone(), verb));
                        }
                    }
                }
            }
        }
        // Only where an admission plugin asks for it.
        found.retain(|(_, resource, _)| !resource.ends_with("/finalizers"));
        found
    }

    /// S-07, R-04
    #[test]
    fn the_rights_are_those_of_the_roles() {
        for (role, rights) in
            [("flink-operator", OPERATOR), ("flink-supervisor", SUPERVISOR), ("flink-bootstrap", BOOTSTRAP)]
        {
            assert_eq!(wanted(rights), granted(role), "{role}");
        }
    }
}
