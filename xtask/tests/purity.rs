//! The pure crates stay pure: nothing below them opens a socket, asks for the time or throws dice.
//!
//! What a crate calls in the standard library is the business of its `clippy.toml`; this test looks at what it links.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The crates that must be pure.
const PURE: &[&str] = &["api", "control-api", "flink", "lifecycle", "manifests"];

/// What none of them may link, in whatever depth.
const FORBIDDEN: &[&str] = &[
    "async-std",
    "axum",
    "chrono",
    "getrandom",
    "hyper",
    "kube",
    "kube-client",
    "kube-runtime",
    "mio",
    "nix",
    "rand",
    "reqwest",
    "rustix",
    "rustls",
    "socket2",
    "tokio",
    "uuid",
];

#[test]
fn pure_crates_link_nothing_that_does_io() {
    let graph = Graph::read();
    let mut found = Vec::new();
    for name in PURE {
        let links = graph.links(name);
        found.extend(
            FORBIDDEN.iter().filter_map(|one| links.get(*one).map(|via| format!("{name} links {one} through {via}"))),
        );
    }
    assert!(found.is_empty(), "a pure crate does I/O:\n{}", found.join("\n"));
}

#[test]
fn the_check_sees_what_a_crate_links() {
    let graph = Graph::read();
    assert!(graph.links("kit").contains_key("tokio"), "kit is built on tokio");
}

#[test]
fn every_pure_crate_lists_what_it_must_not_call() {
    for name in PURE {
        let file = root().join("crates").join(name).join("clippy.toml");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(text.contains("std::time::SystemTime::now"), "{} must forbid the clock", file.display());
    }
}

struct Graph {
    /// Package id → (name, is it a crate of this workspace or of its dependencies that runs at compile time only).
    packages: BTreeMap<String, (String, bool)>,
    edges: BTreeMap<String, Vec<String>>,
    members: BTreeSet<String>,
}

impl Graph {
    fn read() -> Self {
        let output = Command::new(env!("CARGO"))
            .current_dir(root())
            .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"])
            .output()
            .expect("cargo starts");
        assert!(output.status.success(), "cargo metadata fails: {}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata writes JSON");
        let packages = list(&metadata["packages"])
            .iter()
            .map(|package| (text(&package["id"]), (text(&package["name"]), at_compile_time(package))));
        let edges = list(&metadata["resolve"]["nodes"]).iter().map(|node| (text(&node["id"]), linked(node)));
        let members = list(&metadata["workspace_members"]).iter().map(text);
        Self { packages: packages.collect(), edges: edges.collect(), members: members.collect() }
    }

    /// All that a member links, with the crate through which it comes.
    fn links(&self, member: &str) -> BTreeMap<String, String> {
        let start = self
            .members
            .iter()
            .find(|id| self.packages[*id].0 == member)
            .expect("the crate is a member of the workspace");
        let mut seen = BTreeSet::from([start.clone()]);
        let mut next = vec![start.clone()];
        let mut links = BTreeMap::new();
        while let Some(id) = next.pop() {
            for below in &self.edges[&id] {
                let (name, compile_time) = &self.packages[below];
                if !compile_time && seen.insert(below.clone()) {
                    links.insert(name.clone(), self.packages[&id].0.clone());
                    next.push(below.clone());
                }
            }
        }
        links
    }
}

/// The packages that a package links: neither those of its build script nor those of its tests.
fn linked(node: &Value) -> Vec<String> {
    let normal = |dependency: &&Value| list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
    list(&node["deps"]).iter().filter(normal).map(|dependency| text(&dependency["pkg"])).collect()
}

fn at_compile_time(package: &Value) -> bool {
    list(&package["targets"]).iter().any(|target| list(&target["kind"]).iter().any(|kind| kind == "proc-macro"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies directly below the root")
}
