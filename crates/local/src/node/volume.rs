//! The volumes of a pod, as directories of the host.
//!
//! Files of config maps, secrets and the downward API are written once, when the pod starts: later changes of the objects do not arrive.
//!
//! Invariant: a volume is complete or the pod does not start.

use super::environment::{self, View};
use k8s_openapi::api::core::v1::{
    ConfigMapProjection, DownwardAPIVolumeFile, HostPathVolumeSource, KeyToPath, SecretProjection, Volume, VolumeMount,
    VolumeProjection,
};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{0}")]
    Source(#[from] environment::Error),
    #[error(
        "volume {0:?} is of a kind that this node does not have; it has emptyDir, configMap, secret, projected, downwardAPI and hostPath"
    )]
    Kind(String),
    #[error("hostPath {path}: {what}")]
    HostPath { path: String, what: &'static str },
    #[error("volume mount of {0:?}: there is no such volume")]
    Mount(String),
    #[error("{0:?} does not stay inside its volume")]
    Outside(String),
    #[error("write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
}

/// Where a volume lies, and whether containers may write to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub path: PathBuf,
    pub read_only: bool,
}

/// What the files of service accounts hold; the token is asked for beforehand.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub token: String,
    pub certificate: String,
    pub namespace: String,
}

/// Makes a volume below `directory`.
pub(super) fn prepare(volume: &Volume, directory: &Path, view: View, account: &Account) -> Result<Place, Error> {
    let path = directory.join(&volume.name);
    if let Some(host) = &volume.host_path {
        check_host_path(host)?;
        return Ok(Place { path: host.path.clone().into(), read_only: false });
    }
    if volume.empty_dir.is_some() {
        make(&path, 0o777)?;
        return Ok(Place { path, read_only: false });
    }
    let mut files = Files { directory: path.clone(), mode: 0o644 };
    if let Some(source) = &volume.config_map {
        files.mode(source.default_mode);
        let projection =
            ConfigMapProjection { items: source.items.clone(), name: source.name.clone(), optional: source.optional };
        files.config_map(&projection, view)?;
    } else if let Some(source) = &volume.secret {
        files.mode(source.default_mode);
        let name = source.secret_name.clone().unwrap_or_default();
        files.secret(&SecretProjection { items: source.items.clone(), name, optional: source.optional }, view)?;
    } else if let Some(source) = &volume.downward_api {
        files.mode(source.default_mode);
        files.downward(source.items.iter().flatten(), view)?;
    } else if let Some(source) = &volume.projected {
        files.mode(source.default_mode);
        for source in source.sources.iter().flatten() {
            files.project(source, view, account).map_err(|error| match error {
                Error::Kind(_) => Error::Kind(volume.name.clone()),
                error => error,
            })?;
        }
    } else {
        return Err(Error::Kind(volume.name.clone()));
    }
    make(&path, 0o755)?;
    Ok(Place { path, read_only: true })
}

/// The directory or file of a volume that a mount shows.
pub(super) fn mounted(
    mount: &VolumeMount,
    volumes: &BTreeMap<String, Place>,
    expand: impl Fn(&str) -> String,
) -> Result<Place, Error> {
    let volume = volumes.get(&mount.name).ok_or_else(|| Error::Mount(mount.name.clone()))?;
    let inside =
        mount.sub_path_expr.as_deref().map(expand).or_else(|| mount.sub_path.clone()).filter(|path| !path.is_empty());
    let Some(inside) = inside else { return Ok(volume.clone()) };
    let path = below(&volume.path, &inside)?;
    if !path.exists() && !volume.read_only {
        make(&path, 0o755)?;
    }
    Ok(Place { path, ..volume.clone() })
}

fn below(directory: &Path, inside: &str) -> Result<PathBuf, Error> {
    if Path::new(inside).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        Ok(directory.join(inside))
    } else {
        Err(Error::Outside(inside.to_owned()))
    }
}

