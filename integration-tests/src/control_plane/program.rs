//! The program with all components: which source it is made of, and where it lies.
//!
//! It is kept in the user's cache, by a hash of its source: it outlives a clone of the repository, and a change of the source makes
//! another one. Building it is the business of `cargo xtask kube`.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest as _, Sha256};

/// The name of the program below [`home`]; `kubectl` lies beside it.
pub const NAME: &str = "control-plane";

/// The Go module.
pub fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("control-plane")
}

/// The user's cache directory of flinkctl.
pub fn cache() -> Result<PathBuf> {
    let base = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME is set, so there is no place to keep what is fetched and built")?;
    let cache = base.join("flinkctl");
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    Ok(cache)
}

/// The directory of the program that this source gives, built or not.
pub fn home() -> Result<PathBuf> {
    let mut hash = Sha256::new();
    for (name, content) in files(&source())? {
        hash.update(format!("{name}\0{}\0", content.len()));
        hash.update(content);
    }
    let hash = hash.finalize().iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    Ok(cache()?.join(NAME).join(format!("{}-{hash}", version()?)))
}

/// The version of Kubernetes in the module file, such as `1.36.3`.
pub fn version() -> Result<String> {
    let file = source().join("go.mod");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let version = text.lines().find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"));
    match version {
        Some(version) => Ok(version.trim().to_owned()),
        None => bail!("{} does not require k8s.io/kubernetes", file.display()),
    }
}

/// The program, if it has been built.
pub fn built() -> Result<Option<PathBuf>> {
    let program = home()?.join(NAME);
    Ok(program.exists().then_some(program))
}

fn files(directory: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() {
            files.push((name, fs::read(entry.path())?));
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_of_kubernetes_are_of_the_version_that_is_required() {
        let version = version().expect("it is required");
        let staging = version.strip_prefix("1.").expect("it is Kubernetes 1");
        let text = fs::read_to_string(source().join("go.mod")).expect("it is there");
        let replaced: Vec<&str> = text.lines().filter(|line| line.contains("=> k8s.io/")).collect();
        assert!(replaced.len() > 25, "{} parts", replaced.len());
        for line in replaced {
            assert!(line.ends_with(&format!(" v0.{staging}")), "{line}");
        }
    }

    #[test]
    fn a_home_is_named_by_version_and_source() {
        let home = home().expect("it has a name");
        let name = home.file_name().expect("it has one").to_string_lossy().into_owned();
        assert!(name.starts_with(&version().expect("there is one")), "{name}");
    }
}
