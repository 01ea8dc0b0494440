//! What people see: `kubectl`'s own output on both servers. Sessions are data (`kubectl/*.yaml`): files, and commands for a shell.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::program::Run;
use crate::servers::{Kubectl, Servers};
use integration_tests::conformance::compare::differences;
use integration_tests::wait::until;

/// Long enough for controllers.
const PATIENCE: Duration = Duration::from_secs(40);
/// A command that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(30);

/// A sentence about what `kubectl` says, and the commands that show it. Each session has a namespace and a directory of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    pub name: String,
    /// Files in the directory; what is no text is written as YAML. `{ns}` stands for the namespace, here and in commands.
    #[serde(default)]
    files: BTreeMap<String, Value>,
    steps: Vec<Line>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    run: String,
    /// The exit code on the genuine server.
    #[serde(default)]
    code: i32,
    /// Words that the genuine server's answer has, so that the session shows what it says.
    #[serde(default)]
    says: Vec<String>,
    /// Run again until the answer has these words; for what controllers do in their own time.
    #[serde(default)]
    until: Option<String>,
    /// The words of `docs/local.md` that explain why the answers differ. Answers that do not differ are then a failure.
    #[serde(default)]
    differs: Option<String>,
    /// Not compared: what is only done for its effect.
    #[serde(default)]
    quiet: bool,
}

/// What a command left.
#[derive(Debug, Clone)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn whole(&self, namespace: &Place) -> Value {
        let lines = |text: &str| -> Vec<String> {
            let mut lines: Vec<String> = text.lines().map(|line| namespace.normal(line)).collect();
            // The genuine server finds the causes of a refusal in no order.
            lines.chunk_by_mut(|one, other| is_cause(one) && is_cause(other)).for_each(<[String]>::sort_unstable);
            lines
        };
        json!({ "code": self.code, "out": lines(&self.out), "err": lines(&self.err) })
    }

    fn has(&self, words: &str) -> bool {
        self.out.contains(words) || self.err.contains(words)
    }
}

/// Whether a line is one of a list of causes.
fn is_cause(line: &str) -> bool {
    line.starts_with("* ")
}

/// A server as `kubectl` sees it in one session.
struct Place {
    directory: tempfile::TempDir,
    home: PathBuf,
    /// `PATH`.
    search: OsString,
    server: String,
    namespace: String,
}

/// The sessions of all files of a directory.
pub fn read(directory: &Path) -> Result<Vec<Session>> {
    let mut all = Vec::new();
    for (area, text) in crate::case::files(directory)? {
        let sessions: Vec<Session> =
            serde_yaml::from_str(&text).with_context(|| format!("{area} holds no sessions"))?;
        all.extend(
            sessions
                .into_iter()
                .map(|session| Session { name: format!("kubectl {area}: {}", session.name), ..session }),
        );
    }
    Ok(all)
}

/// Runs a session on both servers and fails with the first command whose answers differ.
pub async fn check(servers: &Servers, namespace: &str, session: &Session) -> Result<()> {
    tokio::try_join!(Run::start(&servers.genuine, namespace), Run::start(&servers.local, namespace))?;
    let genuine = Place::make(&servers.genuine_kubectl, namespace, session)?;
    let local = Place::make(&servers.local_kubectl, namespace, session)?;
    let mut first = None;
    for line in &session.steps {
        let said = async {
            let said = genuine.run(line).await.with_context(|| format!("`{}` on the genuine server", line.run))?;
            ensure!(said.code == Some(line.code), "`{}` is not what the session says: {said:?}", line.run);
            for words in &line.says {
                ensure!(said.has(words), "`{}` does not say `{words}`: {said:?}", line.run);
            }
            if std::env::var_os("CONFORMANCE_SHOW").is_some() {
                println!("$ {}\n{}{}", line.run, said.out, said.err);
            }
            anyhow::Ok(said)
        };
        if first.is_some() {
            said.await?;
            continue;
        }
        let (said, answered) = tokio::join!(said, local.run(line));
        let (said, answered) = (said?, answered);
        if line.quiet {
            continue;
        }
        first = match answered {
            Ok(answered) => difference(line, &said.whole(&genuine), &answered.whole(&local)),
            Err(error) => Some(format!("`{}` on the local server: {error:#}", line.run)),
        };
    }
    match first {
        Some(difference) => bail!("{difference}"),
        None => Ok(()),
    }
}

