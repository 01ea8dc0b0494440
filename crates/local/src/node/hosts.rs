//! The names that a pod can look up: its own, and the Services of its namespace.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;

/// The hosts file of a pod.
///
/// `localhost` is the pod's own address: Flink's JobManager, whose servers listen there alone, looks for its own blob server at `localhost`.
pub(super) fn hosts(
    name: &str,
    address: Ipv4Addr,
    namespace: &str,
    services: &[(String, Ipv4Addr)],
    aliases: &[(String, Vec<String>)],
) -> String {
    let mut text = String::from("# Written by flinkctl for this pod alone.\n");
    let _ = writeln!(text, "{address}\tlocalhost {name}");
    for (service, address) in services {
        let _ = writeln!(
            text,
            "{address}\t{service} {service}.{namespace} {service}.{namespace}.svc {service}.{namespace}.svc.cluster.local"
        );
    }
    for (address, names) in aliases {
        let _ = writeln!(text, "{address}\t{}", names.join(" "));
    }
    text
}

/// The name service switch of the host, with files before everything else for host names.
pub(super) fn name_service_switch() -> String {
    let text = fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
    let others = text.lines().filter(|line| !line.trim_start().starts_with("hosts:"));
    others.chain(["hosts: files dns"]).fold(String::new(), |text, line| text + line + "\n")
}

/// Writes a file without changing its inode, which is bound into containers; true if it was changed.
pub(super) fn write_in_place(path: &Path, text: &str) -> io::Result<bool> {
    if fs::read_to_string(path).is_ok_and(|known| known == text) {
        return Ok(false);
    }
    let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_pod_finds_itself_and_the_services_of_its_namespace() {
        let services = [("jobmanager-a".to_owned(), Ipv4Addr::new(127, 1, 128, 1))];
        let aliases = [("10.0.0.1".to_owned(), vec!["db".to_owned(), "db.lan".to_owned()])];
        let text = hosts("taskmanager-a-0", Ipv4Addr::new(127, 1, 1, 2), "ns", &services, &aliases);
        assert_eq!(
            text.lines().skip(1).collect::<Vec<_>>(),
            [
                "127.1.1.2\tlocalhost taskmanager-a-0",
                "127.1.128.1\tjobmanager-a jobmanager-a.ns jobmanager-a.ns.svc jobmanager-a.ns.svc.cluster.local",
                "10.0.0.1\tdb db.lan",
            ]
        );
    }

    #[test]
    fn a_change_keeps_the_inode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hosts");
        assert!(write_in_place(&path, "a long text\n").unwrap());
        let inode = fs::metadata(&path).unwrap().ino();
        assert!(write_in_place(&path, "short\n").unwrap());
        assert!(!write_in_place(&path, "short\n").unwrap());
        assert_eq!(
            (fs::read_to_string(&path).unwrap().as_str(), fs::metadata(&path).unwrap().ino()),
            ("short\n", inode)
        );
    }
}
