//! The processes of pods, found in the machine's process table.
//!
//! Every pod of flinkctl carries its name, namespace and address in the environment of its processes, and an address belongs to one pod
//! of one local instance only. So a test finds what it wants to kill without asking the code under test.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process with what the kernel says about it.
#[derive(Debug, Clone)]
pub struct Process {
    pub pid: i32,
    pub command: String,
    environment: HashMap<String, String>,
}

impl Process {
    /// A variable of the environment that the process was started with.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// Lets the process stand still, until it is resumed.
    pub fn suspend(&self) {
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGSTOP);
    }

    /// Lets a process go on that stood still; another one does not notice.
    pub fn resume(&self) {
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGCONT);
    }

    /// Ends the process as `kill -9` does. One that is already gone is fine.
    pub fn kill(&self) {
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
    }
}

/// The processes of the pod with this name and address.
pub fn of_pod(name: &str, address: &str) -> Vec<Process> {
    all()
        .into_iter()
        .filter(|process| process.variable("POD_NAME") == Some(name) && process.variable("POD_IP") == Some(address))
        .collect()
}

/// The processes that belong to the local instance with this data directory: its server, and the processes of all its pods.
pub fn of_instance(data_dir: &Path, network: &str) -> Vec<Process> {
    let data_dir = data_dir.to_string_lossy().into_owned();
    let mine = std::process::id().cast_signed();
    all()
        .into_iter()
        .filter(|process| process.pid != mine)
        .filter(|process| {
            let in_network =
                !network.is_empty() && process.variable("POD_IP").is_some_and(|address| address.starts_with(network));
            in_network || (process.command.contains(&data_dir) && process.command.contains("flinkctl"))
        })
        .collect()
}

/// The processes whose command line holds this text.
pub fn with_argument(text: &str) -> Vec<Process> {
    let mine = std::process::id().cast_signed();
    all().into_iter().filter(|process| process.pid != mine && process.command.contains(text)).collect()
}

/// Every process of the machine that this user may look at; one that ends meanwhile is left out, and so is one that only waits to
/// be collected by its parent.
fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries.flatten().filter_map(|entry| read(entry.file_name().to_str()?.parse().ok()?)).collect()
}

fn read(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let state = stat.rsplit(") ").next()?.chars().next()?;
    if matches!(state, 'Z' | 'X') {
        return None;
    }
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(Process {
        pid,
        command: words(&command).join(" "),
        environment: words(&environment).iter().filter_map(|word| pair(word)).collect(),
    })
}

fn words(bytes: &[u8]) -> Vec<String> {
    bytes
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

fn pair(word: &str) -> Option<(String, String)> {
    word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_pod_is_found_by_its_name_and_address_and_can_be_killed() {
        let name = format!("probe-{}", std::process::id());
        let mut child = Command::new("sleep")
            .arg("60")
            .env("POD_NAME", &name)
            .env("POD_IP", "127.121.1.1")
            .spawn()
            .expect("sleep starts");
        let found = loop {
            // Between fork and exec the environment is still the parent's.
            let found = of_pod(&name, "127.121.1.1");
            if !found.is_empty() {
                break found;
            }
        };
        assert_eq!(found.len(), 1);
        assert!(of_pod(&name, "127.121.1.2").is_empty());
        found[0].kill();
        assert!(!child.wait().expect("it was ours").success());
        assert!(of_pod(&name, "127.121.1.1").is_empty());
    }
}
