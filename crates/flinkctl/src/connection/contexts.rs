//! The file of contexts: operators by name, `~/.config/flinkctl/config.yaml`. Only its owner can read it; secrets are in files that it names.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::args::PlaceArgs;
use crate::Result;
use crate::failure::Failure;

/// Which file, and which context of it.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ContextArgs {
    /// Context to use; see `flinkctl config`
    #[arg(long, value_name = "NAME", help_heading = "Connection", hide_short_help = true)]
    pub context: Option<String>,

    #[command(flatten)]
    pub file: FileArgs,
}

/// Where the contexts are.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct FileArgs {
    /// File with contexts; `~/.config/flinkctl/config.yaml` (or below `$XDG_CONFIG_HOME`) unless given
    #[arg(long, value_name = "FILE", help_heading = "Connection", hide_short_help = true)]
    pub config: Option<PathBuf>,
}

impl ContextArgs {
    pub fn file(&self) -> PathBuf {
        self.file.path()
    }
}

impl FileArgs {
    /// The file; one in the current directory where there is no home.
    pub fn path(&self) -> PathBuf {
        if let Some(path) = &self.config {
            return path.clone();
        }
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let directory = variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")));
        directory.unwrap_or_default().join("flinkctl").join("config.yaml")
    }
}

/// An operator by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    pub name: String,
    #[serde(flatten)]
    pub place: PlaceArgs,
}

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Contexts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_context: Option<String>,
    #[serde(default)]
    pub contexts: Vec<Context>,
}

impl Contexts {
    /// Reads the file; without one there are no contexts.
    pub fn read(path: &Path) -> Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Failure::new(format!("failed to read {}: {error}", path.display()))),
        };
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_yaml::from_str(&text).map_err(|error| Failure::new(format!("failed to read {}: {error}", path.display())))
    }

    /// Writes the file, which nobody else may read; a reader sees the old one or the new one.
    pub fn write(&self, path: &Path) -> Result<()> {
        let failed = |error: std::io::Error| Failure::new(format!("failed to write {}: {error}", path.display()));
        let text = serde_yaml::to_string(self).map_err(|error| Failure::new(error.to_string()))?;
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            std::fs::create_dir_all(directory).map_err(failed)?;
        }
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}", std::process::id()));
        let new = PathBuf::from(name);
        let written = write_private(&new, &text).and_then(|()| std::fs::rename(&new, path));
        written.map_err(|error| {
            let _ = std::fs::remove_file(&new);
            failed(error)
        })
    }

    /// A context by name.
    pub fn find(&self, name: &str) -> Result<&Context> {
        self.contexts.iter().find(|one| one.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.contexts.iter().map(|one| one.name.as_str()).collect();
            let failure = Failure::usage(format!("there is no context `{name}`"));
            match names.as_slice() {
                [] => failure.hint(format!("make it: flinkctl config set-context {name} --host HOST")),
                names => failure.hint(format!("there are: {}", names.join(", "))),
            }
        })
    }

    /// The context of that name, else the current one, if there is one.
    pub fn chosen(&self, name: Option<&str>) -> Result<Option<Context>> {
        name.or(self.current_context.as_deref()).map(|name| self.find(name).cloned()).transpose()
    }
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_comes_back_as_it_was_written_and_is_private() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("below/config.yaml");
        assert_eq!(Contexts::read(&path).expect("nothing yet"), Contexts::default());
        let mut place = PlaceArgs { host: Some("prod.example.com".into()), port: Some(8443), ..PlaceArgs::default() };
        place.kube.namespace = Some("flink".into());
        let contexts =
            Contexts { current_context: Some("prod".into()), contexts: vec![Context { name: "prod".into(), place }] };
        contexts.write(&path).expect("written");
        contexts.write(&path).expect("written again");
        assert_eq!(Contexts::read(&path).expect("read"), contexts);
        let text = std::fs::read_to_string(&path).expect("a text");
        assert_eq!(
            text,
            "current-context: prod\ncontexts:\n- name: prod\n  host: prod.example.com\n  port: 8443\n  namespace: flink\n"
        );
        assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_with_a_word_that_nobody_knows_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("config.yaml");
        std::fs::write(&path, "current: x\n").expect("written");
        assert!(Contexts::read(&path).is_err());
    }
}
