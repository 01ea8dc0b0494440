//! The runtime of a server process. One thread: these processes wait far more than they compute, and each thread costs memory.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Runs the future to its end on a runtime of one thread.
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build()?;
    let output = runtime.block_on(future);
    // Name look-ups run on blocking threads and may hang; they must not hold up the end of the process.
    runtime.shutdown_background();
    Ok(output)
}

/// Where a server of ours listens: the pod's address when it runs in a pod, else loopback. Never all addresses.
pub fn listen_address(port: u16) -> SocketAddr {
    let pod = std::env::var("POD_IP").ok().and_then(|text| text.trim().parse::<IpAddr>().ok());
    SocketAddr::new(pod.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), port)
}

/// Where a server listens that people reach through a port-forward: as above, and on loopback, where port-forwards of Kubernetes
/// arrive. A pod whose own address is loopback shares it with others.
pub fn listen_addresses(port: u16) -> Vec<SocketAddr> {
    let own = listen_address(port);
    let loopback = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    if own.ip().is_loopback() { vec![own] } else { vec![own, loopback] }
}

/// The pod's name, when the process runs in a pod.
pub fn pod_name() -> Option<String> {
    std::env::var("POD_NAME").ok().filter(|name| !name.is_empty())
}

const TERMINATION_LOG: &str = "/dev/termination-log";

/// Leaves a last word where the kubelet looks for it, so that it stands in the pod's status. Outside of a pod there is no such place,
/// which does no harm.
pub fn leave_message(message: &str) {
    let path = std::env::var_os("TERMINATION_LOG").map_or_else(|| PathBuf::from(TERMINATION_LOG), PathBuf::from);
    if let Err(error) = std::fs::write(&path, message) {
        tracing::debug!(path = %path.display(), %error, "no termination message");
    }
}