fn difference(line: &Line, genuine: &Value, local: &Value) -> Option<String> {
    let found = differences(genuine, local);
    match (&line.differs, found.is_empty()) {
        (None, true) | (Some(_), false) => None,
        (Some(reason), true) => {
            Some(format!("`{}` is marked as different ({reason}), but is the same: take the mark away", line.run))
        }
        (None, false) => {
            let text = |said: &Value| -> String {
                let lines = ["out", "err"].into_iter().flat_map(|stream| said[stream].as_array().into_iter().flatten());
                lines.map(|line| format!("    {}\n", line.as_str().unwrap_or_default())).collect()
            };
            Some(format!(
                "`{}`: the answers differ\n  {}\n  genuine {}\n{}  local {}\n{}",
                line.run,
                found.join("\n  "),
                genuine["code"],
                text(genuine),
                local["code"],
                text(local)
            ))
        }
    }
}

impl Place {
    fn make(kubectl: &Kubectl, namespace: &str, session: &Session) -> Result<Self> {
        let directory =
            tempfile::Builder::new().prefix("flinkctl-kubectl-").tempdir().context("cannot make a directory")?;
        let mut kubeconfig = kubectl.kubeconfig.clone();
        kubeconfig["contexts"][0]["context"]["namespace"] = json!(namespace);
        let server = kubeconfig["clusters"][0]["cluster"]["server"].as_str().unwrap_or_default().to_owned();
        let (home, path) = (kubectl.home.clone(), kubectl.path.clone());
        let place = Self { directory, home, search: path, server, namespace: namespace.to_owned() };
        std::fs::write(place.path("kubeconfig"), serde_yaml::to_string(&kubeconfig)?)?;
        for (name, content) in &session.files {
            let text = match content {
                Value::String(text) => text.clone(),
                Value::Array(documents) => {
                    documents.iter().map(serde_yaml::to_string).collect::<Result<Vec<_>, _>>()?.join("---\n")
                }
                other => serde_yaml::to_string(other)?,
            };
            std::fs::write(place.path(name), place.fill(&text)).with_context(|| format!("cannot write {name}"))?;
        }
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn fill(&self, text: &str) -> String {
        text.replace("{ns}", &self.namespace)
    }

    async fn run(&self, line: &Line) -> Result<Said> {
        let Some(words) = &line.until else { return self.once(&self.fill(&line.run)).await };
        let mut last = None;
        let what = format!("`{words}` is said");
        let waited = until(&what, PATIENCE, async || {
            // What cannot be run is final.
            let said = match self.once(&self.fill(&line.run)).await {
                Ok(said) => said,
                Err(error) => return Ok(Some(Err(error))),
            };
            if said.has(words) {
                return Ok(Some(Ok(said)));
            }
            last = Some(said);
            Ok(None)
        });
        waited.await.with_context(|| format!("the last was {last:?}"))?
    }

    async fn once(&self, line: &str) -> Result<Said> {
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(self.directory.path())
            .env("KUBECONFIG", self.path("kubeconfig"))
            .env("HOME", &self.home)
            .env("PATH", &self.search)
            .env_remove("KUBE_EDITOR")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output =
            tokio::time::timeout(LONGEST, output).await.context("it does not end")?.context("cannot run sh")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) })
    }

    /// A line without what nobody chose.
    fn normal(&self, line: &str) -> String {
        static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
            [
                (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uid>"),
                (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "<time>"),
                (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4}( [A-Z]+)?( m=\S+)?", "<time>"),
                (r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "<time>"),
                (r"^[EIW]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ ", "<log> "),
                (r#"(resourceVersion\\*"?: ?\\*)"\d+\\*""#, "$1<version>"),
                (r"(Expected resource version to be \d+, was )\d+", "$1<version>"),
                (r#"(Resource Version: +)\d+"#, "$1<version>"),
                (r"eyJ[\w-]+\.[\w-]+\.[\w-]+", "<token>"),
                (r"\b(10|127)\.\d+\.\d+\.\d+\b", "<address>"),
                (r"pod-template-hash([=:] ?)[a-z0-9]+", "pod-template-hash$1<hash>"),
                (r"\b(web|[a-z]+-web)-[a-z0-9]{8,10}-[a-z0-9]{5}\b", "$1-<hash>-<name>"),
                (r"\b(web|[a-z]+-web)-[a-z0-9]{8,10}\b", "$1-<hash>"),
                (r"(LIVE|MERGED)-\d+", "$1"),
                (r"kubectl-edit-\d+\.yaml", "<edited>"),
                (r"(^|[\s(])(<unknown>|\d+[ydhms](\d+[dhms])?)( ago)?($|[\s,)])", "$1<age>$4$5"),
                (r" {2,}", "  "),
                (r"-{4,}", "----"),
                (r"[ \t]+$", ""),
            ]
            .map(|(pattern, replacement)| (Regex::new(pattern).expect("a constant"), replacement))
            .into()
        });
        let mut text =
            line.replace(&self.server, "<server>").replace(&self.directory.path().display().to_string(), "<directory>");
        for (pattern, replacement) in RULES.iter() {
            text = pattern.replace_all(&text, *replacement).into_owned();
        }
        text
    }
}
