//! Loopback addresses: 127.N.1.0 to 127.N.127.255 for pods, 127.N.128.0 to 127.N.255.255 for Services.
//!
//! Invariant: an address that was given back is given out again only after all others, so that nobody reaches a new pod with an old address in
//! mind.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// The addresses of one part of a subnet.
pub(super) struct Addresses {
    subnet: u8,
    first: u32,
    count: u32,
    state: Mutex<State>,
    /// Where the last address is remembered across lives of the node.
    memory: Option<PathBuf>,
}

struct State {
    last: u32,
    used: BTreeSet<u32>,
}

const HOSTS: u32 = 254;

impl Addresses {
    pub fn pods(subnet: u8, memory: PathBuf) -> Self {
        let last = fs::read_to_string(&memory).ok().and_then(|text| text.trim().parse().ok());
        Self::new(subnet, 1..=127, last.unwrap_or(u32::MAX), Some(memory))
    }

    pub fn services(subnet: u8) -> Self {
        Self::new(subnet, 128..=255, u32::MAX, None)
    }

    fn new(subnet: u8, range: std::ops::RangeInclusive<u32>, last: u32, memory: Option<PathBuf>) -> Self {
        let count = (range.end() - range.start() + 1) * HOSTS;
        let last = if last < count { last } else { count - 1 };
        Addresses {
            subnet,
            first: *range.start(),
            count,
            state: Mutex::new(State { last, used: BTreeSet::new() }),
            memory,
        }
    }

    /// The next free address.
    pub fn take(&self) -> Option<Ipv4Addr> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let candidates = (1..=self.count).map(|step| (state.last + step) % self.count);
        let index = candidates.into_iter().find(|index| !state.used.contains(index))?;
        state.used.insert(index);
        state.last = index;
        if let Some(memory) = &self.memory {
            // Without memory an address may come back sooner, after a restart of the node only.
            let _ = fs::write(memory, index.to_string());
        }
        Some(self.address(index))
    }

    pub fn give_back(&self, address: Ipv4Addr) {
        let [_, _, third, fourth] = address.octets();
        let index =
            u32::from(third).checked_sub(self.first).map(|third| third * HOSTS + u32::from(fourth).saturating_sub(1));
        if let Some(index) = index {
            self.state.lock().unwrap_or_else(PoisonError::into_inner).used.remove(&index);
        }
    }

    fn address(&self, index: u32) -> Ipv4Addr {
        let third = u8::try_from(self.first + index / HOSTS).expect("the range ends at 255");
        let fourth = u8::try_from(1 + index % HOSTS).expect("a remainder of 254 is below 255");
        Ipv4Addr::new(127, self.subnet, third, fourth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_round() {
        let directory = tempfile::tempdir().unwrap();
        let memory = directory.path().join("address");
        let addresses = Addresses::pods(7, memory.clone());
        assert_eq!(addresses.take(), Some(Ipv4Addr::new(127, 7, 1, 1)));
        addresses.give_back(Ipv4Addr::new(127, 7, 1, 1));
        assert_eq!(addresses.take(), Some(Ipv4Addr::new(127, 7, 1, 2)));
        assert_eq!(Addresses::pods(7, memory).take(), Some(Ipv4Addr::new(127, 7, 1, 3)));
    }

    #[test]
    fn all_addresses_are_given_out_once() {
        let addresses = Addresses::services(3);
        let all: BTreeSet<Ipv4Addr> = std::iter::from_fn(|| addresses.take()).collect();
        assert_eq!(all.len(), 128 * 254);
        assert_eq!(all.last(), Some(&Ipv4Addr::new(127, 3, 255, 254)));
        addresses.give_back(Ipv4Addr::new(127, 3, 200, 9));
        assert_eq!(addresses.take(), Some(Ipv4Addr::new(127, 3, 200, 9)));
    }
}
