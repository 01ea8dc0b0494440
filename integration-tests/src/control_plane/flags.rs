//! With which flags each component runs, and where it finds its files.

use std::path::{Path, PathBuf};

use super::PORT;

pub(super) const AUDIT_LOG: &str = "audit.log";
pub(super) const AUDIT_POLICY: &str = "audit-policy.yaml";

/// Controllers that work with one node on loopback. Left out are those of endpoints, which refuse addresses of loopback, and those of
/// clouds, volumes, certificates and routes, which have nothing to do here.
const CONTROLLERS: [&str; 20] = [
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "daemonset-controller",
    "deployment-controller",
    "disruption-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "replicationcontroller-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "statefulset-controller",
    "taint-eviction-controller",
    "ttl-after-finished-controller",
    "validatingadmissionpolicy-status-controller",
];

pub(super) fn etcd(directory: &Path) -> Vec<String> {
    vec![format!("--data-dir={}", directory.join("etcd").display())]
}

pub(super) fn etcd_socket(directory: &Path) -> PathBuf {
    directory.join("etcd/client.sock")
}

pub(super) fn api_server(directory: &Path, network: u8) -> Vec<String> {
    let file = |name: &str| directory.join(name).display().to_string();
    vec![
        format!("--etcd-servers=unix://{}", etcd_socket(directory).display()),
        format!("--bind-address=127.{network}.0.1"),
        format!("--secure-port={PORT}"),
        // An endpoint cannot be an address of loopback, so none is published; this one, of a network for documentation, is only named.
        "--advertise-address=192.0.2.1".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
        // The half of the network that the node forwards.
        format!("--service-cluster-ip-range=127.{network}.128.0/17"),
        format!("--tls-cert-file={}", file("server.crt")),
        format!("--tls-private-key-file={}", file("server.key")),
        format!("--client-ca-file={}", file("ca.crt")),
        format!("--kubelet-certificate-authority={}", file("ca.crt")),
        format!("--kubelet-client-certificate={}", file("kubelet-client.crt")),
        format!("--kubelet-client-key={}", file("kubelet-client.key")),
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
        format!("--service-account-key-file={}", file("service-accounts.pub")),
        format!("--service-account-signing-key-file={}", file("service-accounts.key")),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--enable-admission-plugins=NodeRestriction".to_owned(),
        "--allow-privileged=true".to_owned(),
        format!("--audit-policy-file={}", file(AUDIT_POLICY)),
        format!("--audit-log-path={}", file(AUDIT_LOG)),
        // What a test reads must not have moved to another file.
        "--audit-log-maxsize=0".to_owned(),
        "--profiling=false".to_owned(),
    ]
}

pub(super) fn controller_manager(directory: &Path) -> Vec<String> {
    let file = |name: &str| directory.join(name).display().to_string();
    vec![
        format!("--kubeconfig={}", file("kube-controller-manager.kubeconfig")),
        format!("--controllers={}", CONTROLLERS.join(",")),
        format!("--service-account-private-key-file={}", file("service-accounts.key")),
        format!("--root-ca-file={}", file("ca.crt")),
        // Each controller with the rights of its own role, as everywhere.
        "--use-service-account-credentials=true".to_owned(),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
        "--profiling=false".to_owned(),
    ]
}

pub(super) fn scheduler(directory: &Path) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", directory.join("kube-scheduler.kubeconfig").display()),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
        "--profiling=false".to_owned(),
    ]
}

/// What a component's heap shall not exceed by much: the collector works harder near to it.
pub(super) fn memory(component: &str) -> &'static str {
    match component {
        "kube-apiserver" => "512MiB",
        "kube-controller-manager" => "192MiB",
        _ => "128MiB",
    }
}
