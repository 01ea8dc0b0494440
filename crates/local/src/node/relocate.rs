//! Paths of a container on a machine that gives no mount namespaces.
//!
//! Without mounts nothing lies where the pod expects it. What a pod names by a path of its own, alone or after `--flag=`, is then replaced by
//! the path that the host has for it. A program that knows such a path by heart does not find it.

use crate::shim::{Mount, Order};
use std::path::{Path, PathBuf};

/// Where the parts of a container lie on the host.
pub(super) struct Relocation<'a> {
    pub mounts: &'a [Mount],
    /// Roots of file systems that would be laid over the host's.
    pub layers: &'a [PathBuf],
    /// Scripts of the image, old path and new one; they are found inside of shell commands too.
    pub scripts: &'a [(String, String)],
}

impl Relocation<'_> {
    /// Replaces the paths of an order.
    pub fn order(&self, order: &mut Order) {
        for word in &mut order.program {
            *word = self.text(word);
        }
        for (_, value) in order.environment.iter_mut().filter(|(name, _)| name != "PATH" && name != "JAVA_HOME") {
            *value = self.text(value);
        }
        if let Some(directory) = order.directory.to_str().and_then(|directory| self.path(directory)) {
            order.directory = directory;
        }
    }

    /// The text with its path replaced, if it is one that the host has elsewhere.
    fn text(&self, text: &str) -> String {
        let start = if text.starts_with('/') { Some(0) } else { text.find("=/").map(|at| at + 1) };
        match start.and_then(|start| Some((&text[..start], self.path(&text[start..])?))) {
            Some((flag, path)) => format!("{flag}{}", path.display()),
            None => self.scripts.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old, new)),
        }
    }

    fn path(&self, path: &str) -> Option<PathBuf> {
        let path = Path::new(path);
        let below = |mount: &&Mount| path.starts_with(&mount.target);
        if let Some(mount) = self.mounts.iter().filter(below).max_by_key(|mount| mount.target.components().count()) {
            let rest = path.strip_prefix(&mount.target).ok()?;
            return Some(if rest.as_os_str().is_empty() { mount.source.clone() } else { mount.source.join(rest) });
        }
        let inside = path.strip_prefix("/").ok()?;
        self.layers.iter().rev().map(|layer| layer.join(inside)).find(|path| path.exists())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_container_become_paths_of_the_host() {
        let image = tempfile::tempdir().unwrap();
        std::fs::write(image.path().join("job.jar"), "").unwrap();
        let mount = |source: &str, target: &str| Mount {
            source: source.into(),
            target: target.into(),
            read_only: false,
            essential: true,
        };
        let mounts = [mount("/data/v", "/bin-of-ours"), mount("/data/w", "/bin-of-ours/deep")];
        let relocation = Relocation {
            mounts: &mounts,
            layers: &[image.path().to_owned()],
            scripts: &[("/run.sh".to_owned(), "/x/run.sh".to_owned())],
        };
        let jar = image.path().join("job.jar").display().to_string();
        for (text, expected) in [
            ("/bin-of-ours/flinkctl", "/data/v/flinkctl"),
            ("--to=/bin-of-ours/deep/x", "--to=/data/w/x"),
            ("/bin-of-ours", "/data/v"),
            ("/bin-of-others/x", "/bin-of-others/x"),
            ("--jar-path=/job.jar", &format!("--jar-path={jar}")),
            ("/no.jar", "/no.jar"),
            ("A=b /run.sh job", "A=b /x/run.sh job"),
            ("a sentence with / in it", "a sentence with / in it"),
        ] {
            assert_eq!(relocation.text(text), expected, "{text}");
        }
    }
}
