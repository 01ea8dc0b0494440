//! Images without a registry: the last part of an image's name decides what a container finds in its file tree.
//!
//! Invariant: what is shown of the host is shown as it is; nothing is copied but Flink's configuration directory, which belongs to the pod.

pub mod entrypoint;
mod memory;
mod properties;

use crate::shim::Mount;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where the user said an image lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageSource {
    /// The root of a file system that is laid over the host's.
    Directory(PathBuf),
    /// The host as it is.
    Host,
}

/// Reads `NAME=DIR` or `NAME=host`.
pub fn parse_image(text: &str) -> Result<(String, ImageSource), String> {
    let (name, source) =
        text.rsplit_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write NAME=DIR or NAME=host")?;
    if source == "host" {
        return Ok((name.to_owned(), ImageSource::Host));
    }
    let directory = fs::canonicalize(source).map_err(|error| format!("{source}: {error}"))?;
    if !directory.is_dir() {
        return Err(format!("{source} is not a directory"));
    }
    Ok((name.to_owned(), ImageSource::Directory(directory)))
}

/// What an image name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Image {
    Flink(PathBuf),
    Flinkctl,
    Directory(PathBuf),
    Host,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    #[error(
        "image {0:?} is not known here; map it with --image {1}=DIR (DIR is the root of its file system) or --image {1}=host"
    )]
    Unknown(String, String),
    #[error("image {0:?} needs Flink, and no FLINK_HOME is known; give one with --flink-home DIR")]
    NoFlink(String),
    #[error("image name {0:?} is not valid")]
    Invalid(String),
}

/// All images that the node has.
#[derive(Clone, Debug, Default)]
pub(super) struct Images {
    pub flink_home: Option<PathBuf>,
    pub sources: BTreeMap<String, ImageSource>,
}

impl Images {
    pub fn find(&self, name: &str) -> Result<Image, Error> {
        let untagged = without_tag(name);
        let last = untagged.rsplit('/').next().unwrap_or_default();
        if last.is_empty() || name.contains(char::is_whitespace) {
            return Err(Error::Invalid(name.to_owned()));
        }
        let source = [name, untagged, last].into_iter().find_map(|name| self.sources.get(name));
        match (source, last) {
            (Some(ImageSource::Directory(directory)), _) => Ok(Image::Directory(directory.clone())),
            (Some(ImageSource::Host), _) => Ok(Image::Host),
            (None, "flinkctl") => Ok(Image::Flinkctl),
            (None, "flink") => self.flink_home.clone().map(Image::Flink).ok_or_else(|| Error::NoFlink(name.to_owned())),
            (None, _) => Err(Error::Unknown(name.to_owned(), last.to_owned())),
        }
    }
}

/// The name without tag and digest. A colon before the last slash belongs to the registry's port.
fn without_tag(name: &str) -> &str {
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    match name.rfind(':') {
        Some(colon) if !name[colon..].contains('/') => &name[..colon],
        _ => name,
    }
}

/// What an image brings into a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    pub entrypoint: Vec<String>,
    pub directory: PathBuf,
    pub environment: Vec<(&'static str, String)>,
    pub layers: Vec<PathBuf>,
    pub directories: Vec<PathBuf>,
    pub mounts: Vec<Mount>,
    pub scripts: Vec<(PathBuf, String)>,
    /// Whether the container has a /tmp of its own.
    pub own_tmp: bool,
}

const FLINK: &str = "/opt/flink";
const OWN: &str = "/.flinkctl/flinkctl";
const ENTRY_POINT: &str = "/docker-entrypoint.sh";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the host has for all images.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// The executable of flinkctl.
    pub executable: PathBuf,
    pub java_home: Option<PathBuf>,
    /// Whether containers have a file tree of their own.
    pub isolated: bool,
}

impl Image {
    /// The layout of the image for one container, whose files lie in `directory`.
    pub fn layout(&self, host: &Host, directory: &Path) -> io::Result<Layout> {
        let mut layout = Layout { directory: "/".into(), own_tmp: *self != Image::Host, ..Layout::default() };
        let path = match host.java_home.as_ref() {
            Some(java) => {
                layout.environment.push(("JAVA_HOME", java.display().to_string()));
                // The container's own /tmp hides the host's.
                if java.starts_with("/tmp") {
                    layout.mounts.push(shown(java, java, true));
                }
                format!("{}/bin:{PATH}", java.display())
            }
            None => PATH.to_owned(),
        };
        layout.mounts.push(shown(&host.executable, Path::new(OWN), true));
        let own = if host.isolated { OWN.to_owned() } else { host.executable.display().to_string() };
        match self {
            Image::Host => {
                let inherited = ["PATH", "HOME", "USER", "LANG"].into_iter();
                layout.environment.extend(inherited.filter_map(|name| Some((name, std::env::var(name).ok()?))));
                return Ok(layout);
            }
            Image::Flinkctl => {
                layout.mounts.push(shown(&host.executable, Path::new("/flinkctl"), true));
                layout.entrypoint = vec![if host.isolated { "/flinkctl".to_owned() } else { own }];
            }
            Image::Directory(root) => {
                layout.layers.push(root.clone());
                if !root.join("flinkctl").exists() {
                    layout.mounts.push(shown(&host.executable, Path::new("/flinkctl"), true));
                }
                layout.entrypoint = vec![if host.isolated { "/flinkctl".to_owned() } else { own }];
            }
            Image::Flink(home) => layout.flink(home, host, &own, directory)?,
        }
        layout
            .environment
            .push(("PATH", if layout.directory == Path::new(FLINK) { format!("{FLINK}/bin:{path}") } else { path }));
        layout.environment.push(("HOME", "/tmp".to_owned()));
        Ok(layout)
    }
}

