//! What a machine must have before anything starts: Java and a Flink distribution.
//!
//! Invariant: a refusal says what is missing and how to get it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

const OLDEST_JAVA: u32 = 17;

/// What is missing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No Java.
    #[error(
        "find Java: no `java` in JAVA_HOME or PATH; install a JDK or JRE {OLDEST_JAVA} or later \
         (for example the package openjdk-17-jre-headless), or set JAVA_HOME"
    )]
    NoJava,
    /// A Java that does not run.
    #[error("run {path}: {why}; set JAVA_HOME to a Java {OLDEST_JAVA} or later")]
    Java {
        /// The program.
        path: PathBuf,
        /// What happened.
        why: String,
    },
    /// A Java that is too old.
    #[error("use {path}: it is Java {found}, Flink needs {OLDEST_JAVA} or later; set JAVA_HOME to such a one")]
    OldJava {
        /// The program.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// No Flink.
    #[error(
        "find Flink: set FLINK_HOME, or use --flink-home, with the directory of an unpacked distribution \
         (https://flink.apache.org/downloads/; in a clone of flinkctl, `cargo xtask flink` makes one below .flink)"
    )]
    NoFlink,
    /// A directory that is no Flink.
    #[error(
        "use {path} as Flink: there is no lib/flink-dist-*.jar in it; point --flink-home to an unpacked distribution"
    )]
    NotFlink {
        /// The directory.
        path: PathBuf,
    },
}

/// A machine that can run Flink.
#[derive(Debug, PartialEq, Eq)]
pub struct Machine {
    pub java: String,
    pub flink_home: PathBuf,
    pub flink: String,
}

/// Looks for Java and Flink.
pub fn check(flink_home: Option<&Path>) -> Result<Machine, Error> {
    let home = flink_home.filter(|path| !path.as_os_str().is_empty()).ok_or(Error::NoFlink)?;
    let flink = flink_version(home).ok_or_else(|| Error::NotFlink { path: home.to_owned() })?;
    let java = java_version()?;
    let flink_home = home.canonicalize().unwrap_or_else(|_| home.to_owned());
    Ok(Machine { java, flink_home, flink })
}

/// The version in the name of the distribution's JAR.
fn flink_version(home: &Path) -> Option<String> {
    std::fs::read_dir(home.join("lib")).ok()?.flatten().find_map(|entry| {
        let name = entry.file_name();
        let version = name.to_str()?.strip_prefix("flink-dist")?.strip_suffix(".jar")?;
        // Long ago the version of Scala stood in between.
        Some(version.rsplit_once('-').map_or(version, |(_, version)| version).to_owned())
    })
}

fn java_version() -> Result<String, Error> {
    let home = std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty());
    let path = home.map_or_else(|| PathBuf::from("java"), |home| Path::new(&home).join("bin/java"));
    let failed = |why: String| Error::Java { path: path.clone(), why };
    let output = match Command::new(&path).arg("-version").output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(Error::NoJava),
        Err(error) => return Err(failed(error.to_string())),
    };
    // Java tells its version on stderr.
    let text = String::from_utf8_lossy(&output.stderr);
    let version = quoted(&text).filter(|_| output.status.success());
    let version = version.ok_or_else(|| failed(format!("it says {:?}", text.trim())))?;
    match major(version) {
        Some(found) if found < OLDEST_JAVA => Err(Error::OldJava { path, found }),
        Some(_) => Ok(version.to_owned()),
        None => Err(failed(format!("its version {version:?} makes no sense"))),
    }
}

fn quoted(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}

/// `17` of `17.0.9`, `8` of `1.8.0_392`, `24` of `24-ea`.
fn major(version: &str) -> Option<u32> {
    let mut numbers = version.split(|letter: char| !letter.is_ascii_digit());
    match numbers.next()?.parse().ok()? {
        1 => numbers.next()?.parse().ok(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_java_are_understood() {
        let text = "openjdk version \"17.0.9\" 2023-10-17\nOpenJDK Runtime Environment\n";
        assert_eq!(quoted(text), Some("17.0.9"));
        for (version, expected) in [("17.0.9", 17), ("1.8.0_392", 8), ("24-ea", 24), ("21", 21)] {
            assert_eq!(major(version), Some(expected), "{version}");
        }
        assert_eq!(major("x"), None);
    }

    #[test]
    fn a_directory_is_flink_if_its_jar_is_there() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(check(None), Err(Error::NoFlink)));
        assert!(matches!(check(Some(directory.path())), Err(Error::NotFlink { .. })));
        std::fs::create_dir(directory.path().join("lib")).unwrap();
        std::fs::write(directory.path().join("lib/flink-dist-2.1.3.jar"), "").unwrap();
        assert_eq!(flink_version(directory.path()).as_deref(), Some("2.1.3"));
    }
}
