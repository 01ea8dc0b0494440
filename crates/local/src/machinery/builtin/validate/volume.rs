//! What is refused of volumes.

use serde_json::Value;

use super::super::super::error::FieldError;
use super::super::super::meta;
use super::super::names;

/// Where a volume may come from, in the order in which that is looked at.
const SOURCES: [&str; 30] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "scaleIO",
    "projected",
    "csi",
    "ephemeral",
    "image",
];

/// What a source cannot do without.
const NEEDED: [(&str, &str); 4] =
    [("secret", "secretName"), ("configMap", "name"), ("hostPath", "path"), ("persistentVolumeClaim", "claimName")];

/// Judges volumes, and tells the names of those that are as they should be.
pub(super) fn all<'a>(volumes: &'a Value, path: &str, errors: &mut Vec<FieldError>) -> Vec<&'a str> {
    let mut fine: Vec<&str> = Vec::new();
    for (index, volume) in volumes.as_array().into_iter().flatten().enumerate() {
        let at = format!("{path}.volumes[{index}]");
        let name = meta::text(volume, "/name");
        let mut wrong = Vec::new();
        source(volume, &at, &mut wrong);
        let field = format!("{at}.name");
        if name.is_empty() {
            wrong.push(FieldError::required(&field, ""));
        } else {
            let odd = names::label(name);
            wrong.extend(odd.iter().map(|message| FieldError::invalid(&field, &name.into(), message)));
        }
        if fine.contains(&name) {
            wrong.push(FieldError::duplicate(field, &name.into()));
        }
        if wrong.is_empty() {
            fine.push(name);
        }
        errors.extend(wrong);
    }
    fine
}

fn source(volume: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let mut found = SOURCES.iter().filter(|source| volume.get(**source).is_some());
    let Some(first) = found.next() else {
        return errors.push(FieldError::required(at, "must specify a volume type"));
    };
    let source = &volume[*first];
    for (_, field) in NEEDED.iter().filter(|(kind, _)| kind == first) {
        if meta::text(source, &format!("/{field}")).is_empty() {
            errors.push(FieldError::required(format!("{at}.{first}.{field}"), ""));
        }
    }
    let mode = &source["defaultMode"];
    if mode.as_i64().is_some_and(|mode| !(0..=0o777).contains(&mode)) {
        let detail = "must be a number between 0 and 0777 (octal), both inclusive";
        errors.push(FieldError::invalid(format!("{at}.{first}.defaultMode"), mode, detail));
    }
    if matches!(*first, "secret" | "configMap") {
        for (index, item) in source["items"].as_array().into_iter().flatten().enumerate() {
            for field in ["key", "path"].into_iter().filter(|field| meta::text(item, &format!("/{field}")).is_empty()) {
                errors.push(FieldError::required(format!("{at}.{first}.items[{index}].{field}"), ""));
            }
        }
    }
    // The first source counts; each further one is too much.
    for more in found {
        errors.push(FieldError::forbidden(format!("{at}.{more}"), "may not specify more than 1 volume type"));
    }
}