impl Layout {
    fn flink(&mut self, home: &Path, host: &Host, own: &str, directory: &Path) -> io::Result<()> {
        let conf = directory.join("conf");
        copy_files(&home.join("conf"), &conf)?;
        let flink = Path::new(FLINK);
        self.entrypoint = vec![ENTRY_POINT.to_owned()];
        self.scripts.push((ENTRY_POINT.into(), format!("#!/bin/sh\nexec {own} local entrypoint \"$@\"\n")));
        if !host.isolated {
            self.mounts.extend([shown(home, flink, false), shown(&conf, &flink.join("conf"), false)]);
            self.environment.push(("FLINK_HOME", home.display().to_string()));
            self.environment.push(("FLINK_CONF_DIR", conf.display().to_string()));
            home.clone_into(&mut self.directory);
            return Ok(());
        }
        for entry in fs::read_dir(home)? {
            let entry = entry?;
            if entry.file_name() != "conf" {
                self.mounts.push(shown(&entry.path(), &flink.join(entry.file_name()), false));
            }
        }
        self.mounts.push(Mount { read_only: false, ..shown(&conf, &flink.join("conf"), false) });
        self.directories = vec![flink.to_owned(), flink.join("log"), flink.join("usrlib")];
        self.environment.push(("FLINK_HOME", FLINK.to_owned()));
        self.environment.push(("FLINK_CONF_DIR", format!("{FLINK}/conf")));
        self.directory = FLINK.into();
        Ok(())
    }
}

fn shown(source: &Path, target: &Path, read_only: bool) -> Mount {
    Mount { source: source.to_owned(), target: target.to_owned(), read_only, essential: true }
}

fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    if !from.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// The Java that the node gives to containers: `JAVA_HOME`, or the home of the `java` in `PATH`.
pub fn java_home() -> Option<PathBuf> {
    if let Some(home) = std::env::var_os("JAVA_HOME").map(PathBuf::from).filter(|home| home.join("bin/java").exists()) {
        return Some(home);
    }
    let path = std::env::var_os("PATH")?;
    let java = std::env::split_paths(&path).map(|directory| directory.join("java")).find(|java| java.is_file())?;
    Some(fs::canonicalize(java).ok()?.parent()?.parent()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images() -> Images {
        let sources = ["jobs=/", "example.org:5000/a/app=host"].map(|text| parse_image(text).unwrap());
        Images { flink_home: Some("/flink".into()), sources: sources.into() }
    }

    #[test]
    fn the_last_part_of_the_name_decides() {
        let cases = [
            ("flink", Image::Flink("/flink".into())),
            ("registry:5000/apache/flink:1.20-java17", Image::Flink("/flink".into())),
            ("apache/flink@sha256:0a", Image::Flink("/flink".into())),
            ("flinkctl:local", Image::Flinkctl),
            ("nextbreakpoint/jobs:2", Image::Directory("/".into())),
            ("example.org:5000/a/app:1", Image::Host),
        ];
        for (name, image) in cases {
            assert_eq!(images().find(name), Ok(image), "{name}");
        }
    }

    #[test]
    fn an_unknown_image_names_the_flag() {
        let error = images().find("nextbreakpoint/other:1").unwrap_err();
        assert!(error.to_string().contains("--image other=DIR"), "{error}");
        assert!(matches!(Images::default().find("flink:2.1"), Err(Error::NoFlink(_))));
        assert!(matches!(images().find("a b"), Err(Error::Invalid(_))));
    }

    #[test]
    fn flink_gets_a_configuration_directory_of_its_own() {
        let (home, directory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in ["lib", "conf"] {
            fs::create_dir(home.path().join(name)).unwrap();
        }
        fs::write(home.path().join("conf/config.yaml"), "a: b\n").unwrap();
        let host = Host { executable: "/usr/bin/flinkctl".into(), java_home: Some("/opt/java".into()), isolated: true };
        let layout = Image::Flink(home.path().to_owned()).layout(&host, directory.path()).unwrap();
        let conf = layout.mounts.iter().find(|mount| mount.target == Path::new("/opt/flink/conf")).unwrap();
        assert_eq!(fs::read_to_string(conf.source.join("config.yaml")).unwrap(), "a: b\n");
        assert_eq!(layout.entrypoint, ["/docker-entrypoint.sh"]);
        assert_eq!(layout.mounts.iter().filter(|mount| mount.target == Path::new("/opt/flink/lib")).count(), 1);
    }
}