fn make(path: &Path, mode: u32) -> Result<(), Error> {
    let directory = DirBuilder::new().recursive(true).mode(mode).create(path);
    // The mode of a new directory is cut by the umask.
    directory
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn check_host_path(host: &HostPathVolumeSource) -> Result<(), Error> {
    let path = Path::new(&host.path);
    let failed = |what| Error::HostPath { path: host.path.clone(), what };
    let metadata = fs::metadata(path).ok();
    let is = |test: fn(&fs::Metadata) -> bool| metadata.as_ref().is_some_and(test);
    let right = match host.type_.as_deref().unwrap_or_default() {
        "DirectoryOrCreate" => {
            if metadata.is_none() {
                return make(path, 0o755);
            }
            is(fs::Metadata::is_dir)
        }
        "FileOrCreate" => {
            if metadata.is_none() {
                return fs::File::create(path)
                    .map(drop)
                    .map_err(|source| Error::Write { path: path.to_owned(), source });
            }
            is(fs::Metadata::is_file)
        }
        "" => metadata.is_some(),
        "Directory" => is(fs::Metadata::is_dir),
        "File" => is(fs::Metadata::is_file),
        "Socket" => is(|metadata| metadata.file_type().is_socket()),
        "CharDevice" => is(|metadata| metadata.file_type().is_char_device()),
        "BlockDevice" => is(|metadata| metadata.file_type().is_block_device()),
        _ => return Err(failed("its type is not known")),
    };
    if right { Ok(()) } else { Err(failed("there is nothing of its type at this path")) }
}

/// The files of one volume.
struct Files {
    directory: PathBuf,
    mode: u32,
}

impl Files {
    fn mode(&mut self, mode: Option<i32>) {
        if let Some(mode) = mode.and_then(|mode| u32::try_from(mode).ok()) {
            self.mode = mode;
        }
    }

    fn write(&self, path: &str, content: &[u8], mode: Option<i32>) -> Result<(), Error> {
        let path = below(&self.directory, path)?;
        let mode = mode.and_then(|mode| u32::try_from(mode).ok()).unwrap_or(self.mode);
        make(path.parent().unwrap_or(&self.directory), 0o755)?;
        // An earlier attempt to start the pod may have left a file that its owner cannot write.
        let written = match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::write(&path, content),
        };
        written
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(mode)))
            .map_err(|source| Error::Write { path, source })
    }

    fn items<'a>(
        &self,
        of: Of,
        data: &BTreeMap<&'a str, &'a [u8]>,
        items: Option<&Vec<KeyToPath>>,
    ) -> Result<(), Error> {
        let Some(items) = items else {
            return data.iter().try_for_each(|(key, content)| self.write(key, content, None));
        };
        for item in items {
            match data.get(item.key.as_str()) {
                Some(content) => self.write(&item.path, content, item.mode)?,
                None if of.optional => {}
                None => {
                    return Err(environment::Error::Key {
                        kind: of.kind,
                        name: of.name.to_owned(),
                        key: item.key.clone(),
                    }
                    .into());
                }
            }
        }
        Ok(())
    }

    fn config_map(&self, source: &ConfigMapProjection, view: View) -> Result<(), Error> {
        let of = Of { kind: "configmap", name: &source.name, optional: source.optional == Some(true) };
        let Some(map) = view.sources.config_maps.get(&source.name) else { return of.missing() };
        let text = map.data.iter().flatten().map(|(key, value)| (key.as_str(), value.as_bytes()));
        let binary = map.binary_data.iter().flatten().map(|(key, value)| (key.as_str(), value.0.as_slice()));
        self.items(of, &text.chain(binary).collect(), source.items.as_ref())
    }

    fn secret(&self, source: &SecretProjection, view: View) -> Result<(), Error> {
        let of = Of { kind: "secret", name: &source.name, optional: source.optional == Some(true) };
        let Some(secret) = view.sources.secrets.get(&source.name) else { return of.missing() };
        let data = secret.data.iter().flatten().map(|(key, value)| (key.as_str(), value.0.as_slice())).collect();
        self.items(of, &data, source.items.as_ref())
    }

    fn downward<'a>(&self, items: impl Iterator<Item = &'a DownwardAPIVolumeFile>, view: View) -> Result<(), Error> {
        for item in items {
            let value = match (&item.field_ref, &item.resource_field_ref) {
                (Some(selector), _) => environment::field(view.pod, view.facts, selector)?,
                (None, Some(selector)) => environment::resource(view.pod, None, view.facts, selector)?,
                (None, None) => return Err(environment::Error::Unknown(item.path.clone()).into()),
            };
            self.write(&item.path, value.as_bytes(), item.mode)?;
        }
        Ok(())
    }

    fn project(&self, source: &VolumeProjection, view: View, account: &Account) -> Result<(), Error> {
        if let Some(source) = &source.config_map {
            // The certificate authority of the cluster is known to the node, whether or not a controller has published it.
            if source.name == "kube-root-ca.crt" && !view.sources.config_maps.contains_key(&source.name) {
                return self.write("ca.crt", account.certificate.as_bytes(), None);
            }
            self.config_map(source, view)
        } else if let Some(source) = &source.secret {
            self.secret(source, view)
        } else if let Some(source) = &source.downward_api {
            self.downward(source.items.iter().flatten(), view)
        } else if let Some(source) = &source.service_account_token {
            self.write(&source.path, account.token.as_bytes(), Some(0o600))
        } else {
            Err(Error::Kind(String::new()))
        }
    }
}

