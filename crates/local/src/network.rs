//! Which part of loopback belongs to an instance: 127.N.0.0/16, with the API server at 127.N.0.1.
//!
//! Invariant: as long as a [`Network`] lives no other instance on this machine has the same N, whatever its port: the
//! claim is a bound UDP socket, which the kernel releases with the process.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;

/// The port of the API server, unless the user names another.
pub const PORT: u16 = 6443;
/// The port of the claim; nothing is ever sent to it.
const CLAIM_PORT: u16 = 6443;
const LAST: u8 = 120;

/// Why no network could be claimed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Every N is taken.
    #[error(
        "find a free loopback address: port {port} is taken on each of 127.1.0.1 to 127.{LAST}.0.1, most likely by \
         something that listens on all addresses (`ss -ltnp 'sport = :{port}'` shows it); stop it, or choose another --port"
    )]
    Taken {
        /// The port of the API server.
        port: u16,
    },
    /// The system has no such addresses.
    #[error("listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A claimed network with the socket of its API server.
#[derive(Debug)]
pub struct Network {
    /// N.
    pub subnet: u8,
    /// The socket of the API server, bound and listening.
    pub listener: TcpListener,
    /// Keeps the claim.
    pub claim: UdpSocket,
}

impl Network {
    /// Claims the network `kept` if it is free, else the first free one behind a place that depends on the data
    /// directory, so that instances which run in turns do not take each other's.
    pub fn claim(kept: Option<u8>, data_dir: &Path, port: u16) -> Result<Self, Error> {
        let first = place(data_dir);
        let candidates = kept.into_iter().chain((0..LAST).map(|offset| (first - 1 + offset) % LAST + 1));
        for subnet in candidates {
            if let Some(network) = try_claim(subnet, port)? {
                return Ok(network);
            }
        }
        Err(Error::Taken { port })
    }
}

/// A number in 1..=120 that depends on the path alone.
fn place(path: &Path) -> u8 {
    let sum = path
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    u8::try_from(sum % u64::from(LAST)).unwrap_or(0) + 1
}

fn try_claim(subnet: u8, port: u16) -> Result<Option<Network>, Error> {
    let host = Ipv4Addr::new(127, subnet, 0, 1);
    let free = |result: std::io::Error, address: SocketAddr| match result.kind() {
        ErrorKind::AddrInUse => Ok(()),
        _ => Err(Error::Bind { address, source: result }),
    };
    let claim_address = SocketAddr::from((host, CLAIM_PORT));
    let claim = match UdpSocket::bind(claim_address) {
        Ok(claim) => claim,
        Err(error) => return free(error, claim_address).map(|()| None),
    };
    let address = SocketAddr::from((host, port));
    match TcpListener::bind(address) {
        Ok(listener) => Ok(Some(Network { subnet, listener, claim })),
        Err(error) => free(error, address).map(|()| None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_instances_never_share_a_network() {
        let path = Path::new("/tests/network");
        let first = Network::claim(None, path, 0).unwrap();
        let second = Network::claim(Some(first.subnet), path, 0).unwrap();
        assert_ne!(first.subnet, second.subnet);
        let kept = second.subnet;
        drop(second);
        assert_eq!(Network::claim(Some(kept), path, 0).unwrap().subnet, kept);
    }

    #[test]
    fn the_first_place_is_within_bounds() {
        for path in ["", "/a", "/b", "/home/someone/.local/state/flinkctl/local"] {
            assert!((1..=LAST).contains(&place(Path::new(path))), "{path}");
        }
    }
}
