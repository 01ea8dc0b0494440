//! Who listens on a port of all addresses, and so blocks it for every pod.

use std::fs;

/// A listener on 0.0.0.0 or ::.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blocker {
    pub port: u16,
    /// The process, where this user may see it.
    pub process: Option<String>,
}

/// The first of the ports that somebody blocks.
pub(super) fn blocked(ports: impl IntoIterator<Item = u16>) -> Option<Blocker> {
    let listeners = wildcard_listeners();
    ports.into_iter().find_map(|port| {
        let (_, inode) = listeners.iter().find(|(listening, _)| *listening == port)?;
        Some(Blocker { port, process: owner(inode) })
    })
}

/// Words that say who blocks a port; empty if nobody does.
pub(super) fn blame(port: u16) -> String {
    blocked([port]).map_or_else(String::new, |blocker| format!(" ({blocker})"))
}

impl std::fmt::Display for Blocker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let process = self.process.as_deref().unwrap_or("a process of another user");
        write!(f, "{process} listens on port {} of all addresses", self.port)
    }
}

/// Ports and socket inodes.
fn wildcard_listeners() -> Vec<(u16, String)> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(listener).collect()
}

fn listener(line: &str) -> Option<(u16, String)> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (address, port) = fields.get(1)?.split_once(':')?;
    let wildcard = address.bytes().all(|digit| digit == b'0');
    (wildcard && fields.get(3) == Some(&LISTEN)).then_some(())?;
    Some((u16::from_str_radix(port, 16).ok()?, (*fields.get(9)?).to_owned()))
}

fn owner(inode: &str) -> Option<String> {
    let socket = format!("socket:[{inode}]");
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(descriptors) = fs::read_dir(entry.path().join("fd")) else { continue };
        let holds = descriptors
            .flatten()
            .any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target.as_os_str() == socket.as_str()));
        if holds {
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            return Some(format!("process {id} ({})", name.trim()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listener_on_all_addresses_is_found_with_its_process() {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let blocker = blocked([port]).unwrap();
        assert!(blocker.to_string().contains(&format!("process {} (", std::process::id())));
        let narrow = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(blocked([narrow.local_addr().unwrap().port()]), None);
    }
}