/// Writes the three files that clients look for in a pod.
pub(super) fn write_account(directory: &Path, account: &Account) -> Result<Place, Error> {
    let files = Files { directory: directory.to_owned(), mode: 0o644 };
    files.write("token", account.token.as_bytes(), Some(0o600))?;
    files.write("ca.crt", account.certificate.as_bytes(), None)?;
    files.write("namespace", account.namespace.as_bytes(), None)?;
    Ok(Place { path: directory.to_owned(), read_only: true })
}

#[derive(Clone, Copy)]
struct Of<'a> {
    kind: &'static str,
    name: &'a str,
    optional: bool,
}

impl Of<'_> {
    fn missing(self) -> Result<(), Error> {
        if self.optional {
            Ok(())
        } else {
            Err(environment::Error::Missing { kind: self.kind, name: self.name.to_owned() }.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::{Facts, Sources};
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    fn sources() -> Sources {
        let config_map =
            serde_json::from_value(json!({"data": {"a": "1", "b": "2"}, "binaryData": {"c": "Mw=="}})).unwrap();
        Sources { config_maps: [("config".to_owned(), config_map)].into(), ..Sources::default() }
    }

    fn prepared(volume: serde_json::Value, directory: &Path) -> Result<Place, Error> {
        let pod = Pod {
            metadata: serde_json::from_value(json!({"name": "p", "labels": {"a": "b"}})).unwrap(),
            ..Pod::default()
        };
        let (sources, facts) = (sources(), Facts::default());
        let view = View { pod: &pod, sources: &sources, facts: &facts };
        let account = Account { token: "t".into(), certificate: "c".into(), namespace: "n".into() };
        prepare(&serde_json::from_value(volume).unwrap(), directory, view, &account)
    }

    fn read(place: &Place, name: &str) -> String {
        fs::read_to_string(place.path.join(name)).unwrap()
    }

    #[test]
    fn a_config_map_becomes_files() {
        let directory = tempfile::tempdir().unwrap();
        let all = prepared(json!({"name": "v", "configMap": {"name": "config"}}), directory.path()).unwrap();
        assert_eq!(["a", "b", "c"].map(|name| read(&all, name)), ["1", "2", "3"]);
        let some =
            json!({"name": "w", "configMap": {"name": "config", "items": [{"key": "b", "path": "d/e", "mode": 256}]}});
        let some = prepared(some, directory.path()).unwrap();
        assert_eq!(read(&some, "d/e"), "2");
        assert_eq!(fs::metadata(some.path.join("d/e")).unwrap().permissions().mode() & 0o777, 0o400);
        assert!(!some.path.join("a").exists());
    }

    #[test]
    fn what_is_missing_is_named_unless_it_is_optional() {
        let directory = tempfile::tempdir().unwrap();
        let missing = prepared(json!({"name": "v", "secret": {"secretName": "keys"}}), directory.path());
        assert_eq!(missing.unwrap_err().to_string(), "secret \"keys\" not found");
        assert!(
            prepared(json!({"name": "v", "secret": {"secretName": "keys", "optional": true}}), directory.path())
                .is_ok()
        );
        let unknown = prepared(json!({"name": "v", "nfs": {"server": "s", "path": "/"}}), directory.path());
        assert!(unknown.unwrap_err().to_string().contains("\"v\" is of a kind"));
        let outside = json!({"name": "v", "configMap": {"name": "config", "items": [{"key": "a", "path": "../a"}]}});
        assert!(matches!(prepared(outside, directory.path()), Err(Error::Outside(_))));
    }

    #[test]
    fn a_projected_volume_holds_the_service_account() {
        let directory = tempfile::tempdir().unwrap();
        let volume = json!({"name": "kube-api-access-x", "projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        ]}});
        let place = prepared(volume, directory.path()).unwrap();
        assert_eq!(["token", "ca.crt", "labels"].map(|name| read(&place, name)), ["t", "c", "a=\"b\""]);
    }

    #[test]
    fn host_paths_are_checked_and_parts_of_volumes_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let host = directory.path().join("data");
        let volume = |kind: &str| json!({"name": "v", "hostPath": {"path": host, "type": kind}});
        assert!(prepared(volume("Directory"), directory.path()).is_err());
        let place = prepared(volume("DirectoryOrCreate"), directory.path()).unwrap();
        let mount = VolumeMount { name: "v".into(), sub_path_expr: Some("$(X)/y".into()), ..VolumeMount::default() };
        let volumes = [("v".to_owned(), place)].into();
        let part = mounted(&mount, &volumes, |text| text.replace("$(X)", "x")).unwrap();
        assert_eq!(part.path, host.join("x/y"));
        assert!(part.path.is_dir());
    }
}
