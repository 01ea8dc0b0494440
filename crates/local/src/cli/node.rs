//! `node`: the node alone, for a control plane that runs elsewhere, such as a genuine one.
//!
//! Invariant: when `node` returns, no process of a pod is left and the data directory is free.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::preflight;
use super::{Error, NodeArgs, request, system};
use crate::files;
use crate::lock::Lock;
use crate::network::Network;
use crate::node::{self, NodeSettings, kubelet};

/// Length of a line of PEM.
const PEM_LINE: usize = 64;

pub async fn node(args: NodeArgs) -> Result<(), Error> {
    kit::telemetry::init(&args.telemetry);
    let machine = preflight::check(args.images.flink_home.as_deref().map(Path::new))?;
    let data_dir = args.data.path()?;
    let failed = |source| Error::System { what: format!("use the data directory {}", data_dir.display()), source };
    files::private_directory(&data_dir).map_err(failed)?;
    let data_dir = data_dir.canonicalize().map_err(failed)?;
    let _lock = Lock::claim(&data_dir)?;
    let stop = kit::shutdown::token().map_err(system("listen for signals"))?;

    let read = Kubeconfig::read_from(&args.kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
    let ca_pem = config.root_cert.as_deref().map(pem).filter(|text| !text.is_empty());
    let ca_pem = ca_pem.ok_or_else(|| Error::NoAuthority(args.kubeconfig.clone()))?;
    let api_server = config.cluster_url.to_string();
    let (subnet, _claim) = subnet(config.cluster_url.host(), &data_dir)?;
    let client = kube::Client::try_from(config).map_err(request("make a client"))?;
    eprintln!(
        "flinkctl local: node {} of {api_server}, pods at 127.{subnet}.1.0 and up; Flink {} in {}",
        args.name,
        machine.flink,
        machine.flink_home.display()
    );
    let settings = NodeSettings {
        client,
        name: args.name,
        data_dir,
        flink_home: Some(machine.flink_home),
        images: args.images.images.into_iter().collect(),
        subnet,
        executable: std::env::current_exe().map_err(system("find the running executable"))?,
        api_server,
        ca_pem,
        heartbeat: true,
        kubelet: args.server.settings(),
    };
    let result = node::run(settings, stop).await.map_err(Error::Node);
    eprintln!("flinkctl local: stopped");
    result
}

impl super::NodeServer {
    fn settings(self) -> Option<kubelet::Settings> {
        Some(kubelet::Settings { certificate: self.certificate?, key: self.key?, clients: self.clients? })
    }
}

/// N of 127.N.0.0/16. Next to a control plane on loopback it is the control plane's, so that Services have addresses of the same network as
/// pods; else it is claimed until the socket is closed.
fn subnet(host: Option<&str>, data_dir: &Path) -> Result<(u8, Option<UdpSocket>), Error> {
    match host.and_then(|host| host.parse::<Ipv4Addr>().ok()).map(|address| address.octets()) {
        Some([127, subnet, _, _]) if subnet != 0 => Ok((subnet, None)),
        _ => Network::claim(None, data_dir, 0)
            .map(|network| (network.subnet, Some(network.claim)))
            .map_err(Error::Network),
    }
}

fn pem(certificates: &[Vec<u8>]) -> String {
    let mut text = String::new();
    for certificate in certificates {
        let body = STANDARD.encode(certificate);
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in body.as_bytes().chunks(PEM_LINE) {
            text.push_str(&String::from_utf8_lossy(line));
            text.push('\n');
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};

    use super::*;

    #[test]
    fn certificates_are_written_as_they_are_read() {
        let certificates = [vec![1_u8; 100], vec![2; 3]];
        let read: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(pem(&certificates).as_bytes())
            .map(|certificate| certificate.expect("it is PEM").to_vec())
            .collect();
        assert_eq!(read, certificates);
    }

    #[test]
    fn a_node_shares_the_network_of_a_control_plane_on_loopback() {
        let directory = Path::new("/tests/node");
        assert!(matches!(subnet(Some("127.9.0.1"), directory), Ok((9, None))));
        assert!(matches!(subnet(Some("127.0.0.1"), directory), Ok((1..=120, Some(_)))));
        assert!(matches!(subnet(Some("cluster.example.org"), directory), Ok((1..=120, Some(_)))));
    }
}
