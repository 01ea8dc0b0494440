//! What must be installed beforehand, checked before anything starts.
//!
//! Every missing tool is named at once, with the way to get it; nothing is installed here.

use std::process::Command;

use anyhow::{Result, bail};
use integration_tests::control_plane::program;

use crate::ui::Step;

/// The tools that a verb may need.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// `rustc` of the version that the workspace names.
    Rust,
    /// `java`, `javac` and `jar` of version 17 or later.
    Java,
    /// `python3` with `pip`, which fetches Flink's JARs.
    Python,
    /// `kubectl`, unless `cargo xtask kube` has built it.
    Kubectl,
    /// `go`, which builds Kubernetes.
    Go,
    /// `script` of util-linux, which makes a terminal.
    Script,
    /// `openssl`, which judges certificates.
    Openssl,
}

/// Everything that `demo` needs.
pub const ALL: &[Tool] = &[Tool::Rust, Tool::Java, Tool::Python, Tool::Kubectl];

/// Everything that the whole of `test` needs.
pub const TEST: &[Tool] = &[Tool::Rust, Tool::Java, Tool::Python, Tool::Go, Tool::Script, Tool::Openssl];

/// What `test --fast` needs.
pub const FAST: &[Tool] = &[Tool::Rust, Tool::Kubectl, Tool::Script, Tool::Openssl];

const OLDEST_JAVA: u32 = 17;
const OLDEST_RUST: (u32, u32) = (1, 95);
const OLDEST_GO: (u32, u32) = (1, 26);

/// Checks the tools and fails with one message that names all that is missing.
pub fn check(tools: &[Tool]) -> Result<()> {
    let step = Step::start("Check what must be installed");
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for tool in tools {
        match look(*tool) {
            Ok(version) => found.push(version),
            Err(problem) => missing.push(format!("  {problem}\n    hint: {}", hint(*tool))),
        }
    }
    if !missing.is_empty() {
        drop(step);
        bail!("something that must be installed is missing:\n{}", missing.join("\n"));
    }
    step.done_with(&found.join(", "));
    Ok(())
}

fn look(tool: Tool) -> Result<String, String> {
    match tool {
        Tool::Rust => {
            let text = first_line("rustc", &["--version"])?;
            let version = rust_version(&text).ok_or_else(|| format!("rustc says `{text}`, which is no version"))?;
            if version < OLDEST_RUST {
                return Err(format!(
                    "Rust is {}.{}, {}.{} is needed",
                    version.0, version.1, OLDEST_RUST.0, OLDEST_RUST.1
                ));
            }
            Ok(format!("Rust {}.{}", version.0, version.1))
        }
        Tool::Java => {
            let mut oldest = u32::MAX;
            for program in ["java", "javac", "jar"] {
                let text = first_line(program, &["--version"])?;
                let major = java_major(&text).ok_or_else(|| format!("{program} says `{text}`, which is no version"))?;
                oldest = oldest.min(major);
                if major < OLDEST_JAVA {
                    return Err(format!("{program} is version {major}, {OLDEST_JAVA} is needed"));
                }
            }
            Ok(format!("Java {oldest}"))
        }
        Tool::Python => {
            let text = first_line("python3", &["-m", "pip", "--version"])?;
            Ok(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
        }
        Tool::Go => {
            let text = first_line("go", &["version"])?;
            let version = go_version(&text).ok_or_else(|| format!("go says `{text}`, which is no version"))?;
            if version < OLDEST_GO {
                return Err(format!("Go is {}.{}, {}.{} is needed", version.0, version.1, OLDEST_GO.0, OLDEST_GO.1));
            }
            Ok(format!("Go {}.{}", version.0, version.1))
        }
        Tool::Script => first_line("script", &["--version"]),
        Tool::Openssl => first_line("openssl", &["version"]),
        Tool::Kubectl => {
            if let Ok(Some(program)) = program::built() {
                return Ok(format!("kubectl in {}", program.parent().unwrap_or(&program).display()));
            }
            let text = first_line("kubectl", &["version", "--client"])?;
            Ok(format!("kubectl {}", text.rsplit(' ').next().unwrap_or_default()))
        }
    }
}

fn hint(tool: Tool) -> &'static str {
    match tool {
        Tool::Rust => "install Rust 1.95 or later: https://rustup.rs, then `rustup update stable`",
        Tool::Java => {
            "install a JDK of version 17 or later (Debian, Ubuntu: `apt install openjdk-17-jdk-headless`) and put its bin directory in PATH"
        }
        Tool::Python => "install Python 3 with pip (Debian, Ubuntu: `apt install python3 python3-pip`)",
        Tool::Go => "install Go 1.26 or later: https://go.dev/doc/install",
        Tool::Script => "install util-linux (Debian, Ubuntu: `apt install bsdutils`)",
        Tool::Openssl => "install OpenSSL (Debian, Ubuntu: `apt install openssl`)",
        Tool::Kubectl => {
            "install kubectl and put it in PATH (https://kubernetes.io/docs/tasks/tools/), or run `cargo xtask kube --build-only`, which builds it"
        }
    }
}

fn first_line(program: &str, arguments: &[&str]) -> Result<String, String> {
    let shown = format!("{program} {}", arguments.join(" "));
    let output = Command::new(program).args(arguments).output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("`{program}` is not in PATH"),
        _ => format!("`{shown}` cannot be started: {error}"),
    })?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{shown}` fails: {}", words.lines().last().unwrap_or("it says nothing")));
    }
    let words = String::from_utf8_lossy(&output.stdout);
    Ok(words.lines().next().unwrap_or_default().to_owned())
}

fn java_major(text: &str) -> Option<u32> {
    let number = text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    number.split(['.', '-', '+']).next()?.parse().ok()
}

fn go_version(text: &str) -> Option<(u32, u32)> {
    let number = text.split_whitespace().find_map(|word| word.strip_prefix("go1."))?;
    Some((1, number.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()?))
}

fn rust_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split_whitespace().nth(1)?.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_tools_say() {
        assert_eq!(java_major("openjdk 17.0.15 2025-04-15"), Some(17));
        assert_eq!(java_major("javac 21-ea"), Some(21));
        assert_eq!(java_major("jar 11"), Some(11));
        assert_eq!(java_major("nothing"), None);
        assert_eq!(go_version("go version go1.26.8 linux/amd64"), Some((1, 26)));
        assert_eq!(go_version("go version go1.27rc1 linux/amd64"), Some((1, 27)));
        assert_eq!(go_version("go version devel"), None);
        assert_eq!(rust_version("rustc 1.95.0 (59807616e 2026-04-14)"), Some((1, 95)));
        assert_eq!(rust_version("rustc 1.97.0-nightly (1 2)"), Some((1, 97)));
    }

    #[test]
    fn a_missing_program_is_named() {
        let problem = first_line("a-program-that-nobody-has", &["--version"]).expect_err("nobody has it");
        assert_eq!(problem, "`a-program-that-nobody-has` is not in PATH");
    }
}
